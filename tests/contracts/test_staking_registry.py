"""StakingRegistry: stakes come in whole, leave late, and can be taken until they have left."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.contracts.world import (
    STAKE_AMOUNT,
    STAKING_PERIOD,
    ZERO,
    Protocol,
    balance,
    events,
    mock,
    now,
    wait,
)


def slash(protocol: Protocol, client: Any) -> int:
    """Slash as the SlashingManager does, without a verdict."""
    return protocol.registry.slashStake(client, sender=protocol.slashing.address)


def test_a_client_stakes_exactly_the_stake_amount(registry: Any, newcomer: Any) -> None:
    registry.stake(sender=newcomer, value=STAKE_AMOUNT)

    assert events(registry, "Stake") == [{"client": newcomer}]
    assert events(registry, "StakeLocked") == [{"client": newcomer, "amount": STAKE_AMOUNT}]
    assert registry.isStaked(newcomer)
    assert registry.getIsStaked(newcomer)
    assert registry.clientStakes(newcomer) == registry.getClientStake(newcomer) == STAKE_AMOUNT
    assert registry.unbondingStakes(newcomer) == 0


@pytest.mark.parametrize("value", [0, 1, STAKE_AMOUNT - 1, STAKE_AMOUNT + 1])
def test_no_other_amount_is_a_stake(registry: Any, newcomer: Any, value: int) -> None:
    with boa.reverts("StakingRegistry: incorrect stake amount"):
        registry.stake(sender=newcomer, value=value)
    assert registry.clientStakes(newcomer) == 0


def test_a_client_stakes_once(registry: Any, client: Any) -> None:
    with boa.reverts("StakingRegistry: client is already staked"):
        registry.stake(sender=client, value=STAKE_AMOUNT)


def test_ether_comes_in_only_as_a_stake(registry: Any, stranger: Any) -> None:
    with boa.reverts():
        mock("Actor").act(registry.address, b"", sender=stranger, value=1)


def test_leaving_starts_the_staking_period(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)

    withdrawable_at = now() + STAKING_PERIOD
    assert events(registry, "Unregister") == [{"client": client}]
    assert events(registry, "UnbondingStarted") == [
        {"client": client, "amount": STAKE_AMOUNT, "withdrawableAt": withdrawable_at}
    ]
    assert not registry.isStaked(client)
    assert registry.withdrawlTimelock(client) == registry.getWithdrawlTimelock(client) == withdrawable_at
    assert registry.unbondingStakes(client) == STAKE_AMOUNT
    assert registry.clientStakes(client) == STAKE_AMOUNT, "what is unbonding is still at stake"


def test_only_a_client_leaves(registry: Any, newcomer: Any) -> None:
    with boa.reverts("StakingRegistry: client is not staked"):
        registry.unRegister(sender=newcomer)


def test_a_client_leaves_once(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    with boa.reverts("StakingRegistry: client is not staked"):
        registry.unRegister(sender=client)


def test_the_stake_comes_back_in_the_second_in_which_the_period_ends(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    before = balance(client)
    wait(STAKING_PERIOD)

    registry.withdrawStake(sender=client)

    assert events(registry, "WithdrawStake") == [{"client": client}]
    assert events(registry, "StakeReturned") == [{"client": client, "amount": STAKE_AMOUNT}]
    assert balance(client) == before + STAKE_AMOUNT
    assert registry.clientStakes(client) == registry.unbondingStakes(client) == 0
    assert registry.withdrawlTimelock(client) == 0


def test_the_stake_does_not_come_back_a_second_earlier(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD - 1)
    with boa.reverts("StakingRegistry: staking period has not passed"):
        registry.withdrawStake(sender=client)


def test_the_stake_comes_back_once(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=client)
    with boa.reverts("StakingRegistry: nothing is unbonding"):
        registry.withdrawStake(sender=client)


def test_an_active_stake_cannot_be_withdrawn(registry: Any, client: Any) -> None:
    wait(10 * STAKING_PERIOD)
    with boa.reverts("StakingRegistry: nothing is unbonding"):
        registry.withdrawStake(sender=client)


def test_the_stake_may_be_sent_elsewhere(registry: Any, client: Any, stranger: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    before = balance(stranger)
    registry.withdrawStake(stranger, sender=client)
    assert balance(stranger) == before + STAKE_AMOUNT


def test_the_stake_is_not_sent_nowhere(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    with boa.reverts("StakingRegistry: receiver is the zero address"):
        registry.withdrawStake(ZERO, sender=client)


def test_a_client_may_come_back_after_it_has_withdrawn(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=client)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert registry.isStaked(client)
    assert registry.clientStakes(client) == STAKE_AMOUNT


def test_who_comes_back_early_withdraws_its_old_stake_and_keeps_the_new_one(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD // 2)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert registry.clientStakes(client) == 2 * STAKE_AMOUNT
    wait(STAKING_PERIOD)

    registry.withdrawStake(sender=client)

    assert events(registry, "StakeReturned") == [{"client": client, "amount": STAKE_AMOUNT}]
    assert registry.isStaked(client)
    assert registry.clientStakes(client) == STAKE_AMOUNT


def test_who_leaves_twice_withdraws_both_stakes_after_the_later_period(registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(STAKING_PERIOD - 1)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    registry.unRegister(sender=client)
    assert events(registry, "UnbondingStarted")[0]["amount"] == 2 * STAKE_AMOUNT
    wait(1)
    with boa.reverts("StakingRegistry: staking period has not passed"):
        registry.withdrawStake(sender=client)
    wait(STAKING_PERIOD - 1)
    registry.withdrawStake(sender=client)
    assert events(registry, "StakeReturned") == [{"client": client, "amount": 2 * STAKE_AMOUNT}]


def test_a_slash_takes_the_stake_and_bars_the_client(protocol: Protocol, registry: Any, client: Any) -> None:
    taken = slash(protocol, client)

    assert taken == STAKE_AMOUNT
    assert events(registry, "SlashStake") == [{"client": client}]
    assert events(registry, "StakeSlashed") == [{"client": client, "amount": STAKE_AMOUNT}]
    assert events(registry, "Recieved") == [{"amount": STAKE_AMOUNT}]
    assert balance(protocol.slash_treasury) == STAKE_AMOUNT
    assert registry.isSlashed(client)
    assert registry.getIsSlashed(client)
    assert not registry.isStaked(client)
    assert registry.clientStakes(client) == 0
    with boa.reverts("StakingRegistry: client has been slashed"):
        registry.stake(sender=client, value=STAKE_AMOUNT)
    with boa.reverts("StakingRegistry: client is not staked"):
        registry.unRegister(sender=client)


def test_a_slash_takes_a_stake_on_its_way_out(protocol: Protocol, registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    wait(10 * STAKING_PERIOD)
    assert slash(protocol, client) == STAKE_AMOUNT
    assert registry.unbondingStakes(client) == registry.withdrawlTimelock(client) == 0
    with boa.reverts("StakingRegistry: nothing is unbonding"):
        registry.withdrawStake(sender=client)


def test_a_slash_takes_both_stakes_of_who_came_back(protocol: Protocol, registry: Any, client: Any) -> None:
    registry.unRegister(sender=client)
    registry.stake(sender=client, value=STAKE_AMOUNT)
    assert slash(protocol, client) == 2 * STAKE_AMOUNT
    assert balance(protocol.slash_treasury) == 2 * STAKE_AMOUNT


def test_only_the_slashing_manager_slashes(registry: Any, client: Any, admin: Any, deployer: Any) -> None:
    for caller in (client, admin, deployer):
        with boa.reverts("StakingRegistry: caller is not the slashing manager"):
            registry.slashStake(client, sender=caller)


def test_who_has_no_stake_is_not_slashed(protocol: Protocol, registry: Any, newcomer: Any) -> None:
    with boa.reverts("StakingRegistry: client has no stake"):
        slash(protocol, newcomer)
    assert not registry.isSlashed(newcomer)


def test_nobody_is_slashed_twice(protocol: Protocol, client: Any) -> None:
    slash(protocol, client)
    with boa.reverts("StakingRegistry: client has no stake"):
        slash(protocol, client)


def test_the_registry_says_how_it_was_built(protocol: Protocol, registry: Any) -> None:
    assert registry.STAKE_AMOUNT() == registry.getStakeAmount() == STAKE_AMOUNT
    assert registry.STAKING_PERIOD() == registry.getStakingPeriod() == STAKING_PERIOD
    assert registry.SLASHING_MANAGER() == registry.getSlashingManagerAddress() == protocol.slashing.address
    assert registry.SLASH_TREASURY_ADDRESS() == registry.getSlashTreasuryAddress() == protocol.slash_treasury.address


def test_the_balance_is_what_all_have_at_stake(protocol: Protocol, registry: Any, crowd: list[Any]) -> None:
    registry.unRegister(sender=crowd[0])
    registry.stake(sender=crowd[0], value=STAKE_AMOUNT)
    registry.unRegister(sender=crowd[1])
    slash(protocol, crowd[2])
    assert balance(registry) == sum(registry.clientStakes(client) for client in crowd) == 64 * STAKE_AMOUNT
