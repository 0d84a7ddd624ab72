"""Sets of seats as the chain stores them: one bit, or four bits, to a seat.

A cohort has at most 64 seats, so that a set of seats is one integer (bit k is seat k) and a reason for each seat is
one word (bits 4k to 4k+3 are seat k's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from fedblocks.types import MAX_COHORT, Bitmap, Seat


class SlashReason(IntEnum):
    """The hard evidence for which a client's stake is taken."""

    NONE = 0
    ZERO = 1
    """The update is (nearly) nothing."""
    DUPLICATE = 2
    """The update is (nearly) another seat's, although both were committed to before anyone revealed."""
    REPLAY = 3
    """The update is a seat's last one again."""
    GLOBAL = 4
    """The update is the last global delta again."""
    NOISE = 5
    """For three epochs running, the update had nothing to do with the client's last one nor with the global delta."""
    RESPONSE = 6
    """For three epochs running, the update grew in the direction in which the model had just moved."""


def bitmap_of(seats: Iterable[int]) -> Bitmap:
    """The bitmap of some seats; a seat outside 0..63 is a ValueError."""
    bitmap = 0
    for seat in seats:
        if not 0 <= seat < MAX_COHORT:
            raise ValueError(f"seat {seat} is outside 0..{MAX_COHORT - 1}")
        bitmap |= 1 << seat
    return Bitmap(bitmap)


def seats_of(bitmap: int) -> list[Seat]:
    """The seats in a bitmap, ascending."""
    return [Seat(seat) for seat in range(bitmap.bit_length()) if bitmap >> seat & 1]


def pack_reasons(reasons: Mapping[int, SlashReason]) -> int:
    """Put a reason for each seat into one word, four bits a seat."""
    word = 0
    for seat, reason in reasons.items():
        if not 0 <= seat < MAX_COHORT:
            raise ValueError(f"seat {seat} is outside 0..{MAX_COHORT - 1}")
        word |= int(reason) << (4 * seat)
    return word


def unpack_reasons(word: int) -> dict[Seat, SlashReason]:
    """The seats that have a reason, with it; a nibble that names no reason is a ValueError."""
    reasons = {}
    for seat in range(MAX_COHORT):
        if nibble := word >> (4 * seat) & 0xF:
            reasons[Seat(seat)] = SlashReason(nibble)
    return reasons
