"""The indexer: brings the index to the chain's newest block, whatever the chain has done meanwhile.

It reads forward in chunks of blocks. A chunk is one transaction of the database, together with the block at which it
ends, the *tip*: a process that is killed goes on where the last chunk ended. A chunk is kept only if it belongs to one
chain: its last block must have had the same hash before and after its logs were read, the tip must still be there, and
logs of the same block must name the same hash.

Before it reads on, it asks whether the tip is still a block of the chain. If not, the chain was reorganised. The newest
block that the index knows and the chain still has is the common ancestor; the events after it are deleted, and the
entities that they had changed are folded anew from what remains. A node whose newest block is *below* the tip proves
nothing: it may be behind. The index then waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fedblocks.chain.connection import BlockHeader, NodeRefused, NodeUnreachable, UnknownBlock
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.projections import Entry, State
from fedblocks.monitor.routes import BY_INSTANCE, Entity, Router
from fedblocks.monitor.sources import LogSource, RawLog
from fedblocks.monitor.stored import arguments_to_json
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.tables import blocks, bookmarks, deployments, entities, events, links
from fedblocks.monitor.views import IndexedBlock
from fedblocks.storage.columns import canonical_json
from fedblocks.storage.database import Database
from fedblocks.types import BlockNumber, Hash32, Timestamp

FIRST_CHUNK = 2_000
WIDEST_CHUNK = 200_000
MANY_LOGS, FEW_LOGS = 20_000, 5_000
"""A chunk with more logs makes the next one narrower, one with fewer wider: both its memory and its loss when the
process is killed stay small."""

BOOKMARKS = 128
ATTEMPTS = 8
KEYS_AT_ONCE = 500


class BlockTooLarge(FedBlocksError, RuntimeError):
    """A node does not even give the logs of a single block."""

    def __init__(self, number: BlockNumber, reason: str) -> None:
        self.number = number
        super().__init__(f"the node does not give the logs of block {number}: {reason}; use another node")


class ChainUnsettled(FedBlocksError, RuntimeError):
    """The chain was reorganised again and again while a chunk was read."""

    def __init__(self, number: BlockNumber) -> None:
        super().__init__(
            f"after {ATTEMPTS} attempts, the blocks after {number} were still not of one chain; the node may be one of "
            "several that disagree: try again later, or with --confirmations"
        )


class LogsMissing(FedBlocksError, RuntimeError):
    """What a node said cannot have happened without something that it left out."""

    def __init__(self, entry: Entry) -> None:
        event = entry.event
        super().__init__(
            f"the node's logs do not fit together: {entry.contract}.{type(event).__name__} in block {event.block}, "
            f"transaction 0x{event.transaction_hash.hex()}, follows from nothing that it has given; it leaves logs "
            "out: use another node, with a new index"
        )


class _Moved(Exception):
    """What was read is not of one chain, or another process has written; look again."""


@dataclass(frozen=True)
class Progress:
    """How far a backfill is.

    Attributes:
        first, block, target: the first block to be read, the last one that was, and the one to get to.
        events: how many were stored in this run.
    """

    first: BlockNumber
    block: BlockNumber
    target: BlockNumber
    events: int

    @property
    def share(self) -> float:
        """Of the blocks, from 0 to 1."""
        return 1.0 if self.target <= self.first else (self.block - self.first) / (self.target - self.first)


@dataclass(frozen=True)
class Synced:
    """What one run has done.

    Attributes:
        head: the source's newest block.
        tip: the index's; None while it is empty.
        new_events: stored.
        rolled_back: blocks that were taken back.
        behind: whether the source is behind the index, without a sign of a reorganisation.
    """

    head: BlockHeader
    tip: IndexedBlock | None
    new_events: int
    rolled_back: int
    behind: bool


class Indexer:
    """Fills the index of one deployment.

    Args:
        database: an index, opened for writing.
        subject: the deployment.
        source: the chain.
        confirmations: how many blocks to stay behind the newest one.
    """

    def __init__(self, database: Database, subject: Subject, source: LogSource, *, confirmations: int = 0) -> None:
        self.database = database
        self.subject = subject
        self.source = source
        self.confirmations = confirmations
        self._router = Router(subject)
        self._decoders = subject.event_registry()
        self._names = subject.names
        self._size = FIRST_CHUNK
        self._states: dict[Entity, State | None] = {}
        self.deployment = _deployment_ref(database, subject)

    def sync(self, progress: Callable[[Progress], None] | None = None) -> Synced:
        """Bring the index to the source's newest block, less the confirmations.

        Raises:
            NodeUnreachable, NodeRefused: if the source does not answer; what was read is kept.
            BlockTooLarge, ChainUnsettled, LogsMissing: as they say.
            StorageError: if the database cannot be written.
        """
        try:
            return self._sync(progress)
        finally:
            # They may be of a transaction that failed; and between two runs they would only take memory.
            self._states.clear()

    def _sync(self, progress: Callable[[Progress], None] | None) -> Synced:
        head = self.source.head()
        new, rolled_back, moved, first = 0, 0, 0, None
        while True:
            tip = self.tip()
            target = BlockNumber(head.number - self.confirmations)
            try:
                if tip is not None:
                    if tip.hash == head.hash:
                        return Synced(head, tip, new, rolled_back, behind=False)
                    ancestor = self._common_ancestor(tip, head)
                    if ancestor is None:
                        return Synced(head, tip, new, rolled_back, behind=True)
                    if ancestor.number < tip.number:
                        self._roll_back(tip, ancestor)
                        rolled_back += tip.number - ancestor.number
                        continue
                begin = self.subject.first_block if tip is None else BlockNumber(tip.number + 1)
                first = begin if first is None else first
                while begin <= target:
                    tip, stored = self._chunk(tip, begin, target)
                    new += stored
                    begin = BlockNumber(tip.number + 1)
                    if progress is not None:
                        progress(Progress(first, tip.number, target, new))
                return Synced(head, tip, new, rolled_back, behind=False)
            except (_Moved, UnknownBlock) as error:
                self._states.clear()
                moved += 1
                if moved >= ATTEMPTS:
                    raise ChainUnsettled(tip.number if tip else self.subject.first_block) from error
                head = self.source.head()

    def tip(self) -> IndexedBlock | None:
        """The block that the index shows; None while it is empty."""
        with self.database.read() as connection:
            return read_tip(connection, self.deployment)

    # -- forward --

    def _chunk(self, tip: IndexedBlock | None, first: BlockNumber, target: BlockNumber) -> tuple[IndexedBlock, int]:
        """Read and store some blocks after the tip."""
        while True:
            last = BlockNumber(min(target, first + self._size - 1))
            end = self.source.header(last)
            try:
                logs = self.source.logs(first, last)
                break
            except NodeRefused as error:
                if last == first:
                    raise BlockTooLarge(first, error.message) from error
                self._size = max(1, (last - first + 1) // 2)
            except NodeUnreachable:
                # It may be the width that takes it too long.
                self._size = max(1, self._size // 2)
                raise
        self._check(tip, end, logs)
        if len(logs) > MANY_LOGS:
            self._size = max(1, self._size // 2)
        elif len(logs) < FEW_LOGS:
            self._size = min(WIDEST_CHUNK, self._size * 2)
        new_tip = IndexedBlock(number=end.number, hash=end.hash, timestamp=end.timestamp)
        return new_tip, self._store(tip, new_tip, logs)

    def _check(self, tip: IndexedBlock | None, end: BlockHeader, logs: Sequence[RawLog]) -> None:
        """Refuse what is not of one chain."""
        hashes: dict[int, Hash32] = {end.number: end.hash}
        if any(hashes.setdefault(log.block, log.block_hash) != log.block_hash for log in logs):
            raise _Moved
        if self.source.header(end.number).hash != end.hash:
            raise _Moved
        if tip is not None and self.source.header(tip.number).hash != tip.hash:
            raise _Moved

    def _store(self, before: IndexedBlock | None, tip: IndexedBlock, logs: Sequence[RawLog]) -> int:
        """One transaction: events, links, entities, and the new tip."""
        entries = self._decode(logs)
        block_rows = {
            log.block: {"number": log.block, "hash": log.block_hash, "timestamp": log.timestamp} for log in logs
        }
        with self.database.write() as connection:
            self._expect(connection, before)
            self._fold(connection, entries)
            self._insert(connection, blocks, block_rows.values())
            self._insert(connection, events, map(_event_row, entries))
            self._insert(connection, links, self._link_rows(entries))
            self._move(connection, tip)
        return len(entries)

    def _decode(self, logs: Iterable[RawLog]) -> list[Entry]:
        entries = []
        for log in logs:
            decoder = self._decoders.decoder(log.address, log.topics)
            if decoder is None:
                continue
            event = decoder.cls(
                address=log.address,
                block=log.block,
                block_hash=log.block_hash,
                transaction_hash=log.transaction_hash,
                log_index=log.log_index,
                **decoder.arguments(log.topics, log.data),
            )
            entries.append(Entry(event, self._names[log.address], log.timestamp))
        return entries

    def _fold(self, connection: Connection, entries: Sequence[Entry]) -> None:
        routed = [(entry, list(self._router.entities(entry.event))) for entry in entries]
        touched = {(projection.kind, key) for _, targets in routed for projection, key in targets}
        self._load(connection, touched - self._states.keys())
        for entry, targets in routed:
            for projection, key in targets:
                entity = (projection.kind, key)
                try:
                    self._states[entity] = projection.apply(self._states[entity], entry)
                except (LookupError, TypeError) as error:
                    raise LogsMissing(entry) from error
        self._save(connection, {entity: self._states[entity] for entity in touched})

    def _load(self, connection: Connection, wanted: set[Entity]) -> None:
        self._states.update(dict.fromkeys(wanted))
        for kind in self._router.projections:
            keys = sorted(key for each, key in wanted if each == kind)
            for start in range(0, len(keys), KEYS_AT_ONCE):
                found = connection.execute(
                    select(entities.c.key, entities.c.state)
                    .where(entities.c.deployment == self.deployment, entities.c.kind == kind)
                    .where(entities.c.key.in_(keys[start : start + KEYS_AT_ONCE]))
                )
                self._states.update({(kind, key): json.loads(state) for key, state in found})

    def _save(self, connection: Connection, states: Mapping[Entity, State | None]) -> None:
        gone = [entity for entity, state in states.items() if state is None]
        for kind, key in gone:
            connection.execute(
                delete(entities).where(
                    entities.c.deployment == self.deployment, entities.c.kind == kind, entities.c.key == key
                )
            )
        rows = [
            {"kind": kind, "key": key, "state": canonical_json(state), "deployment": self.deployment}
            for (kind, key), state in states.items()
            if state is not None
        ]
        upsert(connection, entities, rows)

    def _link_rows(self, entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
        for entry in entries:
            event = entry.event
            for kind, key in self._router.links(event):
                yield {"kind": kind, "key": key, "block": event.block, "log_index": event.log_index}

    def _insert(self, connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        if filled := [{"deployment": self.deployment, **row} for row in rows]:
            connection.execute(insert(table), filled)

    # -- back --

    def _common_ancestor(self, tip: IndexedBlock, head: BlockHeader) -> IndexedBlock | None:
        """The newest known block that the chain still has, None if the source is behind; number -1: none is left."""
        if tip.number <= head.number and self.source.header(tip.number).hash == tip.hash:
            return tip
        known = self._known_blocks(head.number)
        if tip.number > head.number and (not known or self._has(known[-1])):
            return None
        # What the chain still has is a first part of what is known.
        low, high = 0, len(known)
        while low < high:
            middle = (low + high) // 2
            if self._has(known[middle]):
                low = middle + 1
            else:
                high = middle
        nothing = IndexedBlock(number=BlockNumber(-1), hash=Hash32(b""), timestamp=Timestamp(0))
        return known[low - 1] if low else nothing

    def _has(self, block: IndexedBlock) -> bool:
        return self.source.header(block.number).hash == block.hash

    def _known_blocks(self, up_to: int) -> list[IndexedBlock]:
        found: dict[int, IndexedBlock] = {}
        with self.database.read() as connection:
            for table in (blocks, bookmarks):
                rows = connection.execute(
                    select(table.c.number, table.c.hash, table.c.timestamp).where(
                        table.c.deployment == self.deployment, table.c.number <= up_to
                    )
                )
                found |= {row.number: _indexed(row.number, row.hash, row.timestamp) for row in rows}
        return [found[number] for number in sorted(found)]

    def _roll_back(self, tip: IndexedBlock, ancestor: IndexedBlock) -> None:
        """One transaction: delete what came after the ancestor, and fold anew what it had changed."""
        self._states.clear()
        with self.database.write() as connection:
            self._expect(connection, tip)
            after = [table.c.deployment == self.deployment for table in (links, events)]
            lost_links = connection.execute(
                select(links.c.kind, links.c.key).where(after[0], links.c.block > ancestor.number).distinct()
            )
            changed = {entity for row in lost_links for entity in self._router.changed_by((row.kind, row.key))}
            lost = connection.execute(
                select(events.c.instance_id, events.c.transaction_hash)
                .where(after[1], events.c.block > ancestor.number)
                .distinct()
            ).all()
            changed |= {
                (kind, str(row.instance_id))
                for kind in BY_INSTANCE
                if kind in self._router.projections
                for row in lost
                if row.instance_id is not None
            }
            changed |= {("slash", bytes(row.transaction_hash).hex()) for row in lost}
            for table in (links, events):
                connection.execute(
                    delete(table).where(table.c.deployment == self.deployment, table.c.block > ancestor.number)
                )
            for table in (blocks, bookmarks):
                connection.execute(
                    delete(table).where(table.c.deployment == self.deployment, table.c.number > ancestor.number)
                )
            self._save(
                connection,
                {
                    # A transaction is in one block: nothing remains of the slashes in one that is gone.
                    entity: None
                    if entity[0] == "slash"
                    else self._router.refold(
                        entity, connection.execute(self._router.events_of(self.deployment, entity))
                    )
                    for entity in changed
                },
            )
            self._move(connection, ancestor if ancestor.number >= 0 else None)

    def _expect(self, connection: Connection, tip: IndexedBlock | None) -> None:
        """Refuse to write beside another process that has moved the tip; hold the tip until this transaction ends."""
        if read_tip(connection, self.deployment, lock=True) != tip:
            raise _Moved

    def _move(self, connection: Connection, tip: IndexedBlock | None) -> None:
        values = (
            {"tip_number": None, "tip_hash": None, "tip_timestamp": None}
            if tip is None
            else {"tip_number": tip.number, "tip_hash": tip.hash, "tip_timestamp": tip.timestamp}
        )
        connection.execute(update(deployments).where(deployments.c.ref == self.deployment).values(**values))
        if tip is None:
            return
        row = {
            "deployment": self.deployment,
            "number": tip.number,
            "hash": tip.hash,
            "timestamp": tip.timestamp,
        }
        upsert(connection, bookmarks, [row])
        of_this = bookmarks.c.deployment == self.deployment
        kept = select(bookmarks.c.number).where(of_this).order_by(bookmarks.c.number.desc()).limit(BOOKMARKS)
        oldest = connection.scalar(select(func.min(kept.subquery().c.number)))
        connection.execute(delete(bookmarks).where(of_this, bookmarks.c.number < oldest))


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those with the same key."""
    if not rows:
        return
    # The two dialects have the same clause in classes of their own.
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def read_tip(connection: Connection, deployment: int, *, lock: bool = False) -> IndexedBlock | None:
    """The block that a deployment's index shows."""
    query = select(deployments.c.tip_number, deployments.c.tip_hash, deployments.c.tip_timestamp).where(
        deployments.c.ref == deployment
    )
    row = connection.execute(query.with_for_update() if lock else query).one()
    return None if row.tip_number is None else _indexed(row.tip_number, row.tip_hash, row.tip_timestamp)


