"""Where the protocol is deployed and with which parameters: the deployments file.

The ten contracts of a deployment name each other and never change, so that one JSON file says all that a program needs
to find them. It holds nothing secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import ZERO_ADDRESS, Address, BlockNumber, Hash32, Wei
from fedblocks.units import PROTOCOL_FEE_SCALE, SHARE_SCALE, ether

CONTRACTS = (
    "SlashTreasury",
    "RewardTreasury",
    "StakingRegistry",
    "RewardManager",
    "ModelParameterChain",
    "SubmissionVerifier",
    "VectorVerifier",
    "VerdictVerifier",
    "DataDemands",
    "SlashingManager",
)
"""The contracts of the protocol, in the order in which they are deployed."""

FORMAT = "fedblocks-deployment-1"

MAX_CHALLENGER_SHARE = SHARE_SCALE // 2
"""An aggregator that challenges itself must lose more than it gets back."""

HOUR = 3600
DAY = 24 * HOUR


class InvalidParameters(FedBlocksError, ValueError):
    """The parameters of a deployment contradict each other or the protocol's limits."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("these parameters cannot be deployed: " + "; ".join(problems))


class DeploymentNotFound(FedBlocksError, FileNotFoundError):
    """There is no deployments file at the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"there is no deployments file at {path}; `ape run deploy --output {path}` writes one")


class MalformedDeployment(FedBlocksError, ValueError):
    """A file is not a deployments file, or is damaged."""

    def __init__(self, path: Path | str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path} is not a usable deployments file: {problem}")


@dataclass(frozen=True, kw_only=True)
class ProtocolParameters:
    """Everything that is fixed for good when the protocol is deployed.

    Durations are in seconds. The defaults are those of the FedBlocks v1 design.
    """

    stake_amount: Wei = field(default_factory=lambda: ether("0.1"))
    """What a client stakes, and loses when it is slashed."""
    base_fee: Wei = field(default_factory=lambda: ether("0.05"))
    """What a user pays for each instance, whatever comes of it."""
    fee_per_epoch: Wei = field(default_factory=lambda: ether("0.01"))
    """What a user pays for each finalised epoch."""
    protocol_fee_percentage: int = 2 * PROTOCOL_FEE_SCALE // 100
    """The protocol's part of fee_per_epoch, scaled by 1e8: 2_000_000 is 2 %."""
    aggregator_bond: Wei = field(default_factory=lambda: ether(1))
    """What an aggregator deposits for each instance."""
    challenger_share: int = 40 * SHARE_SCALE // 100
    """The challenger's part of a bond that is taken, scaled by 1e8: 40_000_000 is 40 %; at most half."""
    challenge_window: int = 2 * DAY
    """How long an epoch can be challenged before it is final."""
    liveness_period: int = DAY
    """How long an aggregator may be silent."""
    demand_deposit: Wei = field(default_factory=lambda: ether("0.002"))
    """What a demand for data costs until it is settled."""
    answer_period: int = 12 * HOUR
    """How long data that are demanded may take, and how long the epoch is held after they have come."""
    staking_period: int = 7 * DAY
    """How long a stake stays slashable after its client has unregistered."""
    slash_margin: int = DAY
    """How long a final verdict can be executed before the client's stake can leave."""
    slash_treasury_admin: Address | None = None
    """Who withdraws from the SlashTreasury; the deployer, when left out."""
    reward_treasury_admin: Address | None = None
    """Who withdraws from the RewardTreasury; the deployer, when left out."""

    def __post_init__(self) -> None:
        """Refuse what the contracts' constructors would refuse, all problems at once and before any ether is spent."""
        problems = []
        numbers = [name.name for name in fields(self) if not name.name.endswith("_admin")]
        for name in numbers:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                problems.append(f"{name} must be an integer, not {value!r}")
            elif not 0 <= value < 2**128:
                problems.append(f"{name} must be between 0 and 2**128, not {value}")
        if problems:
            raise InvalidParameters(problems)
        for name in (name for name in numbers if name != "protocol_fee_percentage"):
            if getattr(self, name) == 0:
                problems.append(f"{name} must not be zero")
        if self.protocol_fee_percentage > PROTOCOL_FEE_SCALE:
            problems.append(
                f"protocol_fee_percentage is scaled by 1e8: {self.protocol_fee_percentage} is more than 100 %"
            )
        if self.challenger_share > MAX_CHALLENGER_SHARE:
            problems.append(f"challenger_share is scaled by 1e8: {self.challenger_share} is more than 50 %")
        needed = self.liveness_period + 2 * self.challenge_window + 2 * self.answer_period + self.slash_margin
        if self.staking_period < needed:
            problems.append(
                f"staking_period ({self.staking_period} s) must be at least liveness_period + 2 x challenge_window "
                f"+ 2 x answer_period + slash_margin ({needed} s), or a client could leave before its verdict is "
                "executed"
            )
        for name in ("slash_treasury_admin", "reward_treasury_admin"):
            admin = getattr(self, name)
            if admin is not None and (not is_checksum_address(admin) or admin == ZERO_ADDRESS):
                problems.append(f"{name} must be a checksummed address other than zero, not {admin!r}")
        if problems:
            raise InvalidParameters(problems)

    def with_admins(self, deployer: Address) -> ProtocolParameters:
        """The same parameters with the deployer as admin wherever none is named."""
        return replace(
            self,
            slash_treasury_admin=self.slash_treasury_admin or deployer,
            reward_treasury_admin=self.reward_treasury_admin or deployer,
        )


