"""What version 1 did wrong, each by its number in the list of its defects, and what happens now."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.contracts.world import (
    BASE_FEE,
    FEE_PER_EPOCH,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
    Run,
    balance,
    mock,
    wait,
)


def test_v1_1_the_exact_stake_is_taken_and_no_free_one_is_credited(registry: Any, newcomer: Any, stranger: Any) -> None:
    registry.stake(sender=newcomer, value=STAKE_AMOUNT)
    assert registry.getClientStake(newcomer) == STAKE_AMOUNT
    for value in (0, STAKE_AMOUNT // 2, 2 * STAKE_AMOUNT):
        with boa.reverts("StakingRegistry: incorrect stake amount"):
            registry.stake(sender=stranger, value=value)
    assert registry.getClientStake(stranger) == 0


def test_v1_2_a_stake_is_paid_after_its_time_and_not_before(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    with boa.reverts("StakingRegistry: staking period has not passed"):
        registry.withdrawStake(sender=client)
    wait(STAKING_PERIOD)
    before = balance(client)
    registry.withdrawStake(sender=client)
    assert balance(client) == before + STAKE_AMOUNT


def test_v1_2_a_patient_clients_stake_is_never_locked(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(1_000 * STAKING_PERIOD)
    registry.withdrawStake(sender=client)
    assert registry.clientStakes(client) == 0


def test_v1_3_a_returning_client_is_not_locked_out(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert registry.getIsStaked(client)


def test_v1_4_who_has_nothing_at_stake_is_not_marked_as_slashed(
    protocol: Protocol, registry: Any, client: Any, newcomer: Any
) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=client)
    for nobody in (client, newcomer):
        with boa.reverts("StakingRegistry: client has no stake"):
            registry.slashStake(nobody, sender=protocol.slashing.address)
        assert not registry.getIsSlashed(nobody)


def test_v1_5_no_key_slashes_without_a_final_verdict(
    run: Run, slashing: Any, registry: Any, admin: Any, deployer: Any
) -> None:
    for key in (admin, deployer, run.user, run.aggregator):
        with boa.reverts("SlashingManager: client is not finally slashable"):
            slashing.slash([run.clients[0]], run.instance, registry.address, sender=key)


def test_v1_5_no_foreign_registry_is_slashed(slashed_run: Run, slashing: Any) -> None:
    impostor = mock("Actor")
    with boa.reverts("SlashingManager: not the registry of this deployment"):
        slashing.slash([slashed_run.clients[1]], slashed_run.instance, impostor.address)


def test_v1_6_an_order_costs_its_fees(rewards: Any, user: Any, clients: list[Any]) -> None:
    for value in (0, BASE_FEE, FEE_PER_EPOCH):
        with boa.reverts("RewardManager: incorrect value"):
            rewards.newUserInstance(clients, 1, sender=user, value=value)


def test_v1_6_an_order_names_staked_and_distinct_clients(
    protocol: Protocol, user: Any, clients: list[Any], newcomer: Any
) -> None:
    with boa.reverts("RewardManager: client is not staked"):
        protocol.order(user, [*clients, newcomer], 1)
    with boa.reverts("RewardManager: client has two seats"):
        protocol.order(user, [*clients, clients[-1]], 1)
    with boa.reverts("RewardManager: cohort is too small"):
        protocol.order(user, [], 1)


@pytest.fixture
def finished(run: Run) -> Run:
    run.train()
    run.finalize()
    run.stop()
    return run


def test_v1_7_fees_are_collected_once(finished: Run) -> None:
    finished.settle()
    with boa.reverts("RewardManager: instance is settled already"):
        finished.settle()


def test_v1_7_fees_are_collected_without_a_payment(finished: Run, rewards: Any, user: Any) -> None:
    with boa.reverts():
        rewards.collectTrainingFees(finished.instance, sender=user, value=1)


def test_v1_7_one_client_that_reverts_does_not_block_the_others(
    protocol: Protocol, user: Any, stranger: Any, clients: list[Any], aggregator: Any
) -> None:
    rewards, registry = protocol.rewards, protocol.registry
    actor = mock("Actor")
    actor.act(registry.address, registry.stake.prepare_calldata(), sender=stranger, value=STAKE_AMOUNT)
    actor.refuse()
    run = protocol.run(user, [actor.address, *clients], 1, aggregator)
    run.train()
    run.finalize()
    run.settle()
    for client in clients:
        rewards.claimReward(run.instance, sender=client)
    assert balance(rewards) == run.reward_of(actor.address)


def test_v1_7_only_trained_epochs_are_paid_for(finished: Run) -> None:
    finished.settle()
    assert finished.refund == 2 * FEE_PER_EPOCH
