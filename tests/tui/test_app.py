"""What the app does when the data change: rings, recovers, stays where one was, and asks before it sends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.views import Alert, ClientState, HealthState, Severity
from fedblocks_tui.screens.acting import Confirm, Menu
from fedblocks_tui.screens.client_detail import ClientDetail
from fedblocks_tui.screens.job_detail import JobDetail
from fedblocks_tui.widgets.status import Banner, Header
from tests.tui.acting import SampleOperator
from tests.tui.playing import Scene, play
from tests.tui.sample import (
    BLOCK,
    CALM,
    CHEAT,
    CLIENTS,
    COHORT,
    NOTHING,
    OWN,
    SLASHED,
    SampleSnapshot,
    ScriptedFeed,
    client,
    health,
)

GONE = health(HealthState.DISCONNECTED, "connection refused", age=95)


def ring_counter(app):
    """Count the rings of an app's bell."""
    rings = []
    app.bell = lambda: rings.append(1)
    return rings


def test_a_new_slash_rings_once_and_is_told():
    async def scenario(scene: Scene) -> None:
        rings = ring_counter(scene.app)
        await scene.show(snapshot=SLASHED)
        assert len(rings) == 1
        assert scene.told == ["reading now", f"{CHEAT} lost 0.1 ETH: duplicate"]
        await scene.show(state=health(age=2))
        assert len(rings) == 1

    play(scenario)


def test_slashes_that_were_there_at_the_start_do_not_ring():
    async def scenario(scene: Scene) -> None:
        rings = ring_counter(scene.app)
        await scene.show(state=health(age=2))
        assert rings == []

    play(scenario, ScriptedFeed(SLASHED))


def test_with_the_bell_off_a_slash_is_told_silently():
    async def scenario(scene: Scene) -> None:
        rings = ring_counter(scene.app)
        await scene.show(snapshot=SLASHED)
        assert rings == []
        assert any("duplicate" in each for each in scene.told)

    play(scenario, bell=False)


def test_a_critical_alert_rings_too():
    alert = Alert(severity=Severity.CRITICAL, text="the treasury lacks 0.1 ETH", what_to_do="fedblocks check")

    async def scenario(scene: Scene) -> None:
        rings = ring_counter(scene.app)
        await scene.show(snapshot=SampleSnapshot(BLOCK, alerts=(alert,)))
        assert len(rings) == 1
        assert "✗ critical" in scene.text

    play(scenario)


def test_a_node_that_goes_away_leaves_the_data_under_a_banner_and_comes_back():
    async def scenario(scene: Scene) -> None:
        await scene.press("2")
        await scene.show(state=GONE)
        assert "✗ DISCONNECTED" in scene.text
        assert "stale: 1m 35s old" in scene.text
        assert "staked" in scene.text, "the data stay"
        await scene.show(state=health())
        assert not scene.app.screen.query_one(Banner).display
        assert "DISCONNECTED" not in scene.text

    play(scenario)


def test_a_feed_that_fails_is_shown_and_tried_again():
    class Broken(FedBlocksError, ConnectionError):
        pass

    class Failing(ScriptedFeed):
        failure = None

        def poll(self, say):
            self.polls += 1
            if self.failure:
                raise self.failure
            return super().poll(say)

    async def scenario(scene: Scene) -> None:
        await scene.show(failure=Broken("the index is locked"))
        assert "the index is locked" in scene.text
        await scene.show(failure=None)
        assert "the index is locked" not in scene.text

    play(scenario, Failing())


def test_the_age_of_the_data_counts_between_two_answers():
    async def scenario(scene: Scene) -> None:
        now = scene.app.clock.wall()
        scene.app.clock.wall = lambda: now + 41
        scene.app._tick()
        await scene.settle()
        assert "data 42s old" in scene.text

    play(scenario)


def test_while_paused_the_screen_stays_and_then_catches_up():
    async def scenario(scene: Scene) -> None:
        await scene.press("2", "p")
        await scene.show(snapshot=SLASHED)
        assert "✗ slashed" not in scene.text
        await scene.press("p")
        await scene.until(lambda: "✗ slashed" in scene.text)

    play(scenario)


def test_the_cursor_stays_on_its_client_when_the_order_changes():
    async def scenario(scene: Scene) -> None:
        await scene.press("2", "j", "j")
        chosen = scene.table.selected.address
        newcomer = client(CHEAT[:-4] + "0000", ClientState.STAKED)
        await scene.show(snapshot=SampleSnapshot(BLOCK, clients=(newcomer, *CLIENTS[::-1])))
        assert scene.table.selected.address == chosen

    play(scenario)


def test_the_filter_knows_words_beginnings_of_addresses_and_amounts():
    async def scenario(scene: Scene) -> None:
        await scene.press("2", "slash")
        for typed, left in (
            ("unbonding", COHORT[2:4]),
            (COHORT[1][:7].lower(), COHORT[1:2]),
            ("strikes>=2", COHORT[1:2]),
            ("unbonding>0.05 withdrawn", ()),
            ("stake>0.05", (COHORT[0], COHORT[1], COHORT[4])),
        ):
            scene.app.screen.query_one("#filter").value = typed
            await scene.settle()
            assert tuple(row.address for row in scene.app.screen.table.rows) == left

    play(scenario)


