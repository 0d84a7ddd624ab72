"""Failures that others have had, pinned by name: each test shows the loss that it would be here, and that it is not.

Version 1's own defects are in `test_v1_defects.py`, what a hostile receiver tries in `test_hostile_receivers.py`; here
is what has cost staking and escrow systems elsewhere, and the first and last second of every window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_utils import keccak

from tests.contracts.world import (
    AGGREGATOR_BOND,
    ANSWER_PERIOD,
    BASE_FEE,
    CHALLENGE_WINDOW,
    CLIENTS_FEE,
    FEE_PER_EPOCH,
    LIVENESS_PERIOD,
    NO_HASH,
    SLASH_MARGIN,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    ZERO,
    Protocol,
    Run,
    balance,
    events,
    mock,
    now,
    reasons,
    wait,
)

# A slash that misses stake on its way out


def test_a_slash_reaches_every_kind_of_stake(slashed_run: Run, registry: Any, slashing: Any) -> None:
    """Unbonding, and active beside unbonding: what counted only active stake let the culprit leave with the rest."""
    leaving, returning = slashed_run.clients[1], slashed_run.clients[3]
    registry.unRegister(sender=leaving)
    registry.unRegister(sender=returning)
    registry.stake(sender=returning, value=STAKE_AMOUNT)
    slashing.slash([leaving, returning], slashed_run.instance, registry.address)
    assert [event["amount"] for event in events(slashing, "StakeSlashed")] == [STAKE_AMOUNT, 2 * STAKE_AMOUNT]
    assert balance(slashed_run.protocol.slash_treasury) == 3 * STAKE_AMOUNT
    wait(STAKING_PERIOD)
    for cheat in (leaving, returning):
        with boa.reverts("StakingRegistry: nothing is unbonding"):
            registry.withdrawStake(sender=cheat)


def test_a_slash_after_the_lock_has_run_out_still_takes_what_is_there(
    slashed_run: Run, registry: Any, slashing: Any
) -> None:
    """Who may withdraw and has not is not safe: stakes are safe when they are gone, not when they could be."""
    cheat = slashed_run.clients[1]
    registry.unRegister(sender=cheat)
    wait(STAKING_PERIOD)
    slashing.slash([cheat], slashed_run.instance, registry.address)
    with boa.reverts("StakingRegistry: nothing is unbonding"):
        registry.withdrawStake(sender=cheat)


def test_coming_back_does_not_shorten_the_time_of_the_old_stake(registry: Any, client: Any) -> None:
    """Else a client would rotate its stake through and be out a moment after it cheated."""
    registry.unRegister(sender=client)
    unlocked_at = registry.withdrawlTimelock(client)
    wait(STAKING_PERIOD // 2)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert registry.withdrawlTimelock(client) == unlocked_at
    wait(STAKING_PERIOD // 2 - 1)
    with boa.reverts("StakingRegistry: staking period has not passed"):
        registry.withdrawStake(sender=client)


def test_a_withdrawal_leaves_the_stake_that_is_active_within_reach(
    slashed_run: Run, registry: Any, slashing: Any
) -> None:
    cheat = slashed_run.clients[1]
    registry.unRegister(sender=cheat)
    registry.stake(sender=cheat, value=STAKE_AMOUNT)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=cheat)
    slashing.slash([cheat], slashed_run.instance, registry.address)
    assert events(slashing, "StakeSlashed")[0]["amount"] == STAKE_AMOUNT


def test_a_slash_for_one_instance_leaves_nothing_for_another(
    slashed_run: Run, protocol: Protocol, slashing: Any, registry: Any
) -> None:
    """Two verdicts against one client: what does not exist is not taken twice, neither from it nor from the others."""
    cheat = slashed_run.clients[1]
    other = protocol.run(slashed_run.user, slashed_run.clients, 1, slashed_run.aggregator)
    other.train(excluded=0b10, slash_reasons=reasons((1, 4)))
    other.finalize()
    slashing.slash([cheat], other.instance, registry.address)
    held = balance(registry)
    with boa.reverts("SlashingManager: nothing is left to slash"):
        slashing.slash([cheat], slashed_run.instance, registry.address)
    assert balance(registry) == held


def test_a_name_given_twice_is_slashed_once(slashed_run: Run, slashing: Any, registry: Any) -> None:
    cheat = slashed_run.clients[1]
    held = balance(registry)
    slashing.slash([cheat] * 64, slashed_run.instance, registry.address)
    assert balance(registry) == held - STAKE_AMOUNT


# Rewards that are paid out of stakes


def test_rewards_come_out_of_the_escrow_and_never_out_of_stakes(run: Run, registry: Any, rewards: Any) -> None:
    """The two are in different contracts: the most generous settlement leaves the stakes as they are."""
    stakes = balance(registry)
    for _ in range(3):
        run.train()
    run.finalize_all()
    run.settle()
    for client in run.clients:
        rewards.claimReward(run.instance, sender=client)
    assert balance(registry) == stakes
    assert balance(rewards) == run.refund == 0


def test_one_instance_is_not_paid_out_of_anothers_escrow(run: Run, protocol: Protocol, rewards: Any) -> None:
    other = protocol.run(run.user, run.clients, 3, run.aggregator)
    for _ in range(3):
        run.train()
    run.finalize_all()
    run.settle()
    for client in run.clients:
        rewards.claimReward(run.instance, sender=client)
    assert balance(rewards) == 3 * FEE_PER_EPOCH
    other.stop()
    other.settle()
    assert other.refund == 3 * FEE_PER_EPOCH


def test_what_cannot_be_divided_is_not_lost(protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any) -> None:
    """Rounding down leaves wei behind in every epoch; they are the protocol's, not nobody's."""
    run = protocol.run(user, crowd[:6], 1, aggregator)
    income = balance(protocol.reward_treasury)
    run.train()
    run.finalize()
    run.settle()
    assert CLIENTS_FEE % 6 != 0
    assert balance(protocol.reward_treasury) == income + FEE_PER_EPOCH - 6 * (CLIENTS_FEE // 6)
    assert balance(protocol.rewards) == 6 * (CLIENTS_FEE // 6)


def test_a_full_house_shares_like_any_other(protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any) -> None:
    """The largest number of sharers is where a loop that ends one too early pays nobody."""
    run = protocol.run(user, crowd, 1, aggregator)
    run.train()
    run.finalize()
    run.settle()
    assert [run.reward_of(client) for client in crowd] == [CLIENTS_FEE // 64] * 64


# A slashed party that is still rewarded


@pytest.fixture
def earned(protocol: Protocol, user: Any, clients: list[Any], aggregator: Any) -> tuple[Run, Run, Any]:
    """A client that has earned in two instances, one settled, one not, and is then found out in a third."""
    settled, closed, third = (protocol.run(user, clients, 1, aggregator) for _ in range(3))
    for run in (settled, closed):
        run.train()
        run.finalize()
    settled.settle()
    third.train(excluded=0b1, slash_reasons=reasons((0, 6)))
    third.finalize()
    protocol.slashing.slash([clients[0]], third.instance, protocol.registry.address)
    return settled, closed, clients[0]


def test_a_slashed_client_is_paid_nowhere(earned: tuple[Run, Run, Any], rewards: Any, stranger: Any) -> None:
    """Neither what was credited before nor what is credited after, neither to itself nor to a friend."""
    settled, closed, cheat = earned
    closed.settle()
    for run in (settled, closed):
        assert run.reward_of(cheat) == CLIENTS_FEE // 5
        for receiver in (cheat, stranger):
            with boa.reverts("RewardManager: client has been slashed"):
                rewards.claimReward(run.instance, receiver, sender=cheat)
        rewards.forfeitReward(run.instance, cheat, sender=stranger)
        assert run.reward_of(cheat) == 0


def test_a_slash_takes_nothing_from_the_others(earned: tuple[Run, Run, Any], rewards: Any) -> None:
    settled, _, cheat = earned
    for client in settled.clients[1:]:
        before = balance(client)
        rewards.claimReward(settled.instance, sender=client)
        assert balance(client) == before + CLIENTS_FEE // 5
    rewards.forfeitReward(settled.instance, cheat)
    assert balance(rewards) == 2 * FEE_PER_EPOCH, "the escrow of the two instances that are not settled"


def test_who_is_found_out_and_withdrew_in_time_is_not_paid_for_that_instance(
    slashed_run: Run, registry: Any, rewards: Any
) -> None:
    """The stake is out of reach when nobody executes the verdict for a whole STAKING_PERIOD; the pay never is."""
    cheat = slashed_run.clients[1]
    registry.unRegister(sender=cheat)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=cheat)
    slashed_run.stop()
    slashed_run.settle()
    with boa.reverts("RewardManager: no reward to claim"):
        rewards.claimReward(slashed_run.instance, sender=cheat)


# Windows: the last second in which something can be done, and the first in which it cannot


Act = Callable[[], Any]


def opens_after(seconds: int, act: Act, reason: str) -> None:
    """`act` reverts until so many seconds have passed, and then does not."""
    wait(seconds - 1)
    with boa.reverts(reason):
        act()
    wait(1)
    act()


def closes_after(seconds: int, act: Act, reason: str) -> None:
    """`act` can be done when so many seconds have passed, and not a second later."""
    wait(seconds)
    with boa.env.anchor():
        act()
    wait(1)
    with boa.reverts(reason):
        act()


def test_the_staking_period_ends_at_its_second(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    assert registry.withdrawlTimelock(client) == now() + STAKING_PERIOD
    opens_after(
        STAKING_PERIOD,
        lambda: registry.withdrawStake(sender=client),
        "StakingRegistry: staking period has not passed",
    )


def test_the_challenge_window_ends_after_its_last_second(run: Run, chain: Any) -> None:
    run.train()
    announced = events(chain, "EpochSubmitted")[0]["finalizableAt"]
    assert announced == now() + CHALLENGE_WINDOW + 1
    opens_after(
        CHALLENGE_WINDOW + 1,
        lambda: chain.finalizeEpoch(run.instance, 1),
        "ModelParameterChain: challenge window is open",
    )
    assert now() == announced


def test_an_epoch_can_be_posted_until_its_last_second(run: Run) -> None:
    run.close()
    header = run.header()
    closes_after(
        LIVENESS_PERIOD,
        lambda: run.chain.submitEpoch(header.words, sender=run.aggregator),
        "ModelParameterChain: epoch is late",
    )


def test_commits_can_be_closed_again_in_the_very_second_in_which_their_epoch_is_late(run: Run) -> None:
    """No second in which both can be done, and none in which neither can."""
    run.close()
    run.attempt = 1
    opens_after(LIVENESS_PERIOD + 1, run.close, "ModelParameterChain: commits are closed already")


def test_an_aggregator_is_replaced_in_the_very_second_in_which_its_epoch_is_late(
    run: Run, chain: Any, successor: Any
) -> None:
    run.close()
    opens_after(
        LIVENESS_PERIOD + 1,
        lambda: chain.nameAggregator(run.instance, successor, sender=run.user),
        "ModelParameterChain: aggregator is at work",
    )
    with boa.reverts("ModelParameterChain: caller is not the aggregator"):
        run.post()


@pytest.mark.parametrize("posted", [False, True])
def test_a_silent_instance_is_anybodys_to_stop_from_its_second_on(
    run: Run, chain: Any, stranger: Any, posted: bool
) -> None:
    if posted:
        run.train()
    opens_after(
        2 * LIVENESS_PERIOD + 1,
        lambda: chain.stopInstance(run.instance, sender=stranger),
        "ModelParameterChain: only the user may stop it yet",
    )


def test_an_instance_without_progress_is_anybodys_to_stop_from_its_second_on(
    run: Run, chain: Any, stranger: Any
) -> None:
    run.train()
    began = now()
    for run.attempt in range(3):
        run.close()
        wait(LIVENESS_PERIOD + 1)
    run.attempt = 3
    run.close()
    opens_after(
        began + 4 * LIVENESS_PERIOD + 1 - now(),
        lambda: chain.stopInstance(run.instance, sender=stranger),
        "ModelParameterChain: only the user may stop it yet",
    )


def test_a_stopped_instance_closes_in_the_very_second_in_which_its_epoch_is_late(run: Run, chain: Any) -> None:
    run.close()
    run.stop()
    opens_after(LIVENESS_PERIOD + 1, run.settle, "RewardManager: instance is not closed")
    assert chain.isClosed(run.instance)


def test_nobody_pulls_the_slowest_stake_out_from_under_a_verdict(run: Run, registry: Any, slashing: Any) -> None:
    """Every deadline used to its last second, and the culprit gone in the first: the margin is still there."""
    cheat = run.clients[2]
    commits = bytes(32 * len(run.clients))
    root = keccak(b"\x06" + commits)
    run.chain.closeCommits(run.instance, 1, 0, root, sender=run.aggregator)
    registry.unRegister(sender=cheat)
    wait(LIVENESS_PERIOD)
    run.post(commits_root=root, excluded=0b100, slash_reasons=reasons((2, 3)))
    header = run.headers[0]
    wait(2 * CHALLENGE_WINDOW)
    demand = run.demand(header, run.user)
    wait(ANSWER_PERIOD)
    run.protocol.demands.answer(demand, header.words, b"", b"", (0, NO_HASH, NO_HASH, []), commits, [])
    wait(ANSWER_PERIOD + 1)
    run.chain.finalizeEpoch(run.instance, 1)
    wait(SLASH_MARGIN - 2)
    with boa.env.anchor():
        slashing.slash([cheat], run.instance, registry.address)
        assert registry.isSlashed(cheat)
    wait(1)
    registry.withdrawStake(sender=cheat)
    assert registry.clientStakes(cheat) == 0


# A hand-over that is announced with the wrong old value


@pytest.mark.parametrize("treasury", ["slash_treasury", "reward_treasury"])
def test_a_hand_over_is_announced_with_who_had_it_and_who_has_it(
    protocol: Protocol, admin: Any, stranger: Any, newcomer: Any, treasury: str
) -> None:
    """Written after the assignment, the event would name the new admin twice, and no indexer would know the old one."""
    contract = getattr(protocol, treasury)
    before = admin
    for after in (stranger, newcomer):
        contract.transferAdmin(after, sender=before)
        assert events(contract, "AdminTransferStarted") == [{"admin": before, "pendingAdmin": after}]
        contract.acceptAdmin(sender=after)
        assert events(contract, "AdminTransferred") == [{"previousAdmin": before, "newAdmin": after}]
        before = after


def test_a_new_aggregator_is_announced_with_the_one_before(run: Run, chain: Any, successor: Any, newcomer: Any) -> None:
    before = run.aggregator
    for attempt, after in enumerate((successor, newcomer), start=1):
        wait(LIVENESS_PERIOD + 1)
        chain.nameAggregator(run.instance, after, sender=run.user)
        assert events(chain, "AggregatorNamed") == [
            {"instanceId": run.instance, "aggregator": after, "previousAggregator": before, "attempt": attempt}
        ]
        before = after


def test_the_first_aggregator_is_announced_with_nobody_before(
    protocol: Protocol, chain: Any, user: Any, clients: list[Any], aggregator: Any
) -> None:
    instance = protocol.order(user, clients, 1)
    chain.configureInstance(instance, aggregator, b"\x01" * 32, 1, b"\x02" * 32, sender=user)
    assert events(chain, "AggregatorNamed") == [
        {"instanceId": instance, "aggregator": aggregator, "previousAggregator": ZERO, "attempt": 0}
    ]


# A header that is valid in two places


def test_a_header_of_one_chain_follows_nothing_on_another(run: Run, chain: Any) -> None:
    """Two chains may have the same contracts at the same addresses, and the same instances in them."""
    here = boa.env.evm.patch.chain_id
    try:
        boa.env.evm.patch.chain_id = 42_161
        there = run.protocol.run(run.user, run.clients, 3, run.aggregator)
        assert chain.getInstance(there.instance).lastHeaderHash == there.genesis_hash
        there.close()
        genesis_there, header = there.genesis_hash, there.header()
    finally:
        boa.env.evm.patch.chain_id = here
    assert there.genesis_hash != genesis_there
    with boa.reverts("ModelParameterChain: header does not follow the last one"):
        chain.submitEpoch(there.header().words, sender=run.aggregator)
    chain.submitEpoch(header.words, sender=run.aggregator)


# Version 1's defects where money changes hands, told by the money


def test_v1_1_nobody_withdraws_what_others_have_staked(registry: Any, clients: list[Any], stranger: Any) -> None:
    """In version 1 a stake of nothing was credited in full, and paid out of the others'."""
    held = balance(registry)
    with boa.reverts("StakingRegistry: incorrect stake amount"):
        registry.stake(sender=stranger, value=0)
    with boa.reverts("StakingRegistry: client is not staked"):
        registry.unRegister(sender=stranger)
    wait(STAKING_PERIOD)
    with boa.reverts("StakingRegistry: nothing is unbonding"):
        registry.withdrawStake(sender=stranger)
    assert balance(registry) == held