def _indexed(number: int, block_hash: bytes, timestamp: int) -> IndexedBlock:
    return IndexedBlock(number=BlockNumber(number), hash=Hash32(bytes(block_hash)), timestamp=Timestamp(timestamp))


def _event_row(entry: Entry) -> dict[str, Any]:
    event = entry.event
    return {
        "block": event.block,
        "log_index": event.log_index,
        "transaction_hash": event.transaction_hash,
        "contract": entry.contract,
        "event": type(event).__name__,
        "instance_id": getattr(event, "instance_id", None),
        "arguments": arguments_to_json(event),
    }


def find_deployment(connection: Connection, subject: Subject) -> int | None:
    """The number under which the index keeps a deployment; None if it does not have it."""
    found = connection.scalar(
        select(deployments.c.ref).where(
            deployments.c.chain_id == subject.chain_id, deployments.c.registry == subject.registry
        )
    )
    return None if found is None else int(found)


def _deployment_ref(database: Database, subject: Subject) -> int:
    with database.read() as connection:
        found = find_deployment(connection, subject)
    if found is not None:
        return found
    with database.write() as connection:
        # Another process may have entered it since.
        found = find_deployment(connection, subject)
        if found is None:
            row = {"chain_id": subject.chain_id, "registry": subject.registry, "version": subject.version}
            connection.execute(insert(deployments).values(**row))
            found = find_deployment(connection, subject)
    if found is None:
        raise LookupError(f"deployment {subject.registry} was entered and is not there")
    return found
