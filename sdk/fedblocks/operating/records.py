"""A client's records: what it has promised, what it was promised, and how it came out.

An acknowledgement is the aggregator's signature under "I have stored this action". A client that holds one for an
update that the posted epoch does not count has evidence against its aggregator, and so acknowledgements are kept for
ever, each epoch in a small file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.intake import SignedAcknowledgement
from fedblocks.rollup.state import InstanceContext
from fedblocks.storage.files import replace_file
from fedblocks.training.client import SignedCommit
from fedblocks.types import Address, EpochNumber

FINAL = ("final", "void", "omitted")
"""Outcomes after which nothing more is to be learned."""


class RecordDamaged(FedBlocksError, ValueError):
    """A record on disk cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}; move it away to go on without it")
        self.path = path


@dataclass(frozen=True, kw_only=True)
class EpochEvidence:
    """What is on paper of one attempt at an epoch; hashes and signatures as hexadecimal text.

    Attributes:
        epoch, attempt, seat: which.
        aggregator: who had to acknowledge.
        base_model_root, commitment, signature: the commitment, as it was signed.
        commit_acknowledgement, reveal_acknowledgement: the aggregator's signatures; empty where there is none.
        outcome: empty, ``posted``, ``final``, ``void`` (overturned, or begun anew) or ``omitted`` (acknowledged, and
            not in the posted epoch).
        header_hash: of the posted epoch that the outcome is of.
        excluded: whether the update was kept out of the mean.
        reason: what the epoch finds the client guilty of, in a word.
    """

    epoch: int
    attempt: int
    seat: int
    aggregator: str
    base_model_root: str
    commitment: str
    signature: str
    commit_acknowledgement: str = ""
    reveal_acknowledgement: str = ""
    outcome: str = ""
    header_hash: str = ""
    excluded: bool = False
    reason: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be learned."""
        return self.outcome in FINAL


class Records:
    """The records of one client, below a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder_of(self, context: InstanceContext) -> Path:
        """Where an instance's records are."""
        return self._folder / f"{context.chain_id}-{context.settlement.lower()}-{context.instance_id}"

    def get(self, context: InstanceContext, epoch: int, attempt: int) -> EpochEvidence | None:
        """What is known of an attempt at an epoch; None if nothing is.

        Raises:
            RecordDamaged: if it cannot be read.
        """
        path = self._path(context, epoch, attempt)
        return _read(path) if path.is_file() else None

    def begin(
        self, context: InstanceContext, commit: SignedCommit, aggregator: Address, answer: SignedAcknowledgement
    ) -> EpochEvidence:
        """Write down an acknowledged commitment."""
        action = commit.action
        evidence = EpochEvidence(
            epoch=action.epoch,
            attempt=action.attempt,
            seat=context.seat_of(commit.client),
            aggregator=aggregator,
            base_model_root=action.base_model_root.hex(),
            commitment=action.commitment.hex(),
            signature=commit.signature.hex(),
            commit_acknowledgement=answer.signature.hex(),
        )
        self.put(context, evidence)
        return evidence

    def put(self, context: InstanceContext, evidence: EpochEvidence) -> None:
        """Write down what is known now."""
        path = self._path(context, evidence.epoch, evidence.attempt)
        replace_file(path, json.dumps(asdict(evidence), indent=1).encode(), private=True)

    def unsettled(self, context: InstanceContext) -> Iterator[EpochEvidence]:
        """Epochs of which something is still to be learned, in order."""
        folder = self.folder_of(context)
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            evidence = _read(path)
            if not evidence.is_settled:
                yield evidence

    def path_of(self, context: InstanceContext, evidence: EpochEvidence) -> Path:
        """Where a record lies."""
        return self._path(context, evidence.epoch, evidence.attempt)

    def _path(self, context: InstanceContext, epoch: int, attempt: int) -> Path:
        return self.folder_of(context) / f"{EpochNumber(epoch):05d}-{attempt}.json"


def _read(path: Path) -> EpochEvidence:
    try:
        values = json.loads(path.read_bytes())
        names = {each.name for each in fields(EpochEvidence)}
        return EpochEvidence(**{name: value for name, value in values.items() if name in names})
    except (ValueError, TypeError, AttributeError) as error:
        raise RecordDamaged(path, str(error)) from error
