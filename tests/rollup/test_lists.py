"""One hash over one entry for each seat."""

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.rollup.lists import SeatList, entries, entry_hash, list_root

contents = st.lists(st.none() | st.binary(max_size=40), min_size=1, max_size=12)


@given(contents, st.sampled_from(SeatList))
def test_the_root_is_the_hash_of_the_entries_hashes(entries_, which):
    hashes = [bytes(32) if each is None else keccak(bytes([which.entry]) + each) for each in entries_]
    assert entries(entries_, which) == b"".join(hashes)
    assert list_root(entries_, which) == keccak(bytes([which.whole]) + b"".join(hashes))


@given(contents, st.data())
def test_any_other_entry_makes_another_root(entries_, data):
    seat = data.draw(st.integers(0, len(entries_) - 1))
    other = data.draw((st.none() | st.binary(max_size=40)).filter(lambda each: each != entries_[seat]))
    changed = [*entries_[:seat], other, *entries_[seat + 1 :]]
    assert list_root(changed, SeatList.STATS) != list_root(entries_, SeatList.STATS)


@pytest.mark.parametrize("more", [None, b""])
def test_an_entry_more_makes_another_root(more):
    assert list_root([b"a", more], SeatList.COMMITS) != list_root([b"a"], SeatList.COMMITS)


def test_nothing_and_empty_content_differ():
    assert entry_hash(None, SeatList.ROWS) == bytes(32)
    assert entry_hash(b"", SeatList.ROWS) == keccak(b"\x0b")
