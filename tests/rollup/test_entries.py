"""The bytes of the lists' entries are those of docs/proofs.md."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.aggregation.counters import Counters, InvalidCounters
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.verdicts import Carried, SeatVerdict
from fedblocks.rollup.entries import (
    COHORT_FIGURES,
    COHORT_SIZE,
    FIGURES,
    STATS_SIZE,
    SUBMISSION_SIZE,
    CarriedEntry,
    DoesNotFit,
    MalformedEntry,
    StatsEntry,
    SubmissionEntry,
    UnknownReason,
    carried_bytes,
    cohort_entry,
    commit_entry,
    read_carried,
    read_cohort_entry,
    read_stats_entry,
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
    assert (STATS_SIZE, COHORT_SIZE, SUBMISSION_SIZE) == (143, 114, 289)


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
        + (7 << 10).to_bytes(4, "big")
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


def figures_of(kind, layout):
    """Any figures that fit their bytes."""
    ranges = {name: (-(1 << 8 * width - 1) if offset else 0, width) for name, width, offset in layout}
    values = {name: st.integers(low, low + (1 << 8 * width) - 1) for name, (low, width) in ranges.items()}
    return st.builds(kind, **values)


@given(figures_of(ClientStats, FIGURES), st.sampled_from(SlashReason), st.integers(0, 255))
def test_a_participants_figures_are_read_back_as_they_were_written(own, reason, badness):
    written = stats_entry(own, SeatVerdict(False, SlashReason.NONE, reason, (), badness, badness))
    assert read_stats_entry(written) == StatsEntry(own, reason, badness)


@given(figures_of(CohortStats, COHORT_FIGURES))
def test_a_cohorts_figures_are_read_back_as_they_were_written(cohort):
    assert read_cohort_entry(cohort_entry(cohort)) == cohort


def test_what_is_carried_is_read_back_as_it_was_written():
    counters = (Counters(response=7), Counters(central=7))
    written = carried_bytes(Carried(Bitmap(3), (5, 0), (-1, 1 << 100), counters, 0))
    assert read_carried(written, 2) == (CarriedEntry(counters[0], 5, -1), CarriedEntry(counters[1], 0, 1 << 100))


def test_bytes_that_are_no_entry_are_refused():
    with pytest.raises(MalformedEntry, match="143 bytes, not 142"):
        read_stats_entry(bytes(142))
    with pytest.raises(MalformedEntry, match="114 bytes, not 0"):
        read_cohort_entry(b"")
    with pytest.raises(MalformedEntry, match="46 bytes, not 45"):
        read_carried(bytes(45), 2)
    with pytest.raises(UnknownReason, match="evidence 7 is none of"):
        read_stats_entry(bytes(141) + b"\7\0")
    with pytest.raises(InvalidCounters):
        read_carried(b"\xff" * 23, 1)
