"""The folds, where the story does not go: liars, version 1, demands that fail, epochs that fall with others."""

from __future__ import annotations

from pathlib import Path

from fedblocks.contracts.reward_manager import CollectTrainingFees, NewUserInstance
from fedblocks.contracts.slashing_manager import SlashClients
from fedblocks.contracts.staking_registry import SlashStake, Stake, Unregister, WithdrawStake
from fedblocks.contracts.treasury import Recieved
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.views import ClientState, DemandState, EpochState, InstanceState, Severity
from fedblocks.seats import SlashReason
from fedblocks.types import BlockNumber, InstanceId
from fedblocks.units import ether
from tests.telling.scripted import ScriptedChain, address_of, scripted_subject
from tests.telling.storyteller import Storyteller, event

ANN, BEN, CAT, DAN, EVE = (address_of(name) for name in ("Ann", "Ben", "Cat", "Dan", "Eve"))
COHORT = (ANN, BEN, CAT, DAN)
USER, AGGREGATOR, WATCHER = address_of("user"), address_of("aggregator"), address_of("watcher")
WINDOW = 2 * 24 * 3600 + 60


def _started() -> tuple[Storyteller, InstanceId]:
    teller = Storyteller(ScriptedChain(scripted_subject()))
    for client in (*COHORT, EVE):
        teller.stake(client)
    instance_id = teller.open_instance(USER, COHORT, 6, AGGREGATOR)
    teller.bond(instance_id)
    teller.chain.block()
    return teller, instance_id


def _index(teller: Storyteller, tmp_path: Path) -> Monitor:
    source = teller.chain.source()
    monitor = Monitor(source.subject, source, index_database(tmp_path / "index.db"))
    monitor.update()
    return monitor


def test_a_registry_that_keeps_something_back_is_found_out(tmp_path: Path) -> None:
    teller, instance_id = _started()
    teller.post_epoch(instance_id, metric=1, verdicts={1: SlashReason.NOISE})
    teller.chain.block(WINDOW)
    teller.finalize(instance_id)
    teller.chain.block()
    teller.slash(instance_id, BEN, missing=ether("0.03"))
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        (slash,) = snapshot.slashes()
        assert (slash.amount, slash.received) == (ether("0.1"), ether("0.07"))
        assert snapshot.alerts()[0].severity is Severity.CRITICAL
        assert "0.07 ETH came to the treasury" in snapshot.alerts()[0].text


def test_two_clients_slashed_in_one_transaction_are_two_slashes(tmp_path: Path) -> None:
    teller, instance_id = _started()
    teller.unregister(ANN)
    teller.stake(ANN)  # unbonding and active: both are lost
    teller.post_epoch(instance_id, metric=1, verdicts={0: SlashReason.ZERO, 2: SlashReason.REPLAY})
    teller.chain.block(WINDOW)
    teller.finalize(instance_id)
    teller.slash(instance_id, ANN, CAT)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        one, two = snapshot.slashes()
        assert (one.client, one.amount, one.received) == (ANN, ether("0.2"), ether("0.2"))
        assert (two.client, two.reason) == (CAT, SlashReason.REPLAY)
        assert snapshot.slashes_in(one.slashed.transaction_hash) == (one, two)


def test_a_verdict_that_nobody_has_carried_out_is_told_and_more_urgently_when_the_stake_is_leaving(
    tmp_path: Path,
) -> None:
    teller, instance_id = _started()
    teller.post_epoch(instance_id, metric=1, verdicts={0: SlashReason.ZERO, 2: SlashReason.ZERO})
    teller.chain.block(WINDOW)
    teller.finalize(instance_id)
    teller.unregister(CAT)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        found = {alert.client: alert.severity for alert in snapshot.alerts() if alert.client is not None}
    assert found == {ANN: Severity.WARNING, CAT: Severity.CRITICAL}


def test_epochs_after_an_overturned_one_fall_with_it_but_are_not_proved_wrong(tmp_path: Path) -> None:
    teller, instance_id = _started()
    for metric in (1, 2, 3):
        teller.post_epoch(instance_id, metric=metric, verdicts={3: SlashReason.ZERO} if metric == 2 else {})
        teller.chain.block()
    teller.overturn(instance_id, 2, WATCHER, 3)
    teller.chain.block()
    teller.name_aggregator(instance_id, EVE)
    teller.post_epoch(instance_id, metric=9)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        first, second, third, again = snapshot.epochs(instance_id)
        assert [each.state for each in (first, second, third, again)] == [
            EpochState.POSTED,
            EpochState.OVERTURNED,
            EpochState.OVERTURNED,
            EpochState.POSTED,
        ]
        assert (second.overturned_by, third.overturned_by, third.fraud_case) == (WATCHER, None, None)
        assert second.overturned == third.overturned
        assert (again.epoch, again.attempt, again.new_slash_reasons) == (2, 2, {})
        instance = snapshot.instance(instance_id)
        assert instance is not None
        assert (instance.posted_epochs, instance.overturned_epochs, instance.accuracy_ppm) == (2, 2, 9)
        assert len(snapshot.challenges()) == 1


