"""Clients that want to spoil the model: byzfl's suite, and what comes to mind besides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedblocks.aggregation.fixed_point import SCALE, Int16Array
from fedblocks.seats import SlashReason
from fedblocks.training.attacks.base import (
    Attack,
    Knowledge,
    Outcome,
    as_trained,
    jittered,
    saturated,
)

_ALLEN_ZHU = "Allen-Zhu et al. 2020, Byzantine-resilient non-convex stochastic gradient descent"
_XIE = "Xie et al. 2019, Fall of empires: breaking Byzantine-tolerant SGD by inner product manipulation"
_BARUCH = "Baruch et al. 2019, A little is enough: circumventing defenses for distributed learning"
_KARIMIREDDY = "Karimireddy et al. 2022, Byzantine-robust learning on heterogeneous datasets via bucketing"
_BLANCHARD = "Blanchard et al. 2017, Machine learning with adversaries: Byzantine tolerant gradient descent"
_BYZFL = "byzfl's suite"
_FEDBLOCKS = "FedBlocks' own measurements"


def sign_flip(knowledge: Knowledge, jitter: float = 0.0) -> Int16Array:
    """The opposite of the honest mean, ``-mean(u)``."""
    return jittered(knowledge, -knowledge.honest.mean(axis=0), jitter)


def inner_product_manipulation(knowledge: Knowledge, tau: float = 3.0, jitter: float = 0.0) -> Int16Array:
    """``-tau * mean(u)``: just enough of the opposite to turn the aggregate's inner product with the gradient."""
    return jittered(knowledge, -tau * knowledge.honest.mean(axis=0), jitter)


def a_little_is_enough(knowledge: Knowledge, tau: float = 1.5, jitter: float = 0.0) -> Int16Array:
    """``mean(u) + tau * std(u)`` per value: every value within the honest range, all shifted the same way."""
    honest = knowledge.honest
    deviation = honest.std(axis=0, ddof=1) if len(honest) > 1 else np.zeros(honest.shape[1])
    return jittered(knowledge, honest.mean(axis=0) + tau * deviation, jitter)


def mimic(knowledge: Knowledge, model: float = 0, jitter: float = 0.0) -> Int16Array:
    """What ``accomplices[model]`` trained, sent by all of them: one client's data count several times.

    In the paper anybody can be mimicked. Under commit-then-reveal nobody's update of this epoch can be seen in time
    but an accomplice's, and a simulation that copies a stranger's would frame it as its accomplice.
    """
    models = knowledge.accomplices or [knowledge.own]
    return jittered(knowledge, models[int(model) % len(models)].astype(np.float64), jitter)


def gaussian(knowledge: Knowledge, sigma: float = 200.0) -> Int16Array:
    """Noise of deviation `sigma`, in the model's units, about nothing; byzfl's 200 fills int16 to both ends."""
    return saturated(knowledge.rng.standard_normal(knowledge.own.size) * (sigma * SCALE))


def infinity(knowledge: Knowledge) -> Int16Array:
    """The largest value everywhere. Infinity itself has no fixed-point form, so that int16's end is what is left."""
    return np.full(knowledge.own.size, np.iinfo(np.int16).max, dtype=np.int16)


def scaled_own(knowledge: Knowledge, factor: float = -1.0) -> Int16Array:
    """Its own honest update times `factor`: minus for climbing its loss, large for drowning the others."""
    return saturated(factor * knowledge.own.astype(np.float64))


_SLASHED, _EXCLUDED, _HARMLESS = Outcome.SLASHED, Outcome.EXCLUDED, Outcome.HARMLESS
_R = SlashReason


def _jittered_row(plain: str, jitter: float, outcome: Outcome, *reasons: SlashReason) -> Attack:
    attack = next(each for each in _PLAIN if each.name == plain)
    return replace(
        attack,
        name=f"{plain}-jitter-{jitter}",
        description=f"{attack.description}, each with noise of its own, {jitter} of an honest length",
        outcome=outcome,
        reasons=reasons,
        parameters={**attack.parameters, "jitter": jitter},
    )


