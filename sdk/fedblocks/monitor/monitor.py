"""The monitor: an index that is kept up to date, and snapshots of it.

>>> monitor = Monitor.of(fedblocks, index_database("index.db"))  # doctest: +SKIP
>>> monitor.update()  # doctest: +SKIP
>>> with monitor.snapshot() as snapshot:  # doctest: +SKIP
...     print(snapshot.totals())

One thread may update while others read: each snapshot is a transaction of its own. Without a source a monitor only
shows what is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fedblocks.chain.connection import BlockHeader, Connection, NodeRefused, NodeUnreachable
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.cache import ReadCache
from fedblocks.monitor.health import Heard, judge_health
from fedblocks.monitor.indexer import Indexer, Progress, find_deployment, read_tip
from fedblocks.monitor.journal import Journal
from fedblocks.monitor.own import reconcile
from fedblocks.monitor.routes import Router
from fedblocks.monitor.snapshot import IndexSnapshot
from fedblocks.monitor.sources import LogSource, NodeSource
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.tables import INDEX
from fedblocks.monitor.views import EpochScores, EpochView, Health, IndexedBlock, InstanceView
from fedblocks.storage.database import Database
from fedblocks.types import BlockNumber

if TYPE_CHECKING:
    from fedblocks.client import FedBlocks
    from fedblocks.v1 import FedBlocksV1

ReadScores = Callable[[EpochView, InstanceView, EpochView | None], EpochScores]
"""Reads an epoch's figures: the posting, its instance, the posting that it follows."""


class NotIndexed(FedBlocksError, LookupError):
    """The index does not hold the deployment that was asked for, and may not be written."""

    def __init__(self, path: str, subject: Subject) -> None:
        super().__init__(
            f"the index {path} has nothing of the deployment with the StakingRegistry {subject.registry} on chain "
            f"{subject.chain_id}; fill it first: fedblocks index"
        )


class NoSource(FedBlocksError, RuntimeError):
    """An index was to be updated without a chain to read."""

    def __init__(self) -> None:
        super().__init__("this monitor has no source and shows what is in the index; connect it to a node to update it")


@dataclass(frozen=True)
class Update:
    """What one update has done.

    Attributes:
        head: the source's newest block.
        block: the index's; None while it is empty.
        new_events: stored.
        rolled_back: blocks that the chain has taken back.
        behind: whether the source is behind the index.
        new_scores: epochs whose figures were read, and
        unread: why others' were not, by posting.
    """

    head: BlockHeader
    block: IndexedBlock | None
    new_events: int
    rolled_back: int
    behind: bool
    new_scores: int
    unread: tuple[tuple[EpochView, str], ...]


def index_database(place: Path | str, *, read_only: bool = False) -> Database:
    """Open an index: the path of a file, or a SQLAlchemy URL.

    Raises:
        StoreNotFound, SchemaMismatch, StorageError: as :class:`Database`.
    """
    url = str(place)
    return Database(url if "://" in url else f"sqlite:///{Path(url).absolute()}", INDEX, read_only=read_only)


