"""How far an instance has come: its rounds, and what has happened in them.

A *round* is one attempt at one epoch. It is *open* while clients commit, *closed* while those who committed reveal,
*executing* while the result is worked out, and then *executed*; it is *void* when another attempt has taken its place.
At most one round of an instance is under way. Its row says all that is needed to admit an action, so that whoever takes
actions in needs neither the model nor the state transition function.

What happens is written down in order, with a number for each happening, so that whoever looks on can say up to where
it has seen everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fedblocks.types import EpochNumber, Hash32, Seat


class Phase(StrEnum):
    """What a round admits."""

    OPEN = "open"
    """Commitments."""
    CLOSED = "closed"
    """Reveals, from when the root over the commitments is known."""
    EXECUTING = "executing"
    """Nothing more: the updates are being judged."""
    EXECUTED = "executed"
    """Nothing more: the next round is under way."""
    VOID = "void"
    """Nothing more: the commitments no longer count."""

    @property
    def is_live(self) -> bool:
        """Whether the round is under way."""
        return self in (Phase.OPEN, Phase.CLOSED, Phase.EXECUTING)


class Happened(StrEnum):
    """What can happen in an instance."""

    OPENED = "opened"
    COMMITTED = "committed"
    CLOSED = "closed"
    REVEALED = "revealed"
    EXECUTED = "executed"
    POSTED = "posted"
    UNPOSTED = "unposted"
    """A reorganisation of the chain has taken the header away again."""
    FINAL = "final"
    OVERTURNED = "overturned"


@dataclass(frozen=True)
class RoundRecord:
    """One attempt at an epoch, as far as it concerns who takes part.

    Attributes:
        epoch, attempt: which.
        base_model_root: the root of the model that is trained from.
        base_model_blob: where that model lies.
        last_delta_blob: where the global step of the epoch before lies; None in the first epoch.
        barred: the seats that have been found guilty.
        phase: what is admitted.
        deadline: when the aggregator means to end the phase, in seconds since 1970; None if it has not said.
        commits_root: the root over the commitments, once they are closed.
        left_out: seats whose commitment does not count, because they had no stake when commitments were closed.
    """

    epoch: EpochNumber
    attempt: int
    base_model_root: Hash32
    base_model_blob: Hash32
    last_delta_blob: Hash32 | None = None
    barred: tuple[Seat, ...] = ()
    phase: Phase = Phase.OPEN
    deadline: float | None = None
    commits_root: Hash32 | None = None
    left_out: tuple[Seat, ...] = ()


@dataclass(frozen=True)
class ProgressRecord:
    """One thing that has happened in an instance.

    Attributes:
        number: counted from 1 in each instance.
        at: when, in seconds since 1970 by the writer's clock; for people, nothing depends on it.
        details: what else there is to say, in JSON's types.
    """

    number: int
    what: Happened
    epoch: EpochNumber
    attempt: int
    at: float
    details: Mapping[str, Any] = field(default_factory=dict)
