"""Why an update was left out, in numbers: what costs an epoch's pay and never the stake.

As with hard evidence, whether a measure is triggered is what the rules' own functions answer. A suspicion leaves an
update out only while there is room: the worst go first, and never more than a third of the cohort.
"""

from __future__ import annotations

from collections.abc import Iterable

from fedblocks.aggregation.evidence import Likeness
from fedblocks.aggregation.stats import NO_SEAT
from fedblocks.monitor.measuring import (
    FAR,
    Subject,
    cosine_formula,
    cosine_of,
    like_global_formula,
    median_formula,
    percent,
    percent_of_length,
    response_formula,
    whole,
)
from fedblocks.monitor.views import Measure, Side
from fedblocks.types import MIN_COHORT


def suspicion_measures(subject: Subject) -> tuple[Measure, ...]:
    """Every rule that only leaves an update out, applied to one client."""
    return (
        *_response_now(subject),
        *_krum(subject),
        *_normalised_krum(subject),
        *_like_global(subject),
        _against_global(subject),
        _nearly_duplicate(subject),
        _nearly_replay(subject),
        _little(subject),
    )


def _strikes(subject: Subject, rule: str, of: str, strikes: int) -> Measure:
    needed = subject.rules.strikes
    return Measure(
        rule=f"{rule}-strikes",
        title=f"strikes for {of}",
        value=strikes,
        threshold=needed,
        unit="strikes",
        bad=Side.ABOVE,
        triggered=strikes >= needed,
        slashes=False,
        formula=f"{strikes} >= {needed}",
        sentence=(
            f"It has {strikes} strikes for {of}: one more for each epoch that shows it, one less for each that does "
            f"not; from {needed} on they leave it out."
        ),
    )


def _response_now(subject: Subject) -> Iterable[Measure]:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = percent(cohort.weight * own.response, cohort.step_norm) if subject.tested else 0.0
    yield Measure(
        rule="response-now",
        title="growth along the model's last step, in per cent of the step",
        value=value,
        threshold=rules.response_percent,
        unit="%",
        bad=Side.ABOVE,
        triggered=subject.signs.response,
        slashes=False,
        formula=response_formula(subject),
        sentence=(
            f"Its update grew by {value:.3g} % of the model's last step in the direction of that step; more than "
            f"{rules.response_percent} %, and not by chance, leaves it out."
            if subject.response_tested
            else subject.untested
        ),
        tested=subject.response_tested,
    )
    yield _strikes(subject, "growing", "growing along the model's last step at all", subject.counters.growing)


def _krum(subject: Subject) -> Iterable[Measure]:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    others = cohort.participants - 1
    value = percent(own.krum, cohort.median_krum)
    along = percent(own.base_cosine, cohort.median_base_cosine)
    astray = percent(own.normalised_krum, cohort.median_normalised_krum)
    usual, strikes = whole(cohort.median_base_cosine), subject.counters.outlying
    strange = (
        f"{cohort.participants} >= {MIN_COHORT} and "
        f"not ({usual} > 0 and 100 * {whole(own.base_cosine)} >= {rules.outlying_base_percent} * {usual})"
    )
    against = f"{strange} and {median_formula(own.opposed_outlying, others)}"
    figures = (
        f"Its Krum score is {value:.4g} % of the median ({astray:.4g} % without lengths), its cosine with the model "
        f"{along:.4g} %; {own.opposed} of {others} others point away from it, {own.opposed_outlying} by a cosine "
        f"below {-rules.outlying_opposed_percent / 100:g}. "
    )
    yield Measure(
        rule="krum",
        title="Krum score beside the cohort's median",
        value=value,
        threshold=rules.outlying_krum_percent,
        unit="%",
        bad=Side.ABOVE,
        triggered=subject.signs.outlying,
        slashes=False,
        formula=(
            f"({against}) or {strange} and "
            f"100 * {whole(own.krum)} > {rules.outlying_krum_percent} * {whole(cohort.median_krum)} and "
            f"{median_formula(own.opposed, others)} and ({whole(own.base)} < 0 or 100 * {whole(own.normalised_krum)} > "
            f"{rules.outlying_normalised_percent} * {whole(cohort.median_normalised_krum)})"
        ),
        sentence=figures
        + (
            f"With less than {rules.outlying_base_percent} % of the usual cosine with the model, most of the others "
            "that far away give it a strike; likewise most of them away at all, if the score is above "
            f"{rules.outlying_krum_percent} % and it shrinks the model or the score without lengths is above "
            f"{rules.outlying_normalised_percent} %."
        ),
        excludes=False,
        tested=cohort.participants >= MIN_COHORT,
    )
    yield Measure(
        rule="opposing",
        title=f"others with a cosine below {-rules.outlying_opposed_percent / 100:g}",
        value=own.opposed_outlying,
        threshold=(others - 1) // 2,
        unit="clients",
        bad=Side.ABOVE,
        triggered=subject.signs.opposing,
        slashes=False,
        formula=f"{against} and {whole(own.base)} < 0",
        sentence=figures + "Most of the others that far away, and an update away from the model, leave it out at once.",
        tested=cohort.participants >= MIN_COHORT,
    )
    yield _strikes(subject, "krum", "lying far out", strikes)


