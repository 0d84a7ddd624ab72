"""What every measure is made of: the figures of one client, and how they are told to people.

The rules compare integers: cosines and lengths by their squares, without a root or a division. People want a cosine and
a percentage. So a measure has both: floats to look at and to plot, and as its *formula* the very inequality that
decides, with the integers put in. A formula is a Python expression: pasted into an interpreter it gives what the rule
gave, and the tests hold every formula against its rule in that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.evidence import Likeness, likeness
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.suspicion import Signs, signs_of
from fedblocks.types import MIN_COHORT

FAR = 1e12
"""Stands for a ratio to nothing: a length where the cohort's median is zero."""


@dataclass(frozen=True)
class Subject:
    """A participant of an epoch, as the rules see it.

    Attributes:
        seat: whose.
        own: its figures.
        nearest: the figures of the client that is nearest to it; None if it was alone.
        cohort: the figures that it is compared with.
        counters: its counters, this epoch counted.
        tested: whether its response could be tested: it took part in the epoch before, and somebody was accepted there.
        rules: the thresholds.
    """

    seat: int
    own: ClientStats
    nearest: ClientStats | None
    cohort: CohortStats
    counters: Counters
    tested: bool
    rules: Rules

    @cached_property
    def signs(self) -> Signs:
        """What the figures show in this epoch."""
        return signs_of(self.seat, self.own, self.cohort, self.tested, self.rules)

    @property
    def response_tested(self) -> bool:
        """Whether its response says anything: it can be tested, and gradients are monotone in this epoch."""
        return self.tested and bool(self.cohort.monotone)

    @property
    def untested(self) -> str:
        """Why the response says nothing, where it does not."""
        if self.tested:
            return "More clients' updates grew than can be malicious, so that nobody's response says anything here."
        return "It took no part in the epoch before, so that its response cannot be tested."

    @property
    def is_compared(self) -> bool:
        """Whether likeness means anything: not among fewer than four, and not in the first epoch."""
        return self.cohort.participants >= MIN_COHORT and self.cohort.weight > 0

    @cached_property
    def likeness(self) -> Likeness:
        """How near its update is to the nearest other."""
        if not self.is_compared or self.nearest is None:
            return Likeness.OWN_WORK
        return likeness(self.own, self.nearest, self.rules)

    @property
    def related_bound(self) -> int:
        """To fewer peers than this an update is related to nothing."""
        return max(1, tolerated(self.cohort.participants))


def whole(value: int) -> str:
    """An integer as it stands in a formula: a negative one in parentheses, so that its square is its square."""
    return f"({value})" if value < 0 else str(value)


def cosine_formula(product: int, norm_a: int, norm_b: int, threshold: int, scale: int) -> str:
    """The formula of :func:`fedblocks.aggregation.evidence.cosine_above`."""
    p = whole(product)
    return f"{p} > 0 and {scale}**2 * {p}**2 > {threshold}**2 * {whole(norm_a)} * {whole(norm_b)}"


def median_formula(count: int, values: int) -> str:
    """The formula of :func:`fedblocks.aggregation.krum.median_is_below`."""
    return f"{values} > 0 and {count} > ({values} - 1) // 2"


def cosine_of(product: int, norm_a: int, norm_b: int) -> float:
    """A cosine to look at; 0 where there is none."""
    norms = norm_a * norm_b
    return product / sqrt(norms) if norms > 0 else 0.0


def percent_of_length(squared: int, reference: int) -> float:
    """A length in per cent of another, both given squared."""
    if squared <= 0:
        return 0.0
    return min(100 * sqrt(squared / reference), FAR) if reference > 0 else FAR


def percent(value: int, reference: int) -> float:
    """A figure in per cent of another."""
    if value == 0:
        return 0.0
    if reference <= 0:
        return FAR if value > 0 else -FAR
    return max(-FAR, min(100 * value / reference, FAR))


def like_global_formula(subject: Subject, threshold: int, scale: int) -> str:
    """The formula of :func:`fedblocks.aggregation.evidence.is_like_global`."""
    own, step, near = subject.own, whole(subject.cohort.delta_norm), subject.rules.global_near_percent
    off_direction = f"({whole(own.norm)} * {step} - {whole(own.delta)}**2)"
    return (
        f"{cosine_formula(own.delta, own.norm, subject.cohort.delta_norm, threshold, scale)} and "
        f"10000 * {off_direction} < {near}**2 * {whole(own.peer_distance)} * {step} "
        f"and {own.related} < {subject.related_bound}"
    )


def response_formula(subject: Subject) -> str:
    """The formula of :func:`fedblocks.aggregation.evidence.fails_response`, where it is tested."""
    own, cohort, rules = subject.own, subject.cohort, subject.rules
    step, response = whole(cohort.step_norm), whole(own.response)
    change = f"({whole(own.norm)} + {whole(own.last_norm)} - 2 * {whole(own.own_last)})"
    return (
        f"{subject.response_tested} and 100 * {cohort.weight} * {response} > {rules.response_percent} * {step} and "
        f"10000 * {response}**2 > {rules.response_cosine_percent}**2 * {step} * {change} and "
        f"{rules.response_cap_times}**2 * {step} >= {cohort.weight}**2 * max({whole(own.norm)}, {whole(own.last_norm)})"
    )
