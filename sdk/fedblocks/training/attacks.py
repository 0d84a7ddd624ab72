"""Clients that cheat, for simulation: the protocol is tested and measured against them.

There are two kinds. A **malicious** client wants to spoil the model; the customary suite is byzfl's (sign flipping,
inner product manipulation, a little is enough, mimic, Gaussian, infinity, label flipping). A **free rider** wants the
pay without the work: it sends nothing, noise, or something that it has seen. One more is neither, the **lazy** client
that trains for fewer steps.

Attacks are pure functions from what an attacker knows (:class:`Knowledge`) to the int16 update that it commits to.
The knowledge is generous: that of this epoch's honest updates is what the literature grants an attacker, while
FedBlocks' commit-then-reveal leaves a real one with those of its accomplices. Colluders who all computed the same
vector would send duplicates, which costs their stake, so they can add *jitter*: noise of their own, measured in
median lengths of an honest update.

Label flipping spoils the data, and laziness the number of steps, before training: their attack is the honest update
of such a training. :meth:`Attack.poison` and :meth:`Attack.local_steps` give what to train with, for every attack.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from fedblocks.aggregation.fixed_point import SCALE, Float64Array, Int16Array, Int32Array, check_vector
from fedblocks.exceptions import FedBlocksError
from fedblocks.seats import SlashReason
from fedblocks.training.datasets import LabelArray

_INT16 = np.iinfo(np.int16)


class UnknownAttack(FedBlocksError, KeyError):
    """There is no attack of the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no attack {name!r}; there are {', '.join(ATTACKS)}")
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes.


class Outcome(StrEnum):
    """What the rules do about an attack."""

    SLASHED = "slashed"
    """The stake is lost within some epochs."""
    EXCLUDED = "excluded"
    """Left out of the aggregate, and unpaid, in most epochs; the stake stays."""
    HARMLESS = "harmless"
    """Accepted: it does no damage, or cannot be told from an honest client."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What an attacker knows when it makes its update.

    Attributes:
        own: int16[d], what it would send if it were honest.
        rng: its source of noise. The same state gives the same update.
        base: int32[d], the epoch's base model.
        others: int16[d] each, honest updates of this epoch that it has seen. Give accomplices the same ones.
        accomplices: int16[d] each, what those who collude would send if they were honest, itself among them, in the
            same order for all of them.
        last_delta: int16[d], what the last epoch added to the model; None in the first epoch.
        own_last: int16[d], what it sent last; None if it sent nothing yet.
        others_last: int16[d] each, what others revealed last.
        epoch: counted from 1.
    """

    own: Int16Array
    rng: np.random.Generator
    base: Int32Array | None = None
    others: Sequence[Int16Array] = ()
    accomplices: Sequence[Int16Array] = ()
    last_delta: Int16Array | None = None
    own_last: Int16Array | None = None
    others_last: Sequence[Int16Array] = ()
    epoch: int = 1

    def __post_init__(self) -> None:
        d = self.own.size
        updates = {"own": self.own, "last_delta": self.last_delta, "own_last": self.own_last}
        for name in ("others", "accomplices", "others_last"):
            updates |= {f"{name}[{k}]": update for k, update in enumerate(getattr(self, name))}
        for name, update in updates.items():
            if update is not None:
                check_vector(update, np.int16, d, name)
        if self.base is not None:
            check_vector(self.base, np.int32, d, "base")

    @property
    def honest(self) -> Float64Array:
        """float64[m, d]: the honest updates it knows, or its own when it knows no other's."""
        return np.stack(self.others or [self.own]).astype(np.float64)

    @property
    def usual_norm(self) -> float:
        """The median length of an honest update, in steps of 2**-14."""
        return float(np.median([_norm(update) for update in (self.others or [self.own])]))


Craft = Callable[..., Int16Array]
"""Takes a Knowledge and the attack's own parameters, gives int16[d]."""


