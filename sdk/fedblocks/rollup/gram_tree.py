"""The Gram tree: a commitment to every inner product of an epoch, as it grows along the parameters.

Leaf k stands for the values 0 to 4096 (k + 1) - 1. It commits to the *column*, the subtree roots of all updates at its
4,096 values, and to the *rows*, the running sums of all inner products up to there. A wrong product is therefore wrong
in some first leaf, and there it can be shown with the 4,096 values of the two vectors and the rows of two neighbouring
leaves, however large the model is. The last leaf holds the whole Gram matrix.

Everything that the tree is made of fits one array of bytes, a few per cent of the updates' size (docs/proofs.md,
section 2); it is published with the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int64Array
from fedblocks.aggregation.gram import RunningGram, WideSums
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import DIGEST_SIZE, keccak256, keccak_rows
from fedblocks.rollup.lists import COLUMN_TAG, SeatList
from fedblocks.rollup.merkle import TreeTags, level_above, node_hash, siblings
from fedblocks.types import ZERO_HASH, Hash32

PRODUCT_WIDTH = 8
BASE_WIDTH = 12
"""Bytes of a product with the base model, which may exceed 64 bits."""

_SIGN = np.uint64(1 << 63)
_HALF = 32
_LOW_HALF = (1 << _HALF) - 1

_zero_subtrees = [ZERO_HASH]


def zero_subtree(height: int) -> Hash32:
    """The root of a subtree of 2^height leaves that are not there."""
    while len(_zero_subtrees) <= height:
        _zero_subtrees.append(node_hash(_zero_subtrees[-1], _zero_subtrees[-1], TreeTags.GRAM))
    return _zero_subtrees[height]


class WrongTraceSize(FedBlocksError, ValueError):
    """The bytes are not the rows and columns of a cohort of n with a model of d values."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"the rows and columns of this epoch are {expected} bytes, not {actual}")


@dataclass(frozen=True)
class TraceLayout:
    """Where columns and rows lie in the bytes of a leaf, for a cohort of n: column, row 0 to n - 1, common row."""

    n: int

    @property
    def row_size(self) -> int:
        return PRODUCT_WIDTH * (2 * self.n + 1) + BASE_WIDTH

    @property
    def common_size(self) -> int:
        return PRODUCT_WIDTH * (3 * self.n + 1) + BASE_WIDTH

    @property
    def column_size(self) -> int:
        return DIGEST_SIZE * self.n

    @property
    def leaf_size(self) -> int:
        return self.column_size + self.n * self.row_size + self.common_size

    def row(self, index: int) -> slice:
        """Where a row is; n is the common one."""
        start = self.column_size + index * self.row_size
        return slice(start, start + (self.common_size if index == self.n else self.row_size))

    def entry(self, row: int, entry: int) -> slice:
        """Where an entry of a row is, within the row."""
        last = (3 if row == self.n else 2) * self.n + 1
        start = PRODUCT_WIDTH * entry
        return slice(start, start + (BASE_WIDTH if entry == last else PRODUCT_WIDTH))


