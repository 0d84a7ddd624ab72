"""The playground: replays an instance from what is stored, and compares every header bit for bit.

Nothing that was stored is believed. Signatures are recovered again, commitments opened again, updates hashed again and
the epoch executed again; the header that comes out must be the one that was kept. The first thing that differs is
named with its epoch and, if it is somebody's action, its client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.conflicts import UnknownRecord
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.manifest import BlobAddresses, write_manifest
from fedblocks.rollup.recorded import EpochActions, RecordedActions, ReplayMismatch, blaming, naming_corruption
from fedblocks.rollup.records import EpochRecord, InstanceKey, InstanceRecord
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Transition, execute
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import VectorKind, decode_vector, encode_vector, vector_root
from fedblocks.types import Address, EpochNumber, Hash32

__all__ = ["Replay", "ReplayMismatch", "ReplayedEpoch", "context_of"]


@dataclass(frozen=True, eq=False)
class ReplayedEpoch:
    """An epoch whose header was recomputed and is the stored one."""

    header: Header
    transition: Transition
    after: RollupState


def context_of(record: InstanceRecord, blobs: BlobStore) -> tuple[InstanceContext, Int32Array]:
    """The instance that is stored, and its genesis model.

    Raises:
        ReplayMismatch: for epoch 0, if the record and the genesis model do not give the stored genesis hash.
    """
    with blaming(0, None, "the instance"):
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
        mend: whether to write published data anew that are gone or damaged: they follow from what is replayed.
    """

    def __init__(
        self,
        store: RollupStore,
        blobs: BlobStore,
        key: InstanceKey,
        progress: Callable[[int], None] | None = None,
        *,
        mend: bool = False,
    ) -> None:
        record = store.get_instance(key)
        if record is None:
            raise UnknownRecord(str(key))
        self._store, self._blobs, self._record, self._progress = store, blobs, record, progress
        self._mend = mend
        self.context, self._genesis = context_of(record, blobs)
        self._recorded = RecordedActions(store, blobs, key, self.context)

    def epochs(self) -> Iterator[ReplayedEpoch]:
        """Recompute every stored epoch, in order.

        Raises:
            ReplayMismatch: at the first that differs.
        """
        state = self.genesis_state()
        with naming_corruption():
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
        with blaming(number, None, "executing it"):
            transition = execute(self.context, state, stored.attempt, parts.commitments, parts.submissions)
        gram = transition.data.gram.encode()
        delta, next_model = encode_vector(transition.data.delta), encode_vector(transition.data.next_model)
        addresses = BlobAddresses(
            genesis_model=self.genesis_blob,
            updates=parts.blobs,
            gram=keccak256(gram),
            delta=keccak256(delta),
            next_model=keccak256(next_model),
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
            (addresses.gram, gram, "Gram rows"),
            (addresses.delta, delta, "delta"),
            (addresses.next_model, next_model, "next model"),
            (locator, manifest, "manifest"),
        )
        for address, data, what in published:
            if self._mend:
                self._blobs.put(data)
            else:
                with blaming(number, None, f"the published {what}"):
                    self._blobs.get(address)
        return ReplayedEpoch(header, transition, transition.after(header))

    def actions(self, state: RollupState, attempt: int) -> EpochActions:
        """The stored actions of an attempt at the epoch after `state`, checked again.

        Raises:
            ReplayMismatch: at the first that would not have been admitted.
        """
        return self._recorded.read(state, attempt)


def _model(data: bytes, d: int) -> Int32Array:
    return decode_vector(data, VectorKind.MODEL, d)  # type: ignore[return-value]
