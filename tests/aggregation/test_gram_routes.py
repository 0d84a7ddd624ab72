"""The plain Gram matrix and its Krum scores are exact, on every route, for every shape, at every thread count."""

import sys
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.aggregation.gram_routes import GramRoute, chosen_route, exact_gram, leaf_gram, squared_distances
from fedblocks.aggregation.inner_products import BLOCK_VALUES, block_values
from fedblocks.aggregation.krum import exact_krum_scores, neighbours

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1
INT16 = st.integers(LOWEST, HIGHEST) | st.sampled_from([LOWEST, HIGHEST, 0])
ROUTES = list(GramRoute)


def in_python(updates):
    rows = updates.tolist()
    return [[sum(x * y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]


def drawn(n, d, largest, seed=0):
    return np.random.default_rng([n, d, seed]).integers(-largest, largest, (n, d), dtype=np.int16, endpoint=True)


@pytest.mark.parametrize("route", ROUTES)
@given(updates=hnp.arrays(np.int16, st.tuples(st.integers(1, 14), st.integers(1, 150)), elements=INT16))
@example(updates=np.full((9, 131), LOWEST, dtype=np.int16))
@example(updates=np.full((1, 1), LOWEST, dtype=np.int16))
@settings(max_examples=60, deadline=None)
def test_every_route_equals_python_integers(route, updates):
    assert exact_gram(updates, route).tolist() == in_python(updates)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 10, 33, 100])
def test_cohorts_that_fill_no_tile_are_exact(route, n):
    updates = drawn(n, 77, 32767)
    assert exact_gram(updates, route).tolist() == in_python(updates)


@pytest.mark.parametrize("largest", [3, 400, 2896, 2897, 23170, 32767])
@pytest.mark.parametrize("d", [BLOCK_VALUES - 1, BLOCK_VALUES + 1, 3 * BLOCK_VALUES + 33])
def test_the_largest_products_that_are_added_in_int32_do_not_overflow(largest, d):
    updates = np.full((6, d), largest, dtype=np.int16)
    updates[1::2] *= -1
    assert exact_gram(updates, GramRoute.NUMBA).tolist() == in_python(updates)


@pytest.mark.parametrize("route", ROUTES)
def test_one_value_of_the_least_int16_among_small_ones_leaves_all_products_exact(route):
    updates = drawn(9, 9_000, 300)
    updates[[0, 5, 8], [17, 17, 8_999]] = LOWEST
    assert exact_gram(updates, route).tolist() == in_python(updates)


@pytest.mark.parametrize("threads", [1, numba.config.NUMBA_NUM_THREADS])
def test_the_number_of_threads_changes_nothing(threads):
    updates = drawn(11, 300_001, 500)
    expected = exact_gram(updates, GramRoute.NUMPY)
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        assert (exact_gram(updates, GramRoute.NUMBA) == expected).all()
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("route", ROUTES)
def test_rows_that_do_not_lie_side_by_side_are_read_where_they_are(route):
    whole = drawn(8, 1_001, 32767)
    for part in (whole[::2], whole[:, 3:], whole[:, ::7], np.asfortranarray(whole), whole[::-1]):
        assert exact_gram(part, route).tolist() == in_python(part)
    whole.flags.writeable = False
    assert exact_gram(whole, route).tolist() == in_python(whole)


@pytest.mark.parametrize("route", [GramRoute.NUMPY, GramRoute.TORCH])
@pytest.mark.parametrize(("n", "largest"), [(2, 700), (65, 700), (64, 32767)])
def test_the_leaves_of_an_epoch_are_the_same_bits_on_every_route(route, n, largest):
    d = 2 * BLOCK_VALUES + 4_001
    updates, last = drawn(n, d, largest), drawn(n, d, largest, 1)
    base = np.random.default_rng(n).integers(-(1 << 31), 1 << 31, d, dtype=np.int32)
    base[BLOCK_VALUES : 2 * BLOCK_VALUES] >>= 16
    last[0, :BLOCK_VALUES] = last[1] = LOWEST
    present = np.arange(n) % 3 != 1
    updates[~present] = 0
    by_kernel = leaf_gram(updates, last, last[0], base, present, GramRoute.NUMBA)
    for mine, theirs in zip(by_kernel, leaf_gram(updates, last, last[0], base, present, route), strict=True):
        assert (mine == theirs).all()


def test_a_block_fits_the_cache_and_divides_a_leaf():
    for rows in (1, 10, 67, 131, 1000):
        values = block_values(rows, BLOCK_VALUES)
        assert BLOCK_VALUES % values == 0
        assert values == 256 or 2 * rows * values <= 1 << 20


def test_a_gpu_is_asked_for_many_rows_and_only_where_torch_is_loaded_and_has_one(monkeypatch):
    def loaded(there):
        return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: there))

    monkeypatch.setitem(sys.modules, "torch", loaded(there=True))
    assert (chosen_route(10), chosen_route(100)) == (GramRoute.NUMBA, GramRoute.TORCH)
    monkeypatch.setitem(sys.modules, "torch", loaded(there=False))
    assert chosen_route(100) is GramRoute.NUMBA
    monkeypatch.delitem(sys.modules, "torch")
    assert chosen_route(100) is GramRoute.NUMBA


@pytest.mark.parametrize("route", ROUTES)
def test_krum_scores_are_sums_of_exact_squared_distances(route):
    updates = drawn(9, 50, 32767)
    distances = [[sum((int(x) - int(y)) ** 2 for x, y in zip(a, b, strict=True)) for b in updates] for a in updates]
    assert squared_distances(exact_gram(updates, route)).tolist() == distances
    for attackers, count in ((None, neighbours(9)), (1, 6), (20, 0)):
        expected = [sum(sorted(row[:i] + row[i + 1 :])[:count]) for i, row in enumerate(distances)]
        assert exact_krum_scores(updates, attackers, route) == expected


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 3)), np.zeros(3, np.int16), np.zeros((0, 3), np.int16), np.zeros((2, 0), np.int16)]
)
def test_what_is_no_matrix_of_int16_is_refused(bad):
    with pytest.raises(WrongVector, match="the updates must be int16"):
        exact_gram(bad)


def test_a_negative_number_of_attackers_is_refused():
    with pytest.raises(ValueError, match="not -1"):
        exact_krum_scores(np.zeros((4, 4), dtype=np.int16), -1)
