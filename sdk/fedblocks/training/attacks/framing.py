"""Attackers that want an honest client to lose its pay or its stake.

The victim is the first of the honest clients that they know. What they would need most, the victim's update before it
is revealed, they have in a simulation only: commit-then-reveal keeps it from them, and an exact copy of it is therefore
not *possible*. What is left to them is the victim's last update.
"""

from __future__ import annotations

import numpy as np

from fedblocks.aggregation.fixed_point import Float64Array, Int16Array
from fedblocks.seats import SlashReason
from fedblocks.training.attacks.base import Attack, Knowledge, Outcome, jittered, saturated


def frame_by_mimicry(knowledge: Knowledge, jitter: float = 0.0) -> Int16Array:
    """The victim's update of this epoch, so that both look like copies."""
    return jittered(knowledge, _victim(knowledge), jitter)


def frame_by_extrapolation(knowledge: Knowledge, reach: float = 0.5, jitter: float = 0.1) -> Int16Array:
    """Beyond the victim, seen from the mean: the victim is then in the attackers' midst."""
    victim = _victim(knowledge)
    return jittered(knowledge, victim + reach * (victim - knowledge.honest.mean(axis=0)), jitter)


def frame_by_opposition(knowledge: Knowledge, jitter: float = 0.1) -> Int16Array:
    """The opposite of the victim's update, so that the victim seems to work against many."""
    return jittered(knowledge, -_victim(knowledge), jitter)


def frame_by_repetition(knowledge: Knowledge, jitter: float = 0.05) -> Int16Array:
    """Nearly the victim's last update, so that a victim with few data seems to repeat the attackers."""
    if not knowledge.others_last:
        return knowledge.own.copy()
    return jittered(knowledge, knowledge.others_last[-1].astype(np.float64), jitter)


def shrink_the_median(knowledge: Knowledge, factor: float = 0.15) -> Int16Array:
    """Its own update, much shorter: lengths are compared with their median."""
    return saturated(factor * knowledge.own.astype(np.float64))


def crowd_the_centre(knowledge: Knowledge, jitter: float = 0.3) -> Int16Array:
    """Near the honest mean, so that honest clients with unusual data seem far out."""
    return jittered(knowledge, knowledge.honest.mean(axis=0), jitter)


def _victim(knowledge: Knowledge) -> Float64Array:
    return (knowledge.others or [knowledge.own])[0].astype(np.float64)


_FEDBLOCKS = "FedBlocks' own measurements"

ROWS = (
    Attack(
        "frame-copy",
        "an honest victim's update, exactly",
        _FEDBLOCKS,
        Outcome.EXCLUDED,
        frame_by_mimicry,
        colluding=True,
        possible=False,
    ),
    Attack(
        "frame-mimic",
        "an honest victim's update with a tenth of noise",
        _FEDBLOCKS,
        Outcome.HARMLESS,
        frame_by_mimicry,
        {"jitter": 0.1},
        colluding=True,
    ),
    Attack(
        "frame-extrapolate",
        "beyond an honest victim's update, seen from the mean",
        _FEDBLOCKS,
        Outcome.HARMLESS,
        frame_by_extrapolation,
        colluding=True,
    ),
    Attack(
        "frame-oppose",
        "the opposite of an honest victim's update",
        _FEDBLOCKS,
        Outcome.SLASHED,
        frame_by_opposition,
        reasons=(SlashReason.RESPONSE,),
        colluding=True,
    ),
    Attack(
        "frame-repeat",
        "nearly what an honest victim sent last",
        _FEDBLOCKS,
        Outcome.EXCLUDED,
        frame_by_repetition,
    ),
    Attack(
        "shrink-median",
        "its own update, at 15 % of its length",
        _FEDBLOCKS,
        Outcome.HARMLESS,
        shrink_the_median,
    ),
    Attack(
        "crowd-centre",
        "the honest mean, each with noise of its own",
        _FEDBLOCKS,
        Outcome.HARMLESS,
        crowd_the_centre,
        colluding=True,
    ),
)
