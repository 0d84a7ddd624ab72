"""Staking through the SDK: in, out after the staking period, and every refusal by its name."""

from __future__ import annotations

import pytest

from fedblocks.contracts.reverts import (
    ClientAlreadyStaked,
    ClientNotStaked,
    IncorrectStakeAmount,
    NothingUnbonding,
    NotTheSlashingManager,
    ReceiverIsZero,
    StakingPeriodNotOver,
)
from fedblocks.contracts.staking_registry import (
    ClientStatus,
    Stake,
    StakeLocked,
    StakeReturned,
    UnbondingStarted,
    Unregister,
    WithdrawStake,
)
from fedblocks.types import ZERO_ADDRESS, Wei
from fedblocks.units import ether
from tests.anvil import Roles

STAKE = ether("0.1")
PERIOD = 7 * 86_400


def test_a_client_that_stakes_is_staked(roles: Roles) -> None:
    client, address = roles.clients[0], roles.cohort[0]
    receipt = client.staking.stake()
    assert [type(event) for event in receipt.events] == [Stake, StakeLocked]
    assert receipt.one(StakeLocked).amount == STAKE
    assert client.staking.client_status(address) == ClientStatus(
        client=address, is_staked=True, is_slashed=False, active=STAKE, unbonding=Wei(0), withdrawable_at=None
    )
    assert client.staking.balance() == STAKE


@pytest.mark.parametrize("value", [Wei(0), Wei(STAKE - 1), Wei(STAKE + 1)])
def test_any_other_amount_is_refused(roles: Roles, value: Wei) -> None:
    with pytest.raises(IncorrectStakeAmount, match="StakingRegistry: incorrect stake amount"):
        roles.clients[0].staking.stake(value)


def test_a_stake_comes_back_after_the_staking_period_and_not_before(roles: Roles) -> None:
    client, address = roles.clients[0], roles.cohort[0]
    client.staking.stake()
    receipt = client.staking.unregister()
    started = receipt.one(UnbondingStarted)
    assert receipt.one(Unregister).client == address
    assert started.amount == STAKE
    assert started.withdrawable_at == roles.node.connection.block(receipt.block).timestamp + PERIOD
    assert client.staking.client_status(address).withdrawable_at == started.withdrawable_at
    assert client.staking.client_stake(address) == STAKE

    with pytest.raises(StakingPeriodNotOver):
        client.staking.withdraw_stake()
    roles.node.increase_time(PERIOD)
    before = roles.node.connection.balance(address)
    paid = client.staking.withdraw_stake()
    assert paid.one(WithdrawStake).client == address
    assert paid.one(StakeReturned).amount == STAKE
    assert roles.node.connection.balance(address) == before + STAKE - paid.fee
    assert client.staking.client_status(address).at_stake == 0


def test_a_stake_can_be_paid_to_another_address(roles: Roles) -> None:
    client, other = roles.clients[0], roles.cohort[1]
    client.staking.stake()
    client.staking.unregister()
    roles.node.increase_time(PERIOD)
    with pytest.raises(ReceiverIsZero):
        client.staking.withdraw_stake(ZERO_ADDRESS)
    before = roles.node.connection.balance(other)
    client.staking.withdraw_stake(other)
    assert roles.node.connection.balance(other) == before + STAKE


def test_a_client_that_left_may_stake_anew_before_it_has_withdrawn(roles: Roles) -> None:
    client, address = roles.clients[0], roles.cohort[0]
    client.staking.stake()
    client.staking.unregister()
    client.staking.stake()
    status = client.staking.client_status(address)
    assert (status.active, status.unbonding, status.at_stake) == (STAKE, STAKE, 2 * STAKE)


def test_steps_out_of_order_are_refused(roles: Roles) -> None:
    staking = roles.clients[0].staking
    with pytest.raises(ClientNotStaked):
        staking.unregister()
    with pytest.raises(NothingUnbonding):
        staking.withdraw_stake()
    staking.stake()
    with pytest.raises(ClientAlreadyStaked):
        staking.stake()
    with pytest.raises(NotTheSlashingManager):
        staking.plan("slashStake", roles.cohort[1])


def test_a_read_may_look_at_an_earlier_block(roles: Roles) -> None:
    client, address = roles.clients[0], roles.cohort[0]
    before = roles.node.connection.block_number()
    staked = client.staking.stake().block
    assert client.staking.is_staked(address)
    assert not client.staking.is_staked(address, before)
    assert not client.staking.client_status(address, before).is_staked
    assert client.staking.is_staked(address, staked)
    assert [type(event) for event in client.staking.events(staked)] == [Stake, StakeLocked]
    assert client.staking.events(0, before) == ()
