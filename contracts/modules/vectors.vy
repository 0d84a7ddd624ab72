# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Vectors
@license Apache-2.0
@author The FedBlocks developers
@notice Parts of vectors as their trees commit to them: chunks, leaves of sixteen chunks, and what is empty.
"""

from . import merkle

LEAF_CHUNKS: constant(uint256) = 16

# Bytes of a chunk and of a leaf.
UPDATE_CHUNK_SIZE: constant(uint256) = 512
UPDATE_LEAF_SIZE: constant(uint256) = 8192
MODEL_CHUNK_SIZE: constant(uint256) = 1024
MODEL_LEAF_SIZE: constant(uint256) = 16384

# A word of zeros, as they are stored.
_ZEROS_16: constant(uint256) = max_value(uint256) // (2**16 - 1) * 2**15
_ZEROS_32: constant(uint256) = max_value(uint256) // (2**32 - 1) * 2**31


@internal
@pure
def _leaf(values: Bytes[16384], of_model: bool) -> bytes32:
    """
    @notice The node over a leaf.
    @param values 4,096 values: 8,192 bytes of int16 or 16,384 of int32
    @param of_model Whether they are int32
    @return The root of their subtree
    """
    level: bytes32[16] = empty(bytes32[16])
    for i: uint256 in range(LEAF_CHUNKS):
        if of_model:
            level[i] = keccak256(concat(merkle.MODEL_CHUNK, slice(values, 1024 * i, 1024)))
        else:
            level[i] = keccak256(concat(merkle.UPDATE_CHUNK, slice(values, 512 * i, 512)))
    tag: bytes1 = merkle.MODEL_NODE if of_model else merkle.UPDATE_NODE
    width: uint256 = 8
    for _: uint256 in range(merkle.LEAF_HEIGHT):
        for i: uint256 in range(width, bound=8):
            # At most 15.
            left: uint256 = unsafe_add(i, i)
            level[i] = keccak256(concat(tag, level[left], level[unsafe_add(left, 1)]))
        width >>= 1
    return level[0]


@internal
@pure
def _empty_update(height: uint256) -> bytes32:
    """
    @notice The root of a subtree of an update, or of a delta, that is zero.
    @param height Its height, at most 22
    @return Its root
    """
    words: uint256[16] = empty(uint256[16])
    for i: uint256 in range(16):
        words[i] = _ZEROS_16
    return self._doubled(keccak256(concat(merkle.UPDATE_CHUNK, abi_encode(words))), height, merkle.UPDATE_NODE)


@internal
@pure
def _empty_model(height: uint256) -> bytes32:
    """
    @notice The root of a subtree of a model that is zero.
    @param height Its height, at most 22
    @return Its root
    """
    words: uint256[32] = empty(uint256[32])
    for i: uint256 in range(32):
        words[i] = _ZEROS_32
    return self._doubled(keccak256(concat(merkle.MODEL_CHUNK, abi_encode(words))), height, merkle.MODEL_NODE)


@internal
@pure
def _doubled(node: bytes32, height: uint256, tag: bytes1) -> bytes32:
    """
    @notice The root of a tree whose leaves are all the same.
    @param node The leaf
    @param height The tree's height, at most 22
    @param tag The tag of its nodes
    @return Its root
    """
    reached: bytes32 = node
    for _: uint256 in range(height, bound=22):
        reached = keccak256(concat(tag, reached, reached))
    return reached
