"""Going down a tree to the place where it differs from what it should be.

Where all of a vector is to be had, the place is found by comparing. Where it is not, every opening that was demanded
leads further: its content differs, or one of its siblings, and below that sibling the next positions are demanded. With
one position after the other a wrong root is shown after as many demands as the tree has levels; whoever demands
several at once, spread over the span that a :class:`~fedblocks.rollup.fraud.cases.Demand` names, needs fewer rounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.rollup.fraud import challenges
from fedblocks.rollup.fraud.cases import Answer, Challenge, Demand, DemandKind, PaddedTree
from fedblocks.rollup.fraud.challenges import NO_OPERAND, GramLeaf, Operand
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.gram_tree import GramTrace, GramTree, gram_leaf
from fedblocks.rollup.gram_tree import zero_subtree as zero_gram_subtree
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.merkle import TreeTags, node_hash
from fedblocks.rollup.vectors import (
    CHUNK_VALUES,
    LEAF_CHUNKS,
    LEAF_HEIGHT,
    LEAF_VALUES,
    Values,
    VectorKind,
    kind_of,
    node_proof,
    zero_subtree,
)
from fedblocks.types import Hash32

Finding = Challenge | Demand
Opened = tuple[bytes, tuple[bytes, ...]]
"""A chunk and its proof."""

Subtree = tuple[int, int]
"""The first leaf of a subtree, and how many of its leaves there are."""


# Vectors: the global delta and the next model


@dataclass(frozen=True, eq=False)
class VectorCase(ABC):
    """A committed vector, what it should be, and how a wrong chunk of it is challenged.

    Attributes:
        header: of the epoch.
        expected: what it should be.
        committed: what was published under the root, if anything was.
        root: what the header commits to.
    """

    header: Header
    expected: Values
    committed: Values | None
    root: Hash32
    _: KW_ONLY

    kind: DemandKind
    tree: PaddedTree

    @abstractmethod
    def challenge(self, chunk: int, opened: Opened) -> Challenge:
        """The challenge of a chunk that differs."""


@dataclass(frozen=True, eq=False)
class DeltaCase(VectorCase):
    """The global delta: the mean of the column of accepted updates."""

    _: KW_ONLY
    gram: GramTrace
    gram_tree: GramTree
    carried: bytes
    updates: Int16Array
    kind: DemandKind = DemandKind.DELTA
    tree: PaddedTree = PaddedTree.DELTA

    def challenge(self, chunk: int, opened: Opened) -> Challenge:
        leaf, within = divmod(chunk, LEAF_CHUNKS)
        seats = challenges.weighted_seats(self.carried)
        parts = b"".join(challenges.column_part(self.updates[seat], chunk) for seat in seats)
        at = leaf_of(self.gram_tree, leaf)
        return challenges.delta(
            self.header, at, self.gram.column(leaf), self.carried, within, parts, opened[0], opened[1]
        )


@dataclass(frozen=True, eq=False)
class NextModelCase(VectorCase):
    """The next model: base + delta."""

    _: KW_ONLY
    base: Int32Array
    delta: Int16Array
    kind: DemandKind = DemandKind.NEXT_MODEL
    tree: PaddedTree = PaddedTree.NEXT_MODEL

    def challenge(self, chunk: int, opened: Opened) -> Challenge:
        base, delta = (challenges.chunk_opening(values, chunk) for values in (self.base, self.delta))
        return challenges.next_model(self.header, chunk, base, delta, opened)


def vector_fault(case: VectorCase, published: Published, *, always: bool = False) -> Finding:
    """Where a committed vector is wrong.

    Args:
        case: the vector; its root is wrong.
        published: for what was opened on chain.
        always: every chunk of it is wrong, whatever it holds.
    """
    if case.committed is not None:
        differing = np.flatnonzero(case.committed != case.expected)
        chunk = 0 if always else int(differing[0]) // CHUNK_VALUES
        return case.challenge(chunk, challenges.chunk_opening(case.committed, chunk))
    name = f"the {case.kind.name.lower().replace('_', ' ')}"
    opened = {leaf: answer for (kind, _, leaf), answer in published.answers.items() if kind is case.kind}
    subtrees: list[Subtree] = []
    for leaf, answer in sorted(opened.items()):
        found = _in_opened_leaf(case, leaf, answer, always)
        if isinstance(found, Challenge):
            return found
        subtrees.append(found)
    first, span = _smallest(subtrees, published.leaves)
    return Demand(case.kind, 0, first, name, span)


def _smallest(subtrees: list[Subtree], leaves: int) -> Subtree:
    """Where to go on: none of the smallest one's leaves is open, for that would have led into it."""
    return min(subtrees, key=lambda each: each[1], default=(0, leaves))


