"""Arithmetic beyond a word, against Python's integers."""

from __future__ import annotations

import math
import random
from itertools import combinations_with_replacement
from typing import Any

import pytest

from tests.contracts.world import mock

CHANCE = random.Random(256)
MOST = 2**255 - 1
EDGES = [0, 1, 2, 2**127 - 1, 2**127, 2**128 - 1, 2**128, 2**254, MOST]
# Of whole width: the two words of some such products add up to more than a word.
LARGE = [(CHANCE.getrandbits(255), CHANCE.getrandbits(255)) for _ in range(16)]
SOME = [(CHANCE.getrandbits(CHANCE.randrange(1, 256)), CHANCE.getrandbits(CHANCE.randrange(1, 256))) for _ in range(8)]
PAIRS = [*combinations_with_replacement(EDGES, 2), *LARGE, *SOME]


@pytest.fixture(scope="module")
def wide() -> Any:
    return mock("Wide")


def order(left: int, right: int) -> int:
    return (left > right) - (left < right)


def test_a_product_has_two_words(wide: Any) -> None:
    for left, right in PAIRS:
        assert wide.product(left, right) == list(divmod(left * right, 2**256))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_square_is_compared_with_a_product_exactly(wide: Any, sign: int) -> None:
    for left, right in PAIRS:
        near = math.isqrt(left * right)
        for root in {0, near, min(near + 1, MOST), MOST}:
            expected = order(root**2, sign * left * right)
            assert wide.compared(root, sign * left, right) == expected
            assert wide.compared(-root, left, sign * right) == expected
    assert wide.compared(2**128, -(2**128), -(2**128)) == 0


def test_a_root_is_floored(wide: Any) -> None:
    for square in [*EDGES, 15, 16, 17, (2**127 - 1) ** 2, (2**127 - 1) ** 2 - 1]:
        assert wide.root(square) == math.isqrt(square)