@dataclass(frozen=True)
class Attack:
    """An attack by name, with what is to be expected of it.

    Attributes:
        craft: the function that makes the update.
        parameters: of that function; :meth:`update` can override them.
        paper: where it is from.
        outcome: what the default rules do about it, as measured with three attackers of ten.
        reasons: the hard evidence that it can be slashed for.
        expected: the same in words.
        colluding: whether it uses updates of this epoch that are not its own.
        flips_labels: whether it trains on wrong labels.
        work_divisor: by what the job's steps are divided.
    """

    name: str
    description: str
    paper: str
    outcome: Outcome
    craft: Craft
    parameters: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[SlashReason, ...] = ()
    colluding: bool = False
    flips_labels: bool = False
    work_divisor: int = 1

    @property
    def expected(self) -> str:
        if self.outcome is Outcome.SLASHED:
            return f"slashed: {' or '.join(_WORDS[reason] for reason in self.reasons)}"
        return "excluded only" if self.outcome is Outcome.EXCLUDED else "harmless"

    def update(self, knowledge: Knowledge, **parameters: float) -> Int16Array:
        """The update that the attacker commits to, int16[d]; `parameters` replace the attack's own."""
        return self.craft(knowledge, **{**self.parameters, **parameters})

    def poison(self, labels: LabelArray, classes: int) -> LabelArray:
        """The labels that the attacker trains with."""
        return flip_labels(labels, classes) if self.flips_labels else labels

    def local_steps(self, steps: int) -> int:
        """The steps that the attacker trains for, when the job says `steps`."""
        return max(1, steps // self.work_divisor)


def find_attack(name: str) -> Attack:
    """The attack of that name.

    Raises:
        UnknownAttack: if there is none.
    """
    if name not in ATTACKS:
        raise UnknownAttack(name)
    return ATTACKS[name]


# Malicious clients.


def sign_flip(knowledge: Knowledge, jitter: float = 0.0) -> Int16Array:
    """The opposite of the honest mean, ``-mean(u)``."""
    return _jittered(knowledge, -knowledge.honest.mean(axis=0), jitter)


def inner_product_manipulation(knowledge: Knowledge, tau: float = 3.0, jitter: float = 0.0) -> Int16Array:
    """``-tau * mean(u)``: just enough of the opposite to turn the aggregate's inner product with the gradient."""
    return _jittered(knowledge, -tau * knowledge.honest.mean(axis=0), jitter)


def a_little_is_enough(knowledge: Knowledge, tau: float = 1.5, jitter: float = 0.0) -> Int16Array:
    """``mean(u) + tau * std(u)`` per value: every value within the honest range, all shifted the same way."""
    honest = knowledge.honest
    deviation = honest.std(axis=0, ddof=1) if len(honest) > 1 else np.zeros(honest.shape[1])
    return _jittered(knowledge, honest.mean(axis=0) + tau * deviation, jitter)


def mimic(knowledge: Knowledge, model: float = 0, jitter: float = 0.0) -> Int16Array:
    """What ``accomplices[model]`` trained, sent by all of them: one client's data count several times.

    In the paper anybody can be mimicked. Under commit-then-reveal nobody's update of this epoch can be seen in time
    but an accomplice's, and a simulation that copies a stranger's would frame it as its accomplice.
    """
    models = knowledge.accomplices or [knowledge.own]
    return _jittered(knowledge, models[int(model) % len(models)].astype(np.float64), jitter)


def gaussian(knowledge: Knowledge, sigma: float = 200.0) -> Int16Array:
    """Noise of deviation `sigma`, in the model's units, about nothing; byzfl's 200 fills int16 to both ends."""
    return _saturated(knowledge.rng.standard_normal(knowledge.own.size) * (sigma * SCALE))


def infinity(knowledge: Knowledge) -> Int16Array:
    """The largest value everywhere. Infinity itself has no fixed-point form, so that int16's end is what is left."""
    return np.full(knowledge.own.size, _INT16.max, dtype=np.int16)


def scaled_own(knowledge: Knowledge, factor: float = -1.0) -> Int16Array:
    """Its own honest update times `factor`: minus for climbing its loss, large for drowning the others."""
    return _saturated(factor * knowledge.own.astype(np.float64))


def as_trained(knowledge: Knowledge) -> Int16Array:
    """Its own update as it is: the attack was in the training."""
    return knowledge.own.copy()


# Free riders.


def nothing(knowledge: Knowledge) -> Int16Array:
    """Zero: the global model handed back as it came."""
    return np.zeros(knowledge.own.size, dtype=np.int16)


def matched_noise(knowledge: Knowledge, size: float = 1.0) -> Int16Array:
    """Noise as long as `size` honest updates."""
    return _saturated(_noise(knowledge, size))


def disguised(knowledge: Knowledge, size: float = 1.0, gamma: float = 1.0) -> Int16Array:
    """Noise as long as `size` honest updates in the first epoch, dying away with ``epoch ** -gamma``.

    Honest updates grow shorter as training converges, and this noise with them.
    """
    return _saturated(_noise(knowledge, size * knowledge.epoch**-gamma))


def delta_weights(knowledge: Knowledge, noise: float = 0.0) -> Int16Array:
    """The last global delta again, with noise of `noise` times its length.

    In the first epoch there is none; it is noise then, as long as an honest update.
    """
    if knowledge.last_delta is None:
        return matched_noise(knowledge)
    return _saturated(knowledge.last_delta + _noise_of_norm(knowledge, noise * _norm(knowledge.last_delta)))


def replay(knowledge: Knowledge) -> Int16Array:
    """What it sent last, again; honest the first time, because there is nothing to repeat."""
    return (knowledge.own if knowledge.own_last is None else knowledge.own_last).copy()


def replay_other(knowledge: Knowledge, victim: float = 0) -> Int16Array:
    """What another client revealed last; honest in the first epoch."""
    if not knowledge.others_last:
        return knowledge.own.copy()
    return knowledge.others_last[int(victim) % len(knowledge.others_last)].copy()


def flip_labels(labels: LabelArray, classes: int) -> LabelArray:
    """Class c becomes ``classes - 1 - c``."""
    return (classes - 1) - labels


def _jittered(knowledge: Knowledge, crafted: Float64Array, jitter: float) -> Int16Array:
    return _saturated(crafted + _noise(knowledge, jitter))


def _noise(knowledge: Knowledge, size: float) -> Float64Array:
    return _noise_of_norm(knowledge, size * knowledge.usual_norm)


def _noise_of_norm(knowledge: Knowledge, norm: float) -> Float64Array:
    direction = knowledge.rng.standard_normal(knowledge.own.size)
    scaled: Float64Array = direction * (norm / np.linalg.norm(direction))
    return scaled


def _norm(update: Int16Array) -> float:
    # The sum is exact: below 2**62 for every model there can be.
    wide = update.astype(np.int64)
    return math.sqrt(int(wide @ wide))


def _saturated(values: Float64Array) -> Int16Array:
    return np.clip(np.rint(values), _INT16.min, _INT16.max).astype(np.int16)


_WORDS = {
    SlashReason.ZERO: "zero update",
    SlashReason.DUPLICATE: "duplicate",
    SlashReason.REPLAY: "replay",
    SlashReason.GLOBAL: "last global delta",
    SlashReason.NOISE: "noise",
    SlashReason.RESPONSE: "response",
}

_ALLEN_ZHU = "Allen-Zhu et al. 2020, Byzantine-resilient non-convex stochastic gradient descent"
_XIE = "Xie et al. 2019, Fall of empires: breaking Byzantine-tolerant SGD by inner product manipulation"
_BARUCH = "Baruch et al. 2019, A little is enough: circumventing defenses for distributed learning"
_KARIMIREDDY = "Karimireddy et al. 2022, Byzantine-robust learning on heterogeneous datasets via bucketing"
_BLANCHARD = "Blanchard et al. 2017, Machine learning with adversaries: Byzantine tolerant gradient descent"
_FRABONI = "Fraboni et al. 2021, Free-rider attacks on model aggregation in federated learning"
_LIN = "Lin et al. 2019, Free-riders in federated learning: attacks and defenses"
_BYZFL = "byzfl's suite"
_FEDBLOCKS = "FedBlocks' own measurements"

_SLASHED, _EXCLUDED, _HARMLESS = Outcome.SLASHED, Outcome.EXCLUDED, Outcome.HARMLESS
_R = SlashReason

ATTACKS: Mapping[str, Attack] = {
    attack.name: attack
    for attack in (
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
            _EXCLUDED,
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
        Attack(
            "label-flip", "trained on the labels in reverse order", _BYZFL, _EXCLUDED, as_trained, flips_labels=True
        ),
        Attack(
            "own-flip", "its own update, reversed", _FEDBLOCKS, _SLASHED, scaled_own, {"factor": -1.0}, (_R.RESPONSE,)
        ),
        Attack(
            "own-flip-large",
            "its own update, reversed and four times as long",
            _FEDBLOCKS,
            _SLASHED,
            scaled_own,
            {"factor": -4.0},
            (_R.RESPONSE,),
        ),
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
        Attack(
            "matched-noise", "noise as long as an honest update", _LIN, _SLASHED, matched_noise, reasons=(_R.NOISE,)
        ),
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
    )
}
"""Every attack by its name."""
