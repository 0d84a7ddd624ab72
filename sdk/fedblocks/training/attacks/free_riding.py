"""Clients that want the pay without the work: they send nothing, noise, or something that they have seen."""

from __future__ import annotations

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array
from fedblocks.seats import SlashReason
from fedblocks.training.attacks.base import (
    Attack,
    Knowledge,
    Outcome,
    as_trained,
    noise,
    noise_of_norm,
    norm_of,
    saturated,
)

_FRABONI = "Fraboni et al. 2021, Free-rider attacks on model aggregation in federated learning"
_LIN = "Lin et al. 2019, Free-riders in federated learning: attacks and defenses"
_FEDBLOCKS = "FedBlocks' own measurements"


def nothing(knowledge: Knowledge) -> Int16Array:
    """Zero: the global model handed back as it came."""
    return np.zeros(knowledge.own.size, dtype=np.int16)


def matched_noise(knowledge: Knowledge, size: float = 1.0) -> Int16Array:
    """Noise as long as `size` honest updates."""
    return saturated(noise(knowledge, size))


def disguised(knowledge: Knowledge, size: float = 1.0, gamma: float = 1.0) -> Int16Array:
    """Noise as long as `size` honest updates in the first epoch, dying away with ``epoch ** -gamma``.

    Honest updates grow shorter as training converges, and this noise with them.
    """
    return saturated(noise(knowledge, size * knowledge.epoch**-gamma))


def delta_weights(knowledge: Knowledge, noise: float = 0.0) -> Int16Array:
    """The last global delta again, with noise of `noise` times its length.

    In the first epoch there is none; it is noise then, as long as an honest update.
    """
    if knowledge.last_delta is None:
        return matched_noise(knowledge)
    length = noise * norm_of(knowledge.last_delta)
    return saturated(knowledge.last_delta + noise_of_norm(knowledge.rng, knowledge.own.size, length))


def replay(knowledge: Knowledge) -> Int16Array:
    """What it sent last, again; honest the first time, because there is nothing to repeat."""
    return (knowledge.own if knowledge.own_last is None else knowledge.own_last).copy()


def replay_other(knowledge: Knowledge, victim: float = 0) -> Int16Array:
    """What another client revealed last; honest in the first epoch."""
    if not knowledge.others_last:
        return knowledge.own.copy()
    return knowledge.others_last[int(victim) % len(knowledge.others_last)].copy()


_SLASHED, _EXCLUDED, _HARMLESS = Outcome.SLASHED, Outcome.EXCLUDED, Outcome.HARMLESS
_R = SlashReason

ROWS = (
    Attack("free-rider", "nothing at all", _FRABONI, _SLASHED, nothing, reasons=(_R.ZERO,)),
    Attack(
        "tiny-noise",
        "noise of a hundredth of an update",
        _LIN,
        _SLASHED,
        matched_noise,
        {"size": 0.01},
        (_R.NOISE,),
    ),
    Attack("matched-noise", "noise as long as an honest update", _LIN, _SLASHED, matched_noise, reasons=(_R.NOISE,)),
    Attack(
        "disguised",
        "noise as long as an honest update, dying away",
        _FRABONI,
        _SLASHED,
        disguised,
        reasons=(_R.NOISE,),
    ),
    Attack("delta-weights", "the last global delta again", _LIN, _SLASHED, delta_weights, reasons=(_R.GLOBAL,)),
    Attack(
        "delta-weights-noise",
        "the last global delta again, with a tenth of noise",
        _LIN,
        _EXCLUDED,
        delta_weights,
        {"noise": 0.1},
    ),
    Attack("replay", "what it sent last, again", _FEDBLOCKS, _SLASHED, replay, reasons=(_R.REPLAY,)),
    Attack(
        "replay-other",
        "what another client revealed last",
        _FEDBLOCKS,
        _SLASHED,
        replay_other,
        reasons=(_R.REPLAY,),
    ),
    Attack("lazy", "honest, with a quarter of the steps", _FEDBLOCKS, _HARMLESS, as_trained, work_divisor=4),
    Attack(
        "delta-weights-noise-0.5",
        "the last global delta again, with noise of half its length",
        _LIN,
        _EXCLUDED,
        delta_weights,
        {"noise": 0.5},
    ),
    Attack("lazy-once", "honest, with a single step", _FEDBLOCKS, _HARMLESS, as_trained, work_divisor=1_000_000),
)
