"""Version 1 where it lives, or a stand-in for it: read, probed, and withdrawn from."""

from __future__ import annotations

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.guard import UnsafeDeployment
from fedblocks.contracts.reward_manager import CollectTrainingFees, NewUserInstance
from fedblocks.contracts.staking_registry import Stake, Unregister, WithdrawStake
from fedblocks.contracts.treasury import Recieved, Withdraw
from fedblocks.contracts.v1 import V1_ARBITRUM, RewardTreasuryV1, SlashTreasuryV1
from fedblocks.contracts.v1.reverts import NotAdmin, NotEnoughFunds, NotSlasher, NotSlashingManager
from fedblocks.doctor import Defect, Verdict, examine
from fedblocks.types import InstanceId, Wei
from fedblocks.units import ether
from fedblocks.v1 import FedBlocksV1
from tests.fork.build_state import ADMIN, FEE_PER_EPOCH, PROTOCOL_FEE_PERCENTAGE, SLASHER, STAKE_AMOUNT, STAKING_PERIOD
from tests.fork.conftest import REAL
from tests.fork.impersonation import send_as

stand_in_only = pytest.mark.skipif(bool(REAL), reason="these values are the stand-in's")


def test_the_contracts_name_each_other(v1: FedBlocksV1) -> None:
    assert v1.staking.slashing_manager() == V1_ARBITRUM.address("SlashingManager")
    assert v1.staking.slash_treasury() == V1_ARBITRUM.address("SlashTreasury")
    assert v1.rewards.reward_treasury() == V1_ARBITRUM.address("RewardTreasury")


@stand_in_only
def test_the_parameters_are_read(v1: FedBlocksV1, fork: Anvil) -> None:
    assert (v1.staking.stake_amount(), v1.staking.staking_period()) == (STAKE_AMOUNT, STAKING_PERIOD)
    assert (v1.rewards.fee_per_epoch(), v1.rewards.protocol_fee_percentage()) == (
        FEE_PER_EPOCH,
        PROTOCOL_FEE_PERCENTAGE,
    )
    assert v1.slashing.slasher() == fork.signer(SLASHER).address
    assert v1.slash_treasury.admin() == v1.reward_treasury.admin() == fork.signer(ADMIN).address
    assert v1.staking.balance() == ether("0.5")
    assert v1.reward_treasury.balance() == ether("0.3")


def test_the_doctor_names_every_defect(fork: Anvil) -> None:
    report = examine(fork.connection, V1_ARBITRUM.contracts)
    assert {each.defect for each in report.with_verdict(Verdict.PRESENT)} == set(Defect), report.findings
    assert report.chain_id == 42161


def test_staking_is_refused(v1: FedBlocksV1) -> None:
    with pytest.raises(UnsafeDeployment):
        v1.staking.stake()


def test_a_client_is_followed_in_and_out(v1: FedBlocksV1, fork: Anvil) -> None:
    client = fork.signer(1).address
    start = fork.connection.block_number() + 1
    v1.staking.stake(Wei(1), accept_defects=True)
    entered = v1.staking.client_status(client)
    assert (entered.is_staked, entered.credit, entered.timelock) == (True, v1.staking.stake_amount(), None)
    v1.staking.unregister()
    left = v1.staking.client_status(client)
    assert not left.is_staked
    assert left.timelock is not None
    assert left.timelock > fork.connection.block().timestamp
    fork.connection.rpc("anvil_setBalance", v1.staking.address, hex(ether(1)))
    v1.staking.withdraw_stake()
    assert v1.staking.client_status(client).credit == 0
    assert [type(event) for event in v1.events(start)] == [Stake, Unregister, WithdrawStake]


def test_an_instance_is_ordered_and_paid(v1: FedBlocksV1, fork: Anvil) -> None:
    before = v1.reward_treasury.balance()
    ordered = v1.rewards.new_user_instance([fork.signer(index).address for index in range(2, 6)], 2)
    number = ordered.one(NewUserInstance).instance_id
    assert ordered.one(NewUserInstance).number_of_epochs == 2
    assert v1.rewards.user_instance_words(number)
    fee = 2 * v1.rewards.fee_per_epoch()
    with pytest.raises(NotEnoughFunds):
        v1.rewards.collect_training_fees(number, Wei(fee - 1))
    paid = v1.rewards.collect_training_fees(number, Wei(fee))
    assert paid.one(CollectTrainingFees).number_of_epochs == 2
    assert v1.reward_treasury.balance() - before == fee * v1.rewards.protocol_fee_percentage() // 10**8


def test_refusals_have_their_names(v1: FedBlocksV1, fork: Anvil) -> None:
    with pytest.raises(NotSlasher, match=r"NotSlasher\(\)"):
        v1.slashing.slash([fork.signer(2).address], InstanceId(1), v1.staking.address)
    with pytest.raises(NotSlashingManager):
        v1.staking.plan("slashStake", fork.signer(2).address)
    with pytest.raises(NotAdmin):
        v1.reward_treasury.withdraw(Wei(1))


@pytest.mark.parametrize("contract", [SlashTreasuryV1, RewardTreasuryV1])
def test_the_admin_withdraws_from_a_treasury(
    fork: Anvil, contract: type[SlashTreasuryV1] | type[RewardTreasuryV1]
) -> None:
    """As an impersonated admin: nobody here has its key."""
    address = V1_ARBITRUM.address(contract.NAME)
    giver = contract(fork.connection, address, TransactionSender(fork.connection, fork.signer(1)))
    assert giver.deposit(ether(1)).one(Recieved).amount == ether(1)
    admin = giver.admin()
    fork.connection.rpc("anvil_setBalance", admin, hex(ether(1)))
    held, before = giver.balance(), fork.connection.balance(admin)
    as_admin = contract(fork.connection, address, TransactionSender(fork.connection, address=admin))
    assert send_as(fork, admin, as_admin.plan("withdraw", ether(1))) == 1
    assert giver.balance() == held - ether(1)
    assert fork.connection.balance(admin) > before + ether("0.99")
    assert [type(event) for event in giver.events(fork.connection.block_number())] == [Withdraw]
