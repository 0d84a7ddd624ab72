"""A plot shows its threshold and every value, however far they lie apart."""

from __future__ import annotations

import pytest

from fedblocks_tui.widgets.plots import Scale


@pytest.mark.parametrize(("values", "threshold"), [([0.2, 0.9, 3.0], 1.0), ([-5.0, 900.0], 1.0), ([0.0, 40.0], 0.0)])
def test_values_near_the_threshold_or_below_zero_are_on_a_straight_scale(values: list[float], threshold: float) -> None:
    scale = Scale.of(values, threshold)
    assert [scale.place(value) for value in values] == values
    assert scale.ticks(values) is None


def test_values_far_above_the_threshold_are_on_a_logarithmic_one_with_zero_at_its_bottom() -> None:
    values = [0.0, 100.0, 26_000.0]
    scale = Scale.of(values, 0.1)
    assert scale.place(0.0) == scale.place(0.01) < scale.place(0.1) < scale.place(100.0) < scale.place(26_000.0)
    # The threshold has a tenth of the height at least, where a straight scale would give it none.
    height = scale.place(26_000.0) - scale.place(0.0)
    assert scale.place(0.1) - scale.place(0.0) > 0.1 * height
    heights, labels = scale.ticks(values) or ([], [])
    assert labels[0] == "≤0.01"
    assert labels[-1] == "10000"
    assert heights == sorted(heights)
