"""The totals that are kept for a first screen are those of the block, or are not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fedblocks.monitor import snapshot as snapshots
from fedblocks.monitor.indexer import Indexer
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.recording import RecordedSource
from fedblocks.monitor.views import Totals
from fedblocks.types import BlockNumber
from tests.monitor.story import story


def totals(source: RecordedSource, index: Path) -> Totals:
    """As a process sees them that has just opened the index."""
    with Monitor(source.subject, None, index_database(index, read_only=True)) as monitor, monitor.snapshot() as found:
        return found.totals()


def test_a_process_that_opens_the_index_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, index = story(), tmp_path / "index.db"
    with Monitor(source.subject, source, index_database(index)) as monitor:
        monitor.update()
        with monitor.snapshot() as found:
            worked_out = snapshots.totals_of(found, found.totals().events)

    def never(*_: Any) -> Totals:
        raise AssertionError("they were worked out again")

    monkeypatch.setattr(snapshots, "totals_of", never)
    assert totals(source, index) == worked_out


def test_those_of_another_block_are_worked_out_again(tmp_path: Path) -> None:
    source, index = story(), tmp_path / "index.db"
    source.advance(BlockNumber(source.last // 2))
    with Monitor(source.subject, source, index_database(index)) as monitor:
        monitor.update()
    before = totals(source, index)
    source.advance(source.last)
    # Another process reads on, and does not keep any.
    Indexer(index_database(index), source.subject, source).sync()
    after = totals(source, index)
    assert after.events > before.events
    with Monitor(source.subject, source, index_database(tmp_path / "fresh.db")) as fresh:
        fresh.update()
        with fresh.snapshot() as found:
            assert after == found.totals()