def test_v1_3_a_returning_clients_two_stakes_are_two_amounts(registry: Any, client: Any) -> None:
    """In version 1 the second stake was added to the first and then compared with one amount."""
    registry.unRegister(sender=client)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert registry.clientStakes(client) == 2 * STAKE_AMOUNT
    assert registry.unbondingStakes(client) == STAKE_AMOUNT


def test_v1_4_a_slash_that_takes_nothing_says_nothing(slashed_run: Run, registry: Any, slashing: Any) -> None:
    cheat = slashed_run.clients[1]
    registry.unRegister(sender=cheat)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=cheat)
    with boa.reverts("SlashingManager: nothing is left to slash"):
        slashing.slash([cheat], slashed_run.instance, registry.address)
    assert not registry.isSlashed(cheat)
    assert not slashed_run.protocol.chain.isFinallySlashable(slashed_run.instance, slashed_run.clients[0])


def test_v1_5_an_admin_slashes_nobody(run: Run, registry: Any, admin: Any) -> None:
    for key in (admin, run.aggregator):
        with boa.reverts("StakingRegistry: caller is not the slashing manager"):
            registry.slashStake(run.clients[0], sender=key)


def test_v1_6_the_order_fee_is_the_protocols_at_once(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    income = balance(protocol.reward_treasury)
    protocol.order(user, clients, 2)
    assert balance(protocol.reward_treasury) == income + BASE_FEE
    assert balance(protocol.rewards) == 2 * FEE_PER_EPOCH


def test_v1_7_no_overpayment_sticks(rewards: Any, chain: Any, user: Any, clients: list[Any], run: Run) -> None:
    """What is too much is refused, wherever ether goes in."""
    with boa.reverts("RewardManager: incorrect value"):
        rewards.newUserInstance(clients, 1, sender=user, value=BASE_FEE + FEE_PER_EPOCH + 1)
    other = run.protocol.order(user, clients, 1, run.aggregator, b"\x01" * 32, 1, b"\x02" * 32)
    with boa.reverts("ModelParameterChain: incorrect bond"):
        chain.depositBond(other, sender=run.aggregator, value=AGGREGATOR_BOND + 1)
    for contract in (rewards, chain, run.protocol.registry, run.protocol.slashing):
        with pytest.raises(boa.BoaError):
            mock("Actor").act(contract.address, b"", sender=user, value=1)


# Order of effects: who calls back sees the books closed


def test_who_calls_back_from_a_payment_finds_nothing_left_in_any_other_contract(
    protocol: Protocol, user: Any, clients: list[Any], aggregator: Any, stranger: Any
) -> None:
    """The reward is claimed in the middle of the withdrawal of the stake: each is paid once, from its own contract."""
    registry, rewards = protocol.registry, protocol.rewards
    actor = mock("Actor")
    actor.act(registry.address, registry.stake.prepare_calldata(), sender=stranger, value=STAKE_AMOUNT)
    run = protocol.run(user, [*clients, actor.address], 1, aggregator)
    run.train()
    run.finalize()
    run.settle()
    reward = run.reward_of(actor.address)
    actor.act(registry.address, registry.unRegister.prepare_calldata())
    wait(STAKING_PERIOD)
    actor.callBack(rewards.address, rewards.claimReward.prepare_calldata(run.instance))
    actor.act(registry.address, registry.withdrawStake.prepare_calldata())
    assert actor.callbackSucceeded(), "it may claim what is its own at any time"
    assert balance(actor) == STAKE_AMOUNT + reward
    assert run.reward_of(actor.address) == registry.clientStakes(actor.address) == 0
