"""How the escrow is divided, and how everybody comes to what is theirs."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest

from tests.contracts.world import (
    CLIENTS_FEE,
    FEE_PER_EPOCH,
    PROTOCOL_FEE_PERCENTAGE,
    ZERO,
    Protocol,
    Run,
    balance,
    events,
    expected_rewards,
    reasons,
)


@pytest.fixture
def finished(run: Run) -> Run:
    """Three final epochs: all five seats, then four, then three."""
    run.train()
    run.train(participants=0b01111)
    run.train(excluded=0b11000)
    run.finalize_all()
    return run


@pytest.fixture
def settled(finished: Run) -> Run:
    finished.settle()
    return finished


@pytest.fixture
def convicted(slashed_run: Run) -> Run:
    """A settled instance of one final epoch; seats 1 and 3 are slashable."""
    slashed_run.stop()
    slashed_run.settle()
    return slashed_run


def test_anyone_divides_the_escrow_of_a_closed_instance(
    finished: Run, rewards: Any, protocol: Protocol, stranger: Any
) -> None:
    income = balance(protocol.reward_treasury)

    rewards.collectTrainingFees(finished.instance, sender=stranger)

    five, four, three = CLIENTS_FEE // 5, CLIENTS_FEE // 4, CLIENTS_FEE // 3
    amounts = [five + four + three] * 3 + [five + four, five]
    total = sum(amounts)
    assert events(rewards, "CollectTrainingFees") == [{"instanceId": finished.instance, "numberOfEpochs": 3}]
    assert events(rewards, "FeesSettled") == [
        {
            "instanceId": finished.instance,
            "billedEpochs": 3,
            "clientsTotal": total,
            "protocolTotal": 3 * FEE_PER_EPOCH - total,
            "refund": 0,
        }
    ]
    assert events(rewards, "RewardCredited") == [
        {"instanceId": finished.instance, "client": client, "epochs": epochs, "amount": amount}
        for client, epochs, amount in zip(finished.clients, [3, 3, 3, 2, 1], amounts, strict=True)
    ]
    assert [finished.reward_of(client) for client in finished.clients] == amounts
    assert balance(protocol.reward_treasury) == income + 3 * FEE_PER_EPOCH - total
    assert balance(rewards) == total
    instance = rewards.getUserInstance(finished.instance)
    assert instance.settled
    assert instance.escrow == 0


def test_an_open_instance_is_not_settled(run: Run) -> None:
    run.train()
    run.finalize()
    with boa.reverts("RewardManager: instance is not closed"):
        run.settle()


def test_an_instance_is_settled_once(settled: Run) -> None:
    with boa.reverts("RewardManager: instance is settled already"):
        settled.settle()


def test_what_does_not_exist_is_not_settled(rewards: Any) -> None:
    for instance in (0, 1):
        with boa.reverts("RewardManager: no such instance"):
            rewards.collectTrainingFees(instance)


def test_the_user_pays_for_final_epochs_and_nothing_else(run: Run) -> None:
    run.train()
    run.finalize()
    run.stop()
    run.settle()
    assert run.refund == 2 * FEE_PER_EPOCH
    assert sum(run.reward_of(client) for client in run.clients) == 5 * (CLIENTS_FEE // 5)


def test_a_pending_epoch_of_a_stopped_instance_is_billed_when_it_is_final(run: Run) -> None:
    run.train()
    run.stop()
    with boa.reverts("RewardManager: instance is not closed"):
        run.settle()
    run.finalize()
    run.settle()
    assert run.refund == 2 * FEE_PER_EPOCH


def test_the_whole_escrow_comes_back_when_nothing_was_trained(run: Run, rewards: Any, protocol: Protocol) -> None:
    income = balance(protocol.reward_treasury)
    run.stop()
    run.settle()
    assert events(rewards, "FeesSettled") == [
        {
            "instanceId": run.instance,
            "billedEpochs": 0,
            "clientsTotal": 0,
            "protocolTotal": 0,
            "refund": 3 * FEE_PER_EPOCH,
        }
    ]
    assert events(rewards, "RewardCredited") == []
    assert balance(protocol.reward_treasury) == income


def test_a_client_claims_its_reward(settled: Run, rewards: Any) -> None:
    client = settled.clients[0]
    amount = settled.reward_of(client)
    before = balance(client)

    rewards.claimReward(settled.instance, sender=client)

    assert events(rewards, "RewardClaimed") == [
        {"instanceId": settled.instance, "client": client, "receiver": client, "amount": amount}
    ]
    assert balance(client) == before + amount
    assert settled.reward_of(client) == 0
    with boa.reverts("RewardManager: no reward to claim"):
        rewards.claimReward(settled.instance, sender=client)


def test_a_client_claims_to_another_address(settled: Run, rewards: Any, newcomer: Any) -> None:
    client = settled.clients[0]
    amount = settled.reward_of(client)
    before = balance(newcomer)
    rewards.claimReward(settled.instance, newcomer, sender=client)
    assert events(rewards, "RewardClaimed")[0]["receiver"] == newcomer
    assert balance(newcomer) == before + amount


def test_a_reward_is_not_sent_nowhere(settled: Run, rewards: Any) -> None:
    with boa.reverts("RewardManager: receiver is the zero address"):
        rewards.claimReward(settled.instance, ZERO, sender=settled.clients[0])


def test_who_has_earned_nothing_claims_nothing(finished: Run, rewards: Any, stranger: Any) -> None:
    with boa.reverts("RewardManager: no reward to claim"):
        rewards.claimReward(finished.instance, sender=finished.clients[0])
    finished.settle()
    with boa.reverts("RewardManager: no reward to claim"):
        rewards.claimReward(finished.instance, sender=stranger)


def test_a_client_that_has_left_is_paid(finished: Run, registry: Any, rewards: Any) -> None:
    client = finished.clients[0]
    registry.unRegister(sender=client)
    finished.settle()
    before = balance(client)
    rewards.claimReward(finished.instance, sender=client)
    assert balance(client) > before


def test_who_is_slashable_in_the_instance_is_paid_nothing_for_it(slashed_run: Run) -> None:
    """Not even for the epochs before it was found out; its share is the protocol's, nobody gains by accusing."""
    run = slashed_run
    run.train(participants=0b10101, excluded=0b00100, slash_reasons=reasons((1, 2), (2, 1), (3, 5)))
    run.finalize()
    run.stop()
    run.settle()
    assert run.reward_of(run.clients[2]) == 0, "it was accepted in the first epoch and found out in the second"
    assert run.reward_of(run.clients[1]) == run.reward_of(run.clients[3]) == 0
    amount = CLIENTS_FEE // 3 + CLIENTS_FEE // 2
    assert run.reward_of(run.clients[0]) == run.reward_of(run.clients[4]) == amount
    assert run.refund == FEE_PER_EPOCH


