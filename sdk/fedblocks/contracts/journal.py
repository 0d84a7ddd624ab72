"""The journal of a deployment: what was meant to be done, on disk before any of it is done.

A deployment is ten transactions. Between two of them the machine may lose its power, the node may go, or somebody may
press Ctrl-C. The journal says which nonce was to make which contract at which address from which code, and which
transactions were signed; the chain says what became of them. A journal never says that something happened: that is
always asked of the chain.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fedblocks.contracts.creation import DeploymentPlan, plan_deployment
from fedblocks.deployments import InvalidParameters, ProtocolParameters
from fedblocks.exceptions import FedBlocksError
from fedblocks.storage.files import replace_file
from fedblocks.types import Address, BlockNumber, Hash32

FORMAT = "fedblocks-deployment-journal-1"


class UnfinishedDeployment(FedBlocksError, FileExistsError):
    """There is a journal already: a deployment was begun and not finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} says that a deployment was begun and not finished; resume it (--resume), or give it up and begin "
            "another (--abandon)"
        )


class JournalNotFound(FedBlocksError, FileNotFoundError):
    """There is no journal, so that there is nothing to resume."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no journal at {path}: no deployment was begun there, or it was finished")


class MalformedJournal(FedBlocksError, ValueError):
    """A file is not a journal, or is damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is not a usable journal of a deployment: {problem}")


class OtherBuild(FedBlocksError, ValueError):
    """A deployment was begun with one build of the contracts, and this is another."""

    def __init__(self, path: Path, contract: str, journalled: str, here: str) -> None:
        super().__init__(
            f"{path} was begun with another build of {contract} (bytecode {journalled}; this installation has {here}): "
            "resume it with the version of FedBlocks that began it, or give it up"
        )


@dataclass(frozen=True)
class JournalStep:
    """One contract of a journal."""

    contract: str
    nonce: int
    address: Address
    bytecode_hash: str
    """keccak-256 of the creation code without its arguments, in hex."""
    code_hash: str
    """keccak-256 of the code that is to lie at the address, in hex."""
    transactions: tuple[str, ...] = ()
    """The hashes of the transactions that were signed for it, the latest last; usually one."""


class Journal:
    """The journal of one deployment, in one file that is on disk whenever a method returns."""

    def __init__(self, path: Path, plan: DeploymentPlan, begun_at: BlockNumber, steps: tuple[JournalStep, ...]) -> None:
        self.path = path
        self.plan = plan
        self.begun_at = begun_at
        """The newest block when it was begun: the deployment's transactions are in later ones."""
        self.steps = steps

    @classmethod
    def begin(cls, path: Path, plan: DeploymentPlan, begun_at: BlockNumber) -> Journal:
        """Write the plan down.

        Raises:
            UnfinishedDeployment: if there is a journal already.
        """
        if path.exists():
            raise UnfinishedDeployment(path)
        journal = cls(path, plan, begun_at, _steps(plan))
        journal._write()
        return journal

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read a journal, and make its plan again with this installation's build.

        Raises:
            JournalNotFound: if there is none.
            MalformedJournal: if it is damaged, or contradicts itself.
            OtherBuild: if it was begun with other contracts than this installation has.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise JournalNotFound(path) from error
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise MalformedJournal(path, str(error)) from error
        try:
            if content["format"] != FORMAT:
                raise MalformedJournal(path, f"its format is not {FORMAT}")
            plan = plan_deployment(
                int(content["chainId"]),
                Address(content["deployer"]),
                int(content["firstNonce"]),
                ProtocolParameters(**content["parameters"]),
            )
            steps = tuple(
                JournalStep(
                    contract=item["contract"],
                    nonce=int(item["nonce"]),
                    address=Address(item["address"]),
                    bytecode_hash=item["bytecodeHash"],
                    code_hash=item["codeHash"],
                    transactions=tuple(str(value) for value in item["transactions"]),
                )
                for item in content["steps"]
            )
            begun_at = BlockNumber(int(content["begunAtBlock"]))
        except MalformedJournal:
            raise
        except (AttributeError, InvalidParameters, KeyError, OverflowError, TypeError, ValueError) as error:
            raise MalformedJournal(path, f"{type(error).__name__}: {error}") from error
        for step, wanted in zip(steps, _steps(plan), strict=False):
            if step.bytecode_hash != wanted.bytecode_hash:
                raise OtherBuild(path, step.contract, step.bytecode_hash, wanted.bytecode_hash)
        if tuple(replace(step, transactions=()) for step in steps) != _steps(plan):
            raise MalformedJournal(path, "its addresses do not follow from its deployer, nonce and parameters")
        return cls(path, plan, begun_at, steps)

    def signed(self, contract: str, transaction_hash: Hash32) -> None:
        """A transaction for a contract has been signed, and is about to be sent."""
        text = "0x" + transaction_hash.hex()
        self.steps = tuple(
            replace(step, transactions=(*step.transactions, text)) if step.contract == contract else step
            for step in self.steps
        )
        self._write()

    def transactions(self, contract: str) -> list[Hash32]:
        """The transactions that were signed for a contract, the latest first."""
        step = next(step for step in self.steps if step.contract == contract)
        return [Hash32(bytes.fromhex(text.removeprefix("0x"))) for text in reversed(step.transactions)]

    def _write(self) -> None:
        content = {
            "format": FORMAT,
            "chainId": self.plan.chain_id,
            "deployer": self.plan.deployer,
            "firstNonce": self.plan.first_nonce,
            "begunAtBlock": self.begun_at,
            "compiler": self.plan.creations[0].artifact.compiler,
            "parameters": asdict(self.plan.parameters),
            "steps": [
                {
                    "contract": step.contract,
                    "nonce": step.nonce,
                    "address": step.address,
                    "bytecodeHash": step.bytecode_hash,
                    "codeHash": step.code_hash,
                    "transactions": list(step.transactions),
                }
                for step in self.steps
            ],
        }
        replace_file(self.path, (json.dumps(content, indent=2) + "\n").encode())


def journal_path(deployment: Path) -> Path:
    """Where the journal lies of the deployment that will be written to a deployments file."""
    return deployment.with_name(deployment.stem + ".journal.json")


def abandon(path: Path) -> Path:
    """Put a journal aside, so that another deployment can begin; returns where it lies now.

    Raises:
        JournalNotFound: if there is none.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.abandoned-{number}")).exists():
        number += 1
    try:
        return path.rename(aside)
    except FileNotFoundError as error:
        raise JournalNotFound(path) from error


def _steps(plan: DeploymentPlan) -> tuple[JournalStep, ...]:
    return tuple(
        JournalStep(
            contract=creation.contract,
            nonce=creation.nonce,
            address=creation.address,
            bytecode_hash="0x" + creation.artifact.bytecode_hash.hex(),
            code_hash="0x" + creation.code_hash.hex(),
        )
        for creation in plan.creations
    )
