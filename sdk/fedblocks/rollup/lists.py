"""Lists of seats: what has one entry for each seat, committed to by one hash.

An entry's hash is ``keccak(entry tag ‖ content)``, or 32 zero bytes where there is none, which no keccak is; the root
of the list is ``keccak(list tag ‖ entry 0 ‖ entry 1 ‖ …)``. How many entries there are follows from the cohort. With at
most 65 of them, opening one costs two kilobytes at most, and there is no padding in which something could be hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from fedblocks.rollup.keccak import keccak256
from fedblocks.types import ZERO_HASH, Hash32

COLUMN_TAG = 0x0D
"""In front of the subtree roots of all updates at one position."""

CARRIED_TAG = 0x11
"""In front of what an epoch leaves to the next one."""


class SeatList(Enum):
    """The lists: (entry tag, list tag)."""

    COMMITS = (0x05, 0x06)
    SUBMISSIONS = (0x07, 0x08)
    STATS = (0x09, 0x0A)
    ROWS = (0x0B, 0x0C)

    @property
    def entry(self) -> int:
        return self.value[0]

    @property
    def whole(self) -> int:
        return self.value[1]


def entry_hash(content: bytes | None, which: SeatList) -> Hash32:
    """keccak(entry tag ‖ content); 32 zero bytes for None, an entry that is not there."""
    return ZERO_HASH if content is None else keccak256(bytes([which.entry]) + content)


def entries(contents: Sequence[bytes | None], which: SeatList) -> bytes:
    """The hashes of all entries, joined: what opens a list."""
    return b"".join(entry_hash(content, which) for content in contents)


def list_root(contents: Sequence[bytes | None], which: SeatList) -> Hash32:
    """The root of a list, from the contents of its entries in order."""
    return keccak256(bytes([which.whole]) + entries(contents, which))