_PLAIN = (
    Attack(
        "sign-flip",
        "the opposite of the honest mean",
        _ALLEN_ZHU,
        _SLASHED,
        sign_flip,
        reasons=(_R.DUPLICATE, _R.RESPONSE),
        colluding=True,
    ),
    Attack(
        "sign-flip-jitter",
        "the opposite of the honest mean, each with noise of its own",
        _ALLEN_ZHU,
        _SLASHED,
        sign_flip,
        {"jitter": 0.3},
        (_R.RESPONSE,),
        colluding=True,
    ),
    Attack(
        "ipm",
        "three times the opposite of the honest mean",
        _XIE,
        _SLASHED,
        inner_product_manipulation,
        {"tau": 3.0},
        (_R.DUPLICATE, _R.RESPONSE),
        colluding=True,
    ),
    Attack(
        "ipm-jitter",
        "three times the opposite of the honest mean, each with noise of its own",
        _XIE,
        _SLASHED,
        inner_product_manipulation,
        {"tau": 3.0, "jitter": 0.3},
        (_R.RESPONSE,),
        colluding=True,
    ),
    Attack(
        "ipm-small",
        "half the opposite of the honest mean, each with noise of its own",
        _XIE,
        _SLASHED,
        inner_product_manipulation,
        {"tau": 0.5, "jitter": 0.3},
        (_R.RESPONSE,),
        colluding=True,
    ),
    Attack(
        "alie",
        "the honest mean shifted by 1.5 deviations",
        _BARUCH,
        _SLASHED,
        a_little_is_enough,
        {"tau": 1.5},
        (_R.DUPLICATE,),
        colluding=True,
    ),
    Attack(
        "alie-jitter",
        "the honest mean shifted by 1.5 deviations, each with noise of its own",
        _BARUCH,
        _HARMLESS,
        a_little_is_enough,
        {"tau": 1.5, "jitter": 0.5},
        colluding=True,
    ),
    Attack(
        "mimic",
        "one accomplice's training, sent by all of them",
        _KARIMIREDDY,
        _SLASHED,
        mimic,
        reasons=(_R.DUPLICATE,),
        colluding=True,
    ),
    Attack(
        "gaussian",
        "noise of deviation 200: both ends of int16",
        _BLANCHARD,
        _SLASHED,
        gaussian,
        {"sigma": 200.0},
        (_R.NOISE,),
    ),
    Attack("inf", "the largest value everywhere", _BYZFL, _SLASHED, infinity, reasons=(_R.REPLAY,)),
    Attack("label-flip", "trained on the labels in reverse order", _BYZFL, _EXCLUDED, as_trained, flips_labels=True),
    Attack("own-flip", "its own update, reversed", _FEDBLOCKS, _SLASHED, scaled_own, {"factor": -1.0}, (_R.RESPONSE,)),
    Attack(
        "own-flip-large",
        "its own update, reversed and four times as long",
        _FEDBLOCKS,
        _SLASHED,
        scaled_own,
        {"factor": -4.0},
        (_R.RESPONSE,),
    ),
)

ROWS = (
    *_PLAIN,
    _jittered_row("sign-flip", 0.6, _SLASHED, _R.RESPONSE),
    _jittered_row("sign-flip", 1.0, _SLASHED, _R.RESPONSE),
    _jittered_row("ipm", 0.6, _SLASHED, _R.RESPONSE),
    _jittered_row("ipm", 1.0, _SLASHED, _R.RESPONSE),
    *(_jittered_row("alie", jitter, _HARMLESS) for jitter in (0.3, 0.6, 1.0)),
    *(_jittered_row("mimic", jitter, _HARMLESS) for jitter in (0.3, 0.6, 1.0)),
)
