"""What an aggregator commits to: anything that hashes, whether it has the form of an epoch or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from fedblocks.rollup.entries import SUBMISSION_SIZE
from fedblocks.rollup.epoch_data import EpochData, carried_root
from fedblocks.rollup.fraud.cases import Answer, Demand, DemandKind
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.gram_tree import zero_subtree as no_leaves
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import COLUMN_TAG, SeatList, entries, list_root
from fedblocks.rollup.merkle import TreeTags, node_hash
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import (
    LEAF_CHUNKS,
    LEAF_HEIGHT,
    LEAF_VALUES,
    Values,
    chunk_at,
    kind_of,
    tree_depth,
    vector_root,
)

Place = tuple[int, int]
"""Height and index of a node."""

NOTHING: Values = np.zeros(1, dtype=np.int16)
NO_TRACE = GramTrace(0, np.zeros((0, 0), np.uint8))


def hashed_up(lowest: list[bytes], tags: TreeTags, nodes: Mapping[Place, bytes]) -> list[list[bytes]]:
    """All levels of a tree; `nodes` stand in the place of those that follow."""
    levels, level = [], lowest
    while True:
        height = len(levels)
        level = [nodes.get((height, index), node) for index, node in enumerate(level)]
        levels.append(level)
        if len(level) == 1:
            return levels
        level = [node_hash(a, b, tags) for a, b in zip(level[::2], level[1::2], strict=True)]


def climbed(levels: list[list[bytes]], height: int, index: int) -> tuple[bytes, ...]:
    """The siblings above a node."""
    return tuple(level[(index >> step) ^ 1] for step, level in enumerate(levels[height:-1]))


@dataclass(frozen=True, eq=False)
class Vector:
    """A vector's tree.

    Attributes:
        values: what it should hold.
        chunks: by index, what stands in the place of a chunk.
        nodes: what stands in the place of nodes; what is below them cannot be opened.
    """

    values: Values
    chunks: Mapping[int, bytes] = field(default_factory=dict)
    nodes: Mapping[Place, bytes] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        return not self.chunks and not self.nodes

    @cached_property
    def levels(self) -> list[list[bytes]]:
        tags, width = kind_of(self.values).tags, 1 << tree_depth(len(self.values))
        lowest = [keccak256(bytes([tags.leaf]) + self.chunk(index)) for index in range(width)]
        return hashed_up(lowest, tags, self.nodes)

    @cached_property
    def root(self) -> bytes:
        return vector_root(self.values) if self.is_plain else self.levels[-1][0]

    @property
    def leaf_count(self) -> int:
        return -(-len(self.values) // LEAF_VALUES)

    def chunk(self, index: int) -> bytes:
        return self.chunks.get(index) or chunk_at(self.values, index)

    def leaf(self, index: int) -> tuple[bytes, tuple[bytes, ...]]:
        """4,096 values and their proof."""
        content = b"".join(self.chunk(chunk) for chunk in range(LEAF_CHUNKS * index, LEAF_CHUNKS * (index + 1)))
        return content, climbed(self.levels, LEAF_HEIGHT, index)


@dataclass(frozen=True, eq=False)
class Products:
    """A Gram tree: by leaf its column and its rows, and nodes that stand in the place of others."""

    leaves: tuple[tuple[bytes, tuple[bytes | None, ...]], ...]
    nodes: Mapping[Place, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, trace: GramTrace) -> Products:
        rows = range(trace.n + 1)
        return cls(
            tuple(
                (trace.column(leaf), tuple(trace.row(leaf, row) for row in rows)) for leaf in range(len(trace.leaves))
            )
        )

    @cached_property
    def parts(self) -> list[tuple[bytes, bytes]]:
        """By leaf, column root and rows root."""
        return [
            (keccak256(bytes([COLUMN_TAG]) + column), list_root(rows, SeatList.ROWS)) for column, rows in self.leaves
        ]

    @cached_property
    def levels(self) -> list[list[bytes]]:
        width = 1 << (len(self.leaves) - 1).bit_length()
        lowest = [keccak256(bytes([TreeTags.GRAM.leaf]) + column + rows) for column, rows in self.parts]
        return hashed_up(lowest + [no_leaves(0)] * (width - len(lowest)), TreeTags.GRAM, self.nodes)

    @cached_property
    def root(self) -> bytes:
        return self.levels[-1][0]

    def trace(self, n: int) -> GramTrace:
        """As it is published, if it has the form for that."""
        expected = GramTrace(n, np.zeros((len(self.leaves), 0), np.uint8)).layout
        sizes = [expected.row_size] * n + [expected.common_size]
        for column, rows in self.leaves:
            if len(column) != expected.column_size or [len(row or b"") for row in rows] != sizes:
                return NO_TRACE
        joined = [column + b"".join(row or b"" for row in rows) for column, rows in self.leaves]
        return GramTrace(n, np.frombuffer(b"".join(joined), np.uint8).reshape(len(joined), -1))


@dataclass(frozen=True, eq=False)
class Committed:
    """What is under the roots of a header; contents of lists may have any length and number."""

    commits: tuple[bytes | None, ...]
    submissions: tuple[bytes | None, ...]
    updates: Mapping[int, Vector]
    products: Products
    stats: tuple[bytes | None, ...]
    carried: bytes
    delta: Vector
    next_model: Vector

    @classmethod
    def of(cls, data: EpochData) -> Committed:
        return cls(
            data.commits,
            data.submissions,
            {seat: Vector(update) for seat, update in data.updates.items()},
            Products.of(data.gram),
            (*data.stats, data.cohort),
            data.carried,
            Vector(data.delta),
            Vector(data.next_model),
        )

    def roots(self) -> dict[str, bytes]:
        return {
            "commits_root": list_root(self.commits, SeatList.COMMITS),
            "submissions_root": list_root(self.submissions, SeatList.SUBMISSIONS),
            "gram_root": self.products.root,
            "stats_root": list_root(self.stats, SeatList.STATS),
            "delta_root": self.delta.root,
            "next_model_root": self.next_model.root,
            "carried_root": carried_root(self.carried),
        }

    def published(self, context: InstanceContext, header: Header, withheld: frozenset[str]) -> Published:
        """What a watcher finds: all that has a form in which it can be published, and garbage for what is withheld."""

        def values(vector: Vector) -> Values:
            return vector.values if vector.is_plain else NOTHING

        n = len(context.cohort)
        lists = {
            "commits": self.commits,
            # A manifest cannot say that there is no submission.
            "submissions": tuple(content if content is not None else b"none" for content in self.submissions),
            "stats": self.stats[:-1],
            "cohort": self.stats[-1] if self.stats[-1] is not None else b"none",
        }
        pieces: dict[str, object] = lists | {
            "updates": {seat: values(update) for seat, update in self.updates.items()},
            "gram": self.products.trace(n),
            "carried": self.carried,
            "delta": values(self.delta),
            "next_model": values(self.next_model),
        }
        # In the form of the real one, or in none at all.
        garbage: dict[str, object] = {
            "commits": self.commits[::-1],
            "submissions": lists["submissions"][::-1],
            "stats": self.stats[-2::-1],
            "cohort": b"",
            "updates": {seat: ~values(update) for seat, update in self.updates.items()},
            "gram": NO_TRACE,
            "carried": self.carried[::-1],
            "delta": ~values(self.delta),
            "next_model": NOTHING,
        }
        found = pieces | {name: piece for name, piece in garbage.items() if name in withheld}
        return Published.of(context, header, EpochData(**found))

    def answer(self, demand: Demand) -> Answer | None:
        """What opens a demanded position as far as it can be opened; None where there is nothing to open."""
        kind, seat, leaf = demand.position
        nothing = Answer(b"", b"", bytes(32), bytes(32), (), b"", ())
        submissions = entries(self.submissions, SeatList.SUBMISSIONS)
        match kind:
            case DemandKind.COMMITS:
                return replace(nothing, content=entries(self.commits, SeatList.COMMITS))
            case DemandKind.SUBMISSION if seat < len(self.submissions):
                return replace(nothing, entries=submissions, content=self.submissions[seat] or b"")
            case DemandKind.UPDATE if seat in self.updates and leaf < self.updates[seat].leaf_count:
                own = self.submissions[seat] or b""
                content, proof = self.updates[seat].leaf(leaf)
                if len(own) == SUBMISSION_SIZE:
                    return replace(nothing, entries=submissions, submission=own, content=content, proof=proof)
            case DemandKind.COLUMN | DemandKind.ROW if leaf < len(self.products.leaves):
                column, rows = self.products.leaves[leaf]
                roots, proof = self.products.parts[leaf], climbed(self.products.levels, 0, leaf)
                opened = replace(nothing, column_root=roots[0], rows_root=roots[1], leaf_proof=proof)
                if kind is DemandKind.COLUMN:
                    return replace(opened, content=column)
                if seat < len(rows):
                    return replace(opened, entries=entries(rows, SeatList.ROWS), content=rows[seat] or b"")
            case DemandKind.STATS if seat < len(self.stats):
                return replace(nothing, entries=entries(self.stats, SeatList.STATS), content=self.stats[seat] or b"")
            case DemandKind.CARRIED:
                return replace(nothing, content=self.carried)
            case DemandKind.DELTA | DemandKind.NEXT_MODEL:
                vector = self.delta if kind is DemandKind.DELTA else self.next_model
                if leaf < vector.leaf_count:
                    content, proof = vector.leaf(leaf)
                    return replace(nothing, content=content, proof=proof)
        return None
