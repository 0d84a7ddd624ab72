"""Deploying the protocol: predicted addresses, checked immutables, and nothing silent when it goes wrong."""

from __future__ import annotations

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import NonceTaken, NoSigner, TransactionSender
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.creation import Creation, constructor_arguments, contract_address
from fedblocks.contracts.deploy import (
    DeploymentFailed,
    DeploymentStep,
    check_immutables,
    deploy_protocol,
)
from fedblocks.contracts.reverts import (
    ChallengerShareTooHigh,
    ContractAddressWrong,
    ContractsDisagree,
    ParameterIsZero,
    ProtocolFeeTooHigh,
    StakingPeriodTooShort,
)
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.types import Address, Wei
from fedblocks.units import ether
from tests.anvil import AGGREGATOR, DEPLOYER, USER


def test_a_contracts_address_follows_from_deployer_and_nonce() -> None:
    deployer = Address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")  # type: ignore[arg-type]
    # The example that every client's tests use.
    assert contract_address(deployer, 0) == "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"
    assert contract_address(deployer, 1) == "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"
    assert contract_address(deployer, 2) == "0xf778B86FA74E846c4f0a1fBd1335FE81c00a0C91"


def test_an_address_is_predicted_for_large_nonces_too(node: Anvil) -> None:
    sender = TransactionSender(node.connection, node.signer(USER))
    assert sender.address is not None
    # Ten contracts from here cross the lengths of the encoding: 127 to 128, 255 to 256, 65535 to 65536.
    for nonce in (121, 249, 65_529):
        node.connection.rpc("anvil_setNonce", sender.address, hex(nonce))
        deployment = deploy_protocol(sender)
        assert deployment.address("SlashingManager") == contract_address(sender.address, nonce + 9)


def test_each_step_is_told_and_the_result_is_complete(node: Anvil) -> None:
    steps: list[DeploymentStep] = []
    sender = TransactionSender(node.connection, node.signer(USER))
    admin = node.signer(AGGREGATOR).address
    parameters = ProtocolParameters(stake_amount=ether(2), slash_treasury_admin=admin)
    deployment = deploy_protocol(sender, parameters, steps.append)
    assert [(step.number, step.contract) for step in steps] == list(enumerate(CONTRACTS, 1))
    assert deployment.deployer == sender.address
    assert deployment.parameters.stake_amount == ether(2)
    assert deployment.parameters.slash_treasury_admin == admin
    assert deployment.parameters.reward_treasury_admin == sender.address
    for step in steps:
        contract = deployment.contracts[step.contract]
        assert (contract.address, contract.block) == (step.address, step.receipt.block)
        assert contract.bytecode_hash == load_artifact(step.contract).bytecode_hash


def test_without_a_signer_nothing_is_deployed(node: Anvil) -> None:
    with pytest.raises(NoSigner):
        deploy_protocol(TransactionSender(node.connection))
    with pytest.raises(NoSigner) as caught:
        deploy_protocol(TransactionSender(node.connection, address=node.signer(USER).address))
    assert caught.value.plan is not None


def test_a_deployer_that_does_something_else_meanwhile_is_stopped(node: Anvil) -> None:
    sender = TransactionSender(node.connection, node.signer(USER))

    def interfere(step: DeploymentStep) -> None:
        if step.number == 2:
            sender.transfer(node.signer(DEPLOYER).address, Wei(1))

    with pytest.raises(NonceTaken):
        deploy_protocol(sender, on_step=interfere)


def test_an_immutable_that_is_not_what_was_meant_is_found(node: Anvil, deployment: Deployment) -> None:
    sender = TransactionSender(node.connection)
    check_immutables(sender, deployment)
    for change in (
        "stake_amount",
        "challenge_window",
        "slash_margin",
        "challenger_share",
        "demand_deposit",
        "answer_period",
    ):
        changed = ProtocolParameters(
            **{
                **{name: getattr(deployment.parameters, name) for name in deployment.parameters.__dataclass_fields__},
                change: getattr(deployment.parameters, change) - 1,
            }
        )
        other = Deployment(
            chain_id=deployment.chain_id,
            deployer=deployment.deployer,
            parameters=changed,
            contracts=deployment.contracts,
        )
        with pytest.raises(DeploymentFailed, match=change.upper()):
            check_immutables(sender, other)


class Unchecked(ProtocolParameters):
    """Parameters that nobody has looked at, so that the contracts have to."""

    def __post_init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"stake_amount": 0}, ParameterIsZero),
        ({"slash_margin": 0}, ParameterIsZero),
        ({"protocol_fee_percentage": 10**8 + 1}, ProtocolFeeTooHigh),
        ({"challenger_share": 5 * 10**7 + 1}, ChallengerShareTooHigh),
        ({"answer_period": 0}, ParameterIsZero),
        ({"staking_period": 7 * 86_400 - 1}, StakingPeriodTooShort),
    ],
)
def test_the_contracts_refuse_what_the_sdk_would(node: Anvil, change: dict[str, int], refusal: type[Exception]) -> None:
    sender = TransactionSender(node.connection, node.signer(USER))
    with pytest.raises(refusal):
        deploy_protocol(sender, Unchecked(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contract", "wrong", "refusal"),
    [
        ("StakingRegistry", {"SlashTreasury": "nobody"}, ContractAddressWrong),
        ("RewardManager", {"StakingRegistry": "nobody"}, ContractAddressWrong),
        ("ModelParameterChain", {"SlashTreasury": "RewardTreasury"}, ContractsDisagree),
        ("SubmissionVerifier", {"ModelParameterChain": "nobody"}, ContractAddressWrong),
        ("DataDemands", {"ModelParameterChain": "nobody"}, ContractAddressWrong),
        ("SlashingManager", {"StakingRegistry": "nobody"}, ContractAddressWrong),
    ],
)
def test_a_constructor_refuses_an_address_that_is_not_what_it_should_be(
    node: Anvil, deployment: Deployment, contract: str, wrong: dict[str, str], refusal: type[Exception]
) -> None:
    nobody = node.signer(USER).address
    addresses = {name: deployment.address(name) for name in CONTRACTS}
    addresses |= {name: addresses.get(other, nobody) for name, other in wrong.items()}
    arguments = constructor_arguments(deployment.parameters, addresses)
    creation = Creation(contract, 0, nobody, arguments[contract], {}, load_artifact(contract))
    with pytest.raises(refusal):
        TransactionSender(node.connection, node.signer(USER)).send(creation.call)