@dataclass(frozen=True, kw_only=True)
class DeployedContract:
    """One contract of a deployment, and the transaction that made it."""

    address: Address
    block: BlockNumber
    transaction_hash: Hash32
    bytecode_hash: Hash32
    """keccak-256 of the creation code without its arguments: which build was deployed."""
    code_hash: Hash32 | None = None
    """keccak-256 of the code at the address, immutables included; None in files of early versions."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The ten contracts of one deployment of the protocol."""

    chain_id: int
    deployer: Address
    parameters: ProtocolParameters
    contracts: Mapping[str, DeployedContract]
    compiler: str | None = None
    """What compiled the contracts; None in files of early versions."""

    def __post_init__(self) -> None:
        """Refuse an incomplete deployment."""
        missing = [name for name in CONTRACTS if name not in self.contracts]
        if missing:
            raise ValueError(f"these contracts are missing: {', '.join(missing)}")
        object.__setattr__(self, "contracts", MappingProxyType({name: self.contracts[name] for name in CONTRACTS}))

    def address(self, contract: str) -> Address:
        """Where a contract lives, by its ABI name."""
        return self.contracts[contract].address

    @property
    def first_block(self) -> BlockNumber:
        """The block before which there is nothing of this deployment to be read."""
        return min(contract.block for contract in self.contracts.values())

    def save(self, path: Path) -> None:
        """Write the deployments file; a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        unfinished.write_text(self.to_json(), encoding="utf-8")
        unfinished.replace(path)

    def to_json(self) -> str:
        """The deployments file's text."""
        content = {
            "format": FORMAT,
            "chainId": self.chain_id,
            "deployer": self.deployer,
            **({} if self.compiler is None else {"compiler": self.compiler}),
            "parameters": asdict(self.parameters),
            "contracts": {
                name: {
                    "address": contract.address,
                    "block": contract.block,
                    "transactionHash": "0x" + contract.transaction_hash.hex(),
                    "bytecodeHash": "0x" + contract.bytecode_hash.hex(),
                    **({} if contract.code_hash is None else {"codeHash": "0x" + contract.code_hash.hex()}),
                }
                for name, contract in self.contracts.items()
            },
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a deployments file.

        Raises:
            DeploymentNotFound: if there is none.
            MalformedDeployment: if it is damaged or something else.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise DeploymentNotFound(path) from error
        except (OSError, UnicodeDecodeError) as error:
            raise MalformedDeployment(path, str(error)) from error
        return cls.from_json(text, path)

    @classmethod
    def from_json(cls, text: str, path: Path | str = "this text") -> Deployment:
        """Read a deployments file's text; `path` is what an error calls it."""
        try:
            content = json.loads(text)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise MalformedDeployment(path, f"it does not say that its format is {FORMAT}")
            return cls(
                chain_id=int(content["chainId"]),
                deployer=_address(content["deployer"]),
                parameters=ProtocolParameters(**content["parameters"]),
                contracts={name: _contract(item) for name, item in content["contracts"].items()},
                compiler=None if content.get("compiler") is None else str(content["compiler"]),
            )
        except json.JSONDecodeError as error:
            raise MalformedDeployment(path, f"it is not JSON ({error})") from error
        except KeyError as error:
            raise MalformedDeployment(path, f"{error} is missing") from error
        except InvalidParameters as error:
            raise MalformedDeployment(path, str(error)) from error
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, MalformedDeployment):
                raise
            raise MalformedDeployment(path, str(error)) from error


def _contract(item: Mapping[str, Any]) -> DeployedContract:
    return DeployedContract(
        address=_address(item["address"]),
        block=BlockNumber(int(item["block"])),
        transaction_hash=_hash(item["transactionHash"]),
        bytecode_hash=_hash(item["bytecodeHash"]),
        code_hash=_hash(item["codeHash"]) if "codeHash" in item else None,
    )


def _address(value: Any) -> Address:
    if not isinstance(value, str) or not is_hex_address(value):
        raise ValueError(f"{value!r} is not an address")
    return to_checksum_address(value)


def _hash(value: Any) -> Hash32:
    if not isinstance(value, str) or len(value) != 66:
        raise ValueError(f"{value!r} is not a hash of 32 bytes")
    return Hash32(bytes.fromhex(value.removeprefix("0x")))
