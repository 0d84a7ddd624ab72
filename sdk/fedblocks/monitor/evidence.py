"""Why a client was slashed, in numbers: every rule of hard evidence applied to it, as people can follow it.

Nothing is decided here. Whether a measure is triggered is what the rule's own function in
:mod:`fedblocks.aggregation.evidence` answers for the published figures; the floats are for looking at. The first
measure that is triggered is the reason for which the client is slashed, in the order in which the rules are asked.

What only leaves an update out is in :mod:`fedblocks.monitor.suspicions`.
"""

from __future__ import annotations

from fedblocks.aggregation.evidence import Likeness, is_like_global, is_noise, is_replay, is_zero
from fedblocks.aggregation.stats import NO_SEAT
from fedblocks.monitor.measuring import (
    FAR,
    Subject,
    cosine_formula,
    cosine_of,
    like_global_formula,
    percent_of_length,
    response_formula,
    whole,
)
from fedblocks.monitor.suspicions import suspicion_measures
from fedblocks.monitor.views import Measure, Side
from fedblocks.seats import SlashReason
from fedblocks.types import MIN_COHORT

RULE_OF = {
    SlashReason.ZERO: "zero",
    SlashReason.REPLAY: "replay",
    SlashReason.GLOBAL: "global",
    SlashReason.DUPLICATE: "duplicate",
    SlashReason.NOISE: "noise",
    SlashReason.RESPONSE: "response",
}
"""By reason, the short name of the measure that gives it, in the order in which the rules are asked."""

COUNTED_BY = {SlashReason.NOISE: "noise-now", SlashReason.RESPONSE: "response-clear"}
"""By reason that needs a run of epochs, the measure that makes an epoch count towards it."""


def measures_of(subject: Subject) -> tuple[Measure, ...]:
    """Every rule applied to one client: hard evidence first, in the order in which it is looked for."""
    return (
        _zero(subject),
        _replay(subject),
        _global(subject),
        _duplicate(subject),
        _noise(subject),
        _response(subject),
        _noise_now(subject),
        _response_clear(subject),
        *suspicion_measures(subject),
    )


