"""How fast the index is filled and read; the figures of docs/monitor.md.

    python -m benchmarks.indexer
    python -m benchmarks.indexer --clients 1000 --events 20000 --output /tmp/small.json

A recorded life of a deployment (``protocol_log.py``) is indexed into an empty SQLite database, from logs to entities.
Then the last two thousand blocks are replaced by others, and the result is held against a fresh index. Reading is
measured in processes of their own, because what the first look costs after a start is what a person waits for. Times
are this machine's; CPU seconds say more than seconds where others use it too.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import select
from tests.telling.scripted import scripted_subject

from benchmarks.memory import peak_bytes
from benchmarks.protocol_log import synthetic_recording
from fedblocks.monitor.indexer import Indexer
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.recording import RecordedSource, Recording
from fedblocks.monitor.sources import RawLog
from fedblocks.monitor.tables import OF_THE_CHAIN
from fedblocks.types import Hash32

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "benchmarks" / "indexer.json"
REPLACED_BLOCKS = 2_000
READS = ("block", "totals", "clients", "instances", "slashes", "alerts", "recent_epochs", "epochs", "history")


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds on the wall and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def megabytes() -> float:
    """The most memory that this process has had."""
    return peak_bytes() / 2**20


def size_of(folder: Path) -> float:
    """The size of the files in a folder, in megabytes."""
    return sum(file.stat().st_size for file in folder.iterdir()) / 2**20


def rows_hash(place: Path) -> str:
    """One hash over all rows that follow from the chain."""
    database = index_database(place)
    state = b""
    with database.read() as connection:
        for table in OF_THE_CHAIN:
            for row in connection.execute(select(table).order_by(*table.primary_key)):
                state = keccak(state + repr(tuple(row)).encode())
    database.close()
    return state.hex()


def reorganised(recording: Recording, blocks: int) -> Recording:
    """The same life, in which the last blocks have other hashes and the last third of them is empty."""
    first = recording.head.number - blocks
    empty = recording.head.number - blocks // 3

    def other(value: bytes) -> Hash32:
        return Hash32(keccak(b"other" + value))

    logs: list[RawLog] = []
    for log in recording.logs:
        if log.block < first:
            logs.append(log)
        elif log.block < empty:
            logs.append(replace(log, block_hash=other(log.block_hash)))
    return replace(recording, logs=logs, head=replace(recording.head, hash=other(recording.head.hash)))


def read_measures(place: Path) -> dict[str, Any]:
    """What a process measures that has just been started: imports, opening, each look for the first and second time."""
    subject = scripted_subject()
    found: dict[str, Any] = {"import": time.process_time()}
    monitor: list[Monitor] = []
    found["open"] = timed(lambda: monitor.append(Monitor(subject, None, index_database(place, read_only=True))))
    for which in ("first", "again"):
        with monitor[0].snapshot() as snapshot:
            looks = {}
            for name in READS:
                look = getattr(snapshot, name)
                looks[name] = timed(look) if callable(look) else timed(lambda look=look: look)
            found[which] = looks
        # As after a new block: nothing whole is kept, only what has not changed.
        monitor[0]._cache._whole = (None, {})
    found["memory_mb"] = megabytes()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.read:
        print(json.dumps(read_measures(options.read)))
        return
    recording = synthetic_recording(options.clients, options.events)
    with tempfile.TemporaryDirectory() as folder:
        place, again = Path(folder, "one", "index.db"), Path(folder, "two", "index.db")
        before = megabytes()
        source = RecordedSource(recording)
        monitor = Monitor(source.subject, source, index_database(place))
        filled = timed(monitor.update)
        monitor.close()
        memory, size = megabytes(), size_of(place.parent)
        command = [sys.executable, "-m", "benchmarks.indexer", "--read", str(place)]
        read = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)

        other = RecordedSource(reorganised(recording, REPLACED_BLOCKS))
        database = index_database(place)
        synced = []
        indexer = Indexer(database, other.subject, other)
        taken_back = timed(lambda: synced.append(indexer.sync()))
        database.close()
        database = index_database(again)
        Indexer(database, other.subject, other).sync()
        database.close()
        same = rows_hash(place) == rows_hash(again)
    result = {
        "machine": {"python": platform.python_version(), "processor": platform.machine(), "system": platform.system()},
        "clients": options.clients,
        "events": len(recording.logs),
        "blocks": recording.head.number,
        "fill": filled | {"events_per_second": len(recording.logs) / filled["seconds"]},
        "memory_mb": {"recording": before, "after_filling": memory},
        "database_mb": size,
        "reorganisation": taken_back
        | {"blocks": synced[0].rolled_back, "new_events": synced[0].new_events, "equals_fresh_index": same},
        "read": read,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{len(recording.logs)} events, {options.clients} clients, {recording.head.number} blocks")
    print(f"filled in {filled['seconds']:.1f} s: {result['fill']['events_per_second']:.0f} events a second")  # type: ignore[index]
    print(f"database {size:.0f} MB, memory {memory:.0f} MB (recording alone {before:.0f} MB)")
    print(f"{synced[0].rolled_back} blocks replaced in {taken_back['seconds']:.1f} s; equal to a fresh index: {same}")
    print(f"{'look':16}{'first, ms':>12}{'again, ms':>12}")
    for name in READS:
        first, second = (1000 * read[which][name]["seconds"] for which in ("first", "again"))
        print(f"{name:16}{first:12.0f}{second:12.0f}")
    print(f"imports {read['import']:.2f} s of CPU; reader's memory {read['memory_mb']:.0f} MB")
    if not same:
        raise SystemExit("the index differs from a fresh one after the reorganisation")


if __name__ == "__main__":
    main()
