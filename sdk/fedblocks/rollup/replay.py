"""The playground: replays an instance from what is stored, and compares every header bit for bit.

Nothing that was stored is believed. Signatures are recovered again, commitments opened again, updates hashed again and
the epoch executed again; the header that comes out must be the one that was kept. The first thing that differs is
named with its epoch and, if it is somebody's action, its client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.aggregation.rules import Rules
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
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.conflicts import CorruptRecord, UnknownRecord
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.manifest import BlobAddresses, write_manifest
from fedblocks.rollup.records import ActionKind, ActionRecord, EpochRecord, InstanceKey, InstanceRecord
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, Transition, execute
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import VectorKind, decode_vector, encode_vector, vector_root
from fedblocks.types import Address, EpochNumber, Hash32, Seat


class ReplayMismatch(FedBlocksError, ValueError):
    """What is stored of an epoch does not give its header."""

    def __init__(self, epoch: int, client: Address | None, what: str) -> None:
        whose = f", client {client}" if client else ""
        super().__init__(f"epoch {epoch}{whose}: {what}")
        self.epoch, self.client, self.what = epoch, client, what


@dataclass(frozen=True, eq=False)
class ReplayedEpoch:
    """An epoch whose header was recomputed and is the stored one."""

    header: Header
    transition: Transition
    after: RollupState


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


@contextmanager
def _blaming(epoch: int, client: Address | None, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is the fault of what is stored of this epoch, or of this client."""
    try:
        yield
    except ReplayMismatch:
        raise
    except (FedBlocksError, ValueError) as error:
        raise ReplayMismatch(epoch, client, f"{what}: {error}") from error


@contextmanager
def _naming_corruption() -> Iterator[None]:
    """A row that cannot be read is a mismatch of its epoch and client."""
    try:
        yield
    except CorruptRecord as error:
        raise ReplayMismatch(error.epoch, error.client, error.why) from error


def context_of(record: InstanceRecord, blobs: BlobStore) -> tuple[InstanceContext, Int32Array]:
    """The instance that is stored, and its genesis model.

    Raises:
        ReplayMismatch: for epoch 0, if the record and the genesis model do not give the stored genesis hash.
    """
    with _blaming(0, None, "the instance"):
        if record.genesis_model_blob is None:
            raise ReplayMismatch(0, None, "the instance is stored without its genesis model")
        genesis = _model(blobs.get(record.genesis_model_blob), record.d)
        context = InstanceContext(
            chain_id=record.key.chain_id,
            settlement=record.key.contract,
            instance_id=record.key.instance_id,
            cohort=record.cohort,
            d=record.d,
            genesis_root=vector_root(genesis),
            rules=Rules.from_words(record.rules),
        )
        if context.genesis_hash != record.genesis_hash:
            raise ReplayMismatch(0, None, "chain, cohort, rules or genesis model are not those of the genesis hash")
    return context, genesis


