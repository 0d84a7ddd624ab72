"""The Gram matrix is exact, on every route."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.aggregation.gram import GramRoute, gram

INT16 = st.integers(-(1 << 15), (1 << 15) - 1) | st.sampled_from([-(1 << 15), (1 << 15) - 1, 0])
INT32 = st.integers(-(1 << 31), (1 << 31) - 1) | st.sampled_from([-(1 << 31), (1 << 31) - 1, 0])


@st.composite
def epochs(draw):
    n, d = draw(st.integers(1, 7)), draw(st.integers(1, 40))
    return (
        draw(hnp.arrays(np.int16, (n, d), elements=INT16)),
        draw(hnp.arrays(np.int16, (n, d), elements=INT16)),
        draw(hnp.arrays(np.int16, d, elements=INT16)),
        draw(hnp.arrays(np.int32, d, elements=INT32)),
    )


def product(a, b):
    return sum(int(x) * int(y) for x, y in zip(a, b, strict=True))


@given(epochs())
@settings(max_examples=60, deadline=None)
def test_every_route_equals_python_integers(epoch):
    updates, last, delta, base = epoch
    for route in GramRoute:
        result = gram(*epoch, route=route)
        for i, u in enumerate(updates):
            assert result.row(i) == [product(u, v) for v in [*updates, *last, delta, base]]
        assert result.norms_row() == [product(v, v) for v in [*updates, *last, delta, base]]


@pytest.mark.parametrize("d", [1, 255, 4096, 4097, 70_001])
@pytest.mark.parametrize("n", [1, 10, 13])
def test_the_routes_agree_beyond_one_block_at_the_extremes_of_int16(n, d):
    generator = np.random.default_rng([n, d])
    updates = np.full((n, d), -(1 << 15), dtype=np.int16)
    last = generator.integers(-(1 << 15), 1 << 15, (n, d), dtype=np.int16)
    base = np.full(d, -(1 << 31), dtype=np.int32)
    arguments = (updates, last, last[0], base)
    assert gram(*arguments) == gram(*arguments, route=GramRoute.NUMPY)
    assert gram(*arguments).base == (d << 46,) * n, "beyond 64 bits nothing wraps"


def test_distance_is_the_squared_distance():
    updates = np.array([[3, 4], [0, 0], [-3, 4]], dtype=np.int16)
    result = gram(updates, np.zeros_like(updates), updates[0], np.zeros(2, dtype=np.int32))
    assert [result.distance(0, 1), result.distance(0, 2), result.distance(1, 1)] == [25, 36, 0]


@pytest.mark.parametrize(
    ("index", "bad", "message"),
    [
        (0, np.zeros((2, 3), dtype=np.int32), "the updates must be int16"),
        (0, np.zeros((65, 3), dtype=np.int16), "1..64"),
        (0, np.zeros((2, 0), dtype=np.int16), "of 1 to"),
        (1, np.zeros((2, 4), dtype=np.int16), "the last updates must be"),
        (2, np.zeros(4, dtype=np.int16), r"the last delta must be int16 of shape \(3,\), not int16 of shape \(4,\)"),
        (3, np.zeros(3, dtype=np.int64), "the base model must be int32"),
    ],
)
def test_a_vector_of_another_kind_is_refused_by_name(index, bad, message):
    arguments = [
        np.zeros((2, 3), dtype=np.int16),
        np.zeros((2, 3), dtype=np.int16),
        np.zeros(3, dtype=np.int16),
        np.zeros(3, dtype=np.int32),
    ]
    arguments[index] = bad
    with pytest.raises(WrongVector, match=message):
        gram(*arguments)