def test_countdowns_run_on_the_chains_clock():
    async def scenario(scene: Scene) -> None:
        await scene.press("2")
        assert "in 1d 02h" in scene.text
        now = scene.app.clock.wall()
        scene.app.clock.wall = lambda: now + 90_000
        scene.app._tick()
        await scene.settle()
        assert "in 1h 03m" in scene.text

    play(scenario)


def test_links_open_in_the_browser_or_are_copied():
    opened = []

    async def scenario(scene: Scene) -> None:
        await scene.press("2", "o")
        assert opened == [f"https://explorer/address/{OWN}"]
        scene.app.options = replace(scene.app.options, browse=lambda link: False)
        await scene.press("o")
        assert scene.app.clipboard == f"https://explorer/address/{OWN}"

    def browse(link: str) -> bool:
        opened.append(link)
        return True

    play(scenario, link=lambda kind, value: f"https://explorer/{kind}/{value}", browse=browse)


def test_before_anything_is_sent_everything_is_shown_and_enter_sends_nothing():
    operator = SampleOperator()

    async def scenario(scene: Scene) -> None:
        await scene.press("2", "a")
        assert isinstance(scene.app.screen, Menu)
        assert "Unregister: start unbonding 0.1 ETH" in scene.text
        assert "Claim the reward of instance 2: 0.006 ETH" in scene.text
        await scene.press("enter")
        assert isinstance(scene.app.screen, Confirm)
        for shown in (
            "StakingRegistry.unRegister",
            "0.1 ETH",
            "100,000 at most",
            "2 gwei at most",
            "0.0002 ETH at most",
            "0.1002 ETH at most",
            OWN,
        ):
            assert shown in scene.text
        await scene.press("enter")
        assert operator.sent == []
        assert scene.told[-1] == "nothing was sent"

    play(scenario, operator=operator)


def test_what_the_contract_would_refuse_is_told_and_not_asked():
    class Refused(FedBlocksError, ValueError):
        pass

    operator = SampleOperator(Refused("StakingRegistry: not staked"))

    async def scenario(scene: Scene) -> None:
        await scene.press("2", "a", "enter")
        assert not isinstance(scene.app.screen, Confirm)
        assert scene.told[-1] == "StakingRegistry: not staked"
        await scene.press("a")
        assert isinstance(scene.app.screen, Menu), "another action can be chosen"

    play(scenario, operator=operator)


@pytest.mark.parametrize(
    ("keys", "offered"),
    [
        ("4", ["Make epoch 3 of instance 1 final", "Execute the slash of 1 client of instance 1"]),
        ("4 j", ["Take back 0.02 ETH of instance 2"]),
        ("5 j", ["Make epoch 3 of instance 1 final", "Execute the slash of 1 client of instance 1"]),
        ("6", ["Unregister: start unbonding 0.1 ETH", "Claim the reward of instance 2: 0.006 ETH"]),
    ],
)
def test_only_what_the_selected_row_allows_is_offered(keys, offered):
    async def scenario(scene: Scene) -> None:
        await scene.press(*keys.split(), "a")
        screen = scene.app.screen
        assert isinstance(screen, Menu)
        assert [action.title for action in screen._actions] == offered

    play(scenario, operator=SampleOperator())


def test_an_empty_chain_has_nothing_to_choose_copy_or_open():
    async def scenario(scene: Scene) -> None:
        for digit in "123456":
            await scene.press(digit, "enter", "j", "G", "ctrl+d", "s", "y", "o", "a", "slash", "escape")
        assert len(scene.app.screen_stack) == 1

    play(scenario, ScriptedFeed(NOTHING))


def test_the_palette_goes_to_a_client_and_to_a_job():
    async def scenario(scene: Scene) -> None:
        for typed, screen in ((COHORT[3][:10], ClientDetail), ("job 2", JobDetail)):
            await scene.press("ctrl+p")
            await scene.pilot.press(*typed.lower().replace(" ", "_").split("_")[0])
            if "job" in typed:
                await scene.pilot.press("space", "2")
            await scene.pilot.pause(0.3)
            await scene.press("enter")
            await scene.until(lambda screen=screen: isinstance(scene.app.screen, screen))

    play(scenario)


@pytest.mark.parametrize("keys", ["1", "2", "2 enter", "3", "3 enter", "4", "4 enter", "5", "6"])
def test_in_80_columns_and_24_lines_everything_has_its_place(keys):
    async def scenario(scene: Scene) -> None:
        await scene.press(*keys.split())
        for widget in scene.app.screen.query("RowTable, Facts, ScorePlot"):
            if widget.display and widget.id not in ("cost",):
                assert widget.region.width >= 20, widget
                assert widget.region.height >= 4, widget
                assert widget.region.bottom <= 23, widget

    play(scenario, ScriptedFeed(SLASHED), size=(80, 24))


def test_without_colours_states_and_the_cursor_can_still_be_read(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def scenario(scene: Scene) -> None:
        assert scene.app.no_color
        await scene.press("2")
        for word in ("● staked", "◐ unbonding", "○ withdrawn", "✗ slashed", "▶ 0x"):
            assert word in scene.text

    play(scenario, ScriptedFeed(SLASHED))


def test_the_header_always_says_who_acts():
    async def scenario(scene: Scene) -> None:
        assert "read-only" in scene.app.screen.query_one(Header).render().plain
        await scene.pilot.resize_terminal(60, 24)
        await scene.settle()
        assert scene.app.screen.query_one(Header).render().plain.endswith(" read-only ")

    play(scenario, ScriptedFeed(CALM))