class Monitor:
    """One deployment, indexed and readable.

    Args:
        subject: the deployment.
        source: its chain; without one nothing is updated.
        database: the index; see :func:`index_database`.
        confirmations: how many blocks to stay behind the newest one.
        read_scores: reads the figures of epochs from their published data
            (:func:`fedblocks.monitor.published.read_scores`); without it none are read.
        reference: another node, asked for its newest block to tell whether the first is behind.

    Raises:
        NotIndexed: if the database may only be read and has nothing of the deployment.
    """

    def __init__(
        self,
        subject: Subject,
        source: LogSource | None,
        database: Database,
        *,
        confirmations: int = 0,
        read_scores: ReadScores | None = None,
        reference: Connection | None = None,
    ) -> None:
        self.subject = subject
        self.source = source
        self.database = database
        self.read_scores = read_scores
        self.confirmations = confirmations
        self._reference = reference
        self._router = Router(subject)
        self._cache = ReadCache()
        self._updating = threading.Lock()
        self._tried: dict[bytes, str] = {}
        self._indexer: Indexer | None = None
        if source is not None and not database.read_only:
            self._indexer = Indexer(database, subject, source, confirmations=confirmations)
            self.deployment = self._indexer.deployment
        else:
            self.deployment = self._found()
        self.journal = Journal(database, self.deployment)
        self._heard = Heard(confirmations=confirmations, indexed=self._indexed())

    @classmethod
    def of(
        cls,
        fedblocks: FedBlocks,
        database: Database,
        *,
        confirmations: int = 0,
        read_scores: ReadScores | None = None,
        reference: Connection | None = None,
    ) -> Monitor:
        """Monitor version 2 through a node; the arguments are those of the class."""
        subject = Subject.of(fedblocks.deployment)
        source = NodeSource(fedblocks.connection, subject.addresses.values())
        return cls(
            subject,
            source,
            database,
            confirmations=confirmations,
            read_scores=read_scores,
            reference=reference,
        )

    @classmethod
    def of_v1(
        cls,
        v1: FedBlocksV1,
        database: Database,
        *,
        first_block: BlockNumber,
        confirmations: int = 0,
        reference: Connection | None = None,
    ) -> Monitor:
        """Monitor version 1 through a node, from a block on."""
        subject = Subject.of_v1(v1.deployment, first_block=first_block, stake_amount=v1.staking.stake_amount())
        source = NodeSource(v1.connection, subject.addresses.values())
        return cls(subject, source, database, confirmations=confirmations, reference=reference)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def update(self, progress: Callable[[Progress], None] | None = None) -> Update:
        """Bring the index to the newest block, read figures, and look after the transactions that were sent from here.

        Args:
            progress: Told after each chunk of blocks.

        Raises:
            NoSource: if there is no chain to read.
            NodeUnreachable, NodeRefused: if the node does not answer; :meth:`health` says so too, and the next update
                goes on from there.
            BlockTooLarge, ChainUnsettled, StorageError: as :meth:`Indexer.sync`.
        """
        if self._indexer is None:
            raise NoSource
        with self._updating:
            try:
                synced = self._indexer.sync(lambda each: self._progress(each, progress))
                syncing, reference = self._ask_around()
            except (NodeUnreachable, NodeRefused) as error:
                self._heard = self._heard.failed(str(error))
                raise
            self._heard = replace(
                self._heard.answered(synced.head, time.monotonic()),
                indexed=None if synced.tip is None else synced.tip.number,
                behind_itself=synced.behind,
                syncing=syncing,
                reference=reference,
            )
            connection = self._connection
            if connection is not None and synced.tip is not None:
                # What was mined above a block that is no more has to be looked for again.
                reconcile(self.journal, connection, above=synced.tip.number - max(synced.rolled_back, 64))
            new_scores, unread = self._read_scores()
            if synced.new_events or synced.rolled_back:
                with self.snapshot() as snapshot:
                    block, found = snapshot.block, snapshot.totals()
                if block is not None:
                    self.journal.save_totals(block, found)
            return Update(
                head=synced.head,
                block=synced.tip,
                new_events=synced.new_events,
                rolled_back=synced.rolled_back,
                behind=synced.behind,
                new_scores=new_scores,
                unread=unread,
            )

    def health(self) -> Health:
        """How far what is shown can be believed; asks nobody, and knows what the last update has found."""
        return judge_health(self._heard, time.monotonic())

    @contextmanager
    def snapshot(self) -> Iterator[IndexSnapshot]:
        """The index at one block, for as long as the block of code runs, in this thread."""
        with self.database.read() as connection:
            yield IndexSnapshot(connection, self.deployment, self.subject, self._router, self._cache)

    # -- parts of an update --

    @property
    def _connection(self) -> Connection | None:
        return self.source.connection if isinstance(self.source, NodeSource) else None

    def _progress(self, each: Progress, tell: Callable[[Progress], None] | None) -> None:
        self._heard = replace(self._heard, indexed=each.block, heard_at=time.monotonic(), failure=None)
        if tell is not None:
            tell(each)

    def _ask_around(self) -> tuple[bool, BlockNumber | None]:
        connection = self._connection
        syncing = connection is not None and bool(connection.rpc("eth_syncing"))
        reference = None
        if self._reference is not None:
            try:
                reference = self._reference.block_number()
            except (NodeUnreachable, NodeRefused):
                reference = None  # it is asked as a second opinion only
        return syncing, reference

    def _read_scores(self) -> tuple[int, tuple[tuple[EpochView, str], ...]]:
        """Read the figures of postings that have none yet; what cannot be read is tried again at the next start."""
        if self.read_scores is None:
            return 0, ()
        with self.snapshot() as snapshot:
            waiting = [each for each in snapshot.unscored() if each.header_hash not in self._tried]
            instances = {each.instance_id: each for each in snapshot.instances()}
            postings = {each.header_hash: each for each in snapshot.epochs()} if waiting else {}
        read, unread = 0, []
        for epoch in waiting:
            before = postings.get(epoch.header.previous_header_hash)
            try:
                self.journal.save_scores(self.read_scores(epoch, instances[epoch.instance_id], before))
                read += 1
            except FedBlocksError as error:
                # Missing or wrong data are the aggregator's fault, and no reason to show nothing else.
                self._tried[epoch.header_hash] = str(error)
                unread.append((epoch, str(error)))
        return read, tuple(unread)

    def _found(self) -> int:
        with self.database.read() as connection:
            found = find_deployment(connection, self.subject)
        if found is None:
            raise NotIndexed(self.database.path, self.subject)
        return found

    def _indexed(self) -> BlockNumber | None:
        with self.database.read() as connection:
            tip = read_tip(connection, self.deployment)
        return None if tip is None else tip.number
