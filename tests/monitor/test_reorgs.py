"""Whatever the chain takes back, the index is the one that a fresh reading of the chain gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fedblocks.chain.connection import BlockHeader
from fedblocks.monitor.indexer import ChainUnsettled, Indexer
from fedblocks.monitor.monitor import index_database
from fedblocks.monitor.recording import RecordedSource
from fedblocks.monitor.sources import RawLog
from fedblocks.monitor.tables import OF_THE_CHAIN, deployments
from fedblocks.storage.database import Database
from fedblocks.types import BlockNumber
from tests.monitor.lives import born, fork, live
from tests.telling.storyteller import Storyteller


class Switching:
    """A node whose chain can be replaced by another, also in the middle of its answers."""

    def __init__(self, source: RecordedSource) -> None:
        self.now = source
        self.after_logs: RecordedSource | None = None

    def head(self) -> BlockHeader:
        return self.now.head()

    def header(self, number: BlockNumber) -> BlockHeader:
        return self.now.header(number)

    def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
        found = self.now.logs(first, last)
        if self.after_logs is not None:
            self.now, self.after_logs = self.after_logs, None
        return found


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that follow from the chain, and the tip."""
    with database.read() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in OF_THE_CHAIN
        }
        found["tip"] = [tuple(row) for row in connection.execute(select(deployments))]
    return found


def fresh(source: RecordedSource) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of an index that reads a chain for the first time."""
    database = index_database("sqlite://")
    try:
        Indexer(database, source.subject, source).sync()
        return rows(database)
    finally:
        database.close()


def _switch(indexer: Indexer, teller: Storyteller) -> RecordedSource:
    source = teller.chain.source()
    assert isinstance(indexer.source, Switching)
    indexer.source.now = source
    return source


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), reorganisations=st.integers(1, 4))
def test_after_any_reorganisations_the_index_equals_a_fresh_one(seed: int, reorganisations: int) -> None:
    random = Random(seed)
    teller = born()
    past = [fork(teller, "0")]
    for _ in range(6):
        live(teller, random, random.randint(1, 5))
        past.append(fork(teller, teller.chain._seed))
    database = index_database("sqlite://")
    indexer = Indexer(database, teller.chain.subject, Switching(teller.chain.source()))
    try:
        for _ in range(reorganisations):
            indexer._size = random.randint(1, 20)
            indexer.sync()
            height = teller.chain.number
            # Go back to some moment, and make other blocks from there, until there are as many again.
            back = random.randrange(len(past))
            teller = fork(past[back], str(random.random()))
            del past[back + 1 :]
            while teller.chain.number <= height or random.random() < 0.5:
                live(teller, random, random.randint(1, 5))
                past.append(fork(teller, teller.chain._seed))
            source = _switch(indexer, teller)
        indexer._size = random.randint(1, 20)
        indexer.sync()
        assert rows(database) == fresh(source)
    finally:
        database.close()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_rows_are_the_same_from_any_starting_point_and_in_any_chunks(seed: int) -> None:
    random = Random(seed)
    teller = born()
    live(teller, random, 30)
    source = teller.chain.source()
    database = index_database("sqlite://")
    try:
        indexer = Indexer(database, source.subject, source)
        for number in sorted(random.randrange(1, source.last) for _ in range(4)):
            source.advance(BlockNumber(number))
            indexer._size = random.randint(1, 9)
            indexer.sync()
        source.advance(source.last)
        Indexer(database, source.subject, source).sync()  # as after a restart
        assert rows(database) == fresh(source)
    finally:
        database.close()


def _forked() -> tuple[Storyteller, Storyteller]:
    """Two chains that differ from the 11th round on; the second is longer."""
    teller = born()
    live(teller, Random(1), 10)
    other = fork(teller, "other")
    live(teller, Random(2), 5)
    live(other, Random(3), 9)
    return teller, other


def test_a_chain_that_changes_while_a_chunk_is_read_is_read_again(tmp_path: Path) -> None:
    one, other = _forked()
    source = Switching(one.chain.source())
    source.after_logs = other.chain.source()
    database = index_database(tmp_path / "index.db")
    Indexer(database, one.chain.subject, source).sync()
    assert rows(database) == fresh(other.chain.source())


def test_a_chain_that_never_settles_is_given_up_with_nothing_stored(tmp_path: Path) -> None:
    one, other = _forked()

    class Restless(Switching):
        def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
            found = self.now.logs(first, last)
            branches = [one.chain.source(), other.chain.source()]
            self.now = branches[self.now.last == branches[0].last]
            return found

    database = index_database(tmp_path / "index.db")
    indexer = Indexer(database, one.chain.subject, Restless(one.chain.source()))
    with pytest.raises(ChainUnsettled, match="not of one chain"):
        indexer.sync()
    assert indexer.tip() is None
    assert rows(database)["monitor_events"] == []


def test_a_node_that_is_behind_takes_nothing_back(tmp_path: Path) -> None:
    one, _ = _forked()
    source = one.chain.source()
    database = index_database(tmp_path / "index.db")
    indexer = Indexer(database, source.subject, source)
    indexer.sync()
    before = rows(database)
    source.advance(BlockNumber(source.last - 3))
    synced = indexer.sync()
    assert synced.behind
    assert synced.rolled_back == 0
    assert rows(database) == before
    source.advance(source.last)
    assert not indexer.sync().behind


def test_a_shorter_chain_with_other_blocks_is_no_lag(tmp_path: Path) -> None:
    one, other = _forked()
    database = index_database(tmp_path / "index.db")
    source = Switching(other.chain.source())
    indexer = Indexer(database, one.chain.subject, source)
    indexer._size = 3  # many bookmarks: without one on the part that is gone, nothing would show
    indexer.sync()
    source.now = one.chain.source()
    assert source.now.last < other.chain.source().last
    synced = indexer.sync()
    assert synced.rolled_back > 0
    assert rows(database) == fresh(one.chain.source())


def test_another_deployment_from_the_first_block_on_replaces_everything(tmp_path: Path) -> None:
    one = born("one")
    live(one, Random(1), 10)
    other = born("other")
    live(other, Random(2), 30)
    database = index_database(tmp_path / "index.db")
    source = Switching(one.chain.source())
    indexer = Indexer(database, one.chain.subject, source)
    indexer.sync()
    source.now = other.chain.source()
    indexer.sync()
    assert rows(database) == fresh(other.chain.source())


def test_blocks_that_are_not_confirmed_are_left_out(tmp_path: Path) -> None:
    one, other = _forked()
    source = Switching(one.chain.source())
    database = index_database(tmp_path / "index.db")
    indexer = Indexer(database, one.chain.subject, source, confirmations=30)
    synced = indexer.sync()
    assert synced.tip is not None
    assert synced.tip.number == synced.head.number - 30
    source.now = other.chain.source()
    assert indexer.sync().rolled_back == 0  # the fork is not that deep