@dataclass(frozen=True, eq=False)
class GramTrace:
    """Columns and rows of every leaf.

    Attributes:
        n: size of the cohort.
        leaves: uint8[leaves, TraceLayout(n).leaf_size].
    """

    n: int
    leaves: NDArray[np.uint8]

    @property
    def layout(self) -> TraceLayout:
        return TraceLayout(self.n)

    @classmethod
    def of(cls, running: RunningGram, subtrees: NDArray[np.uint8]) -> GramTrace:
        """The trace of an epoch.

        Args:
            running: the running sums.
            subtrees: uint8[n, leaves, 32], the subtree roots of every seat's update, zeros' ones of the absent.
        """
        leaves, n, _ = running.rows.shape
        layout = TraceLayout(n)
        out = np.empty((leaves, layout.leaf_size), dtype=np.uint8)
        out[:, : layout.column_size] = subtrees.transpose(1, 0, 2).reshape(leaves, -1)
        rows = out[:, layout.column_size : layout.row(n).start].reshape(leaves, n, layout.row_size)
        products = PRODUCT_WIDTH * (2 * n + 1)
        rows[:, :, :products] = _offset(running.rows).reshape(leaves, n, products)
        rows[:, :, products:] = _offset_wide(running.base)
        out[:, layout.column_size : layout.row(n).start] = rows.reshape(leaves, -1)
        common = out[:, layout.row(n)]
        products = PRODUCT_WIDTH * (3 * n + 1)
        common[:, :products] = _offset(running.common)
        common[:, products:] = _offset_wide(running.base_norm)
        return cls(n, out)

    @classmethod
    def decode(cls, data: bytes, n: int, leaves: int) -> GramTrace:
        """The trace from its published bytes.

        Raises:
            WrongTraceSize: if their number does not fit n and d.
        """
        expected = leaves * TraceLayout(n).leaf_size
        if len(data) != expected:
            raise WrongTraceSize(expected, len(data))
        return cls(n, np.frombuffer(data, dtype=np.uint8).reshape(leaves, -1))

    def encode(self) -> bytes:
        """The bytes that are published."""
        return self.leaves.tobytes()

    def column(self, leaf: int) -> bytes:
        return self.leaves[leaf, : self.layout.column_size].tobytes()

    def row(self, leaf: int, index: int) -> bytes:
        return self.leaves[leaf, self.layout.row(index)].tobytes()

    def tree(self) -> GramTree:
        """Hash it."""
        layout, count = self.layout, len(self.leaves)
        columns = keccak_rows(self.leaves[:, : layout.column_size], COLUMN_TAG)
        hashes = np.empty((count, self.n + 1, DIGEST_SIZE), dtype=np.uint8)
        rows = self.leaves[:, layout.column_size : layout.row(self.n).start].reshape(-1, layout.row_size)
        hashes[:, : self.n] = keccak_rows(rows, SeatList.ROWS.entry).reshape(count, self.n, DIGEST_SIZE)
        hashes[:, self.n] = keccak_rows(self.leaves[:, layout.row(self.n)], SeatList.ROWS.entry)
        lists = keccak_rows(hashes.reshape(count, -1), SeatList.ROWS.whole)
        leaves = keccak_rows(np.concatenate([columns, lists], axis=1), TreeTags.GRAM.leaf)
        return GramTree(columns, hashes, lists, leaves)


@dataclass(frozen=True, eq=False)
class GramTree:
    """The hashes of a trace.

    Attributes:
        columns: uint8[leaves, 32], the column roots.
        rows: uint8[leaves, n + 1, 32], the entries of the lists of rows.
        lists: uint8[leaves, 32], the roots of these lists.
        leaves: uint8[leaves, 32], the tree's leaves.
    """

    columns: NDArray[np.uint8]
    rows: NDArray[np.uint8]
    lists: NDArray[np.uint8]
    leaves: NDArray[np.uint8]

    @property
    def height(self) -> int:
        """Levels above the leaves: ceil(log2(leaves))."""
        return (len(self.leaves) - 1).bit_length()

    def root(self) -> Hash32:
        """What the header commits to."""
        level, height = self.leaves[np.newaxis], 0
        while level.shape[1] > 1:
            level, height = level_above(level, zero_subtree(height), TreeTags.GRAM), height + 1
        return Hash32(level[0, 0].tobytes())

    def proof(self, leaf: int) -> tuple[Hash32, ...]:
        """The siblings that lead from a leaf to the root, lowest first."""
        return siblings(self.leaves[np.newaxis], leaf, range(self.height), zero_subtree, TreeTags.GRAM)


def gram_leaf(column: bytes, rows: bytes) -> Hash32:
    """keccak(0e ‖ column root ‖ root of the rows)."""
    return keccak256(bytes([TreeTags.GRAM.leaf]) + column + rows)


def _offset(values: Int64Array) -> NDArray[np.uint8]:
    """int64[..., m] as bytes: uint8[..., 8 m], offset by half the range."""
    unsigned = np.ascontiguousarray(values).view(np.uint64) ^ _SIGN
    return unsigned.astype(">u8").view(np.uint8)


def _offset_wide(values: WideSums) -> NDArray[np.uint8]:
    """Wide sums [...] as uint8[..., 12], offset by half the range of 96 bits."""
    high = values.high + (values.low >> _HALF)
    out = np.empty((*high.shape, BASE_WIDTH), dtype=np.uint8)
    out[..., :8] = _offset(high[..., np.newaxis])
    out[..., 8:] = (values.low & _LOW_HALF).astype(">u4")[..., np.newaxis].view(np.uint8)
    return out
