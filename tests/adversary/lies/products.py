"""Lies in the Gram tree: products, rows, columns, and what is past the last leaf."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.gram_tree import BASE_WIDTH, PRODUCT_WIDTH
from tests.adversary.committed import Products
from tests.adversary.lies import Told, extreme, flipped, lie, overwritten, put, tell
from tests.adversary.truth import Truth

Leaves = tuple[tuple[bytes, tuple[bytes | None, ...]], ...]


def _with(truth: Truth, leaves: Leaves) -> Told | None:
    own = truth.committed.products
    return None if leaves == own.leaves else tell(truth, replace(truth.committed, products=replace(own, leaves=leaves)))


def _row(truth: Truth, leaf: int, row: int, content: bytes | None) -> Told | None:
    leaves = truth.committed.products.leaves
    column, rows = leaves[leaf]
    return _with(truth, put(leaves, leaf, (column, put(rows, row, content))))


def _column(truth: Truth, leaf: int, column: bytes) -> Told | None:
    leaves = truth.committed.products.leaves
    return _with(truth, put(leaves, leaf, (column, leaves[leaf][1])))


def _place(truth: Truth, rng: Random) -> tuple[int, int, bytes]:
    """A leaf, a row of it, and the row."""
    leaves = truth.committed.products.leaves
    leaf, row = rng.randrange(len(leaves)), rng.randrange(truth.n + 1)
    content = leaves[leaf][1][row]
    assert content is not None
    return leaf, row, content


def _entry(row: bytes, rng: Random) -> tuple[int, int]:
    """Where an entry of a row begins, and how wide it is."""
    last = (len(row) - BASE_WIDTH) // PRODUCT_WIDTH
    entry = rng.choice([rng.randrange(last + 1), last])
    return PRODUCT_WIDTH * entry, BASE_WIDTH if entry == last else PRODUCT_WIDTH


@lie("a flipped bit in a product", FraudCase.PRODUCT)
def bit(truth: Truth, rng: Random) -> Told | None:
    leaf, row, content = _place(truth, rng)
    return _row(truth, leaf, row, flipped(content, rng))


@lie("a product at the end of its range", FraudCase.PRODUCT)
def at_the_end(truth: Truth, rng: Random) -> Told | None:
    leaf, row, content = _place(truth, rng)
    start, width = _entry(content, rng)
    return _row(truth, leaf, row, overwritten(content, start, extreme(width, rng)))


@lie("a product that is one off from some leaf on", FraudCase.PRODUCT)
def from_some_leaf(truth: Truth, rng: Random) -> Told | None:
    leaf, row, content = _place(truth, rng)
    start, width = _entry(content, rng)
    by = rng.choice([-1, 1])
    leaves = truth.committed.products.leaves
    for at in range(leaf, len(leaves)):
        column, rows = leaves[at]
        own = rows[row]
        assert own is not None
        value = int.from_bytes(own[start : start + width], "big") + by
        changed = overwritten(own, start, value.to_bytes(width, "big"))
        leaves = put(leaves, at, (column, put(rows, row, changed)))
    return _with(truth, leaves)


@lie("a row where each entry is the largest there is", FraudCase.PRODUCT)
def all_largest(truth: Truth, rng: Random) -> Told | None:
    leaf, row, content = _place(truth, rng)
    return _row(truth, leaf, row, rng.choice([b"\xff", b"\x00"]) * len(content))


@lie("rows in another order", FraudCase.PRODUCT)
def swapped_rows(truth: Truth, rng: Random) -> Told | None:
    leaf = rng.randrange(len(truth.committed.products.leaves))
    a, b = rng.sample(range(truth.n), 2)
    column, rows = truth.committed.products.leaves[leaf]
    changed = (column, put(put(rows, a, rows[b]), b, rows[a]))
    return _with(truth, put(truth.committed.products.leaves, leaf, changed))


@lie("leaves in another order", FraudCase.COLUMN, FraudCase.PRODUCT)
def swapped_leaves(truth: Truth, rng: Random) -> Told | None:
    leaves = truth.committed.products.leaves
    if len(leaves) < 2:
        return None
    a, b = rng.sample(range(len(leaves)), 2)
    return _with(truth, put(put(leaves, a, leaves[b]), b, leaves[a]))


@lie("sums that do not run on", FraudCase.PRODUCT)
def not_running(truth: Truth, rng: Random) -> Told | None:
    """A leaf whose rows are those of the leaf before, as if its values were zero."""
    leaves = truth.committed.products.leaves
    if len(leaves) < 2:
        return None
    leaf = rng.randrange(1, len(leaves))
    return _with(truth, put(leaves, leaf, (leaves[leaf][0], leaves[leaf - 1][1])))


@lie("a row of another length", FraudCase.WITHHELD)
def row_length(truth: Truth, rng: Random) -> Told | None:
    leaf, row, content = _place(truth, rng)
    return _row(truth, leaf, row, rng.choice([None, b"", content[:-1], content + b"\0", content * 2, content[:-12]]))


@lie("another number of rows", FraudCase.WITHHELD)
def row_count(truth: Truth, rng: Random) -> Told | None:
    leaf, _, content = _place(truth, rng)
    column, rows = truth.committed.products.leaves[leaf]
    changed = rng.choice([rows[:-1], rows[1:], (*rows, content), (*rows, None), (), rows * 2])
    return _with(truth, put(truth.committed.products.leaves, leaf, (column, changed)))


@lie("a false column", FraudCase.COLUMN)
def column(truth: Truth, rng: Random) -> Told | None:
    leaves = truth.committed.products.leaves
    leaf = rng.randrange(len(leaves))
    own = leaves[leaf][0]
    a, b = (32 * seat for seat in rng.sample(range(truth.n), 2))
    swapped = overwritten(overwritten(own, a, own[b : b + 32]), b, own[a : a + 32])
    return _column(truth, leaf, rng.choice([flipped(own, rng), overwritten(own, a, bytes(32)), swapped]))


@lie("a column of another length", FraudCase.WITHHELD)
def column_length(truth: Truth, rng: Random) -> Told | None:
    leaves = truth.committed.products.leaves
    leaf = rng.randrange(len(leaves))
    own = leaves[leaf][0]
    return _column(truth, leaf, rng.choice([b"", own[:-1], own[:-32], own + b"\0", own + bytes(32), own * 2]))


@lie("a Gram leaf past the last one", FraudCase.PADDING)
def past_the_end(truth: Truth, rng: Random) -> Told | None:
    own: Products = truth.committed.products
    count = len(own.leaves)
    unused = [
        (height, index)
        for height, level in enumerate(own.levels[:-1])
        for index in range(len(level))
        if index << height >= count
    ]
    if not unused:
        return None
    nodes = {rng.choice(unused): rng.randbytes(32)}
    return tell(truth, replace(truth.committed, products=replace(own, nodes=nodes)))


@lie("a Gram leaf of nothing", FraudCase.WITHHELD)
def unopened(truth: Truth, rng: Random) -> Told:
    own = truth.committed.products
    height = rng.randrange(len(own.levels))
    index = rng.randrange(-(-len(own.leaves) // (1 << height)))
    nodes = {(height, index): rng.randbytes(32)}
    return tell(truth, replace(truth.committed, products=replace(own, nodes=nodes)))
