"""The global step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.aggregation.mean import MAX_WEIGHT, NothingToAverage, weighted_delta

INT16 = st.integers(-(1 << 15), (1 << 15) - 1)


@given(st.data(), st.integers(1, 8), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_the_mean_is_the_floor_of_the_weighted_sum(data, n, d):
    updates = data.draw(hnp.arrays(np.int16, (n, d), elements=INT16))
    weights = data.draw(st.lists(st.integers(0, MAX_WEIGHT - 1), min_size=n, max_size=n).filter(any))
    expected = [sum(w * int(u) for w, u in zip(weights, column, strict=True)) // sum(weights) for column in updates.T]
    assert weighted_delta(updates, weights).tolist() == expected


def test_sixty_four_seats_at_the_largest_weight_do_not_overflow():
    updates = np.full((64, 5000), -(1 << 15), dtype=np.int16)
    assert set(weighted_delta(updates, [MAX_WEIGHT - 1] * 64).tolist()) == {-(1 << 15)}


def test_nothing_to_average_is_an_error_not_a_zero():
    with pytest.raises(NothingToAverage, match="add up to zero"):
        weighted_delta(np.ones((2, 3), dtype=np.int16), [0, 0])


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, MAX_WEIGHT]])
def test_weights_out_of_range_are_refused(weights):
    with pytest.raises(WrongVector):
        weighted_delta(np.ones((2, 3), dtype=np.int16), weights)
