"""Merkle trees over the seats of a cohort, and the tags that keep all trees apart.

A Merkle root is one hash that stands for a list: whoever holds the root can check any entry against it with one
sibling hash per level (the *proof*). Three rules make the proofs mean what they say:

- every tree has its own leaf tag and node tag, hashed in front of the content, so that a node can't pass for a leaf nor
  a leaf of one tree for a leaf of another;
- the position decides at each level whether the sibling is on the right or on the left, and it has to be used up by the
  last one, so that an entry is proved at its own position and nowhere else;
- the width is fixed, so that a proof has exactly one length.

The trees of this module have one leaf per seat, 64 of them (the Gram rows have 128). An absent seat's leaf is 32 zero
bytes, which no keccak leaf can be. Trees over the values of a model are in :mod:`fedblocks.rollup.vectors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import keccak256
from fedblocks.types import MAX_COHORT, ZERO_HASH, Hash32

UPDATE_COMMITMENT_TAG = 0x10
"""In front of the update root, samples, salt and client of a commitment."""

COUNTERS_TAG = 0x11
"""In front of the 64 counters of a header's carriedRoot."""

ZERO_LEAF = ZERO_HASH
"""The leaf of an absent entry."""


class TreeTags(Enum):
    """The domain tags of every tree of the protocol: (leaf tag, node tag)."""

    UPDATE = (0x01, 0x02)
    MODEL = (0x03, 0x04)
    COMMITS = (0x05, 0x06)
    SUBMISSIONS = (0x07, 0x08)
    STATS = (0x09, 0x0A)
    GRAM_ROWS = (0x0B, 0x0C)

    @property
    def leaf(self) -> int:
        return self.value[0]

    @property
    def node(self) -> int:
        return self.value[1]


class LeafOutsideTree(FedBlocksError, IndexError):
    """A leaf's index is not in the tree."""

    def __init__(self, index: int, width: int) -> None:
        super().__init__(f"leaf {index} is outside the tree's 0..{width - 1}")
        self.index, self.width = index, width


def leaf_hash(content: bytes | None, tags: TreeTags) -> Hash32:
    """keccak(leaf tag ‖ content); the zero leaf for None, an absent entry."""
    return ZERO_LEAF if content is None else keccak256(bytes([tags.leaf]) + content)


def node_hash(left: bytes, right: bytes, tags: TreeTags) -> Hash32:
    """keccak(node tag ‖ left ‖ right)."""
    return keccak256(bytes([tags.node]) + left + right)


def tree_height(width: int) -> int:
    """Levels above the leaves of a tree with width leaves; the width is a power of two, else a ValueError."""
    if width < 1 or width & (width - 1):
        raise ValueError(f"a tree's width is a power of two, got {width}")
    return width.bit_length() - 1


@cache
def zero_subtree(height: int, tags: TreeTags) -> Hash32:
    """The root of a subtree of 2^height absent entries."""
    if height == 0:
        return ZERO_LEAF
    below = zero_subtree(height - 1, tags)
    return node_hash(below, below, tags)


def seat_root(leaves: Mapping[int, bytes], tags: TreeTags, width: int = MAX_COHORT) -> Hash32:
    """The root over the contents of some seats.

    Args:
        leaves: each present seat's leaf content, unhashed; other seats get the zero leaf.
        tags: which tree it is.
        width: leaves in the tree, a power of two.

    Raises:
        LeafOutsideTree: if a seat is not in 0..width-1.
    """
    return _levels(leaves, tags, width)[-1].get(0, zero_subtree(tree_height(width), tags))


def seat_proof(leaves: Mapping[int, bytes], index: int, tags: TreeTags, width: int = MAX_COHORT) -> list[Hash32]:
    """The siblings that lead from the leaf at index, present or absent, to :func:`seat_root`, lowest first.

    Raises:
        LeafOutsideTree: if the index or a seat is not in 0..width-1.
    """
    if not 0 <= index < width:
        raise LeafOutsideTree(index, width)
    levels = _levels(leaves, tags, width)
    return [nodes.get((index >> height) ^ 1, zero_subtree(height, tags)) for height, nodes in enumerate(levels[:-1])]


def verify_proof(
    leaf: bytes | None,
    index: int,
    proof: Sequence[bytes],
    root: bytes,
    tags: TreeTags,
    width: int = MAX_COHORT,
) -> bool:
    """Whether leaf is the content at index under root.

    Total: a proof of another length, an index outside the tree or a sibling that is not 32 bytes is False, no error.

    Args:
        leaf: the leaf's content, unhashed; None to check that the seat is absent.
        index: the leaf's position.
        proof: one sibling per level, lowest first.
        root: the root to reach.
        tags: which tree it is.
        width: leaves in the tree, a power of two.
    """
    if not 0 <= index < width or len(proof) != tree_height(width):
        return False
    return fold_proof(leaf_hash(leaf, tags), index, proof, tags) == root


def fold_proof(node: bytes, index: int, proof: Sequence[bytes], tags: TreeTags) -> bytes | None:
    """The root that a node at index reaches through its siblings; None when the proof doesn't fit the index.

    Args:
        node: the hash to start from, 32 bytes.
        index: its position on its level; must be used up after one bit per sibling.
        proof: one sibling per level, lowest first, 32 bytes each.
        tags: which tree it is.
    """
    for sibling in proof:
        if len(sibling) != len(ZERO_LEAF):
            return None
        node = node_hash(sibling, node, tags) if index & 1 else node_hash(node, sibling, tags)
        index >>= 1
    return node if index == 0 else None


def _levels(leaves: Mapping[int, bytes], tags: TreeTags, width: int) -> list[dict[int, Hash32]]:
    """Every level, leaves first, without the subtrees in which nothing is present."""
    for index in leaves:
        if not 0 <= index < width:
            raise LeafOutsideTree(index, width)
    levels = [{index: leaf_hash(content, tags) for index, content in leaves.items()}]
    for height in range(tree_height(width)):
        below, empty = levels[-1], zero_subtree(height, tags)
        parents = {index >> 1 for index in below}
        levels.append(
            {
                parent: node_hash(below.get(2 * parent, empty), below.get(2 * parent + 1, empty), tags)
                for parent in parents
            }
        )
    return levels
