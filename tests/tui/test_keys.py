"""Every key of every screen, and that none is forgotten here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from pkgutil import iter_modules

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.widgets import Input, OptionList

import fedblocks_tui.screens
import fedblocks_tui.widgets
from fedblocks_tui.app import FedBlocksApp
from fedblocks_tui.screens.acting import Confirm, Menu
from fedblocks_tui.screens.base import FedScreen
from fedblocks_tui.screens.client_detail import ClientDetail
from fedblocks_tui.screens.clients import Clients
from fedblocks_tui.screens.help import Help
from fedblocks_tui.screens.job_detail import JobDetail
from fedblocks_tui.screens.slash_detail import SlashDetail
from fedblocks_tui.widgets.plots import ScorePlot
from fedblocks_tui.widgets.status import NAMES
from fedblocks_tui.widgets.table import RowTable
from tests.tui.acting import SampleOperator
from tests.tui.playing import Scene, play
from tests.tui.sample import CHEAT, COHORT, JOB, SLASH, SLASHED, ScriptedFeed

Scenario = Callable[[Scene], Awaitable[None]]
SCENARIOS: list[tuple[Scenario, dict[type[DOMNode], str]]] = []


def presses(keys: dict[type[DOMNode], str]) -> Callable[[Scenario], Scenario]:
    """Say which keys of which class a scenario presses and looks at."""

    def note(scenario: Scenario) -> Scenario:
        SCENARIOS.append((scenario, keys))
        return scenario

    return note


@presses({FedBlocksApp: "1 2 3 4 5 6 question_mark b p r", Help: "escape question_mark q"})
async def everywhere(scene: Scene) -> None:
    app = scene.app
    for digit, name in reversed(list(enumerate(NAMES, 1))):
        await scene.press(str(digit))
        assert app.current_mode == name
        assert f"[{digit} {name}]" in scene.text
    for close in ("escape", "question_mark", "q"):
        await scene.press("question_mark")
        assert isinstance(app.screen, Help)
        assert "Bell on/off" in scene.text
        await scene.press("2")
        assert isinstance(app.screen, Help), "a digit behind the help must not change the screen"
        await scene.press(close)
        assert not isinstance(app.screen, Help)
    await scene.press("b")
    assert not app.bell_on
    await scene.press("p")
    assert "PAUSED" in scene.text
    await scene.press("p")
    assert "PAUSED" not in scene.text
    polls = app.feed.polls
    await scene.press("r")
    await scene.until(lambda: app.feed.polls > polls)


@presses({FedBlocksApp: "q"})
async def leaving(scene: Scene) -> None:
    await scene.pilot.press("q")
    await scene.pilot.pause()
    assert not scene.app.is_running or scene.app._exit


@presses({RowTable: "down j up k home g end G ctrl+d pagedown ctrl+u pageup s S enter"})
async def the_table(scene: Scene) -> None:
    await scene.press("2")
    table = scene.table
    last = len(table.rows) - 1
    for forth, back in (("down", "up"), ("j", "k"), ("end", "home"), ("G", "g")):
        await scene.press(forth)
        assert table.cursor == (last if forth in ("end", "G") else 1)
        await scene.press(back)
        assert table.cursor == 0
    for forth, back in (("ctrl+d", "ctrl+u"), ("pagedown", "pageup")):
        await scene.press(forth)
        assert table.cursor > 1
        await scene.press(back)
        assert table.cursor == 0
    await scene.press("s")
    assert [row.address for row in table.rows] == sorted(COHORT, key=str.lower)
    await scene.press("S")
    assert [row.address for row in table.rows] == sorted(COHORT, key=str.lower, reverse=True)
    chosen = table.selected.address
    await scene.press("enter")
    assert isinstance(scene.app.screen, ClientDetail)
    assert scene.app.screen.address == chosen


@presses({RowTable: "right l left h"})
async def a_table_wider_than_the_screen(scene: Scene) -> None:
    await scene.press("2")
    await scene.pilot.resize_terminal(70, 24)
    await scene.settle()
    for right, left in (("right", "left"), ("l", "h")):
        await scene.press(right)
        assert scene.table.scroll_x > 0
        await scene.press(left)
        assert scene.table.scroll_x == 0


@presses({FedScreen: "slash escape y o a", Clients: "m"})
async def all_screens(scene: Scene) -> None:
    await scene.press("2", "slash")
    assert isinstance(scene.app.focused, Input)
    await scene.press(*"slashed")
    table = scene.app.screen.query_one(RowTable)
    assert [row.address for row in table.rows] == [CHEAT]
    await scene.press("enter")
    assert scene.app.focused is table
    await scene.press("y")
    assert scene.app.clipboard == CHEAT
    await scene.press("o")
    assert scene.app.clipboard == CHEAT
    assert "no explorer" in scene.told[-1]
    await scene.press("escape")
    assert len(table.rows) == len(COHORT), "escape clears the filter first"
    await scene.press("G", "enter", "escape")
    assert isinstance(scene.app.screen, Clients), "and goes back then"
    await scene.press("m")
    assert "read-only" in scene.told[-1]
    await scene.press("a")
    assert "read-only" in scene.told[-1]


@presses({SlashDetail: "right_square_bracket left_square_bracket c i"})
async def a_slash(scene: Scene) -> None:
    await scene.press("3", "enter")
    screen = scene.app.screen
    assert isinstance(screen, SlashDetail)
    assert screen.rule == "duplicate"
    assert "0.99997 > 0.9999" in scene.text
    await scene.press("right_square_bracket")
    assert screen.rule == "little"
    assert str(screen.query_one(ScorePlot).border_title).startswith("little")
    await scene.press("left_square_bracket")
    assert screen.rule == "duplicate"
    await scene.press("c")
    assert isinstance(scene.app.screen, ClientDetail)
    assert scene.app.screen.address == SLASH.client
    await scene.press("escape", "i")
    assert isinstance(scene.app.screen, JobDetail)
    assert scene.app.screen.instance_id == JOB


@presses({JobDetail: "t"})
async def a_job(scene: Scene) -> None:
    await scene.press("4", "enter")
    assert scene.table.id == "epochs"
    await scene.press("t")
    assert scene.table.id == "cohort"
    assert "✗ duplicate" in scene.text
    await scene.press("t")
    assert scene.table.id == "history"
    await scene.press("t")
    assert scene.table.id == "epochs"


@presses({Menu: "j k escape q"})
async def the_menu(scene: Scene) -> None:
    await scene.press("2", "a")
    assert isinstance(scene.app.screen, Menu)
    options = scene.app.screen.query_one(OptionList)
    await scene.press("j")
    assert options.highlighted == 1
    await scene.press("k")
    assert options.highlighted == 0
    await scene.press("escape")
    assert isinstance(scene.app.screen, Clients)
    await scene.press("a", "q")
    assert isinstance(scene.app.screen, Clients)


@presses({Confirm: "escape n q Y left right h l"})
async def the_question(scene: Scene) -> None:
    operator = scene.app.options.operator
    assert isinstance(operator, SampleOperator)
    for number, no in enumerate(("escape", "n", "q"), 1):
        await scene.press("2", "a", "enter")
        assert isinstance(scene.app.screen, Confirm)
        await scene.press(no)
        assert (len(operator.planned), operator.sent) == (number, [])
    await scene.press("a", "enter")
    for other in ("left", "right", "h", "l"):
        before = scene.app.focused
        await scene.press(other)
        assert scene.app.focused is not before
    await scene.press("Y")
    assert len(operator.sent) == 1
    assert "in block" in scene.told[-1]


@pytest.mark.parametrize(("scenario", "keys"), SCENARIOS, ids=lambda each: getattr(each, "__name__", ""))
def test_its_keys_do_what_they_say(scenario, keys):
    acts = any(each in (Menu, Confirm) for each in keys)
    play(scenario, ScriptedFeed(SLASHED), operator=SampleOperator() if acts else None)


def test_no_key_is_left_out():
    for package in (fedblocks_tui.screens, fedblocks_tui.widgets):
        for module in iter_modules(package.__path__, package.__name__ + "."):
            import_module(module.name)
    bound = {
        (cls, key.strip())
        for cls in _classes(DOMNode)
        if cls.__module__.startswith("fedblocks_tui")
        for binding in cls.__dict__.get("BINDINGS", [])
        for key in (binding.key if isinstance(binding, Binding) else binding[0]).split(",")
    }
    pressed = {(cls, key) for _, keys in SCENARIOS for cls, names in keys.items() for key in names.split()}
    assert bound == pressed


def _classes(base: type) -> set[type]:
    return {base} | {each for sub in base.__subclasses__() for each in _classes(sub)}
