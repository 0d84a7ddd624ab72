"""The Gram tree, against a slow one written after docs/proofs.md."""

import numpy as np
import pytest
from eth_utils import keccak

from fedblocks.aggregation.gram import gram, running_gram
from fedblocks.rollup.gram_tree import GramTrace, TraceLayout, WrongTraceSize, gram_leaf, zero_subtree
from fedblocks.rollup.lists import SeatList
from fedblocks.rollup.merkle import TreeTags, fold_proof
from fedblocks.rollup.vectors import subtree_roots

N = 5


def trace_of(d: int) -> tuple[GramTrace, list[tuple[list[list[int]], list[int]]], np.ndarray]:
    """A trace, and the rows and the common row of every leaf from products over all values up to it."""
    generator = np.random.default_rng(d)
    updates, last = generator.integers(-(1 << 15), 1 << 15, (2, N, d), dtype=np.int16)
    model = generator.integers(-(1 << 31), 1 << 31, d, dtype=np.int32)
    updates[3] = 0
    expected = []
    for stop in range(4096, d + 4096, 4096):
        part = gram(updates[:, :stop], last[:, :stop], last[0, :stop], model[:stop], [3])
        expected.append(([part.row(seat) for seat in range(N)], part.common_row()))
    return GramTrace.of(running_gram(updates, last, last[0], model, [3]), subtree_roots(updates)), expected, updates


def packed(row: list[int]) -> bytes:
    products = b"".join((value + (1 << 63)).to_bytes(8, "big") for value in row[:-1])
    return products + (row[-1] + (1 << 95)).to_bytes(12, "big")


@pytest.mark.parametrize("d", [1, 4096, 3 * 4096 + 5])
def test_the_root_is_the_specified_one(d):
    trace, expected, updates = trace_of(d)
    level = []
    subtrees = subtree_roots(updates)
    for leaf, (rows, common) in enumerate(expected):
        contents = [*(packed(row) for row in rows), packed(common)]
        assert [trace.row(leaf, index) for index in range(N + 1)] == contents
        assert trace.column(leaf) == subtrees[:, leaf].tobytes()
        lists = keccak(b"\x0c" + b"".join(keccak(b"\x0b" + content) for content in contents))
        level.append(keccak(b"\x0e" + keccak(b"\x0d" + trace.column(leaf)) + lists))
    tree = trace.tree()
    assert [each.tobytes() for each in tree.leaves] == level
    for leaf, node in enumerate(level):
        assert fold_proof(node, leaf, tree.proof(leaf), TreeTags.GRAM) == tree.root()
        assert gram_leaf(tree.columns[leaf].tobytes(), tree.lists[leaf].tobytes()) == node
    width = 1 << tree.height
    level += [bytes(32)] * (width - len(level))
    while len(level) > 1:
        level = [keccak(b"\x0f" + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    assert tree.root() == level[0]


def test_any_changed_byte_changes_the_root():
    trace, _, _ = trace_of(2 * 4096)
    root = trace.tree().root()
    for column in range(0, trace.layout.leaf_size, 37):
        changed = trace.leaves.copy()
        changed[1, column] ^= 1
        assert GramTrace(N, changed).tree().root() != root


def test_a_trace_is_read_back_and_another_size_refused():
    trace, expected, _ = trace_of(4097)
    data = trace.encode()
    assert np.array_equal(GramTrace.decode(data, N, 2).leaves, trace.leaves)
    assert len(expected) == 2
    with pytest.raises(WrongTraceSize, match=f"are {len(data)} bytes, not {len(data) - 1}"):
        GramTrace.decode(data[:-1], N, 2)


def test_the_layout_names_every_entry():
    layout = TraceLayout(N)
    assert layout.entry(2, 2 * N + 1) == slice(8 * (2 * N + 1), layout.row_size)
    assert layout.entry(N, 3 * N + 1) == slice(8 * (3 * N + 1), layout.common_size)
    assert layout.row(N).stop == layout.leaf_size


def test_a_missing_subtree_is_hashed_from_zeros():
    assert zero_subtree(0) == bytes(32)
    assert zero_subtree(2) == keccak(b"\x0f" + keccak(b"\x0f" + bytes(64)) * 2)
    assert SeatList.ROWS.entry == 0x0B
