"""The index on a real PostgreSQL server holds and shows what it does in SQLite."""

from __future__ import annotations

from typing import Any

import pytest

from fedblocks.monitor.indexer import Indexer
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.recording import RecordedSource
from fedblocks.storage.database import Database
from tests.monitor.story import RUNNING, story, tell
from tests.monitor.test_reorgs import fresh, rows


@pytest.fixture
def database(postgres_url: str) -> Database:
    return index_database(postgres_url)


def shown(source: RecordedSource, database: Database) -> dict[str, Any]:
    """All that a snapshot shows."""
    with Monitor(source.subject, None, database).snapshot() as snapshot:
        names = ("totals", "clients", "slashes", "instances", "epochs", "bonds", "challenges", "challengers", "demands")
        views = {name: getattr(snapshot, name)() for name in (*names, "treasuries", "history", "alerts", "rewards")}
        return views | {"block": snapshot.block, "running": snapshot.history(instance_id=RUNNING)}


def test_it_holds_the_rows_and_shows_the_views_of_an_index_in_sqlite(database: Database) -> None:
    source = story()
    Indexer(database, source.subject, source).sync()
    assert rows(database) == fresh(source)
    in_sqlite = index_database("sqlite://")
    Indexer(in_sqlite, source.subject, source).sync()
    assert shown(source, database) == shown(source, in_sqlite)


def test_it_takes_back_what_the_chain_takes_back(database: Database) -> None:
    source = story()
    Indexer(database, source.subject, source).sync()
    # The same life on another chain: nothing but the time before the first block is common to both.
    other = tell("another").chain.source()
    synced = Indexer(database, other.subject, other).sync()
    assert synced.rolled_back > 0
    assert rows(database) == fresh(other)