def test_a_pending_verdict_costs_no_pay_until_it_is_final(run: Run) -> None:
    run.train()
    run.train(excluded=0b1, slash_reasons=reasons((0, 1)))
    run.finalize()
    assert run.chain.getSettlement(run.instance)[1] == 0
    run.finalize()
    assert run.chain.getSettlement(run.instance)[1] == reasons((0, 1))


@pytest.fixture
def paid_and_slashed(protocol: Protocol, user: Any, clients: list[Any], aggregator: Any) -> tuple[Run, Any]:
    """A client with an unclaimed reward in one instance, which was slashed for what it did in another."""
    run = protocol.run(user, clients, 1, aggregator)
    run.train()
    run.finalize()
    run.settle()
    other = protocol.run(user, clients, 1, aggregator)
    other.train(excluded=0b1, slash_reasons=reasons((0, 2)))
    other.finalize()
    protocol.slashing.slash([clients[0]], other.instance, protocol.registry.address)
    return run, clients[0]


def test_a_slashed_client_is_paid_nothing_more(paid_and_slashed: tuple[Run, Any], rewards: Any) -> None:
    run, cheat = paid_and_slashed
    assert run.reward_of(cheat) > 0
    with boa.reverts("RewardManager: client has been slashed"):
        rewards.claimReward(run.instance, sender=cheat)


def test_anyone_sends_what_a_slashed_client_would_have_had_to_the_protocol(
    paid_and_slashed: tuple[Run, Any], rewards: Any, protocol: Protocol, stranger: Any
) -> None:
    run, cheat = paid_and_slashed
    amount, income = run.reward_of(cheat), balance(protocol.reward_treasury)

    rewards.forfeitReward(run.instance, cheat, sender=stranger)

    assert events(rewards, "RewardForfeited") == [{"instanceId": run.instance, "client": cheat, "amount": amount}]
    assert run.reward_of(cheat) == 0
    assert balance(protocol.reward_treasury) == income + amount
    with boa.reverts("RewardManager: no reward to forfeit"):
        rewards.forfeitReward(run.instance, cheat)


