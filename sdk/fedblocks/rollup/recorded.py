"""Actions as they were stored, held against the rules again: nobody's word is taken for what is in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int16Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import (
    Acknowledgement,
    CommitUpdate,
    Reveal,
    action_hash,
    check_signature,
    recover_signer,
)
from fedblocks.rollup.admission import admit_commit, admit_reveal, revealed_hash
from fedblocks.rollup.blobs import BlobCorrupt, BlobMissing, BlobStore
from fedblocks.rollup.conflicts import CorruptRecord
from fedblocks.rollup.records import ActionKind, ActionRecord, InstanceKey
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import VectorKind, decode_vector
from fedblocks.types import Address, EpochNumber, Hash32, Seat


class ReplayMismatch(FedBlocksError, ValueError):
    """What is stored of an epoch does not give its header."""

    def __init__(self, epoch: int, client: Address | None, what: str) -> None:
        whose = f", client {client}" if client else ""
        super().__init__(f"epoch {epoch}{whose}: {what}")
        self.epoch, self.client, self.what = epoch, client, what


class DataLost(ReplayMismatch):
    """A blob that an epoch needs is gone or damaged; with a copy in its place all goes on."""


@contextmanager
def blaming(epoch: int, client: Address | None, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is the fault of what is stored of this epoch, or of this client."""
    try:
        yield
    except ReplayMismatch:
        raise
    except (BlobMissing, BlobCorrupt) as error:
        raise DataLost(epoch, client, f"{what}: {error}") from error
    except (FedBlocksError, ValueError) as error:
        raise ReplayMismatch(epoch, client, f"{what}: {error}") from error


@contextmanager
def naming_corruption() -> Iterator[None]:
    """A row that cannot be read is a mismatch of its epoch and client."""
    try:
        yield
    except CorruptRecord as error:
        raise ReplayMismatch(error.epoch, error.client, error.why) from error


@dataclass(frozen=True, eq=False)
class EpochActions:
    """The actions of one attempt at an epoch, checked again.

    Attributes:
        commits: by seat, with the action's hash.
        submissions: by seat.
        blobs: where the revealed updates lie.
    """

    commits: dict[Seat, tuple[Commit, Hash32]]
    submissions: dict[Seat, Submission]
    blobs: dict[Seat, Hash32]

    @property
    def commitments(self) -> Mapping[Seat, Commit]:
        """The commitments alone."""
        return {seat: commit for seat, (commit, _) in self.commits.items()}

    @classmethod
    def none(cls) -> EpochActions:
        return cls({}, {}, {})


class RecordedActions:
    """Reads an instance's actions and believes none of them.

    Args:
        store, blobs: what is stored.
        key, context: the instance.
    """

    def __init__(self, store: RollupStore, blobs: BlobStore, key: InstanceKey, context: InstanceContext) -> None:
        self._store, self._blobs, self._key, self._context = store, blobs, key, context

    def read(
        self,
        state: RollupState,
        attempt: int,
        known: EpochActions | None = None,
        kind: ActionKind | None = None,
    ) -> EpochActions:
        """The stored actions of an attempt at the epoch after `state`, without commitments that were left out.

        Args:
            state, attempt: which.
            known: what was checked before, which is completed in place and not checked again.
            kind: only these actions, if it is given.

        Raises:
            ReplayMismatch: at the first that would not have been admitted.
        """
        epoch = EpochNumber(state.epoch + 1)
        parts = EpochActions.none() if known is None else known
        with naming_corruption():
            records = self._store.actions(self._key, epoch, attempt, kind)
            current = self._store.rounds.get(self._key, epoch, attempt)
            record = self._store.get_instance(self._key)
        assert record is not None, "it has actions"
        aggregators = (record.aggregator, *record.former_aggregators)
        left_out = () if current is None else current.left_out
        for seat in left_out:
            parts.commits.pop(seat, None)
        for action in sorted(records, key=lambda each: each.kind is ActionKind.REVEAL):
            there = parts.commits if action.kind is ActionKind.COMMIT else parts.submissions
            if action.seat in there or action.seat in left_out:
                continue
            with blaming(epoch, action.client, f"its {action.kind.value}"):
                if action.kind is ActionKind.COMMIT:
                    digest = self._commit(state, attempt, action, parts)
                else:
                    digest = self._reveal(action, parts)
                self._check_acknowledgement(digest, action.acknowledgement or b"", aggregators)
        return parts

    def _commit(self, state: RollupState, attempt: int, record: ActionRecord, parts: EpochActions) -> Hash32:
        action = CommitUpdate(
            instance_id=self._context.instance_id,
            epoch=record.epoch,
            attempt=record.attempt,
            base_model_root=state.model_root,
            commitment=record.commitment,
        )
        seat = admit_commit(self._context, state, attempt, action, record.signature or b"")
        digest = action_hash(action, self._context.domain)
        self._check(record, seat, digest)
        parts.commits[seat] = (Commit(record.commitment, record.signature or b""), digest)
        return digest

    def _reveal(self, record: ActionRecord, parts: EpochActions) -> Hash32:
        if record.update_blob is None or record.samples is None or record.salt is None:
            raise ReplayMismatch(record.epoch, record.client, "its reveal is incomplete")
        update = _update(self._blobs.get(record.update_blob), self._context.d)
        reveal = Reveal(record.seat, update, record.samples, record.salt)
        submission = admit_reveal(self._context, parts.commitments, reveal)
        commit, digest = parts.commits[submission.seat]
        self._check(record, submission.seat, digest)
        if record.update_root != submission.update_root or record.commitment != commit.commitment:
            raise ReplayMismatch(record.epoch, record.client, "the stored root or commitment is not its update's")
        parts.submissions[submission.seat] = submission
        parts.blobs[submission.seat] = record.update_blob
        return revealed_hash(digest)

    def _check(self, record: ActionRecord, seat: Seat, digest: Hash32) -> None:
        stored = (record.seat, record.client, record.action_hash)
        if stored != (seat, self._context.cohort[seat], digest):
            raise ReplayMismatch(
                record.epoch, record.client, f"stored as seat {record.seat}'s, it is {self._context.cohort[seat]}'s"
            )

    def _check_acknowledgement(self, digest: Hash32, signature: bytes, aggregators: Collection[Address]) -> None:
        """The acknowledgement is an aggregator's: without that, the store is not what clients were told."""
        action, (current, *former) = Acknowledgement(digest), aggregators
        if recover_signer(action, self._context.domain, signature) not in former:
            check_signature(action, self._context.domain, signature, current)


def _update(data: bytes, d: int) -> Int16Array:
    return decode_vector(data, VectorKind.UPDATE, d)  # type: ignore[return-value]
