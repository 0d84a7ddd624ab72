"""The submitter: brings the micro-rollup's epochs to ModelParameterChain, each exactly once.

It never asks itself whether it has sent something, but always the chain whether it is there. What it is about to send
is written down first; when it comes back after a crash, it finds on chain what arrived and sends what did not. A
transaction whose meaning is on chain already is not sent again, whoever sent it. If the account's sender has an outbox
(:mod:`fedblocks.chain.outbox`), each transaction is written down there by what it means, before any node has it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from fedblocks.chain.outbox_records import DoneByOthers
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.model_parameter_chain import EpochSubmitted, ModelParameterChain
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.header import Header
from fedblocks.rollup.records import InstanceKey, IntentKind, IntentRecord, IntentState, Level
from fedblocks.rollup.store import RollupStore
from fedblocks.types import EpochNumber, Hash32


class ConflictingEpoch(FedBlocksError, RuntimeError):
    """Another header, or another root of commitments, is on chain for the epoch."""

    def __init__(self, what: str, epoch: int, ours: bytes, theirs: bytes) -> None:
        super().__init__(
            f"the {what} of epoch {epoch} on chain is 0x{theirs.hex()}, ours is 0x{ours.hex()}; "
            "another aggregator posts for this instance, or this store is not the one that posted"
        )
        self.epoch, self.ours, self.theirs = epoch, ours, theirs


class Submitter:
    """Posts the epochs of one instance.

    Args:
        chain: the contract, connected with the aggregator's account.
        store: where intents and confirmation levels are kept.
        key: the instance.
    """

    def __init__(self, chain: ModelParameterChain, store: RollupStore, key: InstanceKey) -> None:
        self._chain, self._store, self._key = chain, store, key

    def close_commits(self, epoch: EpochNumber, attempt: int, root: Hash32) -> Receipt | None:
        """Put the root over an epoch's commitments on chain; None if it is there already.

        Raises:
            ConflictingEpoch: if another root is there.
        """
        there = self._closed(epoch)
        intent = IntentRecord(IntentKind.CLOSE_COMMITS, epoch, attempt, root)
        if there == root:
            self._confirm(intent)
            return None
        if there != bytes(32) and self._chain.instance(self._key.instance_id).attempt == attempt:
            raise ConflictingEpoch("root of commitments", epoch, root, there)
        self._plan(intent)
        try:
            with self._once("closeCommits", epoch, attempt, done=lambda: self._closed(epoch) == root):
                receipt = self._chain.close_commits(self._key.instance_id, epoch, attempt, root)
        except DoneByOthers:
            receipt = None
        self._confirm(intent, receipt)
        return receipt

    def submit(self, header: Header) -> Receipt | None:
        """Post a header; None if it is on chain already.

        Raises:
            ConflictingEpoch: if another header is there.
        """
        epoch, digest = header.epoch, header.hash()
        intent = IntentRecord(IntentKind.SUBMIT_EPOCH, epoch, header.attempt, digest)
        record = self._chain.epoch(self._key.instance_id, epoch)
        if record.is_posted:
            if record.header_hash != digest:
                raise ConflictingEpoch("header", epoch, digest, record.header_hash)
            self._was_posted(intent)
            return None
        self._plan(intent)
        try:
            with self._once("submitEpoch", epoch, header.attempt, done=lambda: self._posted(epoch) == digest):
                receipt = self._chain.submit_epoch(header)
        except DoneByOthers:
            self._was_posted(intent)
            return None
        posted = receipt.one(EpochSubmitted)
        if posted.header_hash != digest:
            raise ConflictingEpoch("header", epoch, digest, posted.header_hash)
        with self._store.transaction():
            self._confirm(intent, receipt)
            self._store.set_level(
                self._key,
                epoch,
                header.attempt,
                Level.POSTED,
                transaction_hash=receipt.transaction_hash,
                block_number=receipt.block,
            )
        return receipt

    def finalize_ready(self) -> list[Receipt]:
        """Make every epoch final whose challenge window has passed; the receipts of those that this call finalised."""
        instance_id = self._key.instance_id
        instance = self._chain.instance(instance_id)
        window, now = self._chain.challenge_window(), self._chain.connection.block().timestamp
        receipts = []
        for number in range(instance.finalized_epochs + 1, instance.posted_epochs + 1):
            epoch = EpochNumber(number)
            record = self._chain.epoch(instance_id, epoch)
            if now <= record.posted_at + window:
                break
            try:
                with self._once("finalizeEpoch", epoch, record.header_hash.hex(), done=partial(self._is_final, epoch)):
                    receipts.append(self._chain.finalize_epoch(instance_id, epoch))
            except DoneByOthers:
                continue
        self.reconcile()
        return receipts

    def reconcile(self) -> None:
        """Bring the store's confirmation levels up to what is on chain."""
        instance = self._chain.instance(self._key.instance_id)
        for stored in self._store.epochs(self._key):
            if stored.level is Level.FINAL:
                continue
            on_chain = self._chain.epoch(self._key.instance_id, stored.epoch)
            if on_chain.header_hash != stored.header_hash:
                if stored.level is Level.POSTED and instance.attempt > stored.attempt:
                    # It was on chain, and a fault in it or before it was proved.
                    self._store.revert_from(self._key, stored.epoch)
                    return
                continue
            level = Level.FINAL if stored.epoch <= instance.finalized_epochs else Level.POSTED
            if level is not stored.level:
                self._store.set_level(self._key, stored.epoch, stored.attempt, level)

    def _once(
        self, what: str, epoch: EpochNumber, which: int | str, done: Callable[[], bool]
    ) -> AbstractContextManager[None]:
        key = self._key
        meaning = f"{what}/{key.chain_id}/{key.contract}/{key.instance_id}/{epoch}/{which}"
        return self._chain.sender.meaning(meaning, done)

    def _closed(self, epoch: EpochNumber) -> Hash32:
        return self._chain.epoch(self._key.instance_id, epoch).commits_root

    def _posted(self, epoch: EpochNumber) -> Hash32 | None:
        record = self._chain.epoch(self._key.instance_id, epoch)
        return record.header_hash if record.is_posted else None

    def _is_final(self, epoch: EpochNumber) -> bool:
        return self._chain.instance(self._key.instance_id).finalized_epochs >= epoch

    def _was_posted(self, intent: IntentRecord) -> None:
        self._confirm(intent)
        self._store.set_level(self._key, intent.epoch, intent.attempt, Level.POSTED)

    def _plan(self, intent: IntentRecord) -> None:
        self._store.add_intent(self._key, intent)

    def _confirm(self, intent: IntentRecord, receipt: Receipt | None = None) -> None:
        """The intent's meaning is on chain, whoever has put it there."""
        self._store.add_intent(self._key, intent)
        self._store.set_intent(
            self._key,
            intent.kind,
            intent.epoch,
            intent.attempt,
            IntentState.CONFIRMED,
            transaction_hash=receipt.transaction_hash if receipt else None,
        )
