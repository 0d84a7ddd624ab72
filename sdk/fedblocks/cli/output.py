"""What commands print: tables and JSON on stdout, talk on stderr.

On a terminal a table has colours and is fitted to it; elsewhere it is plain, aligned, one line a row and never cut, so
that `grep`, `awk` and people read the same. Amounts are ether for people and integers of wei in JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

import click

from fedblocks.explorers import Kind, explorer_link
from fedblocks.units import PARTS_PER_MILLION, format_ether


def talk(text: str, *, mark: str = "") -> None:
    """Say something to a person, on stderr; `mark` is a style of click's, like ``yellow``."""
    click.echo(click.style(text, fg=mark) if mark and coloured(sys.stderr) else text, err=True)


def coloured(stream: Any) -> bool:
    """Whether colours belong on a stream: a terminal, and nobody has said NO_COLOR."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")


def print_json(content: Any) -> None:
    """Print one object as JSON on stdout."""
    click.echo(json.dumps(plain(content), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Dataclasses, bytes and enums as what JSON has; field names in camel case, bytes as 0x…"""
    if is_dataclass(value) and not isinstance(value, type):
        return {camel(each.name): plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def _key(key: Any) -> str:
    return str(plain(key))


def camel(name: str) -> str:
    """A field's name as JSON has it: ``instance_id`` is ``instanceId``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table on stdout.

    Args:
        headings: of the columns.
        rows: their cells.
        right: the headings of the columns that hold numbers.
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(cells, widths, headings, strict=True)
        ]
        return "  ".join(parts).rstrip()

    heading = line(headings)
    click.echo(click.style(heading, bold=True) if coloured(sys.stdout) else heading)
    for row in rows:
        click.echo(line(row))


def print_fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values on stdout, one pair a line, aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name.ljust(width)}  {value}".rstrip())


def eth(wei: int | None) -> str:
    """An amount for people; a dash where it is not known."""
    return "-" if wei is None else f"{format_ether(wei)} ETH"


def percent(ppm: int | None) -> str:
    """Millionths as a percentage; a dash where they are not known."""
    return "-" if ppm is None else f"{100 * ppm / PARTS_PER_MILLION:.2f} %"


def moment(timestamp: int) -> str:
    """A time of the chain, for people; always UTC, so that two people mean the same."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def countdown(until: int, now: int) -> str:
    """How long it still takes: ``in 6 d 23 h``, or ``now``."""
    left = until - now
    return "now" if left <= 0 else f"in {duration(left)}"


def duration(seconds: int) -> str:
    """Seconds in the two largest units that say something.

    >>> duration(90_061)
    '1 d 1 h'
    """
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def pause(seconds: float) -> None:
    """Let time pass before looking again."""
    time.sleep(seconds)


def link_or_value(chain_id: int, kind: Kind, value: str | bytes | int) -> str:
    """An explorer's link, or what it would lead to where the chain has no explorer."""
    return explorer_link(chain_id, kind, value) or ("0x" + value.hex() if isinstance(value, bytes) else str(value))
