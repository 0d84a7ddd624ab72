"""Vectors of millions of values: their bytes on the wire and their Merkle roots.

A *model* is d values of int32, an *update* (what a client trained, minus what it started from) and the global
*delta* are d values of int16, all fixed point with 14 fractional bits. On the wire and in hashes a value is unsigned,
big-endian and offset by half its range, so that a 32-byte word of the chain holds sixteen update values without sign
extension.

A vector's root binds every value to its position. The values are cut into chunks of 256, the last one filled up with
value zero; a chunk's hash is a leaf. Sixteen chunks, 4,096 values, make a *leaf subtree*, the step in which the Gram
commitments walk through the parameters; above them the tree is filled up to a power of two of leaf subtrees with chunks
of zeros. Its height follows from d, which is on chain. Subtrees that hold nothing but filling are hashed once for all.

Hashing streams over the values: whatever d is, a few kilobytes are encoded at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import DIGEST_SIZE, hash_subtrees, keccak256, keccak_rows
from fedblocks.rollup.merkle import LeafOutsideTree, TreeTags, fold_proof, level_above, siblings
from fedblocks.types import Hash32

CHUNK_VALUES = 256
LEAF_CHUNKS = 16
LEAF_HEIGHT = 4
"""Levels of a leaf subtree above its chunks: 2^4 = LEAF_CHUNKS."""

LEAF_VALUES = CHUNK_VALUES * LEAF_CHUNKS
MAX_D = 1 << 30

Values = NDArray[np.int16] | NDArray[np.int32]
Vectors = NDArray[np.int16] | NDArray[np.int32] | Sequence[NDArray[np.int16]] | Sequence[NDArray[np.int32]]


class VectorKind(Enum):
    """The two kinds of vectors; each knows its integers and its tree."""

    UPDATE = "update"
    """Updates and the global delta: int16."""
    MODEL = "model"
    """The model: int32."""

    @property
    def dtype(self) -> np.dtype[np.signedinteger]:  # type: ignore[type-arg]
        return np.dtype(np.int16 if self is VectorKind.UPDATE else np.int32)

    @property
    def wire_dtype(self) -> np.dtype[np.unsignedinteger]:  # type: ignore[type-arg]
        """How a value is written: unsigned, big-endian."""
        return np.dtype(">u2" if self is VectorKind.UPDATE else ">u4")

    @property
    def value_bytes(self) -> int:
        return self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        return CHUNK_VALUES * self.value_bytes

    @property
    def tags(self) -> TreeTags:
        return TreeTags[self.name]


class NotAVector(FedBlocksError, ValueError):
    """An array is no vector of the protocol: int16 or int32, one-dimensional, 1 to 2^30 values."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not a vector: {what}")


class WrongVectorSize(FedBlocksError, ValueError):
    """The bytes of a vector are not exactly d values long."""

    def __init__(self, kind: VectorKind, d: int, actual: int) -> None:
        expected = d * kind.value_bytes
        super().__init__(
            f"the {kind.value} of {d} values must be {expected} bytes ({kind.value_bytes} a value), got {actual}"
        )
        self.kind, self.d, self.expected, self.actual = kind, d, expected, actual


def kind_of(values: Values) -> VectorKind:
    """The kind of a vector, by its dtype.

    Raises:
        NotAVector: if it is neither int16 nor int32, not one-dimensional, or empty.
    """
    for kind in VectorKind:
        if values.dtype == kind.dtype:
            if values.ndim != 1:
                raise NotAVector(f"it has {values.ndim} dimensions, not one")
            if not 1 <= len(values) <= MAX_D:
                raise NotAVector(f"it has {len(values)} values, allowed are 1 to {MAX_D}")
            return kind
    raise NotAVector(f"its dtype is {values.dtype}, not int16 (update, delta) or int32 (model)")


def encode_vector(values: Values) -> bytes:
    """The wire form of a vector: exactly d values, no filling.

    >>> encode_vector(np.array([-1, 0, 1], dtype=np.int16)).hex()
    '7fff80008001'
    """
    kind = kind_of(values)
    wire = np.empty(len(values), dtype=kind.wire_dtype)
    _offset_into(values, wire, kind)
    return wire.tobytes()


