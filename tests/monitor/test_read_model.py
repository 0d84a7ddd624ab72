"""What the index tells of the story, against the storyteller's own books."""

from __future__ import annotations

import pytest

from fedblocks.monitor.history import told_events
from fedblocks.monitor.monitor import Monitor
from fedblocks.monitor.snapshot import IndexSnapshot
from fedblocks.monitor.subject import _EVENTS
from fedblocks.monitor.views import (
    ClientState,
    DemandState,
    EpochScores,
    EpochState,
    InstanceState,
    OwnState,
    SeatScores,
    Severity,
)
from fedblocks.seats import SlashReason
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Seat, Wei
from fedblocks.units import ether
from tests.monitor.story import (
    BOB,
    CLIENTS,
    FIRST,
    FUNDED,
    MALLORY,
    NINA,
    OTTO,
    RUNNING,
    SHORT,
    VERDICT_CASE,
    WATCHER,
    indexed_story,
)
from tests.telling.storyteller import Storyteller


def test_every_stake_is_as_the_registry_has_it(snapshot: IndexSnapshot, told: Storyteller) -> None:
    assert {client.address for client in snapshot.clients()} == set(told.stakes)
    for client in snapshot.clients():
        stake = told.stakes[client.address]
        assert (client.active, client.unbonding) == (stake.active, stake.unbonding)
        assert (client.slashed, client.returned) == (stake.slashed, stake.returned)
        assert client.withdrawable_at == (stake.withdrawable_at if stake.unbonding else None)


def test_clients_stand_where_their_last_event_has_left_them(snapshot: IndexSnapshot) -> None:
    states = {client.address: client.state for client in snapshot.clients()}
    assert states[NINA] is ClientState.WITHDRAWN
    assert states[OTTO] is ClientState.UNBONDING
    assert states[CLIENTS[0]] is ClientState.STAKED
    assert states[CLIENTS[3]] is states[CLIENTS[5]] is ClientState.SLASHED
    assert [client.address for client in snapshot.clients()] == [*CLIENTS, NINA, OTTO]


def test_what_is_credited_and_claimed_is_what_the_manager_has_paid(snapshot: IndexSnapshot, told: Storyteller) -> None:
    left = told.instances[FIRST].rewards
    for reward in snapshot.rewards(instance_id=FIRST):
        assert reward.credited - reward.claimed - reward.forfeited == left.get(reward.client, 0)
    client = snapshot.client(CLIENTS[5])
    assert client is not None
    assert client.forfeited == client.credited > 0
    assert client.claimable == 0


def test_pending_pay_is_what_settling_credits(told: Storyteller, snapshot: IndexSnapshot) -> None:
    fee = told.chain.subject.clients_fee
    waiting = snapshot.client(CLIENTS[6])
    assert waiting is not None
    assert waiting.pending == fee // 3  # one of the three that were not condemned in instance SHORT
    slashed = snapshot.client(CLIENTS[5])
    assert slashed is not None
    assert slashed.pending == 0
    shared = snapshot.client(CLIENTS[0])
    assert shared is not None
    assert shared.pending == fee // 4 + fee // 3  # a final epoch of RUNNING, and SHORT's


def test_a_slash_leads_to_its_epoch_and_its_money(snapshot: IndexSnapshot, told: Storyteller) -> None:
    first, second = snapshot.slashes()
    assert (first.client, first.reason, first.seat) == (CLIENTS[3], SlashReason.DUPLICATE, Seat(3))
    assert (first.instance_id, first.epoch, first.attempt, first.aggregator) == (FIRST, 2, 2, BOB)
    assert first.header_hash == told.instances[FIRST].epochs[1].header_hash
    assert first.amount == first.received == told.parameters.stake_amount
    assert first.posted is not None
    assert first.finalized is not None
    assert first.posted.block < first.finalized.block < first.slashed.block
    assert (second.client, second.reason) == (CLIENTS[5], SlashReason.ZERO)
    assert snapshot.slashes_in(first.slashed.transaction_hash) == (first,)
    assert snapshot.slashes_in(Hash32(bytes(32))) == ()


def test_instances_stand_where_they_are(snapshot: IndexSnapshot) -> None:
    states = {instance.instance_id: instance.state for instance in snapshot.instances()}
    assert states == {
        FIRST: InstanceState.SETTLED,
        RUNNING: InstanceState.TRAINING,
        SHORT: InstanceState.COMPLETE,
        FUNDED: InstanceState.FUNDED,
    }
    assert snapshot.instance(InstanceId(99)) is None


def test_an_instance_adds_up(snapshot: IndexSnapshot) -> None:
    instance = snapshot.instance(FIRST)
    assert instance is not None
    assert instance.clients_total is not None
    assert instance.protocol_total is not None
    assert instance.refund is not None
    assert instance.clients_total + instance.protocol_total + instance.refund == instance.escrow
    assert instance.refunded == instance.refund
    assert (instance.posted_epochs, instance.finalized_epochs, instance.overturned_epochs) == (3, 3, 1)
    assert instance.accuracy_ppm == 641_500
    assert instance.aggregator == BOB
    assert instance.seat_of(CLIENTS[3]) == 3
    assert instance.verdicts == {CLIENTS[3]: 2}


