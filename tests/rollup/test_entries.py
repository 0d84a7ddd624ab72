"""The bytes of the lists' entries are those of docs/proofs.md."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.verdicts import Carried, SeatVerdict
from fedblocks.rollup.entries import (
    COHORT_FIGURES,
    COHORT_SIZE,
    FIGURES,
    STATS_SIZE,
    SUBMISSION_SIZE,
    DoesNotFit,
    MalformedEntry,
    SubmissionEntry,
    carried_bytes,
    cohort_entry,
    commit_entry,
    stats_entry,
)
from fedblocks.seats import SlashReason
from fedblocks.types import Bitmap
from tests.rollup.cohort import signer

CLIENT = signer(3).address
VERDICT = SeatVerdict(False, SlashReason.NONE, SlashReason.NOISE, (), 9, 17)


def stats(**changes) -> ClientStats:
    return ClientStats(**{each.name: 0 for each in fields(ClientStats)} | changes)


def test_every_figure_has_its_place_and_only_one():
    assert [name for name, _, _ in FIGURES] == [each.name for each in fields(ClientStats)]
    assert [name for name, _, _ in COHORT_FIGURES] == [each.name for each in fields(CohortStats)]
    assert (STATS_SIZE, COHORT_SIZE, SUBMISSION_SIZE) == (144, 105, 289)


@given(st.sampled_from(FIGURES), st.data())
def test_a_figure_is_written_in_its_own_bytes(figure, data):
    name, width, offset = figure
    low = -(1 << (8 * width - 1)) if offset else 0
    value = data.draw(st.integers(low, low + (1 << 8 * width) - 1))
    written = stats_entry(stats(**{name: value}), VERDICT)
    start = sum(each for _, each, _ in FIGURES[: [one for one, _, _ in FIGURES].index(name)])
    zero = stats_entry(stats(), VERDICT)
    assert int.from_bytes(written[start : start + width], "big") == value - low
    assert written[:start] + written[start + width :] == zero[:start] + zero[start + width :]
    assert written[-2:] == bytes([5, 9])


def test_a_figure_that_does_not_fit_is_named():
    with pytest.raises(DoesNotFit, match="krum is"):
        stats_entry(stats(krum=1 << 95), VERDICT)
    with pytest.raises(DoesNotFit, match="weight is -1"):
        cohort_entry(CohortStats(**{each.name: 0 for each in fields(CohortStats)} | {"weight": -1}))


def test_what_is_carried_is_23_bytes_a_seat():
    carried = Carried(Bitmap(3), (5, 0), (-1, 1 << 100), (Counters(response=7), Counters(central=7)), 0)
    assert carried_bytes(carried) == (
        (7).to_bytes(4, "big")
        + (5).to_bytes(5, "big")
        + ((1 << 111) - 1).to_bytes(14, "big")
        + (7 << 16).to_bytes(4, "big")
        + bytes(5)
        + ((1 << 111) + (1 << 100)).to_bytes(14, "big")
    )


def test_a_submission_is_read_back_as_it_was_written():
    entry = SubmissionEntry(3, CLIENT, b"\1" * 32, b"\2" * 65, b"\3" * 32, b"\4" * 32, 77, b"\5" * 32)
    assert SubmissionEntry.decode(entry.encode()) == entry
    assert len(entry.encode()) == SUBMISSION_SIZE
    with pytest.raises(MalformedEntry, match="289 bytes, not 288"):
        SubmissionEntry.decode(entry.encode()[:-1])


def test_a_commit_is_161_bytes():
    entry = commit_entry(3, CLIENT, b"\1" * 32, b"\2" * 65)
    assert entry == bytes(31) + b"\3" + bytes(12) + bytes.fromhex(CLIENT[2:]) + b"\1" * 32 + b"\2" * 65