def decode_vector(data: bytes | bytearray | memoryview, kind: VectorKind, d: int, into: Values | None = None) -> Values:
    """Read a vector from its wire form; the inverse of :func:`encode_vector`. Every content is a valid vector.

    Args:
        data: the wire form.
        kind, d: what is expected.
        into: where the values are to lie, such as a row of a matrix; a new array if None.

    Raises:
        WrongVectorSize: if the bytes are not exactly d values.
    """
    size = memoryview(data).nbytes
    if size != d * kind.value_bytes:
        raise WrongVectorSize(kind, d, size)
    values = np.empty(d, dtype=kind.dtype) if into is None else into
    unsigned = values.view(f"=u{kind.value_bytes}")
    unsigned[:] = np.frombuffer(data, dtype=kind.wire_dtype)
    unsigned ^= _sign_bit(kind)
    return values


def rows_of_one(vectors: Sequence[NDArray[np.int16]]) -> NDArray[np.int16] | None:
    """The matrix whose rows some vectors are, all of them in this order and without a gap; None if they are not."""
    first = vectors[0]
    owner, start, size = first.base, first.ctypes.data, first.nbytes
    if owner is None or not all(
        each.base is owner and each.flags.c_contiguous and each.nbytes == size and each.ctypes.data == start + k * size
        for k, each in enumerate(vectors)
    ):
        return None
    # Safe: all lie in the memory of one owner, which the result keeps alive.
    return np.lib.stride_tricks.as_strided(first, (len(vectors), len(first)), (size, first.itemsize), writeable=False)


def tree_depth(d: int) -> int:
    """Levels between a chunk's hash and the root of a vector of d values: LEAF_HEIGHT + ceil(log2(ceil(d / 4096)))."""
    if not 1 <= d <= MAX_D:
        raise NotAVector(f"it has {d} values, allowed are 1 to {MAX_D}")
    return LEAF_HEIGHT + (_ceil_div(d, LEAF_VALUES) - 1).bit_length()


def vector_root(values: Values) -> Hash32:
    """The Merkle root of one vector, int16[d] (tags 01, 02) or int32[d] (tags 03, 04)."""
    return vector_roots(values[np.newaxis])[0]


def vector_roots(vectors: Vectors) -> list[Hash32]:
    """The Merkle roots of n vectors of one kind and length, hashed together.

    Args:
        vectors: int16[n, d] or int32[n, d], as a matrix (a memory map will do) or as n arrays.
    """
    return roots_of_subtrees(subtree_roots(vectors), _common_kind(vectors)[0])


def subtree_roots(vectors: Vectors) -> NDArray[np.uint8]:
    """The roots of all leaf subtrees: the hash over each vector's values 4096 k to 4096 (k + 1) - 1.

    Args:
        vectors: as for :func:`vector_roots`.

    Returns:
        uint8[n, ceil(d / 4096), 32].
    """
    kind, _, _ = _common_kind(vectors)
    # What is not one block of memory is hashed vector by vector: no more than one of them is ever copied.
    if isinstance(vectors, np.ndarray) and vectors.flags.c_contiguous:
        blocks = [vectors]
    else:
        blocks = [vector[np.newaxis] for vector in vectors]
    tags = kind.tags
    return np.concatenate([hash_subtrees(each, CHUNK_VALUES, LEAF_HEIGHT, tags.leaf, tags.node) for each in blocks])


def roots_of_subtrees(subtrees: NDArray[np.uint8], kind: VectorKind) -> list[Hash32]:
    """The vectors' roots, from uint8[n, leaves, 32] as :func:`subtree_roots` gives them."""
    level, height = subtrees, LEAF_HEIGHT
    while level.shape[1] > 1:
        level, height = level_above(level, zero_subtree(height, kind), kind.tags), height + 1
    return [Hash32(root.tobytes()) for root in level[:, 0]]


def chunk_at(values: Values, index: int) -> bytes:
    """Chunk index of a vector as it is hashed: 256 values, those past d being zero.

    Raises:
        LeafOutsideTree: if the tree has no such chunk.
    """
    kind, width = kind_of(values), 1 << tree_depth(len(values))
    if not 0 <= index < width:
        raise LeafOutsideTree(index, width)
    chunk = np.zeros(CHUNK_VALUES, dtype=kind.dtype)
    part = values[index * CHUNK_VALUES : (index + 1) * CHUNK_VALUES]
    chunk[: len(part)] = part
    return encode_vector(chunk)


