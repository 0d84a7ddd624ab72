"""The Gram matrix is exact, on every route."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.aggregation.gram import GramRoute, gram, running_gram

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
        norms = [product(v, v) for v in [*updates, *last]]
        along = [product(u, delta) for u in updates]
        assert result.common_row() == [*norms, *along, product(delta, delta), product(base, base)]


@given(epochs(), st.data())
@settings(max_examples=40, deadline=None)
def test_the_row_of_an_absent_seat_is_its_last_updates(epoch, data):
    updates, last, delta, base = epoch
    absent = sorted(data.draw(st.sets(st.sampled_from(range(len(updates))))))
    updates[absent] = 0
    moved = updates.copy()
    moved[absent] = last[absent]
    for route in GramRoute:
        result = gram(updates, last, delta, base, absent, route)
        for i, x in enumerate(moved):
            assert result.row(i) == [product(x, v) for v in [*updates, *last, delta, base]]
        norms = [product(v, v) for v in [*updates, *last]]
        along = [product(u, delta) for u in updates]
        assert result.common_row() == [*norms, *along, product(delta, delta), product(base, base)]


def test_running_sums_grow_leaf_by_leaf():
    generator = np.random.default_rng(5)
    n, d = 5, 2 * 4096 + 77
    updates, last = generator.integers(-(1 << 15), 1 << 15, (2, n, d), dtype=np.int16)
    base = generator.integers(-(1 << 31), 1 << 31, d, dtype=np.int32)
    updates[2] = 0
    running = running_gram(updates, last, last[1], base, [2])
    for leaf in range(3):
        upto = slice(0, min(d, 4096 * (leaf + 1)))
        part = gram(updates[:, upto], last[:, upto], last[1][upto], base[upto], [2])
        assert running.rows[leaf].tolist() == [part.row(i)[:-1] for i in range(n)]
        assert running.common[leaf].tolist() == part.common_row()[:-1]
        high, low = running.base.high[leaf].tolist(), running.base.low[leaf].tolist()
        assert [(upper << 32) + lower for upper, lower in zip(high, low, strict=True)] == list(part.base)
        assert (int(running.base_norm.high[leaf]) << 32) + int(running.base_norm.low[leaf]) == part.base_norm


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


@pytest.mark.parametrize(("x", "y"), [(8191, 8191), (-8191, 8191), (8192, -8192), (2047, -(1 << 15)), (2049, 1 << 14)])
def test_the_largest_values_that_are_added_in_int32_do_not_overflow(x, y):
    updates, last = np.full((3, 9000), x, dtype=np.int16), np.full((3, 9000), y, dtype=np.int16)
    result = gram(updates, last, last[0], np.zeros(9000, dtype=np.int32))
    assert result.last == ((9000 * x * y,) * 3,) * 3
    assert result.delta == (9000 * x * y,) * 3
    assert (result.norms, result.last_norms) == ((9000 * x * x,) * 3, (9000 * y * y,) * 3)


def test_one_large_value_in_a_leaf_leaves_the_products_exact():
    generator = np.random.default_rng(9)
    updates, last = generator.integers(-400, 400, (2, 5, 10_000)).astype(np.int16)
    base = generator.integers(-(1 << 31), 1 << 31, 10_000, dtype=np.int32)
    updates[1, 5000] = last[4, 9999] = -(1 << 15)
    assert gram(updates, last, last[0], base) == gram(updates, last, last[0], base, route=GramRoute.NUMPY)


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
