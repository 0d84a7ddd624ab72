"""Results as JSON lines: one line a run, added at the end, read with what another code made left aside.

A process that is killed while it writes leaves half a line; it is passed over, and the run is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedblocks.exceptions import FedBlocksError
from fedblocks.lab.casting import Cast
from fedblocks.lab.loop import SeatRecord, Seen
from fedblocks.lab.settings import Setting

Line = dict[str, Any]
"""One run: see docs/lab.md for its fields."""

RESULTS = "results.jsonl"


class NoResults(FedBlocksError, FileNotFoundError):
    """There are no results where they are looked for, or none that count."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}; `fedblocks lab run` makes some")
        self.path = path

    def __str__(self) -> str:
        return str(self.args[0])  # OSError would show its arguments.


class ResultsNotWritten(FedBlocksError, OSError):
    """Results cannot be written where they are to be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"results cannot be written to {path}: {why}; give another --out")
        self.path = path

    def __str__(self) -> str:
        return str(self.args[0])


def describe(setting: Setting, cast: Cast, seen: Seen) -> Line:
    """A judged run as the fields of its line that are its own."""
    honest = {seat: each for seat, each in seen.seats.items() if seat not in cast}
    return {
        "attackers": {
            str(seat): {"attack": attack.name, **_seat(seen.seats.get(seat, SeatRecord()))}
            for seat, attack in cast.items()
        },
        "honest": {
            "clients": setting.clients - len(cast),
            "client_epochs": sum(each.taken for each in honest.values()),
            "excluded": {str(seat): each.excluded for seat, each in honest.items() if each.excluded},
            "slashed": {str(seat): each.slashed for seat, each in honest.items() if each.slashed},
            "due": {str(seat): each.due for seat, each in honest.items() if each.due},
            "suspicions": _total(honest),
        },
        "margins": seen.margins,
        "failed": seen.failed,
    }


def _seat(record: SeatRecord) -> Line:
    return asdict(record) | {"suspicions": dict(record.suspicions)}


def _total(records: Mapping[int, SeatRecord]) -> dict[str, int]:
    total: dict[str, int] = {}
    for record in records.values():
        for name, count in record.suspicions.items():
            total[name] = total.get(name, 0) + count
    return total


def read(path: Path) -> Iterator[Line]:
    """The whole lines of a file of results; none if there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "key" in line:
                yield line


@contextmanager
def adding(path: Path) -> Iterator[Callable[[Line], None]]:
    """A function that adds one line to a file of results, whole and at once.

    Two campaigns can add to one file at the same time, and nothing is forced to the disk: a lost run is played again.

    Raises:
        ResultsNotWritten: if the file cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise ResultsNotWritten(path, error.strerror or str(error)) from error
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    os.write(descriptor, b"\n")  # what was cut off stays a line of its own

        def add(line: Line) -> None:
            os.write(descriptor, (json.dumps(line) + "\n").encode())

        yield add
    finally:
        os.close(descriptor)
