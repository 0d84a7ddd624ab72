"""The ways in which an epoch can be wrong, and what a watcher sends to the chain about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class FraudCase(IntEnum):
    """The fraud cases, by the numbers that the contracts use."""

    SUBMISSION = 1
    PRODUCT = 2
    COLUMN = 3
    FIGURES = 4
    VERDICT = 5
    COHORT = 6
    DELTA = 7
    NEXT_MODEL = 8
    LAST_UPDATE = 9
    WITHHELD = 10
    CENSORSHIP = 11
    PADDING = 12


class DemandKind(IntEnum):
    """What an aggregator can be made to open."""

    COMMITS = 0
    SUBMISSION = 1
    UPDATE = 2
    COLUMN = 3
    ROW = 4
    STATS = 5
    CARRIED = 6
    DELTA = 7
    NEXT_MODEL = 8


class PaddedTree(IntEnum):
    """The trees whose padding can be challenged."""

    UPDATE = 0
    DELTA = 1
    NEXT_MODEL = 2
    GRAM = 3


@dataclass(frozen=True)
class Challenge:
    """A fault and the transaction that proves it.

    Attributes:
        case: which case.
        contract: the verifier's name.
        function: its function, by its ABI name.
        arguments: as the ABI encoder takes them.
        found: what is wrong, for people.
    """

    case: FraudCase
    contract: str
    function: str
    arguments: tuple[Any, ...]
    found: str


@dataclass(frozen=True)
class Demand:
    """A position that must be opened before more can be said.

    Attributes:
        kind: of what.
        seat: the seat, or the row; 0 where the kind has none.
        index: the leaf; 0 where the kind has none.
        missing: what is not to be had, for people.
        span: how many leaves, from `index` on, the search is about: opening several of them at once makes it shorter.
    """

    kind: DemandKind
    seat: int
    index: int
    missing: str
    span: int = 1

    @property
    def position(self) -> tuple[DemandKind, int, int]:
        """Where it is, as answers are filed."""
        return self.kind, self.seat, self.index


@dataclass(frozen=True)
class Answer:
    """A demanded position as it was opened on chain. Attributes as the arguments of DataDemands.answer.

    Attributes:
        entries: the entries of the list that was opened, joined.
        submission: the submission that names an update's root.
        column_root, rows_root: of the Gram leaf.
        leaf_proof: from the Gram leaf to the root.
        content: what was demanded.
        proof: from height 4 of a vector to its root.
    """

    entries: bytes
    submission: bytes
    column_root: bytes
    rows_root: bytes
    leaf_proof: tuple[bytes, ...]
    content: bytes
    proof: tuple[bytes, ...]
