"""Merkle trees over the values of a model, and the tags that keep all hashes apart.

A Merkle root is one hash that stands for a list: whoever holds the root can check any entry against it with one
sibling hash per level (the *proof*). Three rules make the proofs mean what they say:

- every tree has its own leaf tag and node tag, hashed in front of the content, so that a node can't pass for a leaf nor
  a leaf of one tree for a leaf of another;
- the position decides at each level whether the sibling is on the right or on the left, and it has to be used up by the
  last one, so that an entry is proved at its own position and nowhere else;
- the height follows from d, which is on chain, so that a proof has exactly one length; what is missing on the right is
  filled up with one known hash a level.

Trees over a model's values are in :mod:`fedblocks.rollup.vectors`, the tree over the running sums of the inner
products in :mod:`fedblocks.rollup.gram_tree`. What has one entry for each seat is a list without a tree:
:mod:`fedblocks.rollup.lists`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import DIGEST_SIZE, hash_pairs, keccak256
from fedblocks.types import Hash32

UPDATE_COMMITMENT_TAG = 0x10
"""In front of the update root, samples, salt and client of a commitment."""

Filling = Callable[[int], Hash32]
"""From a height to the root of a subtree of that height in which nothing is present."""


class TreeTags(Enum):
    """The domain tags of the trees: (leaf tag, node tag)."""

    UPDATE = (0x01, 0x02)
    MODEL = (0x03, 0x04)
    GRAM = (0x0E, 0x0F)

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


def node_hash(left: bytes, right: bytes, tags: TreeTags) -> Hash32:
    """keccak(node tag ‖ left ‖ right)."""
    return keccak256(bytes([tags.node]) + left + right)


def fold_proof(node: bytes, index: int, proof: Sequence[bytes], tags: TreeTags) -> bytes | None:
    """The root that a node at index reaches through its siblings; None when the proof doesn't fit the index.

    Args:
        node: the hash to start from, 32 bytes.
        index: its position on its level; must be used up after one bit per sibling.
        proof: one sibling per level, lowest first, 32 bytes each.
        tags: which tree it is.
    """
    for sibling in proof:
        if len(sibling) != DIGEST_SIZE:
            return None
        node = node_hash(sibling, node, tags) if index & 1 else node_hash(node, sibling, tags)
        index >>= 1
    return node if index == 0 else None


def level_above(level: NDArray[np.uint8], filling: Hash32, tags: TreeTags) -> NDArray[np.uint8]:
    """The next level of n trees at once.

    Args:
        level: uint8[n, m, 32].
        filling: stands for the node that is missing where m is odd.
        tags: which tree it is.

    Returns:
        uint8[n, ceil(m / 2), 32].
    """
    n, m, _ = level.shape
    if m % 2:
        missing = np.frombuffer(filling, dtype=np.uint8)
        level = np.concatenate([level, np.broadcast_to(missing, (n, 1, DIGEST_SIZE))], axis=1)
    return hash_pairs(level.reshape(-1, DIGEST_SIZE), tags.node).reshape(n, -1, DIGEST_SIZE)


def siblings(
    level: NDArray[np.uint8], index: int, heights: range, filling: Filling, tags: TreeTags
) -> tuple[Hash32, ...]:
    """Climb from uint8[1, m, 32] at the first height: the sibling of index on every level, lowest first."""
    found = []
    for height in heights:
        beside = index ^ 1
        found.append(Hash32(level[0, beside].tobytes()) if beside < level.shape[1] else filling(height))
        level, index = level_above(level, filling(height), tags), index >> 1
    return tuple(found)
