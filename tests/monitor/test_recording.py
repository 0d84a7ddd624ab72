"""Recordings: the same run, the same bytes; and what is played is what was recorded."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fedblocks.chain.connection import UnknownBlock
from fedblocks.monitor.recording import MalformedRecording, RecordedSource, Recording, record
from fedblocks.types import BlockNumber, Hash32
from tests.monitor.story import story, tell


def test_a_recording_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    blob = Hash32(b"\7" * 32)
    recording = tell().chain.recording({blob: b"published"})
    recording.save(tmp_path / "run.gz")
    assert Recording.load(tmp_path / "run.gz") == recording


def test_the_same_run_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tell().chain.recording().save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_recorded_of_a_source_plays_like_it(tmp_path: Path) -> None:
    source = story()
    recorded = record(source, source.subject, tmp_path / "run.gz")
    played = RecordedSource(Recording.load(tmp_path / "run.gz"))
    assert played.logs(BlockNumber(0), played.last) == list(source.logs(BlockNumber(0), source.last))
    assert played.head().hash == source.head().hash
    assert recorded.subject == played.subject


def test_the_head_stands_where_it_is_told_to(tmp_path: Path) -> None:
    source = story()
    source.advance(BlockNumber(10))
    assert source.head().number == 10
    assert {log.block for log in source.logs(BlockNumber(1), BlockNumber(99))} <= set(range(11))
    with pytest.raises(UnknownBlock, match="no block 11"):
        source.header(BlockNumber(11))
    source.advance(BlockNumber(10**9))
    assert source.head().number == source.last


def test_a_block_without_logs_has_a_hash_that_follows_from_what_came_before() -> None:
    teller = tell()
    quiet = teller.chain.number
    teller.chain.block(12, 5)
    teller.chain.block()
    one = teller.chain.source().header(BlockNumber(quiet + 3))
    assert one == teller.chain.source().header(BlockNumber(quiet + 3))
    assert one.parent_hash == teller.chain.source().header(BlockNumber(quiet + 2)).hash
    other = tell("other")
    other.chain.block(12, 5)
    other.chain.block()
    assert other.chain.source().header(BlockNumber(quiet + 3)).hash != one.hash


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no gzip", "BadGzipFile"),
        (gzip.compress(b'{"format": "something else"}\n'), "its format is 'something else'"),
        (gzip.compress(b'{"format": "fedblocks-recording-1"}\n'), "KeyError"),
        (gzip.compress(b"[not json\n"), "JSONDecodeError"),
        (b"", "IndexError"),
    ],
    ids=["not compressed", "another format", "without a subject", "not JSON", "empty"],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "run.gz").write_bytes(content)
    with pytest.raises(MalformedRecording, match=says):
        Recording.load(tmp_path / "run.gz")
