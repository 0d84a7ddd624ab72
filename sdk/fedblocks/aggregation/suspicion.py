"""Suspicion: what attackers do more often than others, and what is remembered of it.

A suspicion costs the epoch's pay and the place in the aggregate, never the stake. Most of them need strikes: shown in
several epochs, with one strike forgotten for each epoch that does not show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.evidence import (
    cosine_above,
    fails_response,
    fails_response_clearly,
    is_growing,
    is_like_global,
    is_little,
    is_noise,
    nearly_replays,
)
from fedblocks.aggregation.krum import median_is_below
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.types import MIN_COHORT

EVIDENCE_BADNESS = 8
"""What hard evidence counts for where it does not cost the stake, because it is due against too many."""


class Suspicion(Enum):
    """A reason to leave an update out of one epoch."""

    EVIDENCE = "hard evidence, but against more clients than can be malicious"
    RESPONSE = "grew along the model's last step"
    GROWING = "grew along the model's last step, if only a little, repeatedly"
    OUTLYING = "hardly builds on the model, and is far out or against most of the others"
    CENTRAL = "nearer to the centre than any client's own data would put it, repeatedly"
    LIKE_GLOBAL = "hardly more than the model's last step"
    AGAINST_GLOBAL = "undoes the model's last step"
    NEARLY_DUPLICATE = "nearly another's update"
    NEARLY_REPLAY = "nearly another's last update"
    LITTLE = "hardly anything"


def _next_run(run: int, shown: bool, limit: int) -> int:
    return min(run + 1, limit) if shown else 0


def _next_strikes(strikes: int, shown: bool, rules: Rules) -> int:
    return min(strikes + 1, rules.strikes_max) if shown else max(strikes - 1, 0)


@dataclass(frozen=True)
class Signs:
    """What a client's figures show in this epoch, before runs and strikes are looked at."""

    response: bool
    clear_response: bool
    growing: bool
    opposing: bool
    outlying: bool
    central: bool
    like_global: bool
    against_global: bool
    nearly_replayed: bool
    little: bool


def signs_of(seat: int, own: ClientStats, cohort: CohortStats, tested: bool, rules: Rules) -> Signs:
    compared = cohort.participants >= MIN_COHORT
    monotone = tested and bool(cohort.monotone)
    response = monotone and fails_response(own, cohort, rules)
    strange = compared and not _builds(own, cohort, rules)
    against = strange and median_is_below(own.opposed_outlying, cohort.participants - 1)
    return Signs(
        response=response,
        clear_response=response and fails_response_clearly(own, cohort, rules),
        growing=monotone and is_growing(own),
        opposing=against and own.base < 0,
        outlying=against or (strange and _is_outlying(own, cohort, rules)),
        central=compared and 100 * own.normalised_krum < rules.central_krum_percent * cohort.median_normalised_krum,
        like_global=is_like_global(own, cohort, rules.global_now_percent, 100, rules),
        against_global=cosine_above(-own.delta, own.norm * cohort.delta_norm, rules.against_global_percent, 100),
        nearly_replayed=nearly_replays(seat, own, rules),
        little=compared and is_little(own, cohort, rules),
    )


def _builds(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether an update lies along the base model about as much as is usual in its cohort.

    What honest clients learn adds to what the model knows: their updates lie along it. Who trains against it has to
    undo it first. Where not even the median update builds on the model, nobody does.
    """
    usual = cohort.median_base_cosine
    return usual > 0 and 100 * own.base_cosine >= rules.outlying_base_percent * usual


def _is_outlying(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether an update is far out, and away from the model or astray from the directions of most of the others."""
    if 100 * own.krum <= rules.outlying_krum_percent * cohort.median_krum:
        return False
    astray = 100 * own.normalised_krum > rules.outlying_normalised_percent * cohort.median_normalised_krum
    return median_is_below(own.opposed, cohort.participants - 1) and (own.base < 0 or astray)


def count(old: Counters, own: ClientStats, cohort: CohortStats, signs: Signs, tested: bool, rules: Rules) -> Counters:
    """The counters after an epoch in which the client took part. What could not be tested is held.

    Who was left out as outlying or central is heard again in the next epoch: a model that forgets what only one client
    has makes this client look worse and worse. Not so who is outlying and shrinks the model.
    """
    moved = cohort.delta_norm > 0
    outlying_before, central_before = old.outlying >= rules.strikes, old.central >= rules.strikes
    return Counters(
        response=_next_run(old.response, signs.clear_response, 7) if tested else old.response,
        similar=_next_run(old.similar, is_like_global(own, cohort, rules.global_run_percent, 100, rules), 3)
        if moved
        else old.similar,
        noise=_next_run(old.noise, is_noise(own, cohort, rules), 3) if moved and own.last_norm else old.noise,
        outlying=0 if outlying_before and own.base >= 0 else _next_strikes(old.outlying, signs.outlying, rules),
        central=0 if central_before else _next_strikes(old.central, signs.central, rules),
        growing=_next_strikes(old.growing, signs.growing, rules) if tested else old.growing,
    )


def suspicions_of(signs: Signs, counters: Counters, *, nearly: bool, rules: Rules) -> tuple[tuple[Suspicion, ...], int]:
    """What a client's own figures say against it, and how much: the sum over these suspicions."""

    def with_strikes(strikes: int) -> int:
        return strikes if strikes >= rules.strikes else 0

    weights = {
        Suspicion.RESPONSE: 4 + counters.response if signs.response else 0,
        Suspicion.GROWING: with_strikes(counters.growing),
        Suspicion.OUTLYING: counters.outlying + 1 if signs.opposing else with_strikes(counters.outlying),
        Suspicion.CENTRAL: with_strikes(counters.central),
        Suspicion.LIKE_GLOBAL: 4 if signs.like_global else counters.similar if counters.similar >= rules.run else 0,
        Suspicion.AGAINST_GLOBAL: 2 if signs.against_global else 0,
        Suspicion.NEARLY_DUPLICATE: 1 if nearly else 0,
        Suspicion.NEARLY_REPLAY: 4 if signs.nearly_replayed else 0,
        Suspicion.LITTLE: 2 if signs.little else 0,
    }
    return tuple(each for each, weight in weights.items() if weight), sum(weights.values())
