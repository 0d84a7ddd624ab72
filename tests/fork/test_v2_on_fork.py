"""Version 2 deployed beside version 1, and its whole life there."""

from __future__ import annotations

import pytest

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts import model_parameter_chain as mpc
from fedblocks.contracts import reward_manager as rewards
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.contracts.reverts import ClientIsSlashed, NotTheAdmin
from fedblocks.contracts.slashing_manager import ClientSlashed
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import ProtocolParameters
from fedblocks.doctor import Defect, Verdict, examine
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons
from fedblocks.types import EpochNumber, Seat
from fedblocks.units import ether
from fedblocks.v1 import FedBlocksV1
from tests.anvil import AGGREGATOR, CLIENTS, FIRST_CLIENT, STRANGER, USER, Roles
from tests.fork.impersonation import send_as
from tests.sdk.test_instances import MODEL, RULES, post

DAY = 86_400
WINDOW = 2 * DAY
FEE = ether("0.01")


@pytest.fixture
def roles(fork: Anvil) -> Roles:
    """Version 2 on the fork, and everybody who takes part; the treasuries' admin is version 1's."""
    admin = FedBlocksV1.connect(fork.url).reward_treasury.admin()
    parameters = ProtocolParameters(reward_treasury_admin=admin)
    deployment = deploy_protocol(TransactionSender(fork.connection, fork.signer(0)), parameters)
    deployer = FedBlocks.connect(fork.url, deployment, signer=fork.signer(0))
    return Roles(
        node=fork,
        deployer=deployer,
        user=deployer.acting_as(fork.signer(USER)),
        aggregator=deployer.acting_as(fork.signer(AGGREGATOR)),
        stranger=deployer.acting_as(fork.signer(STRANGER)),
        clients=tuple(deployer.acting_as(fork.signer(FIRST_CLIENT + index)) for index in range(CLIENTS)),
    )


def test_version_2_has_none_of_the_defects_of_the_version_beside_it(roles: Roles, fork: Anvil) -> None:
    deployment = roles.deployer.deployment
    assert deployment.chain_id == 42161
    report = examine(fork.connection, {name: deployment.address(name) for name in deployment.contracts})
    assert {each.defect for each in report.with_verdict(Verdict.ABSENT)} == set(Defect), report.findings
    assert all(each.known_build for each in report.contracts)
    beside = examine(fork.connection, V1_ARBITRUM.contracts)
    assert len(beside.with_verdict(Verdict.PRESENT)) == len(Defect)


def test_the_whole_protocol_runs(roles: Roles, fork: Anvil) -> None:
    """Three epochs are ordered and two trained; one client is slashed, all others get their due, and a stake leaves."""
    for client in roles.clients:
        client.staking.stake()
    aggregator = roles.aggregator.sender.address
    user = roles.user.sender.address
    assert aggregator is not None
    assert user is not None
    opening = roles.user.rewards.new_configured_instance(
        roles.cohort, 3, aggregator=aggregator, genesis_model_root=MODEL, d=1000, rules_hash=RULES
    )
    number = opening.one(rewards.NewUserInstance).instance_id
    roles.aggregator.chain.deposit_bond(number)

    everybody = bitmap_of(range(CLIENTS))
    post(roles, number, everybody)
    slashed = Seat(5)
    reasons = pack_reasons({slashed: SlashReason.ZERO})
    post(roles, number, everybody, bitmap_of([slashed]), reasons)
    fork.increase_time(WINDOW + 1)
    for epoch in (1, 2):
        final = roles.stranger.chain.finalize_epoch(number, EpochNumber(epoch))
        assert final.one(mpc.EpochFinalized).epoch == epoch

    victim = roles.cohort[slashed]
    taken = roles.stranger.slashing.slash([victim], number)
    assert taken.one(ClientSlashed).amount == ether("0.1")
    assert roles.user.slash_treasury.balance() == ether("0.1")

    roles.user.chain.stop_instance(number)
    settled = roles.stranger.rewards.collect_training_fees(number).one(rewards.FeesSettled)
    assert (settled.billed_epochs, settled.refund) == (2, FEE)
    assert settled.clients_total + settled.protocol_total == 2 * FEE
    claimed = sum(
        client.rewards.claim_reward(number).one(rewards.RewardClaimed).amount for client in roles.clients[:slashed]
    )
    assert claimed == settled.clients_total
    with pytest.raises(ClientIsSlashed):
        roles.clients[slashed].rewards.claim_reward(number)
    assert roles.user.rewards.withdraw_refund(number).one(rewards.RefundWithdrawn).amount == FEE
    assert roles.user.rewards.balance() == 0
    roles.aggregator.chain.withdraw_bond(number)
    assert roles.user.chain.balance() == 0
    assert roles.user.reward_treasury.balance() == ether("0.05") + settled.protocol_total

    roles.clients[0].staking.unregister()
    fork.increase_time(7 * DAY)
    roles.clients[0].staking.withdraw_stake()
    assert roles.user.staking.balance() == (CLIENTS - 2) * ether("0.1")


def test_the_admin_withdraws_from_a_treasury_of_version_2(roles: Roles, fork: Anvil) -> None:
    """As an impersonated admin: nobody here has its key."""
    treasury = roles.stranger.reward_treasury
    treasury.deposit(ether(1))
    with pytest.raises(NotTheAdmin):
        treasury.withdraw(ether(1))
    admin = treasury.admin()
    fork.connection.rpc("anvil_setBalance", admin, hex(ether(1)))
    as_admin = type(treasury)(fork.connection, treasury.address, TransactionSender(fork.connection, address=admin))
    assert send_as(fork, admin, as_admin.plan("withdraw", ether(1))) == 1
    assert treasury.balance() == 0
    assert fork.connection.balance(admin) > ether("1.99")
