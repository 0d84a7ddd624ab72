"""The suspicions *outlying* (E4) and *central* (E5), and epochs in which nobody's response says anything."""

from dataclasses import fields, replace

import pytest

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import NO_SEAT, ClientStats, CohortStats
from fedblocks.aggregation.suspicion import Signs, Suspicion, count, signs_of, suspicions_of

RULES = Rules()
COHORT = CohortStats(
    participants=10,
    median_norm=10_000,
    median_krum=1_000,
    median_normalised_krum=1_000,
    median_base_cosine=1_000,
    delta_norm=0,
    base_norm=10_000,
    weight=0,
    step_norm=0,
    unrelated_norm=0,
    monotone=1,
)
OUTLYING = ClientStats(
    **{each.name: 0 for each in fields(ClientStats)}
    | {"norm": 10_000, "krum": 1_101, "normalised_krum": 1_031, "base": 1, "base_cosine": 399, "opposed": 5}
    | {"nearest": NO_SEAT, "replayed": NO_SEAT, "related": 9}
)
"""Just far enough out, astray and against just enough of the others, with just too small a cosine with the model."""


def signs(cohort: CohortStats = COHORT, **figures: int) -> Signs:
    return signs_of(0, replace(OUTLYING, **figures), cohort, False, RULES)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"normalised_krum": 1_000, "base": -1},
        {"opposed": 9, "opposed_outlying": 5, "krum": 0, "normalised_krum": 0},
        {"opposed": 9, "opposed_outlying": 5, "krum": 0, "normalised_krum": 0, "base": -1},
    ],
    ids=["astray", "away from the model", "against most of the others", "against them, away from the model"],
)
def test_who_is_all_of_it_is_outlying(figures: dict[str, int]) -> None:
    assert signs(**figures).outlying
    assert signs(**figures).opposing is (figures.get("base") == -1 and "opposed_outlying" in figures)


@pytest.mark.parametrize(
    "figures",
    [
        {"krum": 1_100},
        {"base_cosine": 400},
        {"base_cosine": 400, "base": -1, "opposed": 9, "opposed_outlying": 9},
        {"normalised_krum": 1_030},
        {"opposed": 4},
        {"opposed": 4, "base": -1},
        {"normalised_krum": 1_030, "base": 0, "opposed_outlying": 4},
    ],
    ids=["not far out", "builds", "builds, though opposed", "not astray", "with the others", "only away", "flat"],
)
def test_who_lacks_one_of_it_is_not(figures: dict[str, int]) -> None:
    assert not signs(**figures).outlying


def test_where_not_even_the_median_update_builds_on_the_model_nobody_does() -> None:
    for usual in (0, -10):
        assert signs(replace(COHORT, median_base_cosine=usual), base_cosine=1_000).outlying
        assert not signs(replace(COHORT, median_base_cosine=usual), base_cosine=1_000, krum=1_100).outlying


def test_in_a_cohort_too_small_to_compare_nobody_is_outlying() -> None:
    few = replace(COHORT, participants=3)
    assert not signs(few, opposed=2, opposed_outlying=2).outlying
    assert not signs(few, opposed=2, opposed_outlying=2, base=-1).opposing


def after(strikes: int, **figures: int) -> int:
    own = replace(OUTLYING, **figures)
    shown = signs_of(0, own, COHORT, False, RULES)
    return count(Counters(outlying=strikes), own, COHORT, shown, False, RULES).outlying


@pytest.mark.parametrize(("before", "now"), [(0, 1), (1, 2), (2, 0), (6, 0)])
def test_after_an_epoch_left_out_it_is_heard_again(before: int, now: int) -> None:
    assert after(before) == now
    assert after(before, base=0) == now


@pytest.mark.parametrize(("before", "now"), [(0, 1), (1, 2), (2, 3), (6, 6)])
def test_unless_it_shrinks_the_model(before: int, now: int) -> None:
    assert after(before, base=-1) == now


@pytest.mark.parametrize(("base", "strikes", "badness"), [(-1, 1, 2), (-1, 2, 3), (0, 1, 0), (0, 2, 2)])
def test_who_is_against_most_of_the_others_is_left_out_at_once_if_it_is_against_the_model_too(
    base: int, strikes: int, badness: int
) -> None:
    shown = signs(opposed=9, opposed_outlying=5, base=base)
    suspicions, found = suspicions_of(shown, Counters(outlying=strikes), nearly=False, rules=RULES)
    assert (Suspicion.OUTLYING in suspicions, found) == (badness > 0, badness)


@pytest.mark.parametrize(("strikes", "suspected"), [(1, False), (2, True)])
def test_two_strikes_leave_out(strikes: int, suspected: bool) -> None:
    suspicions, badness = suspicions_of(signs(), Counters(outlying=strikes), nearly=False, rules=RULES)
    assert (Suspicion.OUTLYING in suspicions, badness) == (suspected, strikes * suspected)


CENTRAL = replace(OUTLYING, normalised_krum=799)


@pytest.mark.parametrize(("normalised_krum", "central"), [(799, True), (800, False)])
def test_below_four_fifths_of_the_median_is_central(normalised_krum: int, central: bool) -> None:
    assert signs(normalised_krum=normalised_krum).central is central


@pytest.mark.parametrize(("before", "now"), [(0, 1), (1, 2), (2, 0), (6, 0)])
def test_who_was_left_out_as_central_is_heard_again(before: int, now: int) -> None:
    shown = signs_of(0, CENTRAL, COHORT, False, RULES)
    assert shown.central
    assert count(Counters(central=before), CENTRAL, COHORT, shown, False, RULES).central == now


# Along a step of length 100, of the same direction as the change: every part of the response test is failed by far.
STEP = replace(COHORT, weight=1, step_norm=10_000, delta_norm=10_000, unrelated_norm=1)
GROWN = replace(OUTLYING, norm=40_000, last_norm=10_000, own_last=20_000, response=10_000)


def test_a_response_counts_where_no_more_grow_than_can_be_malicious() -> None:
    shown = signs_of(0, GROWN, STEP, True, RULES)
    assert shown.response
    assert shown.clear_response
    assert shown.growing
    counted = count(Counters(response=2, growing=2), GROWN, STEP, shown, True, RULES)
    assert (counted.response, counted.growing) == (3, 3)


def test_where_more_grow_nobodys_response_says_anything_and_runs_end() -> None:
    plateau = replace(STEP, monotone=0)
    shown = signs_of(0, GROWN, plateau, True, RULES)
    assert not shown.response
    assert not shown.clear_response
    assert not shown.growing
    counted = count(Counters(response=2, growing=2), GROWN, plateau, shown, True, RULES)
    assert (counted.response, counted.growing) == (0, 1)
