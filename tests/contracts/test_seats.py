"""The bit tricks that keep posting and settling cheap, against the plain way of writing them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.contracts.world import mock

CHANCE = random.Random(64)
BITMAPS = [0, 1, 1 << 63, 2**64 - 1, 0x5555555555555555, *(1 << seat for seat in range(64))] + [
    CHANCE.getrandbits(64) for _ in range(64)
]
REASONS = [0, 2**256 - 1, *(reason << (4 * seat) for seat in (0, 31, 63) for reason in range(16))] + [
    CHANCE.getrandbits(256) for _ in range(64)
]


@pytest.fixture(scope="module")
def seats() -> Any:
    return mock("Seats")


def spread(bitmap: int, width: int) -> int:
    return sum((bitmap >> seat & 1) << (width * seat) for seat in range(bitmap.bit_length()))


def nibbles(word: int) -> list[int]:
    return [word >> (4 * seat) & 15 for seat in range(64)]


def test_seats_are_counted(seats: Any) -> None:
    assert [seats.count(bitmap) for bitmap in BITMAPS] == [bitmap.bit_count() for bitmap in BITMAPS]


def test_seats_are_spread_to_nibbles(seats: Any) -> None:
    assert [seats.toNibbles(bitmap) for bitmap in BITMAPS] == [spread(bitmap, 4) for bitmap in BITMAPS]


def test_sixteen_seats_are_spread_to_lanes(seats: Any) -> None:
    words = [bitmap & 0xFFFF for bitmap in BITMAPS]
    assert [seats.toLanes(word) for word in words] == [spread(word, 16) for word in words]


def test_seats_with_a_reason_are_found(seats: Any) -> None:
    for word in REASONS:
        assert nibbles(seats.reasoned(word)) == [int(reason != 0) for reason in nibbles(word)]


def test_reasons_past_the_sixth_are_unknown(seats: Any) -> None:
    for word in REASONS:
        assert nibbles(seats.unknown(word)) == [int(reason > 6) for reason in nibbles(word)]
