"""Whoever is paid may be a contract that refuses, or that calls back: it harms nobody but itself."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    FEE_PER_EPOCH,
    GENESIS_ROOT,
    PARAMETERS,
    RULES_HASH,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
    Run,
    balance,
    events,
    gas_of,
    mock,
    reasons,
    wait,
)


@pytest.fixture
def actor(protocol: Protocol, stranger: Any) -> Any:
    """A contract that is a client."""
    contract = mock("Actor")
    stake = protocol.registry.stake.prepare_calldata()
    contract.act(protocol.registry.address, stake, sender=stranger, value=STAKE_AMOUNT)
    return contract


@pytest.fixture
def trained(protocol: Protocol, user: Any, clients: list[Any], aggregator: Any, actor: Any) -> Run:
    """A settled instance in which the contract has earned a reward."""
    run = protocol.run(user, [*clients, actor.address], 2, aggregator)
    run.train()
    run.finalize()
    run.stop()
    run.settle()
    return run


def test_a_client_that_refuses_its_reward_blocks_nobody(trained: Run, rewards: Any, actor: Any, newcomer: Any) -> None:
    actor.refuse()
    claim = rewards.claimReward.prepare_calldata(trained.instance)
    with boa.reverts("RewardManager: receiver refused the payment"):
        actor.act(rewards.address, claim)
    for client in trained.clients[:-1]:
        rewards.claimReward(trained.instance, sender=client)
    rewards.withdrawRefund(trained.instance, sender=trained.user)

    amount = trained.reward_of(actor.address)
    assert balance(rewards) == amount > 0, "nothing is lost"
    actor.act(rewards.address, rewards.claimReward.prepare_calldata(trained.instance, newcomer))
    assert balance(newcomer) == 1_000_000 * 10**18 + amount, "it names somebody who takes it"


def test_a_client_that_calls_back_is_paid_once(trained: Run, rewards: Any, actor: Any) -> None:
    amount, held = trained.reward_of(actor.address), balance(rewards)
    claim = rewards.claimReward.prepare_calldata(trained.instance)
    actor.callBack(rewards.address, claim)
    actor.act(rewards.address, claim)
    assert actor.callbacks() == 1
    assert not actor.callbackSucceeded()
    assert balance(rewards) == held - amount
    assert balance(actor) == amount


def test_a_client_that_calls_back_into_its_stake_is_paid_once(protocol: Protocol, actor: Any) -> None:
    registry = protocol.registry
    actor.act(registry.address, registry.unRegister.prepare_calldata())
    wait(STAKING_PERIOD)
    held = balance(registry)
    withdraw = registry.withdrawStake.prepare_calldata()
    actor.callBack(registry.address, withdraw)
    actor.act(registry.address, withdraw)
    assert actor.callbacks() == 1
    assert not actor.callbackSucceeded()
    assert balance(registry) == held - STAKE_AMOUNT


def test_a_client_that_refuses_its_stake_keeps_it_and_names_another(
    protocol: Protocol, actor: Any, newcomer: Any
) -> None:
    registry = protocol.registry
    actor.act(registry.address, registry.unRegister.prepare_calldata())
    wait(STAKING_PERIOD)
    actor.refuse()
    with boa.reverts("StakingRegistry: receiver refused the payment"):
        actor.act(registry.address, registry.withdrawStake.prepare_calldata())
    before = balance(newcomer)
    actor.act(registry.address, registry.withdrawStake.prepare_calldata(newcomer))
    assert balance(newcomer) == before + STAKE_AMOUNT


def test_a_client_that_refuses_ether_is_slashed_like_any_other(
    protocol: Protocol, user: Any, clients: list[Any], aggregator: Any, actor: Any
) -> None:
    actor.refuse()
    run = protocol.run(user, [*clients, actor.address], 1, aggregator)
    run.train(excluded=1 << 5, slash_reasons=reasons((5, 1)))
    run.finalize()
    protocol.slashing.slash([actor.address], run.instance, protocol.registry.address)
    assert protocol.registry.isSlashed(actor.address)


@pytest.fixture
def ordered(protocol: Protocol, stranger: Any, clients: list[Any], aggregator: Any, actor: Any) -> Run:
    """An instance whose user is the contract."""
    order = protocol.rewards.newUserInstance.prepare_calldata(
        clients, 2, aggregator, GENESIS_ROOT, PARAMETERS, RULES_HASH
    )
    actor.act(protocol.rewards.address, order, sender=stranger, value=BASE_FEE + 2 * FEE_PER_EPOCH)
    protocol.chain.depositBond(1, sender=aggregator, value=AGGREGATOR_BOND)
    return Run(protocol, 1, actor.address, clients, aggregator)


def test_a_user_that_refuses_its_refund_blocks_no_clients(
    ordered: Run, protocol: Protocol, rewards: Any, actor: Any, newcomer: Any
) -> None:
    ordered.train()
    ordered.finalize()
    ordered.stop()
    actor.refuse()
    ordered.settle()
    for client in ordered.clients:
        rewards.claimReward(ordered.instance, sender=client)
    with boa.reverts("RewardManager: receiver refused the payment"):
        actor.act(rewards.address, rewards.withdrawRefund.prepare_calldata(ordered.instance))
    assert balance(rewards) == ordered.refund == FEE_PER_EPOCH
    actor.act(rewards.address, rewards.withdrawRefund.prepare_calldata(ordered.instance, newcomer))
    assert balance(rewards) == 0


def test_a_user_that_calls_back_is_refunded_once(ordered: Run, rewards: Any, actor: Any) -> None:
    ordered.stop()
    ordered.settle()
    withdraw = rewards.withdrawRefund.prepare_calldata(ordered.instance)
    actor.callBack(rewards.address, withdraw)
    before = balance(actor)
    actor.act(rewards.address, withdraw)
    assert actor.callbacks() == 1
    assert not actor.callbackSucceeded()
    assert balance(actor) == before + 2 * FEE_PER_EPOCH


@pytest.fixture
def aggregated(protocol: Protocol, user: Any, stranger: Any, clients: list[Any], actor: Any) -> Run:
    """A stopped instance whose aggregator is the contract."""
    instance = protocol.order(user, clients, 1, actor.address, GENESIS_ROOT, PARAMETERS, RULES_HASH)
    deposit = protocol.chain.depositBond.prepare_calldata(instance)
    actor.act(protocol.chain.address, deposit, sender=stranger, value=AGGREGATOR_BOND)
    run = Run(protocol, instance, user, clients, actor.address)
    run.stop()
    return run


def test_an_aggregator_that_refuses_its_bond_blocks_nobody(
    aggregated: Run, protocol: Protocol, chain: Any, actor: Any, newcomer: Any
) -> None:
    other = protocol.run(aggregated.user, aggregated.clients, 1, newcomer)
    other.stop()
    actor.refuse()
    with boa.reverts("ModelParameterChain: receiver refused the payment"):
        actor.act(chain.address, chain.withdrawBond.prepare_calldata(aggregated.instance))
    aggregated.settle()
    chain.withdrawBond(other.instance, sender=newcomer)
    assert balance(chain) == AGGREGATOR_BOND
    actor.act(chain.address, chain.withdrawBond.prepare_calldata(aggregated.instance, newcomer))
    assert balance(chain) == 0


def test_an_aggregator_that_calls_back_has_its_bond_once(
    aggregated: Run, protocol: Protocol, chain: Any, actor: Any, newcomer: Any
) -> None:
    protocol.run(aggregated.user, aggregated.clients, 1, newcomer)
    withdraw = chain.withdrawBond.prepare_calldata(aggregated.instance)
    actor.callBack(chain.address, withdraw)
    actor.act(chain.address, withdraw)
    assert actor.callbacks() == 1
    assert not actor.callbackSucceeded()
    assert balance(chain) == AGGREGATOR_BOND, "the other aggregator's is still there"


def test_a_receiver_that_answers_with_64_kilobytes_burns_its_own_gas_only(trained: Run, rewards: Any) -> None:
    babbler = mock("Babbler")
    before = trained.reward_of(trained.clients[0])
    with boa.reverts("RewardManager: receiver refused the payment"):
        rewards.claimReward(trained.instance, babbler.address, sender=trained.clients[0])
    assert trained.reward_of(trained.clients[0]) == before
    assert gas_of(rewards) < 100_000


def test_a_treasury_that_refuses_is_named_in_the_revert(
    deployer: Any, admin: Any, user: Any, clients: list[Any], aggregator: Any
) -> None:
    """It cannot happen with the treasuries of this repository; a deployment with others is told what is wrong."""
    sink = mock("Actor")
    protocol = Protocol.deploy(deployer, admin, rewardTreasury=sink.address, registrySlashTreasury=sink.address)
    for client in clients:
        protocol.stake(client)
    run = protocol.run(user, clients, 1, aggregator)
    run.train(excluded=0b1, slash_reasons=reasons((0, 1)))
    run.finalize()
    sink.refuse()
    with boa.reverts("RewardManager: reward treasury refused the payment"):
        protocol.order(user, clients, 1)
    with boa.reverts("RewardManager: reward treasury refused the payment"):
        run.settle()
    with boa.reverts("StakingRegistry: slash treasury refused the payment"):
        protocol.slashing.slash([clients[0]], run.instance, protocol.registry.address)


def test_ether_that_is_forced_in_changes_nobodys_accounts(
    trained: Run, rewards: Any, registry: Any, chain: Any, stranger: Any
) -> None:
    """Nothing is derived from a balance, so that a donation is only that."""
    for contract in (rewards, registry, chain):
        held = balance(contract)
        mock("Actor").force(contract.address, sender=stranger, value=11)
        assert balance(contract) == held + 11
    for client in trained.clients[:-1]:
        rewards.claimReward(trained.instance, sender=client)
        assert len(events(rewards, "RewardClaimed")) == 1
    rewards.withdrawRefund(trained.instance, sender=trained.user)
    assert balance(rewards) == trained.reward_of(trained.clients[-1]) + 11
