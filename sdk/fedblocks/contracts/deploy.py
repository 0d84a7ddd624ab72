"""Deploying the protocol: six contracts that name each other and can never be changed.

StakingRegistry and RewardManager must know contracts that come after them. A contract's address follows from its
deployer and the deployer's nonce, so the addresses are computed first and the contracts then deployed with exactly
those nonces. Each address is checked as soon as its contract exists, the last constructor checks the whole, and at the
end every immutable is read back. The demo and ``ape run deploy`` both come here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain.events import snake_case
from fedblocks.chain.transactions import Call, Receipt, TransactionSender
from fedblocks.contracts.artifacts import Artifact, load_artifact
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury
from fedblocks.deployments import CONTRACTS, DeployedContract, Deployment, ProtocolParameters
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address


class DeploymentFailed(FedBlocksError, RuntimeError):
    """A deployed contract is not what was meant; what was deployed so far must not be used."""

    def __init__(self, contract: str, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{contract}: {what} should be {expected}, but is {actual}; deploy anew and use none of this")


@dataclass(frozen=True)
class DeploymentStep:
    """One contract has been deployed."""

    number: int
    total: int
    contract: str
    address: Address
    receipt: Receipt


def deploy_protocol(
    sender: TransactionSender,
    parameters: ProtocolParameters | None = None,
    on_step: Callable[[DeploymentStep], None] | None = None,
) -> Deployment:
    """Deploy the six contracts and check them.

    Args:
        sender: The deployer. It must send nothing else meanwhile; if it does, NonceTaken ends the deployment.
        parameters: What to fix for good; the defaults when left out.
        on_step: Told after each contract.

    Returns:
        The deployment, with the treasuries' admins filled in.

    Raises:
        NoSigner: if the sender has none.
        DeploymentFailed: if a contract is not what was meant.
    """
    deployer = sender.address
    artifacts = {name: load_artifact(name) for name in CONTRACTS}
    first_nonce = sender.next_nonce()
    if deployer is None:
        # Nothing can be predicted without a deployer; sending says so.
        sender.send(Call(CONTRACTS[0], "constructor", None, artifacts[CONTRACTS[0]].bytecode))
        raise AssertionError("unreachable")
    fixed = (parameters or ProtocolParameters()).with_admins(deployer)
    addresses = {name: contract_address(deployer, first_nonce + step) for step, name in enumerate(CONTRACTS)}
    arguments = constructor_arguments(fixed, addresses)

    deployed = {}
    for step, name in enumerate(CONTRACTS):
        receipt = sender.send(_creation(artifacts[name], arguments[name]), nonce=first_nonce + step)
        if receipt.contract_address != addresses[name]:
            raise DeploymentFailed(name, "its address", addresses[name], receipt.contract_address)
        if not sender.connection.code(addresses[name]):
            raise DeploymentFailed(name, "its code", "there", "empty")
        deployed[name] = DeployedContract(
            address=addresses[name],
            block=receipt.block,
            transaction_hash=receipt.transaction_hash,
            bytecode_hash=artifacts[name].bytecode_hash,
        )
        if on_step is not None:
            on_step(DeploymentStep(step + 1, len(CONTRACTS), name, addresses[name], receipt))
    deployment = Deployment(
        chain_id=sender.connection.chain_id, deployer=deployer, parameters=fixed, contracts=deployed
    )
    check_immutables(sender, deployment)
    return deployment


def contract_address(deployer: Address, nonce: int) -> Address:
    """The address of the contract that a deployer creates with a nonce."""
    # RLP of [deployer, nonce]: small enough to write out.
    count = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    word = count if 0 < nonce < 0x80 else bytes([0x80 + len(count)]) + count
    content = b"\x94" + bytes.fromhex(deployer[2:]) + word
    return to_checksum_address(keccak(bytes([0xC0 + len(content)]) + content)[12:])


def constructor_arguments(
    parameters: ProtocolParameters, addresses: dict[str, Address]
) -> dict[str, tuple[object, ...]]:
    """Every contract's constructor arguments."""
    return {
        "SlashTreasury": (parameters.slash_treasury_admin,),
        "RewardTreasury": (parameters.reward_treasury_admin,),
        "StakingRegistry": (
            parameters.stake_amount,
            parameters.staking_period,
            addresses["SlashingManager"],
            addresses["SlashTreasury"],
        ),
        "RewardManager": (
            addresses["RewardTreasury"],
            parameters.fee_per_epoch,
            parameters.protocol_fee_percentage,
            parameters.base_fee,
            addresses["StakingRegistry"],
            addresses["ModelParameterChain"],
        ),
        "ModelParameterChain": (
            addresses["RewardManager"],
            addresses["SlashTreasury"],
            parameters.aggregator_bond,
            parameters.challenge_window,
            parameters.liveness_period,
        ),
        "SlashingManager": (
            addresses["ModelParameterChain"],
            addresses["StakingRegistry"],
            parameters.slash_margin,
        ),
    }


