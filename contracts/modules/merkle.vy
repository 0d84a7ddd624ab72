# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Merkle proofs
@license Apache-2.0
@author The FedBlocks developers
@notice Trees over the values of a model. A tree's depth follows from the chain, a proof has exactly that many siblings, and the
        index must be used up by them, so that an entry is proved at its own position and nowhere else.
"""

# A leaf of the Gram tree, and the halves of it that are not opened further.
struct Opening:
    index: uint256
    columnRoot: bytes32
    rowsRoot: bytes32
    proof: DynArray[bytes32, 18]


CHUNK_VALUES: constant(uint256) = 256
LEAF_VALUES: constant(uint256) = 4096
# Levels of a leaf subtree above its chunks.
LEAF_HEIGHT: constant(uint256) = 4

UPDATE_CHUNK: constant(bytes1) = 0x01
UPDATE_NODE: constant(bytes1) = 0x02
MODEL_CHUNK: constant(bytes1) = 0x03
MODEL_NODE: constant(bytes1) = 0x04
GRAM_LEAF: constant(bytes1) = 0x0e
GRAM_NODE: constant(bytes1) = 0x0f


@internal
@pure
def _leaves(d: uint256) -> uint256:
    """
    @notice How many leaves of 4,096 values a vector has.
    @param d The number of its values
    @return The number of its leaves, the last one filled up
    """
    return (d + LEAF_VALUES - 1) // LEAF_VALUES


@internal
@pure
def _top(leaves: uint256) -> uint256:
    """
    @notice Levels above the leaves.
    @param leaves How many leaves
    @return The smallest h with 2**h >= leaves
    """
    height: uint256 = 0
    for _: uint256 in range(30):
        if (1 << height) >= leaves:
            break
        height += 1
    return height


@internal
@pure
def _climb(node: bytes32, index: uint256, proof: DynArray[bytes32, 22], tag: bytes1) -> bytes32:
    """
    @notice Where a node leads to.
    @param node The node to start from
    @param index Its position on its level
    @param proof One sibling for each level, lowest first
    @param tag The tag of the tree's nodes
    @return The node that is reached; the zero hash when the index is not used up, which no root is
    """
    reached: bytes32 = node
    position: uint256 = index
    for sibling: bytes32 in proof:
        if position & 1 == 1:
            reached = keccak256(concat(tag, sibling, reached))
        else:
            reached = keccak256(concat(tag, reached, sibling))
        position >>= 1
    return reached if position == 0 else empty(bytes32)
