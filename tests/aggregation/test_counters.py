"""The counters of a seat in 32 bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.aggregation.counters import Counters, InvalidCounters

three_bits, two_bits = st.integers(0, 7), st.integers(0, 3)


@given(st.builds(Counters, three_bits, two_bits, two_bits, three_bits, three_bits, three_bits))
def test_counters_survive_packing(counters):
    assert Counters.unpack(counters.pack()) == counters
    assert counters.pack() < 1 << 16


def test_bits_that_belong_to_no_counter_are_refused():
    with pytest.raises(InvalidCounters):
        Counters.unpack(1 << 16)
    with pytest.raises(InvalidCounters):
        Counters(similar=4).pack()