def check_immutables(sender: TransactionSender, deployment: Deployment) -> None:
    """Read every immutable back and compare it with what the deployment says.

    Raises:
        DeploymentFailed: at the first difference.
    """
    connection, at, expected = sender.connection, deployment.address, deployment.parameters
    registry = StakingRegistry(connection, at("StakingRegistry"))
    rewards = RewardManager(connection, at("RewardManager"))
    chain = ModelParameterChain(connection, at("ModelParameterChain"))
    slashing = SlashingManager(connection, at("SlashingManager"))
    checks: Sequence[tuple[str, str, object, object]] = [
        (
            "SlashTreasury",
            "admin",
            expected.slash_treasury_admin,
            SlashTreasury(connection, at("SlashTreasury")).admin(),
        ),
        (
            "RewardTreasury",
            "admin",
            expected.reward_treasury_admin,
            RewardTreasury(connection, at("RewardTreasury")).admin(),
        ),
        ("StakingRegistry", "STAKE_AMOUNT", expected.stake_amount, registry.stake_amount()),
        ("StakingRegistry", "STAKING_PERIOD", expected.staking_period, registry.staking_period()),
        ("StakingRegistry", "SLASHING_MANAGER", at("SlashingManager"), registry.slashing_manager()),
        ("StakingRegistry", "SLASH_TREASURY_ADDRESS", at("SlashTreasury"), registry.slash_treasury()),
        ("RewardManager", "REWARD_TREASURY_ADDRESS", at("RewardTreasury"), rewards.reward_treasury()),
        ("RewardManager", "FEE_PER_EPOCH", expected.fee_per_epoch, rewards.fee_per_epoch()),
        (
            "RewardManager",
            "PROTOCOL_FEE_PERCENTAGE",
            expected.protocol_fee_percentage,
            rewards.protocol_fee_percentage(),
        ),
        ("RewardManager", "BASE_FEE", expected.base_fee, rewards.base_fee()),
        ("RewardManager", "STAKING_REGISTRY", at("StakingRegistry"), rewards.staking_registry()),
        ("RewardManager", "MODEL_PARAMETER_CHAIN", at("ModelParameterChain"), rewards.model_parameter_chain()),
        ("ModelParameterChain", "REWARD_MANAGER", at("RewardManager"), chain.reward_manager()),
        ("ModelParameterChain", "SLASH_TREASURY_ADDRESS", at("SlashTreasury"), chain.slash_treasury()),
        ("ModelParameterChain", "AGGREGATOR_BOND", expected.aggregator_bond, chain.aggregator_bond()),
        ("ModelParameterChain", "CHALLENGE_WINDOW", expected.challenge_window, chain.challenge_window()),
        ("ModelParameterChain", "LIVENESS_PERIOD", expected.liveness_period, chain.liveness_period()),
        ("SlashingManager", "MODEL_PARAMETER_CHAIN", at("ModelParameterChain"), slashing.model_parameter_chain()),
        ("SlashingManager", "STAKING_REGISTRY", at("StakingRegistry"), slashing.staking_registry()),
        ("SlashingManager", "SLASH_MARGIN", expected.slash_margin, slashing.slash_margin()),
    ]
    for contract, name, wanted, actual in checks:
        if wanted != actual:
            raise DeploymentFailed(contract, name, wanted, actual)


def _creation(artifact: Artifact, arguments: tuple[Any, ...]) -> Call:
    inputs: list[dict[str, Any]] = next(
        (entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor"), []
    )
    return Call(
        contract=artifact.name,
        function="constructor",
        to=None,
        data=artifact.bytecode + encode([item["type"] for item in inputs], arguments),
        arguments={snake_case(item["name"]): value for item, value in zip(inputs, arguments, strict=True)},
    )
