"""Acting from the terminal, on a running chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fedblocks.chain.transactions import Declined
from fedblocks.contracts.reverts import ClientNotStaked
from fedblocks.types import Wei
from fedblocks.units import ether
from fedblocks_tui.actions import Action
from fedblocks_tui.operator import LiveOperator
from tests.anvil import FIRST_CLIENT, Roles

STAKE = Action(title="stake", contract="StakingRegistry", function="stake")
LEAVE = Action(title="leave", contract="StakingRegistry", function="unRegister")


@pytest.fixture
def noted():
    return []


@pytest.fixture
def operator(roles: Roles, noted):
    signer = roles.node.signer(FIRST_CLIENT)
    return LiveOperator(lambda: roles.stranger, signer, lambda *sent: noted.append(sent))


def test_what_was_confirmed_is_sent_and_noted_before_any_node_has_it(operator, roles: Roles, noted):
    plan = operator.plan(STAKE)
    assert (str(plan.call), plan.call.value, plan.sender) == ("StakingRegistry.stake", ether("0.1"), roles.cohort[0])
    signed = []
    receipt = operator.send(STAKE, plan, signed.append)
    assert signed == [receipt.transaction_hash]
    assert noted == [(receipt.transaction_hash, roles.cohort[0], "StakingRegistry.stake", ether("0.1"))]
    assert roles.stranger.staking.is_staked(roles.cohort[0])


def test_nothing_is_sent_that_costs_more_than_what_was_confirmed(operator, roles: Roles, noted):
    plan = operator.plan(STAKE)
    cheaper = replace(plan, gas_price=Wei(plan.gas_price // 10))
    with pytest.raises(Declined):
        operator.send(STAKE, cheaper, lambda _: None)
    assert noted == []
    assert not roles.stranger.staking.is_staked(roles.cohort[0])


def test_what_the_contract_refuses_is_refused_before_anybody_is_asked(operator):
    with pytest.raises(ClientNotStaked):
        operator.plan(LEAVE)