def test_an_overturned_epoch_is_there_beside_the_one_in_its_place(snapshot: IndexSnapshot) -> None:
    wrong, right = (epoch for epoch in snapshot.epochs(FIRST) if epoch.epoch == 2)
    assert (wrong.state, wrong.overturned_by, wrong.fraud_case) == (EpochState.OVERTURNED, WATCHER, VERDICT_CASE)
    assert (right.state, right.overturned_by, right.attempt) == (EpochState.FINAL, None, 2)
    assert right.new_slash_reasons == {Seat(3): SlashReason.DUPLICATE}
    assert right.header.previous_header_hash == snapshot.epochs(FIRST)[0].header_hash
    assert snapshot.epochs(FIRST)[3].new_slash_reasons == {}  # seat 3 was condemned before


def test_an_epoch_is_finalizable_when_its_window_has_passed_and_nothing_holds_it(snapshot: IndexSnapshot) -> None:
    states = [epoch.state for epoch in snapshot.epochs(RUNNING)]
    assert states == [EpochState.FINAL, EpochState.FINALIZABLE, EpochState.POSTED]
    assert {view.header_hash for view in snapshot.recent_epochs(1)} == {
        view.header_hash for view in snapshot.epochs(RUNNING)[1:]
    }


def test_bonds_challenges_and_challengers_agree(snapshot: IndexSnapshot, told: Storyteller) -> None:
    bond = told.parameters.aggregator_bond
    (challenge,) = snapshot.challenges()
    assert (challenge.aggregator, challenge.challenger, challenge.epoch) == (MALLORY, WATCHER, 2)
    assert challenge.reward + challenge.treasury == bond
    (challenger,) = snapshot.challengers()
    assert (challenger.credited, challenger.claimed) == (challenge.reward, challenge.reward)
    held = {(each.instance_id, each.aggregator): each.held for each in snapshot.bonds() if each.held}
    assert held == {
        (instance_id, aggregator): amount
        for instance_id, instance in told.instances.items()
        for aggregator, amount in instance.bonds.items()
    }


def test_demands_end_as_they_did(snapshot: IndexSnapshot) -> None:
    answered, waiting = snapshot.demands()
    assert (answered.state, answered.answerer) == (DemandState.ANSWERED, BOB)
    assert (waiting.state, waiting.answerer, waiting.instance_id) == (DemandState.OPEN, None, RUNNING)
    assert snapshot.demands(FIRST) == (answered,)


def test_treasuries_hold_what_came_and_did_not_go(snapshot: IndexSnapshot, told: Storyteller) -> None:
    assert {each.name: each.holds for each in snapshot.treasuries()} == told.treasuries


def test_totals_are_the_sums(snapshot: IndexSnapshot, told: Storyteller) -> None:
    totals = snapshot.totals()
    assert totals.events == len(told.chain.logs)
    assert totals.at_stake == sum(stake.active + stake.unbonding for stake in told.stakes.values())
    assert totals.slashed == 2 * told.parameters.stake_amount
    assert totals.escrow == sum(each.escrow for each in told.instances.values() if not each.settled)
    assert totals.bonds == sum(sum(each.bonds.values()) for each in told.instances.values())
    assert totals.rewards_claimable == sum(told.instances[FIRST].rewards.values())
    assert totals.open_demands == 1
    by_state = {state: sum(epoch.state is state for epoch in snapshot.epochs()) for state in EpochState}
    assert dict(totals.epochs) == by_state


def test_history_tells_each_event_in_a_sentence(snapshot: IndexSnapshot) -> None:
    entries = snapshot.history(limit=1000)
    assert len(entries) == snapshot.totals().events
    assert all(entry.text.endswith(".") for entry in entries)
    places = [(entry.place.block, entry.place.log_index) for entry in entries]
    assert places == sorted(places, reverse=True)


def test_every_event_of_both_versions_has_its_sentence() -> None:
    assert {cls for events in _EVENTS.values() for cls in events.values()} <= told_events()


def test_history_is_of_whom_it_is_asked_for(snapshot: IndexSnapshot) -> None:
    mine = snapshot.history(client=CLIENTS[3])
    assert mine
    assert any(f"{CLIENTS[3]} lost 0.1 ETH for epoch 2 of instance 1 (duplicate)" in entry.text for entry in mine)
    assert not any(entry.clients == (CLIENTS[0],) for entry in mine)
    of_instance = snapshot.history(instance_id=RUNNING)
    assert {entry.instance_id for entry in of_instance} == {RUNNING}
    assert any(entry.event == "DemandAnswered" for entry in snapshot.history(instance_id=FIRST))
    assert len(snapshot.history(limit=3)) == 3


