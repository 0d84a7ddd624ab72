"""The columns of a table: what a cell shows, and by what its column is sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from fedblocks_tui.text import Cell

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """A column.

    Attributes:
        title: its heading.
        width: in cells; at least this where it grows.
        cell: what it shows of a row.
        order: what the column is sorted by; rows whose value is None come last, whichever way it is sorted.
        right: whether it is set to the right, as numbers are.
        grows: whether it takes what is left of the line; one column of a table may.
        descending: whether the first press of the sort key puts the largest on top.
    """

    title: str
    width: int
    cell: Callable[[Row], str | Cell]
    order: Callable[[Row], Any]
    right: bool = False
    grows: bool = False
    descending: bool = False


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Text in exactly so many cells; what is cut off is marked."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""
    padding = " " * (width - length)
    return padding + text if right else text + padding


def widths(columns: Sequence[Column[Row]], available: int) -> list[int]:
    """How wide each column is where a line has so many cells; one cell stands between two columns."""
    needed = sum(column.width + 1 for column in columns)
    return [column.width + (max(0, available - needed) if column.grows else 0) for column in columns]


def sort_rows(rows: Sequence[Row], column: Column[Row], *, descending: bool) -> list[Row]:
    """Rows in a column's order; equal ones keep theirs."""
    known = [(order, row) for row in rows if (order := column.order(row)) is not None]
    unknown = [row for row in rows if column.order(row) is None] if len(known) < len(rows) else []
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in known] + unknown