def test_an_honest_client_forfeits_nothing(settled: Run, rewards: Any) -> None:
    with boa.reverts("RewardManager: client has not been slashed"):
        rewards.forfeitReward(settled.instance, settled.clients[0])


def test_the_user_withdraws_its_refund(convicted: Run, rewards: Any) -> None:
    amount = convicted.refund
    assert amount == 2 * FEE_PER_EPOCH
    before = balance(convicted.user)

    rewards.withdrawRefund(convicted.instance, sender=convicted.user)

    assert events(rewards, "RefundWithdrawn") == [
        {
            "instanceId": convicted.instance,
            "user": convicted.user,
            "receiver": convicted.user,
            "amount": amount,
        }
    ]
    assert balance(convicted.user) == before + amount
    with boa.reverts("RewardManager: no refund to withdraw"):
        rewards.withdrawRefund(convicted.instance, sender=convicted.user)


def test_the_user_withdraws_to_another_address(convicted: Run, rewards: Any, newcomer: Any) -> None:
    amount, before = convicted.refund, balance(newcomer)
    rewards.withdrawRefund(convicted.instance, newcomer, sender=convicted.user)
    assert events(rewards, "RefundWithdrawn")[0]["receiver"] == newcomer
    assert balance(newcomer) == before + amount


def test_a_refund_is_not_sent_nowhere(convicted: Run, rewards: Any) -> None:
    with boa.reverts("RewardManager: receiver is the zero address"):
        rewards.withdrawRefund(convicted.instance, ZERO, sender=convicted.user)


def test_nobody_else_withdraws_a_refund(convicted: Run, rewards: Any, stranger: Any) -> None:
    for caller in (stranger, convicted.aggregator, convicted.clients[0]):
        with boa.reverts("RewardManager: caller is not the user"):
            rewards.withdrawRefund(convicted.instance, sender=caller)


@pytest.mark.parametrize("percentage", [0, 1, 10**8 - 1, 10**8])
def test_the_protocol_takes_any_part_from_nothing_to_the_whole(
    deployer: Any, admin: Any, user: Any, clients: list[Any], aggregator: Any, percentage: int
) -> None:
    protocol = Protocol.deploy(deployer, admin, protocolFeePercentage=percentage)
    for client in clients:
        protocol.stake(client)
    run = protocol.run(user, clients, 1, aggregator)
    run.train()
    run.finalize()
    run.settle()
    share = FEE_PER_EPOCH * (10**8 - percentage) // 10**8 // 5
    assert [run.reward_of(client) for client in clients] == [share] * 5
    assert balance(protocol.rewards) == 5 * share


def test_the_manager_says_how_it_was_built(protocol: Protocol, rewards: Any) -> None:
    assert rewards.REWARD_TREASURY_ADDRESS() == rewards.getRewardTreasuryAddress() == protocol.reward_treasury.address
    assert rewards.FEE_PER_EPOCH() == rewards.getFeePerEpoch() == FEE_PER_EPOCH
    assert rewards.PROTOCOL_FEE_PERCENTAGE() == rewards.getProtocolFeePercentage() == PROTOCOL_FEE_PERCENTAGE
    assert rewards.BASE_FEE() == 10**18 // 20
    assert rewards.STAKING_REGISTRY() == protocol.registry.address
    assert rewards.MODEL_PARAMETER_CHAIN() == protocol.chain.address


@pytest.mark.parametrize("size", [4, 15, 16, 17, 33, 63, 64])
def test_the_division_is_what_plain_arithmetic_says(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any, size: int
) -> None:
    chance = random.Random(size)
    run = protocol.run(user, crowd[:size], 12, aggregator)
    for _ in range(12):
        accepted = chance.getrandbits(size) | 1 << chance.randrange(size)
        excluded = chance.getrandbits(size) & ~accepted
        run.train(participants=accepted | excluded, excluded=excluded)
    run.finalize_all()
    run.settle()
    assert [run.reward_of(client) for client in run.clients] == expected_rewards(run.headers, size)
