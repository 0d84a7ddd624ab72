"""What a deployment will create: ten contracts, their addresses, arguments and code, before anything is sent.

A contract's address follows from its deployer and the deployer's nonce, so that contracts can name each other before
they exist. The code that stays on the chain is the runtime code of the build followed by the immutables, so that it
too is known in advance, byte by byte. All of this is computed, nothing is asked of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain.events import snake_case
from fedblocks.chain.transactions import Call
from fedblocks.contracts.artifacts import Artifact, Immutable, load_artifact
from fedblocks.deployments import CONTRACTS, ProtocolParameters
from fedblocks.types import Address, Hash32
from fedblocks.units import PROTOCOL_FEE_SCALE

VERIFIERS = ("SubmissionVerifier", "VectorVerifier", "VerdictVerifier", "DataDemands")
"""The contracts that can overturn an epoch, as ModelParameterChain is told them."""

DEMAND_WINDOWS = 2
"""An epoch can be demanded from for so many challenge windows, says DataDemands."""

_WORD = 32


@dataclass(frozen=True)
class Creation:
    """One contract that is to be created, or has been."""

    contract: str
    nonce: int
    address: Address
    arguments: tuple[Any, ...]
    immutables: Mapping[str, int | str]
    artifact: Artifact = field(repr=False)

    @property
    def encoded_arguments(self) -> bytes:
        """The constructor's arguments as the ABI encodes them: what explorers ask for."""
        return encode([item["type"] for item in self.artifact.constructor_inputs], self.arguments)

    @property
    def call(self) -> Call:
        """The transaction that creates it."""
        names = [snake_case(item["name"]) for item in self.artifact.constructor_inputs]
        return Call(
            contract=self.contract,
            function="constructor",
            to=None,
            data=self.artifact.bytecode + self.encoded_arguments,
            arguments=dict(zip(names, self.arguments, strict=True)),
        )

    @property
    def runtime(self) -> bytes:
        """The code that will lie at the address, immutables included."""
        return runtime_with(self.artifact, self.immutables)

    @property
    def code_hash(self) -> Hash32:
        """keccak-256 of the code that will lie at the address."""
        return Hash32(keccak(self.runtime))


@dataclass(frozen=True)
class DeploymentPlan:
    """A whole deployment, before or while it is carried out."""

    chain_id: int
    deployer: Address
    parameters: ProtocolParameters
    """With both admins filled in."""
    creations: tuple[Creation, ...]

    @property
    def first_nonce(self) -> int:
        """The deployer's nonce for the first contract; the others follow without a gap."""
        return self.creations[0].nonce

    @property
    def addresses(self) -> dict[str, Address]:
        """Where every contract will be."""
        return {creation.contract: creation.address for creation in self.creations}


def plan_deployment(
    chain_id: int, deployer: Address, first_nonce: int, parameters: ProtocolParameters | None = None
) -> DeploymentPlan:
    """Plan a deployment.

    Args:
        chain_id: On which chain.
        deployer: Who deploys, and is admin of each treasury for which the parameters name nobody.
        first_nonce: The deployer's next nonce.
        parameters: What to fix for good; the defaults when left out.
    """
    fixed = (parameters or ProtocolParameters()).with_admins(deployer)
    addresses = {name: contract_address(deployer, first_nonce + step) for step, name in enumerate(CONTRACTS)}
    arguments = constructor_arguments(fixed, addresses)
    values = immutable_values(fixed, addresses)
    creations = tuple(
        Creation(name, first_nonce + step, addresses[name], arguments[name], values[name], load_artifact(name))
        for step, name in enumerate(CONTRACTS)
    )
    return DeploymentPlan(chain_id=chain_id, deployer=deployer, parameters=fixed, creations=creations)


def contract_address(deployer: Address, nonce: int) -> Address:
    """The address of the contract that a deployer creates with a nonce."""
    # RLP of [deployer, nonce]: small enough to write out.
    count = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    word = count if 0 < nonce < 0x80 else bytes([0x80 + len(count)]) + count
    content = b"\x94" + bytes.fromhex(deployer[2:]) + word
    return to_checksum_address(keccak(bytes([0xC0 + len(content)]) + content)[12:])


def constructor_arguments(
    parameters: ProtocolParameters, addresses: Mapping[str, Address]
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
            parameters.challenger_share,
            [addresses[name] for name in VERIFIERS],
        ),
        "SubmissionVerifier": (addresses["ModelParameterChain"],),
        "VectorVerifier": (addresses["ModelParameterChain"],),
        "VerdictVerifier": (addresses["ModelParameterChain"],),
        "DataDemands": (addresses["ModelParameterChain"], parameters.demand_deposit, parameters.answer_period),
        "SlashingManager": (
            addresses["ModelParameterChain"],
            addresses["StakingRegistry"],
            parameters.slash_margin,
        ),
    }


