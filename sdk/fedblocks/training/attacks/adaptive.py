"""Attackers that have read the rules.

Thresholds are public, and so is what the rules carry from epoch to epoch. These attackers reckon out, before they
commit, what the verdicts would make of what they could send (:class:`~fedblocks.training.attacks.base.Forecast`): the
*adaptive* ones go as far as nothing is held against any of them, the *optimal* ones, after byzfl's, as far as harms the
aggregate most, whatever becomes of them. Accomplices reckon alike, and so agree without a word. Whoever cannot reckon
goes half the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fedblocks.aggregation.fixed_point import Float64Array, Int16Array
from fedblocks.seats import SlashReason
from fedblocks.training.attacks.base import Attack, Knowledge, Outcome, noise_of_norm, saturated

_SHEJWALKAR = "Shejwalkar and Houmansadr 2021, Manipulating the Byzantine: optimizing model poisoning attacks"
_BYZFL = "byzfl's suite"
_BLIND = 0.5
"""How far an attacker goes that cannot reckon."""

Path = Callable[[float], list[Int16Array]]
"""Takes how far to go, 0 to 1, gives what each accomplice would send."""


def adaptive_flip(knowledge: Knowledge, halvings: float = 6) -> Int16Array:
    """From its own update towards the opposite of the honest mean, as far as nobody of them is flagged."""
    opposite = -knowledge.honest.mean(axis=0)
    return _as_far_as_unseen(
        knowledge, lambda t: [saturated((1 - t) * own + t * opposite) for own in _trained(knowledge)], halvings
    )


def adaptive_little(knowledge: Knowledge, reach: float = 3.0, halvings: float = 6) -> Int16Array:
    """Its own update shifted by up to `reach` deviations of the honest ones, as far as nobody of them is flagged."""
    deviation = _deviation(knowledge.honest)
    return _as_far_as_unseen(
        knowledge, lambda t: [saturated(own + t * reach * deviation) for own in _trained(knowledge)], halvings
    )


def optimal_product(knowledge: Knowledge, reach: float = 10.0, jitter: float = 0.3, trials: float = 11) -> Int16Array:
    """``-tau mean(u)`` with the tau up to `reach` that drives the aggregate farthest from the honest mean."""
    mean = knowledge.honest.mean(axis=0)
    return _as_harmful_as_can_be(knowledge, lambda t: -t * reach * mean, jitter, trials)


def optimal_little(knowledge: Knowledge, reach: float = 10.0, jitter: float = 0.3, trials: float = 11) -> Int16Array:
    """``mean(u) + tau std(u)`` with the tau up to `reach` that drives the aggregate farthest from the honest mean."""
    mean, deviation = knowledge.honest.mean(axis=0), _deviation(knowledge.honest)
    return _as_harmful_as_can_be(knowledge, lambda t: mean + t * reach * deviation, jitter, trials)


def _as_far_as_unseen(knowledge: Knowledge, path: Path, halvings: float) -> Int16Array:
    if knowledge.forecast is None:
        return path(_BLIND)[knowledge.position]
    if knowledge.forecast(path(0.0)).flagged:
        return path(0.0)[knowledge.position]  # flagged as it is: it lies low
    low, high = 0.0, 1.0
    if not knowledge.forecast(path(high)).flagged:
        return path(high)[knowledge.position]
    for _ in range(int(halvings)):
        middle = (low + high) / 2
        low, high = (low, middle) if knowledge.forecast(path(middle)).flagged else (middle, high)
    return path(low)[knowledge.position]


def _as_harmful_as_can_be(
    knowledge: Knowledge, crafted: Callable[[float], Float64Array], jitter: float, trials: float
) -> Int16Array:
    accomplices = len(_trained(knowledge))
    # Each with noise of its own, which the others know of: else they would be duplicates.
    length = jitter * knowledge.usual_norm
    noises = [
        noise_of_norm(np.random.default_rng([knowledge.epoch, place]), knowledge.own.size, length)
        for place in range(accomplices)
    ]

    def path(t: float) -> list[Int16Array]:
        return [saturated(crafted(t) + each) for each in noises]

    if knowledge.forecast is None:
        return path(_BLIND)[knowledge.position]
    mean = knowledge.honest.mean(axis=0)
    chosen, most = 0.0, -1.0
    for t in np.linspace(0.0, 1.0, int(trials))[1:]:
        harm = float(np.linalg.norm(knowledge.forecast(path(float(t))).delta - mean))
        if harm > most:
            chosen, most = float(t), harm
    return path(chosen)[knowledge.position]


def _trained(knowledge: Knowledge) -> Sequence[Int16Array]:
    return knowledge.accomplices or [knowledge.own]


def _deviation(honest: Float64Array) -> Float64Array:
    return honest.std(axis=0, ddof=1) if len(honest) > 1 else np.zeros(honest.shape[1])


ROWS = (
    Attack(
        "sign-flip-adaptive",
        "towards the opposite of the honest mean, as far as nothing is held against it",
        _SHEJWALKAR,
        Outcome.HARMLESS,
        adaptive_flip,
        colluding=True,
    ),
    Attack(
        "alie-adaptive",
        "shifted by honest deviations, as far as nothing is held against it",
        _SHEJWALKAR,
        Outcome.HARMLESS,
        adaptive_little,
        colluding=True,
    ),
    Attack(
        "ipm-optimal",
        "the opposite of the honest mean, as long as harms the aggregate most",
        _BYZFL,
        Outcome.SLASHED,
        optimal_product,
        reasons=(SlashReason.RESPONSE,),
        colluding=True,
    ),
    Attack(
        "alie-optimal",
        "the honest mean shifted by as many deviations as harm the aggregate most",
        _BYZFL,
        Outcome.HARMLESS,
        optimal_little,
        colluding=True,
    ),
)