def _in_opened_leaf(case: VectorCase, leaf: int, answer: Answer, always: bool) -> Challenge | Subtree:
    """The challenge that an opened leaf gives, or the smallest subtree beside it that differs."""
    kind = kind_of(case.expected)
    expected = challenges.leaf_values(case.expected, leaf)
    for within in range(LEAF_CHUNKS):
        part = slice(within * kind.chunk_bytes, (within + 1) * kind.chunk_bytes)
        if always or answer.content[part] != expected[part]:
            inner, _ = _inside(answer.content, within, kind)
            return case.challenge(leaf * LEAF_CHUNKS + within, (answer.content[part], inner + answer.proof))
    node: bytes = _inside(answer.content, 0, kind)[1]
    _, right = node_proof(case.expected, LEAF_HEIGHT, leaf)
    for step, (sibling, expected_sibling) in enumerate(zip(answer.proof, right, strict=True)):
        index = leaf >> step
        beside = index ^ 1
        if sibling != expected_sibling:
            first = beside << step
            leaves = -(-len(case.expected) // LEAF_VALUES)
            if first < leaves:
                return first, min(1 << step, leaves - first)
            proof = (node, *answer.proof[step + 1 :])
            return challenges.padding(
                case.header, case.tree, b"", b"", 0, LEAF_HEIGHT + step, beside, sibling, b"", proof
            )
        node = _parent(node, sibling, index, kind.tags)
    raise AssertionError("an opening under another root differs somewhere")


def padded_update(header: Header, published: Published, seat: int) -> Challenge | None:
    """What answers show of an update whose tree holds more than d values."""
    d = published.context.d
    for leaf in range(published.leaves):
        answer = published.answers.get((DemandKind.UPDATE, seat, leaf))
        if answer is None:
            continue
        kind = VectorKind.UPDATE
        zero = b"\x80\x00"
        used = 2 * max(0, min(d - leaf * LEAF_VALUES, LEAF_VALUES))
        beyond = answer.content[used:]
        if beyond != zero * (len(beyond) // 2):
            wrong = next(at for at in range(used, len(answer.content), 2) if answer.content[at : at + 2] != zero)
            within = wrong // kind.chunk_bytes
            inner, _ = _inside(answer.content, within, kind)
            index, proof = leaf * LEAF_CHUNKS + within, inner + answer.proof
            chunk = answer.content[within * kind.chunk_bytes : (within + 1) * kind.chunk_bytes]
            whole = index * CHUNK_VALUES >= d
            node = keccak256(bytes([kind.tags.leaf]) + chunk)
            return challenges.padding(
                header,
                PaddedTree.UPDATE,
                answer.entries,
                answer.submission,
                seat,
                0,
                index,
                node,
                b"" if whole else chunk,
                proof,
            )
        climbed: bytes = _inside(answer.content, 0, kind)[1]
        for step, sibling in enumerate(answer.proof):
            index = leaf >> step
            beside = index ^ 1
            if beside << step >= published.leaves and sibling != zero_subtree(LEAF_HEIGHT + step, kind):
                proof = (climbed, *answer.proof[step + 1 :])
                return challenges.padding(
                    header,
                    PaddedTree.UPDATE,
                    answer.entries,
                    answer.submission,
                    seat,
                    LEAF_HEIGHT + step,
                    beside,
                    sibling,
                    b"",
                    proof,
                )
            climbed = _parent(climbed, sibling, index, kind.tags)
    return None


def _inside(content: bytes, within: int, kind: VectorKind) -> tuple[tuple[bytes, ...], bytes]:
    """The siblings of a chunk within its leaf, and the leaf's subtree root."""
    level: list[bytes] = [
        keccak256(bytes([kind.tags.leaf]) + content[start : start + kind.chunk_bytes])
        for start in range(0, len(content), kind.chunk_bytes)
    ]
    siblings = []
    while len(level) > 1:
        siblings.append(level[within ^ 1])
        level = [node_hash(a, b, kind.tags) for a, b in zip(level[::2], level[1::2], strict=True)]
        within >>= 1
    return tuple(siblings), level[0]


def _parent(node: bytes, sibling: bytes, index: int, tags: TreeTags) -> bytes:
    return node_hash(sibling, node, tags) if index & 1 else node_hash(node, sibling, tags)


# The Gram tree


@dataclass(frozen=True, eq=False)
class GramVectors:
    """The vectors of an epoch, with what opens their leaves.

    Attributes:
        header, previous: of this epoch and the one before.
        participants: the seats that took part.
        submissions: the entries of the submissions list, joined.
        contents: their contents.
        updates, last_updates: int16[n, d], u and p.
        subtrees: by seat, the subtree roots of the updates that are known.
        last_delta, base: int16[d], int32[d].
    """

    header: Header
    previous: Header | None
    participants: frozenset[int]
    submissions: bytes
    contents: tuple[bytes, ...]
    updates: Int16Array
    subtrees: Mapping[int, NDArray[np.uint8]]
    last_updates: Int16Array
    last_delta: Int16Array
    base: Int32Array

    @property
    def n(self) -> int:
        return len(self.contents)

    def update(self, seat: int, leaf: int) -> Operand:
        return challenges.operand(self.updates[seat], leaf, self.contents[seat], self.subtrees.get(seat))

    def last(self, seat: int, leaf: int) -> Operand:
        return challenges.operand(self.last_updates[seat], leaf, self.contents[seat])

    def moved(self, seat: int, leaf: int) -> Operand:
        return self.update(seat, leaf) if seat in self.participants else self.last(seat, leaf)

    def delta(self, leaf: int) -> Operand:
        return challenges.operand(self.last_delta, leaf, b"")

    def model(self, leaf: int) -> Operand:
        return challenges.operand(self.base, leaf, b"")

    def operands(self, row: int, entry: int, leaf: int) -> tuple[Operand, Operand]:
        """Left and right of an entry; the right one empty where both are one vector, both where the product is zero."""
        n = self.n
        if row == n:
            if entry < 2 * n:
                seat = entry % n
                if entry < n and seat not in self.participants:
                    return NO_OPERAND, NO_OPERAND
                return (self.update(seat, leaf) if entry < n else self.last(seat, leaf)), NO_OPERAND
            if entry < 3 * n:
                seat = entry - 2 * n
                if seat not in self.participants:
                    return NO_OPERAND, NO_OPERAND
                return self.update(seat, leaf), self.delta(leaf)
            return (self.delta(leaf) if entry == 3 * n else self.model(leaf)), NO_OPERAND
        if entry < n:
            if entry not in self.participants:
                return NO_OPERAND, NO_OPERAND
            same = entry == row
            return self.moved(row, leaf), NO_OPERAND if same else self.update(entry, leaf)
        if entry < 2 * n:
            same = entry - n == row and row not in self.participants
            return self.moved(row, leaf), NO_OPERAND if same else self.last(entry - n, leaf)
        return self.moved(row, leaf), self.delta(leaf) if entry == 2 * n else self.model(leaf)


def leaf_of(tree: GramTree, index: int) -> GramLeaf:
    """A leaf of a known tree, opened."""
    return GramLeaf(
        index,
        tree.columns[index].tobytes(),
        tree.lists[index].tobytes(),
        tree.proof(index),
        tree.rows[index].tobytes(),
    )


def gram_fault(vectors: GramVectors, expected: GramTrace, tree: GramTree, published: Published) -> Finding:
    """Where a committed Gram tree is wrong; its root is.

    Args:
        vectors: what the products are of.
        expected, tree: what it should be.
        published: for what was published or opened on chain.
    """
    trace = published.gram
    if trace is None:
        return _opened_gram_fault(vectors, expected, tree, published)
    leaf = int(np.flatnonzero((trace.leaves != expected.leaves).any(axis=1))[0])
    committed = trace.tree()
    if trace.column(leaf) != expected.column(leaf):
        return _column_challenge(vectors, leaf_of(committed, leaf), trace.column(leaf), expected.column(leaf))
    row = next(row for row in range(vectors.n + 1) if trace.row(leaf, row) != expected.row(leaf, row))
    before = (leaf_of(committed, leaf - 1), trace.row(leaf - 1, row)) if leaf else None
    return _product_challenge(vectors, leaf_of(committed, leaf), row, trace.row(leaf, row), expected, before)


def _column_challenge(vectors: GramVectors, at: GramLeaf, column: bytes, expected: bytes) -> Challenge:
    seat = next(seat for seat in range(vectors.n) if column[32 * seat :][:32] != expected[32 * seat :][:32])
    node, proof = node_proof(vectors.updates[seat], LEAF_HEIGHT, at.index, vectors.subtrees.get(seat))
    return challenges.column(vectors.header, at, column, seat, vectors.submissions, vectors.contents[seat], node, proof)


def _product_challenge(
    vectors: GramVectors,
    at: GramLeaf,
    row: int,
    content: bytes,
    expected: GramTrace,
    before: tuple[GramLeaf, bytes] | None,
) -> Challenge:
    right = expected.row(at.index, row)
    last = (3 if row == vectors.n else 2) * vectors.n + 1
    layout = expected.layout
    entry = next(
        entry for entry in range(last + 1) if content[layout.entry(row, entry)] != right[layout.entry(row, entry)]
    )
    left, other = vectors.operands(row, entry, at.index)
    leaf_before, content_before = before or (None, b"")
    return challenges.product(
        vectors.header,
        vectors.previous,
        row,
        entry,
        at,
        content,
        leaf_before,
        content_before,
        vectors.submissions,
        left,
        other,
    )


def _opened_gram_fault(vectors: GramVectors, expected: GramTrace, tree: GramTree, published: Published) -> Finding:
    """The same from what was opened on chain."""
    opened = {
        leaf: at for leaf in range(published.leaves) if (at := _opened_leaf(published, leaf, vectors.n)) is not None
    }
    subtrees: list[Subtree] = []
    for leaf, at in opened.items():
        if at.column_root != tree.columns[leaf].tobytes():
            answer = published.answers.get((DemandKind.COLUMN, 0, leaf))
            if answer is None:
                return Demand(DemandKind.COLUMN, 0, leaf, f"the column of leaf {leaf}")
            return _column_challenge(vectors, at, answer.content, expected.column(leaf))
        if at.rows_root != tree.lists[leaf].tobytes():
            return _opened_row_fault(vectors, expected, tree, published, leaf)
        found = _beside(vectors, at, tree, published.leaves)
        if isinstance(found, Challenge):
            return found
        subtrees.append(found)
    first, span = _smallest(subtrees, published.leaves)
    return Demand(DemandKind.COLUMN, 0, first, f"the Gram tree from leaf {first} on", span)


def _opened_leaf(published: Published, leaf: int, n: int) -> GramLeaf | None:
    """A leaf of which anything was opened; with its list of rows, if a row was."""
    positions = [(DemandKind.ROW, row, leaf) for row in range(n + 1)] + [(DemandKind.COLUMN, 0, leaf)]
    for position in positions:
        answer = published.answers.get(position)
        if answer is not None:
            rows = answer.entries if position[0] is DemandKind.ROW else b""
            return GramLeaf(leaf, answer.column_root, answer.rows_root, answer.leaf_proof, rows)
    return None


def _opened_row_fault(
    vectors: GramVectors, expected: GramTrace, tree: GramTree, published: Published, leaf: int
) -> Finding:
    """The first leaf at which a row is wrong, between one where it is right and one where it is not."""
    at = _opened_leaf(published, leaf, vectors.n)
    assert at is not None
    if not at.rows:
        return Demand(DemandKind.ROW, vectors.n, leaf, f"the rows of leaf {leaf}")
    listed = tree.rows[leaf].tobytes()
    row = next(row for row in range(vectors.n + 1) if at.rows[32 * row :][:32] != listed[32 * row :][:32])
    known = {
        at: answer for (kind, seat, at), answer in published.answers.items() if kind is DemandKind.ROW and seat == row
    }
    if leaf not in known:
        return Demand(DemandKind.ROW, row, leaf, f"row {row} of leaf {leaf}")
    # The row is wrong at `leaf`: somewhere up to there it has become so.
    wrong = min(at for at, answer in known.items() if answer.content != expected.row(at, row))
    right = max((at for at in known if at < wrong), default=-1)
    if wrong - right > 1:
        return Demand(DemandKind.ROW, row, right + 1, f"row {row} before leaf {wrong}", wrong - right - 1)
    answer = known[wrong]
    place = _row_leaf(answer, wrong)
    before = (_row_leaf(known[right], right), known[right].content) if right >= 0 else None
    return _product_challenge(vectors, place, row, answer.content, expected, before)


def _row_leaf(answer: Answer, leaf: int) -> GramLeaf:
    return GramLeaf(leaf, answer.column_root, answer.rows_root, answer.leaf_proof, answer.entries)


def _beside(vectors: GramVectors, at: GramLeaf, tree: GramTree, leaves: int) -> Challenge | Subtree:
    """The smallest subtree that differs beside a leaf that is right, under a root that is not."""
    node: bytes = gram_leaf(at.column_root, at.rows_root)
    for height, (sibling, right) in enumerate(zip(at.proof, tree.proof(at.index), strict=True)):
        index = at.index >> height
        beside = index ^ 1
        if sibling != right:
            first = beside << height
            if first < leaves:
                return first, min(1 << height, leaves - first)
            assert right == zero_gram_subtree(height)
            proof = (node, *at.proof[height + 1 :])
            return challenges.padding(vectors.header, PaddedTree.GRAM, b"", b"", 0, height, beside, sibling, b"", proof)
        node = _parent(node, sibling, index, TreeTags.GRAM)
    raise AssertionError("an opening under another root differs somewhere")
