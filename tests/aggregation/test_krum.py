"""Krum scores and the other comparisons within a cohort."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.aggregation.gram import gram
from fedblocks.aggregation.krum import (
    COSINE_SCALE,
    base_cosine,
    cosine,
    count_opposed,
    count_related,
    krum_scores,
    lower_median,
    median_is_below,
    neighbours,
    normalised_krum_scores,
    tolerated,
)


def gram_of(updates, base=None):
    updates = np.array(updates, dtype=np.int16)
    base = np.zeros(updates.shape[1], dtype=np.int32) if base is None else np.array(base, dtype=np.int32)
    return gram(updates, np.zeros_like(updates), np.zeros(updates.shape[1], dtype=np.int16), base)


@pytest.mark.parametrize(("n", "f", "count"), [(1, 0, 0), (3, 0, 1), (4, 1, 1), (10, 3, 5), (64, 21, 41)])
def test_f_is_the_largest_below_a_third_and_neighbours_are_n_minus_f_minus_2(n, f, count):
    assert (tolerated(n), neighbours(n)) == (f, count)


def test_krum_adds_up_the_nearest_neighbours_only():
    # n = 7: f = 2, 3 neighbours. Six clients on a line at 0..5 and one far away.
    scores = krum_scores(gram_of([[0], [1], [2], [3], [4], [5], [1000]]), range(7))
    assert scores[2] == 1 + 1 + 4
    assert scores[0] == 1 + 4 + 9
    assert scores[6] == 995**2 + 996**2 + 997**2


def test_krum_looks_at_participants_only():
    updates = [[0], [1], [2], [3], [0]]
    assert krum_scores(gram_of(updates), [0, 1, 2, 3]) == {0: 1, 1: 1, 2: 1, 3: 1}


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.integers(-6, 6))
def test_a_median_is_checked_by_counting(values, threshold):
    assert lower_median(values) == statistics.median_low(values)
    below = sum(value < threshold for value in values)
    assert median_is_below(below, len(values)) == (statistics.median_low(values) < threshold)


def test_cosines_are_exact_to_the_last_unit_and_cut_towards_zero():
    assert cosine(1, 1, 1) == COSINE_SCALE
    assert cosine(-1, 1, 9) == -(COSINE_SCALE // 3) == -357913941
    assert cosine(1, 1, 2) == 759250124, "2**30 / sqrt(2), rounded down"
    assert cosine(0, 0, 5) == 0


def test_who_sits_at_the_centre_has_the_smallest_normalised_score():
    scores = normalised_krum_scores(gram_of([[10, 9], [9, 10], [100, -100], [-100, 100], [10, 10]]), range(5))
    assert min(scores, key=scores.get) == 4
    assert scores[2] > scores[0]


def test_opposition_is_counted_below_the_threshold_only():
    updates = [[100, 0], [-100, 0], [-10, 100], [100, 100], [0, 0]]
    assert count_opposed(gram_of(updates), 0, range(5), 0) == 2
    assert count_opposed(gram_of(updates), 0, range(5), 16) == 1, "cos -0.0995 is not below -0.16"


def test_updates_are_related_by_what_they_share_beyond_the_global_delta():
    g = np.array([1, 0, 0], dtype=np.int16)
    updates = np.array([[50, 10, 0], [50, -9, 1], [50, 0, 10], [50, 0, 0]], dtype=np.int16)
    result = gram(updates, np.zeros_like(updates), g, np.zeros(3, dtype=np.int32))
    assert count_related(result, 0, range(4), 5) == 1, "only seat 1 moves along the second axis"
    assert count_related(result, 3, range(4), 5) == 0, "nothing is left of it"
    assert count_related(result, 0, range(4), 100) == 0


def test_the_cosine_with_the_base_model_is_one_for_who_goes_on_and_minus_one_for_who_undoes():
    result = gram_of([[3, 0], [0, 4], [0, -4], [3, 4], [0, 0]], base=[0, 3])
    assert [base_cosine(result, seat) for seat in range(5)] == [
        0,
        COSINE_SCALE,
        -COSINE_SCALE,
        int(COSINE_SCALE * 4 / 5),
        0,
    ]