def test_demands_that_fail_overturn_and_those_of_a_lost_epoch_give_back(tmp_path: Path) -> None:
    teller, instance_id = _started()
    teller.post_epoch(instance_id, metric=1)
    teller.chain.block()
    failed = teller.demand(instance_id, 1, WATCHER, seat=0)
    returned = teller.demand(instance_id, 1, WATCHER, seat=1)
    teller.chain.block(13 * 3600)
    teller.fail_demand(failed, instance_id, 1)
    teller.chain.block()
    teller.reclaim(returned)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        states = {demand.demand_id: demand.state for demand in snapshot.demands()}
        assert states == {failed: DemandState.FAILED, returned: DemandState.RETURNED}
        assert snapshot.challenges()[0].fraud_case == 10


def test_an_open_demand_holds_an_epoch_past_its_window_and_all_after_it(tmp_path: Path) -> None:
    teller, instance_id = _started()
    first = teller.post_epoch(instance_id, metric=1)
    teller.post_epoch(instance_id, metric=2)
    teller.chain.block()
    demand = teller.demand(instance_id, 1, WATCHER)
    teller.chain.block(WINDOW)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert {each.state for each in snapshot.epochs()} == {EpochState.POSTED}
    teller.answer(demand, first, AGGREGATOR)
    teller.chain.block(3600)
    teller.chain.block()
    # Whoever learns from the answer needs the time to act on it.
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert {each.state for each in snapshot.epochs()} == {EpochState.POSTED}
    teller.chain.block(13 * 3600)
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert {each.state for each in snapshot.epochs()} == {EpochState.FINALIZABLE}


def test_amounts_beyond_63_bits_stay_exact(tmp_path: Path) -> None:
    teller = Storyteller(ScriptedChain(scripted_subject()))
    vast = 2**255 + 12345
    teller.chain.transaction(("SlashTreasury", event(Recieved, amount=vast)))
    teller.chain.block()
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert snapshot.treasuries()[0].received == vast
        assert snapshot.history()[0].amount == vast


def test_version_1_is_told_with_the_amount_that_its_contract_states(tmp_path: Path) -> None:
    subject = Subject.of_v1(V1_ARBITRUM, first_block=BlockNumber(5), stake_amount=ether("0.1"))
    chain = ScriptedChain(subject)
    for client in (ANN, BEN, CAT):
        chain.transaction(("StakingRegistry", event(Stake, client=client)))
        chain.block()
    chain.transaction(("RewardManager", event(NewUserInstance, instance_id=InstanceId(1), number_of_epochs=7)))
    chain.transaction(("StakingRegistry", event(Unregister, client=ANN)))
    chain.block()
    chain.transaction(("StakingRegistry", event(WithdrawStake, client=ANN)))
    chain.transaction(
        ("StakingRegistry", event(SlashStake, client=BEN)),
        ("SlashTreasury", event(Recieved, amount=ether("0.1"))),
        ("SlashingManager", event(SlashClients, instance_id=InstanceId(1))),
    )
    chain.transaction(("RewardManager", event(CollectTrainingFees, instance_id=InstanceId(1), number_of_epochs=7)))
    chain.block()
    source = chain.source()
    with Monitor(subject, source, index_database(tmp_path / "v1.db")) as monitor:
        monitor.update()
        with monitor.snapshot() as snapshot:
            states = {client.address: client.state for client in snapshot.clients()}
            assert states == {ANN: ClientState.WITHDRAWN, BEN: ClientState.SLASHED, CAT: ClientState.STAKED}
            (slash,) = snapshot.slashes()
            assert (slash.client, slash.amount, slash.received) == (BEN, ether("0.1"), ether("0.1"))
            assert (slash.instance_id, slash.epoch, slash.reason, slash.header_hash) == (1, None, None, None)
            (instance,) = snapshot.instances()
            assert (instance.state, instance.billed_epochs) == (InstanceState.SETTLED, 7)
            assert snapshot.totals().at_stake == ether("0.1")
            assert snapshot.alerts()


def test_two_deployments_in_one_database_do_not_mix(tmp_path: Path) -> None:
    teller, _ = _started()
    other = Storyteller(ScriptedChain(scripted_subject(chain_id=7)))
    other.stake(EVE)
    other.chain.block()
    for each in (teller, other):
        _index(each, tmp_path).close()
    with _index(other, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert [client.address for client in snapshot.clients()] == [EVE]
        assert snapshot.totals().events == 2
    with _index(teller, tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert len(snapshot.clients()) == 5
