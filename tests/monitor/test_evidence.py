"""What people are shown of a verdict is what the rules decided, to the last client and the last rule."""

import numpy as np
import pytest

from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.stats import NO_SEAT
from fedblocks.aggregation.suspicion import Suspicion
from fedblocks.aggregation.verdicts import Judgement
from fedblocks.monitor.evidence import RULE_OF, measures_of
from fedblocks.monitor.measuring import Subject
from fedblocks.monitor.views import Measure, Side
from fedblocks.seats import SlashReason
from tests.aggregation import test_verdicts as attacks
from tests.aggregation.cohort import Cohort

BEHAVIOURS = {
    "honest": None,
    "nothing": attacks.nothing,
    "gaussian": attacks.gaussian,
    "sign flip": attacks.sign_flip,
    "copy of the model's step": attacks.last_global_delta,
    "noisy copy of the model's step": attacks.noisy_global_delta,
    "own last update": attacks.own_last,
    "another's last update": attacks.last_of_seat_0,
    "another's update": attacks.same_as_seat_8,
    "absent now and then": lambda cohort, seat, honest: None if cohort.epoch % 3 == 2 else -honest,
    "hardly anything": lambda cohort, seat, honest: 0.05 * honest,
    "against the model's step": lambda cohort, seat, honest: honest if cohort.epoch == 1 else -cohort.delta,
    "nearly another's": lambda cohort, seat, honest: cohort.honest[8] + 0.02 * honest,
}
SUSPICIONS = {
    "response-now": Suspicion.RESPONSE,
    "growing-strikes": Suspicion.GROWING,
    "krum-strikes": Suspicion.OUTLYING,
    "opposing": Suspicion.OUTLYING,
    "normalised-krum-strikes": Suspicion.CENTRAL,
    "global-now": Suspicion.LIKE_GLOBAL,
    "global-run": Suspicion.LIKE_GLOBAL,
    "against-global": Suspicion.AGAINST_GLOBAL,
    "nearly-duplicate": Suspicion.NEARLY_DUPLICATE,
    "nearly-replay": Suspicion.NEARLY_REPLAY,
    "little": Suspicion.LITTLE,
}


def judged(cohort: Cohort, epochs: int):
    """By epoch: its judgement, and the measures of every participant by seat."""
    before = 0
    for _ in range(epochs):
        judgement = cohort.run_epoch()
        yield judgement, {seat: measures_of(subject(judgement, seat, before, cohort)) for seat in judgement.stats}
        before = judgement.participants


def subject(judgement: Judgement, seat: int, before: int, cohort: Cohort) -> Subject:
    own = judgement.stats[seat]
    return Subject(
        seat=seat,
        own=own,
        nearest=None if own.nearest == NO_SEAT else judgement.stats[own.nearest],
        cohort=judgement.cohort,
        counters=judgement.carried.counters[seat],
        tested=bool(before >> seat & 1) and judgement.cohort.weight > 0,
        rules=cohort.rules,
    )


def evidence_in(measures: tuple[Measure, ...]) -> SlashReason:
    """The first rule of hard evidence that is triggered."""
    rules = {rule: reason for reason, rule in RULE_OF.items()}
    return next((rules[each.rule] for each in measures if each.slashes and each.triggered), SlashReason.NONE)


def suspicions_in(measures: tuple[Measure, ...]) -> set[Suspicion]:
    return {SUSPICIONS[each.rule] for each in measures if each.triggered and each.excludes and not each.slashes}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_what_is_shown_is_what_was_judged(name):
    behaviour = BEHAVIOURS[name]
    cohort = Cohort(10, {9: behaviour} if behaviour else {}, skew=0.5, noise=0.5, d=2500)
    for judgement, shown in judged(cohort, 6):
        for seat, verdict in judgement.verdicts.items():
            assert evidence_in(shown[seat]) is verdict.evidence
            assert suspicions_in(shown[seat]) == set(verdict.suspicions) - {Suspicion.EVIDENCE}
            if verdict.excluded:
                assert any(each.triggered and each.excludes for each in shown[seat])


def test_every_formula_is_true_exactly_where_its_rule_is_triggered():
    cast = {6: attacks.noisy_global_delta, 7: attacks.gaussian, 8: attacks.sign_flip, 9: BEHAVIOURS["nothing"]}
    true, false = set(), set()
    runs = [({9: behaviour}, 10) for behaviour in BEHAVIOURS.values() if behaviour] + [(cast, 13), ({}, 3), ({}, 1)]
    for behaviours, n in runs:
        for _, shown in judged(Cohort(n, behaviours, skew=0.5, noise=0.5, d=2500), 5):
            for measures in shown.values():
                for each in measures:
                    value = eval(each.formula, {"__builtins__": {}, "max": max, "min": min})
                    assert bool(value) is each.triggered, f"{each.rule}: {each.formula}"
                    (true if each.triggered else false).add(each.rule)
                    assert each.tested or not each.triggered, "what was not tested is held against nobody"
    assert false >= true
    assert set(RULE_OF.values()) <= true, "each rule of evidence was seen at work"
    assert len(true) >= 20, f"only {sorted(true)} were"


@pytest.mark.parametrize("seed", range(3))
def test_a_simple_threshold_lies_between_those_it_is_triggered_for_and_the_others(seed):
    """Measures that are one comparison: the floats people see tell the same as the integers."""
    plain = {"zero", "replay", "noise", "little", "against-global", "nearly-replay"}
    cast = {6: attacks.own_last, 7: BEHAVIOURS["hardly anything"], 8: attacks.sign_flip, 9: attacks.nothing}
    seen = 0
    for _, shown in judged(Cohort(13, cast, seed, d=500), 4):
        for measures in shown.values():
            for each in measures:
                if each.rule in plain and each.triggered and each.unit != "epochs":
                    beyond = each.value > each.threshold if each.bad is Side.ABOVE else each.value < each.threshold
                    assert beyond, each
                    seen += 1
    assert seen


def test_evidence_against_too_many_is_shown_though_it_slashes_nobody():
    cohort = Cohort(10, dict.fromkeys(range(6, 10), attacks.nothing), d=500)
    judgement, shown = next(judged(cohort, 1))
    assert [evidence_in(shown[seat]) for seat in range(6, 10)] == [SlashReason.ZERO] * 4
    assert not any(verdict.slashed for verdict in judgement.verdicts.values())
    assert tolerated(10) == 3


def test_a_client_that_was_absent_is_told_that_it_is_not_tested():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: None if cohort.epoch == 1 else honest}, d=500)
    *_, (_, shown) = judged(cohort, 2)
    by_rule = {each.rule: each for each in shown[9]}
    for rule in ("response-now", "response-clear"):
        assert not by_rule[rule].triggered
        assert not by_rule[rule].tested
        assert "no part in the epoch before" in by_rule[rule].sentence


def test_figures_have_a_value_where_there_is_nothing_to_compare_with():
    cohort = Cohort(4, dict.fromkeys(range(4), lambda cohort, seat, honest: 0 * honest), d=300)
    for _, shown in judged(cohort, 2):
        assert all(np.isfinite(each.value) for measures in shown.values() for each in measures)