def test_alerts_name_what_waits_and_the_command_for_it(snapshot: IndexSnapshot) -> None:
    alerts = {alert.what_to_do: alert for alert in snapshot.alerts()}
    assert alerts[f"fedblocks finalize {RUNNING}"].severity is Severity.INFO
    assert f"fedblocks job settle {SHORT}" in alerts
    order = [alert.severity for alert in snapshot.alerts()]
    assert order == sorted(order, key=list(Severity).index, reverse=True)


def test_an_empty_index_shows_nothing_and_breaks_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    from fedblocks.monitor.monitor import index_database
    from tests.monitor.story import story

    source = story()
    database = index_database(tmp_path_factory.mktemp("empty") / "index.db")
    with Monitor(source.subject, source, database) as monitor, monitor.snapshot() as snapshot:
        assert snapshot.block is None
        assert snapshot.clients() == snapshot.slashes() == snapshot.alerts() == snapshot.history() == ()
        assert snapshot.totals().events == 0


def test_strikes_come_from_the_last_epoch_that_was_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    with indexed_story(tmp_path_factory.mktemp("scored")) as monitor:
        with monitor.snapshot() as before:
            assert {client.strikes for client in before.clients()} == {None}
            waiting = before.unscored()
            assert len(waiting) == len(before.epochs())
            running = before.epochs(RUNNING)
        for epoch, strikes in ((running[0], 3), (running[1], 1)):
            monitor.journal.save_scores(_scores(epoch.epoch, epoch.header_hash, CLIENTS[0], strikes))
        with monitor.snapshot() as after:
            client = after.client(CLIENTS[0])
            assert client is not None
            assert client.strikes == 1
            found = after.scores(RUNNING, running[0].epoch, running[0].header_hash)
            assert found is not None
            assert found.seats[0].strikes == 3
            assert len(after.unscored()) == len(waiting) - 2


def _scores(epoch: EpochNumber, header_hash: Hash32, client: Address, strikes: int) -> EpochScores:
    seat = SeatScores(
        seat=Seat(0),
        client=client,
        excluded=False,
        slashed=SlashReason.NONE,
        evidence=SlashReason.NONE,
        strikes=strikes,
        weight=1,
        measures=(),
    )
    return EpochScores(instance_id=RUNNING, epoch=epoch, header_hash=header_hash, seats=(seat,), absent=())


def test_figures_are_read_once_and_those_that_are_missing_are_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    from fedblocks.monitor.monitor import index_database
    from fedblocks.monitor.published import ScoresMissing
    from fedblocks.monitor.views import EpochView, InstanceView
    from tests.monitor.story import story

    asked = []

    def read(epoch: EpochView, instance: InstanceView, before: EpochView | None) -> EpochScores:
        asked.append(epoch.header_hash)
        if epoch.epoch > 1:
            assert before is not None
            assert before.header_hash == epoch.header.previous_header_hash
        if instance.instance_id != RUNNING:
            raise ScoresMissing(epoch.instance_id, epoch.epoch, epoch.data_locator, "nowhere")
        return _scores(epoch.epoch, epoch.header_hash, instance.cohort[0], 2)

    source = story()
    database = index_database(tmp_path_factory.mktemp("read") / "index.db")
    with Monitor(source.subject, source, database, read_scores=read) as monitor:
        update = monitor.update()
        assert update.new_scores == 3
        assert {epoch.instance_id for epoch, _ in update.unread} == {FIRST, SHORT}
        assert monitor.update().new_scores == 0
    assert len(asked) == len(set(asked)) == 8


def test_own_transactions_are_written_down_before_and_after(tmp_path_factory: pytest.TempPathFactory) -> None:
    with indexed_story(tmp_path_factory.mktemp("own")) as monitor:
        one, other = Hash32(b"\1" * 32), Hash32(b"\2" * 32)
        monitor.journal.note_sent(one, CLIENTS[0], "StakingRegistry.stake", Wei(2**200), sent_at=1.0)
        monitor.journal.note_sent(other, CLIENTS[0], "RewardManager.claimReward", Wei(0), sent_at=2.0)
        monitor.journal.note_outcome(one, OwnState.FAILED, reason="too poor")
        with monitor.snapshot() as snapshot:
            newest, oldest = snapshot.own_transactions()
        assert (newest.transaction_hash, newest.state, newest.fee) == (other, OwnState.PENDING, None)
        assert (oldest.state, oldest.reason, oldest.value) == (OwnState.FAILED, "too poor", 2**200)


def test_a_snapshot_stays_at_its_block_while_the_index_goes_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    from fedblocks.monitor.monitor import index_database
    from tests.monitor.story import story

    source = story()
    source.advance(source.moments[10])
    with Monitor(source.subject, source, index_database(tmp_path_factory.mktemp("two") / "index.db")) as monitor:
        monitor.update()
        with monitor.snapshot() as early:
            seen, events = early.block, early.totals().events
            source.advance(source.last)
            monitor.update()
            assert early.block == seen
            assert len(early.history(limit=1000)) == events
            assert early.slashes() == ()
        with monitor.snapshot() as late:
            assert late.block != seen
            assert late.totals().slashed == ether("0.2")
