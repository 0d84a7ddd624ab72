"""Drawing: scales keep their order, ticks are round, marks differ in shape, text cannot break out."""

import xml.etree.ElementTree as ET
from math import isclose

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedblocks.report.svg import Scale, element, mark, number, text

VALUES = st.floats(-1e6, 1e6, allow_nan=False)


@given(VALUES, VALUES, st.sampled_from([None, 0.02, 1.0, 125.0]))
def test_a_scale_keeps_the_order_of_values_and_stays_within_its_bounds(a, b, unit):
    scale = Scale(-1e6, 1e6, 300.0, 20.0, unit)
    assert isclose(scale(-1e6), 300)
    assert isclose(scale(1e6), 20)
    if a < b:
        assert scale(a) >= scale(b)
    assert 20 - 1e-6 <= scale(a) <= 300 + 1e-6


@given(VALUES, st.floats(1e-6, 1e6))
@example(-879609.9999999999, 1e-6)
def test_ticks_are_few_round_and_within(low, span):
    high = low + span
    ticks = Scale(low, high, 0, 1).ticks()
    assert len(ticks) <= 9
    assert all(low - span * 1e-5 <= tick <= high + span * 1e-5 for tick in ticks)
    assert ticks == sorted(ticks)


def test_ticks_of_a_bent_scale_are_the_threshold_and_its_decades():
    assert Scale(-3, 40, 0, 1, 0.5).ticks() == [-0.5, 0.0, 0.5, 5.0]


def test_a_scale_of_one_value_puts_it_in_the_middle():
    assert Scale(7, 7, 0, 10)(7) == 5
    assert Scale(7, 7, 0, 10).ticks() == [7]


def test_fates_differ_in_shape():
    shapes = {kind: ET.fromstring(mark(kind, 1, 2, kind)).tag for kind in ("accepted", "excluded", "slashed")}
    assert len(set(shapes.values())) == 3


@pytest.mark.parametrize("evil", ["</text><script>", '"><a href="', "&amp;", "]]>"])
def test_text_cannot_break_out(evil):
    assert ET.fromstring(text(0, 0, evil)).text == evil
    assert ET.fromstring(element("g", class_=evil)).get("class") == evil


def test_coordinates_have_two_decimals_and_no_minus_zero():
    assert [number(value) for value in (1.0, -0.001, 2.345678, 100.0)] == ["1", "0", "2.35", "100"]
