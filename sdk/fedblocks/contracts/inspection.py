"""Compare a live deployment with what it should be: this build's code, with the immutables of the deployments file.

The comparison trusts nothing on the chain. What must lie at each address is computed from this installation's build
and the deployments file alone, and compared byte by byte with what does; every immutable is read back as well, through
the contract's own getter where it has one; and every address that one contract holds of another is one of the ten.
What may change in a deployment's life (admins, balances) is reported and never counted as a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.exceptions import TransactionNotFound

from fedblocks.chain.connection import Connection, NodeRefused, NodeUnreachable
from fedblocks.contracts.artifacts import Immutable, load_artifact
from fedblocks.contracts.base import Contract
from fedblocks.contracts.creation import decode_immutable, immutable_values, runtime_with
from fedblocks.contracts.data_demands import DataDemands
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury, Treasury
from fedblocks.contracts.verifiers import SubmissionVerifier, VectorVerifier, VerdictVerifier
from fedblocks.deployments import CONTRACTS, Deployment
from fedblocks.types import BlockNumber
from fedblocks.units import format_ether

CLASSES: dict[str, type[Contract]] = {
    cls.NAME: cls
    for cls in (
        SlashTreasury,
        RewardTreasury,
        StakingRegistry,
        RewardManager,
        ModelParameterChain,
        SubmissionVerifier,
        VectorVerifier,
        VerdictVerifier,
        DataDemands,
        SlashingManager,
    )
}


class Status(Enum):
    """What a finding means."""

    SAME = "same"
    DIFFERS = "differs"
    INFO = "info"
    """Nothing to compare with: it may change in a deployment's life, or this node cannot say."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    contract: str
    """The contract, or "deployment" for what concerns them all."""
    field: str
    expected: str
    actual: str
    status: Status

    def to_json(self) -> dict[str, str]:
        """As JSON."""
        return {
            "contract": self.contract,
            "field": self.field,
            "expected": self.expected,
            "actual": self.actual,
            "status": self.status.value,
        }


@dataclass(frozen=True)
class Inspection:
    """All that was found, at one block."""

    chain_id: int
    block: BlockNumber
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        """What is not what it should be."""
        return tuple(finding for finding in self.findings if finding.status is Status.DIFFERS)

    @property
    def ok(self) -> bool:
        """Whether the deployment is what it should be."""
        return not self.differences


def inspect_deployment(connection: Connection, deployment: Deployment) -> Inspection:
    """Look at everything that can be looked at; a difference is a finding, never an error.

    Args:
        connection: A node, of whatever chain.
        deployment: What should be there.

    Raises:
        NodeUnreachable: if the node does not answer.
    """
    block = connection.block().number
    chain = _compare("deployment", "chainId", deployment.chain_id, connection.chain_id)
    findings = [chain]
    if chain.status is Status.SAME:
        # On another chain everything else would differ too, which says nothing.
        for name in CONTRACTS:
            findings += [*_code(connection, deployment, name, block), *_transaction(connection, deployment, name)]
        findings += immutables(connection, deployment, block)
        findings += [_margin(findings), *_state(connection, deployment, block)]
        findings.sort(key=lambda finding: ("deployment", *CONTRACTS).index(finding.contract))
    return Inspection(chain_id=connection.chain_id, block=block, findings=tuple(findings))


def immutables(connection: Connection, deployment: Deployment, block: BlockNumber) -> list[Finding]:
    """Every immutable of every contract: through its getter, or from the code where it has none."""
    addresses = {name: deployment.address(name) for name in CONTRACTS}
    values = immutable_values(deployment.parameters.with_admins(deployment.deployer), addresses)
    findings = []
    for name in CONTRACTS:
        artifact = load_artifact(name)
        code = connection.code(addresses[name], block)
        getters = {entry["name"] for entry in artifact.abi if entry["type"] == "function"}
        contract = CLASSES[name](connection, addresses[name])
        for item in artifact.immutables:
            actual = (
                _ask(contract, item, block)
                if item.name in getters
                else decode_immutable(item, code, len(artifact.runtime))
            )
            findings.append(_compare(name, item.name, values[name][item.name], actual))
    return findings


def _compare(contract: str, field: str, expected: object, actual: object) -> Finding:
    same = expected == actual
    return Finding(contract, field, str(expected), str(actual), Status.SAME if same else Status.DIFFERS)