class Replay:
    """Replays one instance.

    Args:
        store, blobs: what is stored.
        key: the instance.
        progress: told of every epoch before it is replayed.
    """

    def __init__(
        self, store: RollupStore, blobs: BlobStore, key: InstanceKey, progress: Callable[[int], None] | None = None
    ) -> None:
        record = store.get_instance(key)
        if record is None:
            raise UnknownRecord(str(key))
        self._store, self._blobs, self._record, self._progress = store, blobs, record, progress
        self.context, self._genesis = context_of(record, blobs)

    def epochs(self) -> Iterator[ReplayedEpoch]:
        """Recompute every stored epoch, in order.

        Raises:
            ReplayMismatch: at the first that differs.
        """
        state = self.genesis_state()
        with _naming_corruption():
            stored_epochs = self._store.epochs(self._record.key)
        for stored in stored_epochs:
            if self._progress:
                self._progress(stored.epoch)
            replayed = self._epoch(state, stored)
            yield replayed
            state = replayed.after

    @property
    def aggregator(self) -> Address:
        """Who acknowledged the stored actions."""
        return self._record.aggregator

    @property
    def genesis_blob(self) -> Hash32:
        """Where the model lies that the training started from."""
        assert self._record.genesis_model_blob is not None, "context_of has looked"
        return self._record.genesis_model_blob

    def genesis_state(self) -> RollupState:
        """The state before the first epoch."""
        return RollupState.genesis(self.context, self._genesis)

    def _epoch(self, state: RollupState, stored: EpochRecord) -> ReplayedEpoch:
        number = EpochNumber(state.epoch + 1)
        if stored.epoch != number:
            raise ReplayMismatch(number, None, f"is missing; the next that is stored is {stored.epoch}")
        parts = self.actions(state, stored.attempt)
        commits = {seat: commit for seat, (commit, _) in parts.commits.items()}
        with _blaming(number, None, "executing it"):
            transition = execute(self.context, state, stored.attempt, commits, parts.submissions)
        addresses = BlobAddresses(
            genesis_model=self.genesis_blob,
            updates=parts.blobs,
            gram=keccak256(transition.data.gram.encode()),
            delta=keccak256(encode_vector(transition.data.delta)),
            next_model=keccak256(encode_vector(transition.data.next_model)),
        )
        manifest = write_manifest(self.context, number, stored.attempt, transition.data, addresses)
        locator = keccak256(manifest)
        header = transition.seal(self.context, state, stored.header.metric, locator)
        if header != stored.header:
            differing = [
                field.name
                for field in fields(header)
                if getattr(header, field.name) != getattr(stored.header, field.name)
            ]
            raise ReplayMismatch(number, None, f"the header differs in {', '.join(differing)}")
        if stored.manifest_blob != locator:
            raise ReplayMismatch(number, None, "the stored address of its manifest is not that of the header")
        published = (
            (addresses.gram, "Gram rows"),
            (addresses.delta, "delta"),
            (addresses.next_model, "next model"),
            (locator, "manifest"),
        )
        for address, what in published:
            with _blaming(number, None, f"the published {what}"):
                self._blobs.get(address)
        return ReplayedEpoch(header, transition, transition.after(header))

    def actions(self, state: RollupState, attempt: int) -> EpochActions:
        """The stored actions of an attempt at the epoch after `state`, checked again.

        Raises:
            ReplayMismatch: at the first that would not have been admitted.
        """
        epoch = EpochNumber(state.epoch + 1)
        parts = EpochActions({}, {}, {})
        with _naming_corruption():
            records = self._store.actions(self._record.key, epoch, attempt)
        for record in sorted(records, key=lambda each: each.kind is ActionKind.REVEAL):
            with _blaming(epoch, record.client, f"its {record.kind.value}"):
                if record.kind is ActionKind.COMMIT:
                    self._commit(state, attempt, record, parts)
                else:
                    self._reveal(record, parts)
        return parts

    def _commit(self, state: RollupState, attempt: int, record: ActionRecord, parts: EpochActions) -> None:
        action = CommitUpdate(
            instance_id=self.context.instance_id,
            epoch=record.epoch,
            attempt=record.attempt,
            base_model_root=state.model_root,
            commitment=record.commitment,
        )
        seat = admit_commit(self.context, state, attempt, action, record.signature or b"")
        digest = action_hash(action, self.context.domain)
        self._check(record, seat, digest)
        self._check_acknowledgement(record, digest)
        parts.commits[seat] = (Commit(record.commitment, record.signature or b""), digest)

    def _reveal(self, record: ActionRecord, parts: EpochActions) -> None:
        if record.update_blob is None or record.samples is None or record.salt is None:
            raise ReplayMismatch(record.epoch, record.client, "its reveal is incomplete")
        update = _update(self._blobs.get(record.update_blob), self.context.d)
        commits = {seat: commit for seat, (commit, _) in parts.commits.items()}
        submission = admit_reveal(self.context, commits, Reveal(record.seat, update, record.samples, record.salt))
        commit, digest = parts.commits[submission.seat]
        self._check(record, submission.seat, digest)
        self._check_acknowledgement(record, revealed_hash(digest))
        if record.update_root != submission.update_root or record.commitment != commit.commitment:
            raise ReplayMismatch(record.epoch, record.client, "the stored root or commitment is not its update's")
        parts.submissions[submission.seat] = submission
        parts.blobs[submission.seat] = record.update_blob

    def _check(self, record: ActionRecord, seat: Seat, digest: Hash32) -> None:
        stored = (record.seat, record.client, record.action_hash)
        if stored != (seat, self.context.cohort[seat], digest):
            raise ReplayMismatch(
                record.epoch, record.client, f"stored as seat {record.seat}'s, it is {self.context.cohort[seat]}'s"
            )

    def _check_acknowledgement(self, record: ActionRecord, digest: Hash32) -> None:
        """The acknowledgement is an aggregator's: without that, the store is not what clients were told."""
        action, signature = Acknowledgement(digest), record.acknowledgement or b""
        if recover_signer(action, self.context.domain, signature) not in self._record.former_aggregators:
            check_signature(action, self.context.domain, signature, self._record.aggregator)


def _model(data: bytes, d: int) -> Int32Array:
    return decode_vector(data, VectorKind.MODEL, d)  # type: ignore[return-value]


def _update(data: bytes, d: int) -> Int16Array:
    return decode_vector(data, VectorKind.UPDATE, d)  # type: ignore[return-value]
