"""What an attack is, and what an attacker knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from fedblocks.aggregation.fixed_point import Float64Array, Int16Array, Int32Array, check_vector, clamped
from fedblocks.seats import SlashReason
from fedblocks.training.datasets import LabelArray


class Outcome(StrEnum):
    """What the rules do about an attack."""

    SLASHED = "slashed"
    """The stake is lost within some epochs."""
    EXCLUDED = "excluded"
    """Left out of the aggregate, and unpaid, in most epochs in which it attacks; the stake stays."""
    HARMLESS = "harmless"
    """Accepted: it does no damage, or cannot be told from an honest client."""


class Phase(StrEnum):
    """What an attacker does in an epoch."""

    ATTACK = "A"
    BEHAVE = "H"
    """Sends what it trained."""
    STAY_AWAY = "S"


@dataclass(frozen=True, eq=False)
class Forecast:
    """What would come of an epoch, by an attacker's own reckoning.

    Attributes:
        flagged: whether one of the accomplices would be left out, slashed, or have anything held against it.
        delta: int16[d], the global step.
    """

    flagged: bool
    delta: Int16Array


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
        position: its own place among the accomplices.
        forecast: what would come of the epoch if the accomplices sent these, in their order; None for an attacker that
            cannot reckon it. The rules are public, and so is everything that they carry over.
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
    position: int = 0
    forecast: Callable[[Sequence[Int16Array]], Forecast] | None = None

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
        return float(np.median([norm_of(update) for update in (self.others or [self.own])]))


Craft = Callable[..., Int16Array]
"""Takes a Knowledge and the attack's own parameters, gives int16[d]."""


@dataclass(frozen=True)
class Attack:
    """An attack by name, with what is to be expected of it.

    Attributes:
        craft: the function that makes the update.
        parameters: of that function; :meth:`update` can override them.
        paper: where it is from.
        outcome: what the default rules do about it, as measured with three attackers of ten whose peers have IID data.
        reasons: the hard evidence that it can be slashed for.
        expected: the same in words.
        colluding: whether it uses updates of this epoch that are not its own.
        flips_labels: whether it trains on wrong labels.
        work_divisor: by what the job's steps are divided.
        begins: the epoch before which it behaves.
        rhythm: its phases from then on, over and over; "AAH" attacks twice and behaves once.
        possible: whether commit-then-reveal leaves an attacker what it needs; a simulation can grant it more.
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
    begins: int = 1
    rhythm: str = Phase.ATTACK.value
    possible: bool = True

    @property
    def expected(self) -> str:
        if self.outcome is Outcome.SLASHED:
            return f"slashed: {' or '.join(_WORDS[reason] for reason in self.reasons)}"
        return "excluded only" if self.outcome is Outcome.EXCLUDED else "harmless"

    def update(self, knowledge: Knowledge, **parameters: float) -> Int16Array:
        """The update that the attacker commits to, int16[d]; `parameters` replace the attack's own."""
        if self.phase(knowledge.epoch) is Phase.BEHAVE:
            return knowledge.own.copy()
        return self.craft(knowledge, **{**self.parameters, **parameters})

    def phase(self, epoch: int) -> Phase:
        """What the attacker does in that epoch, counted from 1."""
        if epoch < self.begins:
            return Phase.BEHAVE
        return Phase(self.rhythm[(epoch - self.begins) % len(self.rhythm)])

    def poison(self, labels: LabelArray, classes: int) -> LabelArray:
        """The labels that the attacker trains with."""
        return flip_labels(labels, classes) if self.flips_labels else labels

    def local_steps(self, steps: int) -> int:
        """The steps that the attacker trains for, when the job says `steps`."""
        return max(1, steps // self.work_divisor)


def as_trained(knowledge: Knowledge) -> Int16Array:
    """Its own update as it is: the attack was in the training."""
    return knowledge.own.copy()


def flip_labels(labels: LabelArray, classes: int) -> LabelArray:
    """Class c becomes ``classes - 1 - c``."""
    return (classes - 1) - labels


def jittered(knowledge: Knowledge, crafted: Float64Array, jitter: float) -> Int16Array:
    """What was crafted, with noise of its own as long as `jitter` honest updates."""
    return saturated(crafted + noise(knowledge, jitter))


def noise(knowledge: Knowledge, size: float) -> Float64Array:
    """Noise as long as `size` honest updates, float64[d]."""
    return noise_of_norm(knowledge.rng, knowledge.own.size, size * knowledge.usual_norm)


def noise_of_norm(rng: np.random.Generator, values: int, norm: float) -> Float64Array:
    """Noise of this length, float64[values]."""
    direction = rng.standard_normal(values)
    scaled: Float64Array = direction * (norm / np.linalg.norm(direction))
    return scaled


def norm_of(update: Int16Array) -> float:
    """The length of an update, in steps of 2**-14."""
    # The sum is exact: below 2**62 for every model there can be.
    wide = update.astype(np.int64)
    return math.sqrt(int(wide @ wide))


def saturated(values: Float64Array) -> Int16Array:
    """Rounded, and clamped to int16."""
    return clamped(np.rint(values))


_WORDS = {
    SlashReason.ZERO: "zero update",
    SlashReason.DUPLICATE: "duplicate",
    SlashReason.REPLAY: "replay",
    SlashReason.GLOBAL: "last global delta",
    SlashReason.NOISE: "noise",
    SlashReason.RESPONSE: "response",
}
