"""What a deployment costs is said before anything is sent, and is what it then costs."""

from __future__ import annotations

import pytest

from fedblocks.chain.connection import Connection
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import InsufficientFunds, NoSigner, TransactionSender
from fedblocks.contracts import deployment_cost
from fedblocks.contracts.creation import plan_deployment
from fedblocks.contracts.deploy import DeploymentStep, deploy_protocol, plan_for
from fedblocks.contracts.deployment_cost import NODE_INTERFACE, describe_deployment, estimate_cost
from fedblocks.contracts.reverts import StakingPeriodTooShort
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.units import ether
from tests.anvil import AGGREGATOR, USER

# Returns the words 1234, 1 and 2 to whatever it is asked.
ANSWERS_1234 = "0x6104d26000526001602052600260405260606000f3"


@pytest.fixture
def sender(node: Anvil) -> TransactionSender:
    """An address and no key: that is all that a dry run needs."""
    return TransactionSender(node.connection, address=node.signer(USER).address)


def test_the_estimate_is_the_gas_that_the_deployment_then_uses(node: Anvil, sender: TransactionSender) -> None:
    plan = plan_for(sender)
    cost = estimate_cost(sender, plan)
    assert sender.next_nonce() == plan.first_nonce
    assert [each.contract for each in cost.contracts] == list(CONTRACTS)
    steps: list[DeploymentStep] = []
    deployment = deploy_protocol(TransactionSender(node.connection, node.signer(USER)), on_step=steps.append)
    assert [each.gas for each in cost.contracts] == [step.receipt.gas_used for step in steps]
    assert [each.address for each in cost.contracts] == [deployment.address(name) for name in CONTRACTS]
    assert cost.simulated
    paid = sum(step.receipt.fee for step in steps)
    assert paid <= cost.expected * 1.01 + 1
    assert cost.expected < cost.limit


def test_the_code_that_is_there_is_the_code_that_was_foretold(node: Anvil, deployment: Deployment) -> None:
    plan = plan_deployment(deployment.chain_id, deployment.deployer, 0, deployment.parameters)
    for creation in plan.creations:
        assert node.connection.code(deployment.address(creation.contract)) == creation.runtime
        assert deployment.contracts[creation.contract].code_hash == creation.code_hash
    assert deployment.compiler == plan.creations[0].artifact.compiler


def test_what_the_last_constructor_would_refuse_is_known_before_the_first_is_sent(sender: TransactionSender) -> None:
    class Unchecked(ProtocolParameters):
        def __post_init__(self) -> None:
            pass

    with pytest.raises(StakingPeriodTooShort):
        estimate_cost(sender, plan_for(sender, Unchecked(staking_period=7 * 86_400 - 1)))


def test_only_what_is_left_is_priced(sender: TransactionSender) -> None:
    plan = plan_for(sender)
    whole = estimate_cost(sender, plan)
    text = describe_deployment(plan, whole)
    assert "is there already" not in text
    rest = estimate_cost(sender, plan, plan.creations[:2])
    assert rest.gas == sum(each.gas for each in whole.contracts[:2])
    assert describe_deployment(plan, rest).count("is there already") == len(CONTRACTS) - 2


def test_a_node_that_models_no_data_fee_is_said_to(sender: TransactionSender) -> None:
    plan = plan_for(sender)
    cost = estimate_cost(sender, plan)
    assert not cost.data_fee_known
    assert "without Arbitrum's fee for data on Ethereum" in describe_deployment(plan, cost)


def test_the_part_for_data_is_shown_where_the_node_says_it(node: Anvil, sender: TransactionSender) -> None:
    node.connection.rpc("anvil_setCode", NODE_INTERFACE, ANSWERS_1234)
    plan = plan_for(sender)
    cost = estimate_cost(sender, plan)
    assert [each.data_gas for each in cost.contracts] == [1234] * len(CONTRACTS)
    assert cost.data_fee_known
    text = describe_deployment(plan, cost)
    assert "1,234 of it for data" in text
    assert "without Arbitrum's fee" not in text


@pytest.mark.parametrize("code", ["0x60006000fd", "0x60206000f3"])
def test_something_else_at_node_interfaces_address_is_no_answer(
    node: Anvil, sender: TransactionSender, code: str
) -> None:
    node.connection.rpc("anvil_setCode", NODE_INTERFACE, code)
    assert not estimate_cost(sender, plan_for(sender)).data_fee_known


def test_a_node_that_simulates_no_foreign_state_gets_a_reckoning_that_is_not_too_low(
    sender: TransactionSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(sender)
    exact = estimate_cost(sender, plan)
    monkeypatch.setattr(deployment_cost, "_takes_overrides", lambda connection: False)
    reckoned = estimate_cost(sender, plan)
    assert not reckoned.simulated
    for one, other in zip(exact.contracts, reckoned.contracts, strict=True):
        assert one.gas <= other.gas <= 1.2 * one.gas
    assert "reckoned from the code's size" in describe_deployment(plan, reckoned)


def test_an_account_that_cannot_pay_for_all_of_it_does_not_begin(node: Anvil, sender: TransactionSender) -> None:
    assert sender.address is not None
    cost = estimate_cost(sender, plan_for(sender))
    cost.require_balance(sender.address)
    node.connection.rpc("anvil_setBalance", sender.address, hex(cost.limit - 1))
    poor = estimate_cost(sender, plan_for(sender))
    with pytest.raises(InsufficientFunds):
        poor.require_balance(sender.address)


def test_whoever_confirms_sees_everything_that_is_fixed(node: Anvil, sender: TransactionSender) -> None:
    admin = node.signer(AGGREGATOR).address
    parameters = ProtocolParameters(
        stake_amount=ether("0.25"), protocol_fee_percentage=3_500_000, slash_margin=3600, slash_treasury_admin=admin
    )
    plan = plan_for(sender, parameters)
    text = describe_deployment(plan, estimate_cost(sender, plan))
    assert f"deployer   {sender.address}, nonces {plan.first_nonce} to {plan.first_nonce + 9}" in text
    assert "chain      31337 (development)" in text
    assert "balance    " in text
    for line in ("stake_amount             0.25 ether", "3.5 %", "3600 s (0.0416667 days)", admin):
        assert line in text
    for name in parameters.__dataclass_fields__:
        assert name in text
    for name, address in plan.addresses.items():
        assert f"{name:<20} {address}" in text


def test_prices_are_told_on_a_chain_without_base_fee() -> None:
    with Anvil(accounts=3, arguments=("--hardfork", "berlin")) as node:
        sender = TransactionSender(Connection.open(node.url), address=node.signer(0).address)
        assert sender.price()[1] is None


def test_nobody_has_no_plan(node: Anvil) -> None:
    with pytest.raises(NoSigner):
        plan_for(TransactionSender(node.connection))