def _zero(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = percent_of_length(max(own.norm, own.last_norm), cohort.median_norm)
    threshold = rules.zero_permille / 10
    return Measure(
        rule="zero",
        title="length of this update or of its last one, the longer, beside the cohort's median",
        value=value,
        threshold=threshold,
        unit="%",
        bad=Side.BELOW,
        triggered=cohort.participants >= MIN_COHORT and is_zero(own, cohort, rules),
        slashes=True,
        formula=(
            f"{cohort.participants} >= {MIN_COHORT} and 1000000 * max({whole(own.norm)}, {whole(own.last_norm)}) "
            f"< {rules.zero_permille}**2 * {whole(cohort.median_norm)}"
        ),
        sentence=(
            f"The longer of its update and the one before has {value:.3g} % of the median length of the cohort's "
            f"updates; below {threshold:g} % in both, a client sends nothing."
        ),
        tested=cohort.participants >= MIN_COHORT,
    )


def _replay(subject: Subject) -> Measure:
    own, rules = subject.own, subject.rules
    value = cosine_of(own.replayed_product, own.norm, own.replayed_norm)
    threshold = rules.copy_millionths / 1_000_000
    if own.replayed == NO_SEAT:
        whose = "It resembles nobody's last update"
    elif own.replayed == subject.seat:
        whose = f"Its cosine with its own last update is {value:.7f}"
    else:
        whose = f"Its cosine with the last update of seat {own.replayed} is {value:.7f}"
    return Measure(
        rule="replay",
        title="cosine with the last update that it resembles most",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.ABOVE,
        triggered=is_replay(own, rules),
        slashes=True,
        formula=(
            f"{own.replayed} != {NO_SEAT} and "
            + cosine_formula(own.replayed_product, own.norm, own.replayed_norm, rules.copy_millionths, 1_000_000)
        ),
        sentence=f"{whose}; above {threshold} it is that update again, with nothing but rounding between.",
        tested=own.replayed != NO_SEAT,
    )


def _global(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = cosine_of(own.delta, own.norm, cohort.delta_norm)
    threshold = rules.copy_millionths / 1_000_000
    return Measure(
        rule="global",
        title="cosine with the model's last step",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.ABOVE,
        triggered=is_like_global(own, cohort, rules.copy_millionths, 1_000_000, rules),
        slashes=True,
        formula=like_global_formula(subject, rules.copy_millionths, 1_000_000),
        sentence=(
            f"Its cosine with the model's last step is {value:.7f}; above {threshold} it is a copy of that step, if "
            f"besides it differs from the step by less than {rules.global_near_percent} % of what it differs by from "
            f"its peers, and has anything else in common with fewer than {subject.related_bound} of them (here: "
            f"{own.related})."
        ),
        tested=cohort.delta_norm > 0,
    )


def _duplicate(subject: Subject) -> Measure:
    own, other, rules = subject.own, subject.nearest, subject.rules
    threshold = rules.duplicate_permille / 10
    if other is None:
        value, formula, what = FAR, "False", "Nobody else took part"
    else:
        lengths = (own.norm, other.norm, own.typical_distance, other.typical_distance)
        value = percent_of_length(own.nearest_distance, min(lengths))
        distance = whole(own.nearest_distance)
        formula = (
            f"{subject.cohort.participants} >= {MIN_COHORT} and {subject.cohort.weight} > 0 and "
            f"10000 * {distance} < {rules.duplicate_other_percent}**2 * "
            f"min({whole(own.earlier_distance)}, {whole(other.earlier_distance)}) and "
            f"1000000 * {distance} < {rules.duplicate_permille}**2 * min({', '.join(map(whole, lengths))})"
        )
        what = f"Its distance to the update of seat {own.nearest}, the nearest, is {value:.3g} % of their length"
    return Measure(
        rule="duplicate",
        title="distance to the nearest other update, in per cent of their length",
        value=value,
        threshold=threshold,
        unit="%",
        bad=Side.BELOW,
        triggered=subject.likeness is Likeness.DUPLICATE,
        slashes=True,
        formula=formula,
        sentence=(
            f"{what}; below {threshold:g} % both are one update, sent twice, unless both lie near an earlier one. "
            "The first epoch is not judged by this rule."
        ),
        tested=subject.is_compared,
    )


def _noise(subject: Subject) -> Measure:
    run, needed = subject.counters.noise, subject.rules.run
    return Measure(
        rule="noise",
        title="epochs running in which the update was unrelated to everything",
        value=run,
        threshold=needed,
        unit="epochs",
        bad=Side.ABOVE,
        triggered=run >= needed,
        slashes=True,
        formula=f"{run} >= {needed}",
        sentence=(
            f"For {run} epochs running its update had nothing to do with its last one, with the model's last step or "
            f"with its peers' updates; {needed} are evidence of noise."
        ),
    )


def _response(subject: Subject) -> Measure:
    run, needed = subject.counters.response, subject.rules.run
    return Measure(
        rule="response",
        title="epochs running in which it grew clearly along the model's last step",
        value=run,
        threshold=needed,
        unit="epochs",
        bad=Side.ABOVE,
        triggered=subject.signs.clear_response and run >= needed,
        slashes=True,
        formula=f"{run} >= {needed} and {_clear_formula(subject)}",
        sentence=(
            f"For {run} epochs running its update grew, clearly, in the direction in which the model had just moved; "
            f"{needed} are evidence that it works against the others, since who minimises its own loss responds the "
            "other way."
        ),
    )


def _noise_now(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = max(
        abs(cosine_of(own.own_last, own.norm, own.last_norm)), abs(cosine_of(own.delta, own.norm, cohort.delta_norm))
    )
    threshold = rules.noise_percent / 100
    bound = f"{rules.noise_percent}**2 * {whole(own.norm)}"
    return Measure(
        rule="noise-now",
        title="larger cosine, of either sign, with its last update and the model's last step",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.BELOW,
        triggered=bool(cohort.delta_norm > 0 and own.last_norm and is_noise(own, cohort, rules)),
        slashes=False,
        formula=(
            f"{whole(cohort.delta_norm)} > 0 and {whole(own.last_norm)} != 0 and "
            f"10000 * {whole(own.own_last)}**2 < {bound} * {whole(own.last_norm)} and "
            f"10000 * {whole(own.delta)}**2 < {bound} * {whole(cohort.delta_norm)} and "
            f"{own.related} < {subject.related_bound}"
        ),
        sentence=(
            f"Its cosines with its last update and with the model's last step reach {value:.3g}, and it is related to "
            f"{own.related} peers; both cosines below {threshold:g} and fewer than {subject.related_bound} related "
            f"peers make the epoch count as noise, and {rules.run} running slash."
        ),
        excludes=False,
        tested=cohort.delta_norm > 0 and own.last_norm != 0,
    )


def _response_clear(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    change = own.norm + own.last_norm - 2 * own.own_last
    value = cosine_of(own.response, cohort.step_norm, change) if subject.tested else 0.0
    threshold = rules.response_slash_cosine_percent / 100
    return Measure(
        rule="response-clear",
        title="cosine of its change with the model's last step",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.ABOVE,
        triggered=subject.signs.clear_response,
        slashes=False,
        formula=_clear_formula(subject),
        sentence=(
            f"The change of its update has a cosine of {value:.3g} with the model's last step; above {threshold:g}, "
            "where the step was more than noise and the test of the response is failed, the epoch counts towards "
            f"evidence, and {rules.run} running slash."
            if subject.response_tested
            else subject.untested
        ),
        excludes=False,
        tested=subject.response_tested,
    )


def _clear_formula(subject: Subject) -> str:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    step, response = whole(cohort.step_norm), whole(own.response)
    change = f"({whole(own.norm)} + {whole(own.last_norm)} - 2 * {whole(own.own_last)})"
    return (
        f"{response_formula(subject)} and "
        f"10000 * {response}**2 > {rules.response_slash_cosine_percent}**2 * {step} * {change} and "
        f"{step} > {rules.response_signal_times} * {whole(cohort.unrelated_norm)}"
    )