def _code(connection: Connection, deployment: Deployment, name: str, block: BlockNumber) -> Iterable[Finding]:
    deployed, artifact = deployment.contracts[name], load_artifact(name)
    yield _compare(name, "bytecodeHash", _hex(artifact.bytecode_hash), _hex(deployed.bytecode_hash))
    addresses = {each: deployment.address(each) for each in CONTRACTS}
    values = immutable_values(deployment.parameters.with_admins(deployment.deployer), addresses)
    expected, actual = runtime_with(artifact, values[name]), connection.code(deployed.address, block)
    status = Status.SAME if expected == actual else Status.DIFFERS
    yield Finding(name, "code", _describe(expected), _describe(actual) + _where(expected, actual), status)


def _describe(code: bytes) -> str:
    return f"{len(code)} bytes, keccak {_hex(keccak(code))[:18]}…" if code else "no code"


def _where(expected: bytes, actual: bytes) -> str:
    if not actual or expected == actual:
        return ""
    shared = zip(expected, actual, strict=False)
    first = next((index for index, (a, b) in enumerate(shared) if a != b), min(len(expected), len(actual)))
    return f", from byte {first} on"


def _transaction(connection: Connection, deployment: Deployment, name: str) -> Iterable[Finding]:
    deployed = deployment.contracts[name]
    expected = f"creates {deployed.address} in block {deployed.block}"
    try:
        with connection.asking():
            receipt = connection.web3.eth.get_transaction_receipt(deployed.transaction_hash)  # type: ignore[arg-type]
    except (TransactionNotFound, NodeRefused):
        # Nodes forget old receipts, and the code has been compared already.
        yield Finding(name, "transaction", expected, "unknown to this node", Status.INFO)
        return
    created = receipt.get("contractAddress")
    address = to_checksum_address(created) if created else "nothing"
    yield _compare(name, "transaction", expected, f"creates {address} in block {receipt['blockNumber']}")


def _ask(contract: Contract, item: Immutable, block: BlockNumber) -> Any:
    try:
        return contract.immutable(item.name, block)
    except NodeUnreachable:
        raise
    except Exception as error:
        # Whatever lies at the address may answer anything at all; that is a finding, not a failure of ours.
        return f"no answer ({type(error).__name__})"


def _margin(findings: Iterable[Finding]) -> Finding:
    """What SlashingManager's constructor has checked, once more from what the contracts say now."""
    said = {(finding.contract, finding.field): finding.actual for finding in findings}
    liveness, window = (said["ModelParameterChain", name] for name in ("LIVENESS_PERIOD", "CHALLENGE_WINDOW"))
    answers, margin = said["DataDemands", "ANSWER_PERIOD"], said["SlashingManager", "SLASH_MARGIN"]
    period = said["StakingRegistry", "STAKING_PERIOD"]
    expected = "at least LIVENESS_PERIOD + 2 x CHALLENGE_WINDOW + 2 x ANSWER_PERIOD + SLASH_MARGIN"
    if not all(part.isdecimal() for part in (liveness, window, answers, margin, period)):
        return Finding("StakingRegistry", "staking period", expected, "cannot be told", Status.DIFFERS)
    needed = int(liveness) + 2 * int(window) + 2 * int(answers) + int(margin)
    status = Status.SAME if int(period) >= needed else Status.DIFFERS
    return Finding("StakingRegistry", "staking period", f"{expected} ({needed})", period, status)


def _state(connection: Connection, deployment: Deployment, block: BlockNumber) -> Iterable[Finding]:
    fixed = deployment.parameters.with_admins(deployment.deployer)
    first = {"SlashTreasury": fixed.slash_treasury_admin, "RewardTreasury": fixed.reward_treasury_admin}
    for name, admin in first.items():
        treasury = CLASSES[name](connection, deployment.address(name))
        assert isinstance(treasury, Treasury)
        for field, read, expected in (
            ("admin", treasury.admin, f"{admin} at first"),
            ("pending admin", treasury.pending_admin, "nobody, unless it is being handed over"),
        ):
            try:
                actual = str(read(block) or "nobody")
            except NodeUnreachable:
                raise
            except Exception as error:
                actual = f"no answer ({type(error).__name__})"
            yield Finding(name, field, expected, actual, Status.INFO)
    for name in CONTRACTS:
        balance = connection.balance(deployment.address(name), block)
        yield Finding(name, "balance", "", f"{format_ether(balance)} ether", Status.INFO)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