def node_proof(
    values: Values, height: int, index: int, subtrees: NDArray[np.uint8] | None = None
) -> tuple[Hash32, tuple[Hash32, ...]]:
    """A node of a vector's tree, and the siblings that lead from it to the root, lowest first.

    Args:
        values: the vector.
        height: 0 for a chunk's hash, LEAF_HEIGHT for the root of a leaf subtree.
        index: the node's position on its level.
        subtrees: uint8[leaves, 32], the roots of the leaf subtrees, if they are known already.

    Raises:
        LeafOutsideTree: if the tree has no such node.
    """
    kind, depth = kind_of(values), tree_depth(len(values))
    if not 0 <= height <= depth or not 0 <= index < 1 << (depth - height):
        raise LeafOutsideTree(index, 1 << max(0, depth - height))

    def filling(at: int) -> Hash32:
        return zero_subtree(at, kind)

    proof: tuple[Hash32, ...] = ()
    if height < LEAF_HEIGHT:
        leaf = index >> (LEAF_HEIGHT - height)
        part = values[leaf * LEAF_VALUES : (leaf + 1) * LEAF_VALUES]
        level: NDArray[np.uint8] = np.empty((1, 0, DIGEST_SIZE), dtype=np.uint8)
        if len(part):
            filled = np.zeros(_ceil_div(len(part), CHUNK_VALUES) * CHUNK_VALUES, dtype=kind.dtype)
            filled[: len(part)] = part
            chunks = np.frombuffer(encode_vector(filled), dtype=np.uint8)
            level = keccak_rows(chunks.reshape(-1, kind.chunk_bytes), kind.tags.leaf)[np.newaxis]
        at = index % (1 << (LEAF_HEIGHT - height))
        node, level = _climb(level, 0, height, at, kind)
        proof = siblings(level, at, range(height, LEAF_HEIGHT), filling, kind.tags)
        height, index = LEAF_HEIGHT, leaf
        above = subtree_roots(values[np.newaxis]) if subtrees is None else subtrees[np.newaxis]
    else:
        above = subtree_roots(values[np.newaxis]) if subtrees is None else subtrees[np.newaxis]
        node, above = _climb(above, LEAF_HEIGHT, height, index, kind)
    return node, proof + siblings(above, index, range(height, depth), filling, kind.tags)


def chunk_proof(values: Values, index: int, subtrees: NDArray[np.uint8] | None = None) -> tuple[Hash32, ...]:
    """The siblings that lead from chunk index to the vector's root, lowest first; arguments as :func:`node_proof`."""
    return node_proof(values, 0, index, subtrees)[1]


def verify_chunk(chunk: bytes, index: int, proof: Sequence[bytes], root: bytes, kind: VectorKind, d: int) -> bool:
    """Whether chunk is chunk index of the vector of d values under root. Total: what doesn't fit is False, no error."""
    if len(chunk) != kind.chunk_bytes or index < 0 or len(proof) != tree_depth(d):
        return False
    return fold_proof(keccak256(bytes([kind.tags.leaf]) + chunk), index, proof, kind.tags) == root


def _climb(
    level: NDArray[np.uint8], start: int, height: int, index: int, kind: VectorKind
) -> tuple[Hash32, NDArray[np.uint8]]:
    """From uint8[1, m, 32] at the height `start` to the level at `height`, and its node `index`."""
    for at in range(start, height):
        level = level_above(level, zero_subtree(at, kind), kind.tags)
    node = level[0, index].tobytes() if index < level.shape[1] else zero_subtree(height, kind)
    return Hash32(node), level


@cache
def zero_subtree(height: int, kind: VectorKind) -> Hash32:
    """The root of a subtree of 2^height chunks of value zero; at a tree's height, the root of a vector of zeros."""
    if height == 0:
        zeros = np.zeros(CHUNK_VALUES, dtype=kind.dtype)
        return keccak256(bytes([kind.tags.leaf]) + encode_vector(zeros))
    below = zero_subtree(height - 1, kind)
    return keccak256(bytes([kind.tags.node]) + below + below)


def _offset_into(values: Values, wire: NDArray[np.generic], kind: VectorKind) -> None:
    """Write values in wire form; flipping the sign bit adds half the range."""
    wire[:] = values.view(f"=u{kind.value_bytes}") ^ _sign_bit(kind)


def _sign_bit(kind: VectorKind) -> np.unsignedinteger:  # type: ignore[type-arg]
    return np.uint16(1 << 15) if kind is VectorKind.UPDATE else np.uint32(1 << 31)


def _common_kind(vectors: Vectors) -> tuple[VectorKind, int, int]:
    """The kind, number n and length d of vectors that are hashed together."""
    if len(vectors) == 0:
        raise NotAVector("there are none")
    kind, d = kind_of(vectors[0]), len(vectors[0])
    for vector in vectors:
        if kind_of(vector) is not kind or len(vector) != d:
            raise NotAVector(f"{vector.dtype}[{len(vector)}] among vectors of {kind.dtype}[{d}]")
    return kind, len(vectors), d


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)