def _normalised_krum(subject: Subject) -> Iterable[Measure]:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = percent(own.normalised_krum, cohort.median_normalised_krum)
    yield Measure(
        rule="normalised-krum",
        title="Krum score of directions beside the cohort's median",
        value=value,
        threshold=rules.central_krum_percent,
        unit="%",
        bad=Side.BELOW,
        triggered=subject.signs.central,
        slashes=False,
        formula=(
            f"{cohort.participants} >= {MIN_COHORT} and 100 * {whole(own.normalised_krum)} < "
            f"{rules.central_krum_percent} * {whole(cohort.median_normalised_krum)}"
        ),
        sentence=(
            f"Its Krum score among directions is {value:.4g} % of the median; below {rules.central_krum_percent} % it "
            "sits nearer to the centre than a client's own data would put it, and gets a strike."
        ),
        excludes=False,
        tested=cohort.participants >= MIN_COHORT,
    )
    yield _strikes(subject, "normalised-krum", "sitting in the centre", subject.counters.central)


def _like_global(subject: Subject) -> Iterable[Measure]:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = cosine_of(own.delta, own.norm, cohort.delta_norm)
    threshold = rules.global_now_percent / 100
    yield Measure(
        rule="global-now",
        title="cosine with the model's last step",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.ABOVE,
        triggered=subject.signs.like_global,
        slashes=False,
        formula=like_global_formula(subject, rules.global_now_percent, 100),
        sentence=(
            f"Its cosine with the model's last step is {value:.4f}; above {threshold:g}, if what it differs by may be "
            "noise that was added, it is likely to be a copy."
        ),
        tested=cohort.delta_norm > 0,
    )
    run = subject.counters.similar
    yield Measure(
        rule="global-run",
        title="epochs running in which it was like the model's last step",
        value=run,
        threshold=rules.run,
        unit="epochs",
        bad=Side.ABOVE,
        triggered=run >= rules.run,
        slashes=False,
        formula=f"{run} >= {rules.run}",
        sentence=(
            f"For {run} epochs running it was like the model's last step (cosine above "
            f"{rules.global_run_percent / 100:g}, the difference may be noise); {rules.run} leave it out."
        ),
    )


def _against_global(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = cosine_of(own.delta, own.norm, cohort.delta_norm)
    threshold = -rules.against_global_percent / 100
    return Measure(
        rule="against-global",
        title="cosine with the model's last step",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.BELOW,
        triggered=subject.signs.against_global,
        slashes=False,
        formula=cosine_formula(-own.delta, own.norm, cohort.delta_norm, rules.against_global_percent, 100),
        sentence=(
            f"Its cosine with the model's last step is {value:.4f}; below {threshold:g} it undoes what was learnt."
        ),
        tested=cohort.delta_norm > 0,
    )


def _nearly_duplicate(subject: Subject) -> Measure:
    own, other, cohort, rules = subject.own, subject.nearest, subject.cohort, subject.rules
    near, exact = rules.duplicate_near_percent, rules.duplicate_permille
    if other is None:
        value, formula, what = FAR, "False", "Nobody else took part"
    else:
        lengths = (own.norm, other.norm, own.typical_distance, other.typical_distance)
        value = percent_of_length(own.nearest_distance, min(lengths))
        length = f"min({', '.join(map(whole, lengths))})"
        earlier = f"min({whole(own.earlier_distance)}, {whole(other.earlier_distance)})"
        distance = whole(own.nearest_distance)
        formula = (
            f"{cohort.participants} >= {MIN_COHORT} and {cohort.weight} > 0 and "
            f"10000 * {distance} < {near}**2 * {length} and "
            f"not (10000 * {distance} < {rules.duplicate_other_percent}**2 * {earlier} and "
            f"1000000 * {distance} < {exact}**2 * {length})"
        )
        what = f"Its distance to the update of seat {own.nearest}, the nearest, is {value:.3g} % of their length"
    return Measure(
        rule="nearly-duplicate",
        title="distance to the nearest other update, in per cent of their length",
        value=value,
        threshold=near,
        unit="%",
        bad=Side.BELOW,
        triggered=subject.likeness is Likeness.NEARLY_DUPLICATE,
        slashes=False,
        formula=formula,
        sentence=f"{what}; below {near} % it is nearly that one.",
        tested=subject.is_compared,
    )


def _nearly_replay(subject: Subject) -> Measure:
    own, rules = subject.own, subject.rules
    value = cosine_of(own.replayed_product, own.norm, own.replayed_norm)
    threshold = rules.replay_permille / 1000
    if own.replayed == NO_SEAT:
        what = "It resembles nobody's last update"
    elif own.replayed == subject.seat:
        what = "It resembles its own last update most, which is held against nobody unless it is exact"
    else:
        what = f"Its cosine with the last update of seat {own.replayed} is {value:.5f}"
    return Measure(
        rule="nearly-replay",
        title="cosine with the last update that it resembles most, if another's",
        value=value,
        threshold=threshold,
        unit="",
        bad=Side.ABOVE,
        triggered=subject.signs.nearly_replayed,
        slashes=False,
        formula=(
            f"{own.replayed} not in ({NO_SEAT}, {subject.seat}) and "
            f"{cosine_formula(own.replayed_product, own.norm, own.replayed_norm, rules.replay_permille, 1_000)}"
        ),
        sentence=f"{what}; another's above {threshold:g} is nearly that one again.",
        tested=own.replayed not in (NO_SEAT, subject.seat),
    )


def _little(subject: Subject) -> Measure:
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    value = percent_of_length(own.norm, cohort.median_norm)
    return Measure(
        rule="little",
        title="length beside the cohort's median",
        value=value,
        threshold=rules.little_percent,
        unit="%",
        bad=Side.BELOW,
        triggered=subject.signs.little,
        slashes=False,
        formula=(
            f"{cohort.participants} >= {MIN_COHORT} and "
            f"10000 * {whole(own.norm)} < {rules.little_percent}**2 * {whole(cohort.median_norm)}"
        ),
        sentence=(
            f"Its update has {value:.3g} % of the median length; below {rules.little_percent} % it is hardly anything."
        ),
        tested=cohort.participants >= MIN_COHORT,
    )
