"""Models and updates as integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.aggregation.fixed_point import SCALE, NotFinite, WrongVector, dequantise, quantise_model, quantise_update
from fedblocks.aggregation.mean import apply_delta


@given(st.lists(st.floats(-131_071, 131_071), min_size=1, max_size=20))
def test_quantising_is_right_to_half_a_step(values):
    assert np.all(np.abs(dequantise(quantise_model(values)) - values) <= 0.5 / SCALE)


def test_values_beyond_the_range_saturate():
    assert quantise_model([1e9, -1e9]).tolist() == [2**31 - 1, -(2**31)]
    assert quantise_update([5.0, -5.0], np.zeros(2, dtype=np.int32)).tolist() == [2**15 - 1, -(2**15)]
    base = np.array([2**31 - 1, -(2**31)], dtype=np.int32)
    assert apply_delta(base, np.array([1, -1], dtype=np.int16)).tolist() == base.tolist()


def test_halves_are_rounded_to_even():
    assert quantise_model(np.array([0.5, 1.5, -0.5, 2.5]) / SCALE).tolist() == [0, 2, 0, 2]


@given(st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=20), st.data())
def test_an_update_added_to_its_base_gives_the_trained_model(base, data):
    base = np.array(base, dtype=np.int32)
    change = data.draw(st.lists(st.integers(-30_000, 30_000), min_size=base.size, max_size=base.size))
    trained = dequantise(base + np.array(change, dtype=np.int32))
    update = quantise_update(trained, base)
    assert update.tolist() == change
    assert np.array_equal(dequantise(apply_delta(base, update)), trained)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_with_its_position(bad):
    with pytest.raises(NotFinite, match="1 values that are NaN or infinite, the first at position 2"):
        quantise_model([0.0, 1.0, bad])
    with pytest.raises(NotFinite):
        quantise_update([bad], np.zeros(1, dtype=np.int32))


def test_an_update_of_the_wrong_size_is_refused():
    with pytest.raises(WrongVector, match=r"the delta must be int16 of shape \(2,\), not int16 of shape \(3,\)"):
        apply_delta(np.zeros(2, dtype=np.int32), np.zeros(3, dtype=np.int16))
    with pytest.raises(WrongVector):
        quantise_update(np.zeros(3), np.zeros(2, dtype=np.int32))
