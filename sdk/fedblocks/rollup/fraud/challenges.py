"""The arguments of every fraud case, as docs/proofs.md lists them.

Nothing here looks for faults; a builder opens what its case compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedblocks.rollup.entries import CARRIED_SIZE, COUNTERS_WIDTH, WEIGHT_WIDTH
from fedblocks.rollup.fraud.cases import Challenge, FraudCase, PaddedTree
from fedblocks.rollup.header import HEADER_WORDS, NUMBERS, Header
from fedblocks.rollup.vectors import LEAF_CHUNKS, LEAF_HEIGHT, Values, chunk_at, node_proof
from fedblocks.types import ZERO_HASH

SUBMISSION_VERIFIER = "SubmissionVerifier"
VECTOR_VERIFIER = "VectorVerifier"
VERDICT_VERIFIER = "VerdictVerifier"

_HEADER_FIELDS = list(Header.__dataclass_fields__)
NO_HEADER: tuple[Any, ...] = tuple(0 if name in NUMBERS else ZERO_HASH for name in _HEADER_FIELDS)
"""Stands for the header before epoch 1's."""

assert len(NO_HEADER) == HEADER_WORDS


@dataclass(frozen=True)
class GramLeaf:
    """An opened leaf of the Gram tree.

    Attributes:
        index: which.
        column_root, rows_root: what it is made of.
        proof: to the root, lowest first.
        rows: the entries of its list of rows, joined.
    """

    index: int
    column_root: bytes
    rows_root: bytes
    proof: tuple[bytes, ...]
    rows: bytes

    def opening(self) -> tuple[int, bytes, bytes, list[bytes]]:
        """The struct Opening."""
        return self.index, self.column_root, self.rows_root, list(self.proof)


NO_LEAF: tuple[int, bytes, bytes, list[bytes]] = (0, ZERO_HASH, ZERO_HASH, [])

Operand = tuple[bytes, bytes, list[bytes]]
NO_OPERAND: Operand = (b"", b"", [])


def header_argument(header: Header | None) -> tuple[Any, ...]:
    """A header as the ABI takes it; zeros for the one before the first."""
    return NO_HEADER if header is None else header.as_tuple()


def leaf_values(values: Values, leaf: int) -> bytes:
    """A leaf of a vector as it is hashed: 4,096 values, those past d being zero."""
    return b"".join(chunk_at(values, chunk) for chunk in range(LEAF_CHUNKS * leaf, LEAF_CHUNKS * (leaf + 1)))


def operand(values: Values, leaf: int, submission: bytes, subtrees: Any = None) -> Operand:
    """The struct Operand: one leaf of a vector, and the submission that names its root (empty for g and w)."""
    _, proof = node_proof(values, LEAF_HEIGHT, leaf, subtrees)
    return submission, leaf_values(values, leaf), list(proof)


def submission(header: Header, seat: int, submissions: bytes, content: bytes, commits: bytes, found: str) -> Challenge:
    """F1."""
    arguments = (header.as_tuple(), seat, submissions, content, commits)
    return Challenge(FraudCase.SUBMISSION, SUBMISSION_VERIFIER, "challengeSubmission", arguments, found)


def last_update(
    header: Header,
    previous: Header | None,
    seat: int,
    submissions: bytes,
    content: bytes,
    previous_submissions: bytes,
    previous_content: bytes,
) -> Challenge:
    """F6."""
    return Challenge(
        FraudCase.LAST_UPDATE,
        SUBMISSION_VERIFIER,
        "challengeLastUpdate",
        (
            header.as_tuple(),
            header_argument(previous),
            seat,
            submissions,
            content,
            previous_submissions,
            previous_content,
        ),
        f"the last update of seat {seat} is not the one that it revealed last",
    )


def censorship(
    header: Header, seat: int, update_root: bytes, samples: int, salt: bytes, acknowledgement: bytes
) -> Challenge:
    """F8."""
    return Challenge(
        FraudCase.CENSORSHIP,
        SUBMISSION_VERIFIER,
        "challengeCensorship",
        (header.as_tuple(), seat, update_root, samples, salt, acknowledgement),
        f"the update of seat {seat} was acknowledged and is left out",
    )


def product(
    header: Header,
    previous: Header | None,
    row: int,
    entry: int,
    at: GramLeaf,
    content: bytes,
    before: GramLeaf | None,
    content_before: bytes,
    submissions: bytes,
    left: Operand,
    right: Operand,
) -> Challenge:
    """F2."""
    return Challenge(
        FraudCase.PRODUCT,
        VECTOR_VERIFIER,
        "challengeProduct",
        (
            header.as_tuple(),
            header_argument(previous),
            row,
            entry,
            at.opening(),
            at.rows,
            content,
            NO_LEAF if before is None else before.opening(),
            b"" if before is None else before.rows,
            content_before,
            submissions,
            left,
            right,
        ),
        f"entry {entry} of Gram row {row} is wrong at leaf {at.index}",
    )