def immutable_values(
    parameters: ProtocolParameters, addresses: Mapping[str, Address]
) -> dict[str, dict[str, int | str]]:
    """What every contract's immutables are, by contract and name."""
    clients_fee = parameters.fee_per_epoch * (PROTOCOL_FEE_SCALE - parameters.protocol_fee_percentage)
    return {
        "SlashTreasury": {"treasury._NAME": "SlashTreasury"},
        "RewardTreasury": {"treasury._NAME": "RewardTreasury"},
        "StakingRegistry": {
            "STAKE_AMOUNT": parameters.stake_amount,
            "STAKING_PERIOD": parameters.staking_period,
            "SLASHING_MANAGER": addresses["SlashingManager"],
            "SLASH_TREASURY_ADDRESS": addresses["SlashTreasury"],
        },
        "RewardManager": {
            "REWARD_TREASURY_ADDRESS": addresses["RewardTreasury"],
            "FEE_PER_EPOCH": parameters.fee_per_epoch,
            "PROTOCOL_FEE_PERCENTAGE": parameters.protocol_fee_percentage,
            "BASE_FEE": parameters.base_fee,
            "STAKING_REGISTRY": addresses["StakingRegistry"],
            "MODEL_PARAMETER_CHAIN": addresses["ModelParameterChain"],
            "_CLIENTS_FEE": clients_fee // PROTOCOL_FEE_SCALE,
        },
        "ModelParameterChain": {
            "REWARD_MANAGER": addresses["RewardManager"],
            "SLASH_TREASURY_ADDRESS": addresses["SlashTreasury"],
            "AGGREGATOR_BOND": parameters.aggregator_bond,
            "CHALLENGE_WINDOW": parameters.challenge_window,
            "LIVENESS_PERIOD": parameters.liveness_period,
            "CHALLENGER_SHARE": parameters.challenger_share,
            "SUBMISSION_VERIFIER": addresses["SubmissionVerifier"],
            "VECTOR_VERIFIER": addresses["VectorVerifier"],
            "VERDICT_VERIFIER": addresses["VerdictVerifier"],
            "DATA_DEMANDS": addresses["DataDemands"],
        },
        "SubmissionVerifier": {
            **_disputes("SubmissionVerifier", addresses),
            "_REWARD_MANAGER": addresses["RewardManager"],
        },
        "VectorVerifier": _disputes("VectorVerifier", addresses),
        "VerdictVerifier": _disputes("VerdictVerifier", addresses),
        "DataDemands": {
            **_disputes("DataDemands", addresses),
            "DEMAND_DEPOSIT": parameters.demand_deposit,
            "ANSWER_PERIOD": parameters.answer_period,
            "_CHAIN": addresses["ModelParameterChain"],
            "_DEMAND_PERIOD": DEMAND_WINDOWS * parameters.challenge_window,
        },
        "SlashingManager": {
            "MODEL_PARAMETER_CHAIN": addresses["ModelParameterChain"],
            "STAKING_REGISTRY": addresses["StakingRegistry"],
            "SLASH_MARGIN": parameters.slash_margin,
            "SLASHER_ADDRESS": addresses["ModelParameterChain"],
        },
    }


def _disputes(contract: str, addresses: Mapping[str, Address]) -> dict[str, int | str]:
    """The immutables of the module that all verifiers share."""
    return {
        "disputes._NAME": contract,
        "disputes.MODEL_PARAMETER_CHAIN": addresses["ModelParameterChain"],
    }


def runtime_with(artifact: Artifact, values: Mapping[str, int | str]) -> bytes:
    """The code that lies on the chain when a build's immutables have these values."""
    if {item.name for item in artifact.immutables} != values.keys():
        raise AssertionError(f"{artifact.name}: immutable_values does not know this build's immutables")
    section = bytearray(sum(item.length for item in artifact.immutables))
    for item in artifact.immutables:
        section[item.offset : item.offset + item.length] = encode_immutable(item, values[item.name])
    return artifact.runtime + bytes(section)


def encode_immutable(item: Immutable, value: int | str) -> bytes:
    """An immutable as Vyper lays it out: a word, or a string's length and its bytes."""
    if item.type.startswith("String["):
        text = str(value).encode()
        return (len(text).to_bytes(_WORD, "big") + text).ljust(item.length, b"\0")
    if item.type not in ("address", "uint256"):
        raise NotImplementedError(f"{item.name} is a {item.type}; say here how Vyper lays it out")
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(item.length, "big")


def decode_immutable(item: Immutable, code: bytes, runtime_size: int) -> int | str:
    """Read an immutable from code on the chain; the inverse of :func:`encode_immutable`, for any bytes."""
    start = runtime_size + item.offset
    content = code[start : start + item.length].ljust(item.length, b"\0")
    if item.type.startswith("String["):
        length = min(int.from_bytes(content[:_WORD], "big"), item.length - _WORD)
        return content[_WORD : _WORD + length].decode(errors="replace")
    if item.type == "address":
        return to_checksum_address(content[-20:])
    return int.from_bytes(content, "big")