def column(
    header: Header,
    at: GramLeaf,
    content: bytes,
    seat: int,
    submissions: bytes,
    own: bytes,
    node: bytes,
    proof: Sequence[bytes],
) -> Challenge:
    """F2c."""
    return Challenge(
        FraudCase.COLUMN,
        VECTOR_VERIFIER,
        "challengeColumn",
        (header.as_tuple(), at.opening(), content, seat, submissions, own, node, list(proof)),
        f"the column of leaf {at.index} does not hold the update of seat {seat}",
    )


def weighted_seats(carried: bytes) -> list[int]:
    """The seats with a weight above zero, by what is carried."""
    seats = []
    for seat in range(len(carried) // CARRIED_SIZE):
        start = seat * CARRIED_SIZE + COUNTERS_WIDTH
        if any(carried[start : start + WEIGHT_WIDTH]):
            seats.append(seat)
    return seats


def delta(
    header: Header,
    at: GramLeaf,
    content: bytes,
    carried: bytes,
    chunk: int,
    parts: bytes,
    committed: bytes,
    proof: Sequence[bytes],
) -> Challenge:
    """F5, the step."""
    return Challenge(
        FraudCase.DELTA,
        VECTOR_VERIFIER,
        "challengeDelta",
        (header.as_tuple(), at.opening(), content, carried, chunk, parts, committed, list(proof)),
        f"chunk {LEAF_CHUNKS * at.index + chunk} of the global delta is not the mean of the accepted updates",
    )


def column_part(values: Values, index: int) -> bytes:
    """A chunk and its four siblings up to the column's entry."""
    return chunk_at(values, index) + b"".join(node_proof(values, 0, index)[1][:LEAF_HEIGHT])


def next_model(
    header: Header,
    index: int,
    base: tuple[bytes, Sequence[bytes]],
    step: tuple[bytes, Sequence[bytes]],
    following: tuple[bytes, Sequence[bytes]],
) -> Challenge:
    """F5, the model."""
    pieces = [piece for chunk, proof in (base, step, following) for piece in (chunk, list(proof))]
    return Challenge(
        FraudCase.NEXT_MODEL,
        VECTOR_VERIFIER,
        "challengeNextModel",
        (header.as_tuple(), index, *pieces),
        f"chunk {index} of the next model is not base + delta",
    )


def padding(
    header: Header,
    tree: PaddedTree,
    submissions: bytes,
    content: bytes,
    seat: int,
    height: int,
    index: int,
    node: bytes,
    chunk: bytes,
    proof: Sequence[bytes],
) -> Challenge:
    """PADDING."""
    return Challenge(
        FraudCase.PADDING,
        VECTOR_VERIFIER,
        "challengePadding",
        (header.as_tuple(), tree, submissions, content, seat, height, index, node, chunk, list(proof)),
        f"values past the last one are not zero in tree {tree.name}" + (f" of seat {seat}" if content else ""),
    )


def figures(
    header: Header,
    previous: Header | None,
    seat: int,
    at: GramLeaf,
    row: bytes,
    common: bytes,
    stats: bytes,
    own: bytes,
    carried: bytes,
    previous_carried: bytes,
    rules: Sequence[int],
    krum_bound: int,
    normalised_bound: int,
) -> Challenge:
    """F4a."""
    return Challenge(
        FraudCase.FIGURES,
        VERDICT_VERIFIER,
        "challengeFigures",
        (
            header.as_tuple(),
            header_argument(previous),
            seat,
            at.opening(),
            at.rows,
            row,
            common,
            stats,
            own,
            carried,
            previous_carried,
            list(rules),
            krum_bound,
            normalised_bound,
        ),
        f"the figures of seat {seat} do not follow from its Gram row",
    )


def verdict(
    header: Header,
    previous: Header | None,
    seat: int,
    stats: bytes,
    own: bytes,
    nearest: bytes,
    cohort: bytes,
    carried: bytes,
    previous_carried: bytes,
    rules: Sequence[int],
    submissions: bytes,
    content: bytes,
) -> Challenge:
    """F4b."""
    return Challenge(
        FraudCase.VERDICT,
        VERDICT_VERIFIER,
        "challengeVerdict",
        (
            header.as_tuple(),
            header_argument(previous),
            seat,
            stats,
            own,
            nearest,
            cohort,
            carried,
            previous_carried,
            list(rules),
            submissions,
            content,
        ),
        f"the verdict on seat {seat} does not follow from its figures",
    )


def cohort(
    header: Header,
    previous: Header | None,
    stats: bytes,
    contents: bytes,
    own: bytes,
    at: GramLeaf,
    common: bytes,
    previous_carried: bytes,
    rules: Sequence[int],
    found: str,
) -> Challenge:
    """F4c."""
    return Challenge(
        FraudCase.COHORT,
        VERDICT_VERIFIER,
        "challengeCohort",
        (
            header.as_tuple(),
            header_argument(previous),
            stats,
            contents,
            own,
            at.opening(),
            at.rows,
            common,
            previous_carried,
            list(rules),
        ),
        found,
    )


def chunk_opening(values: Values, index: int) -> tuple[bytes, tuple[bytes, ...]]:
    """A chunk of a vector and its proof."""
    return chunk_at(values, index), node_proof(values, 0, index)[1]
