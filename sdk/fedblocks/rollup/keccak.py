"""keccak-256, one message at a time and by the million.

keccak-256 is Ethereum's hash (FIPS 202's Keccak-f[1600] with the older padding byte 01). A training epoch hashes every
value of every client's update, hundreds of megabytes in pieces of half a kilobyte, and a hash call from Python costs
more than the hash. So there are three ways:

- :func:`keccak256` for a single message of any length;
- :func:`keccak_rows` for many messages of one length. It runs eight messages side by side: the state is 25 words of 8
  lanes, and every step of the permutation is the same on all lanes, so that the compiler turns it into vector
  instructions (eight lanes fill one AVX-512 register). Threads share the rows;
- :func:`hash_subtrees` for the values of a vector, straight from where they lie: what is hashed of them is written,
  hashed and climbed in the first-level cache, so that memory is read once and never written.

All give the same digests on every machine; the batched ones need a little-endian machine, as all supported ones are.
"""

from __future__ import annotations

import numpy as np
from eth_hash.abc import BackendAPI, PreImageAPI
from eth_hash.utils import auto_choose_backend, load_backend
from numba import njit, prange
from numpy.typing import NDArray

from fedblocks.types import Hash32

DIGEST_SIZE = 32
RATE = 136
"""Bytes that one run of the permutation takes in: 1,088 of the state's 1,600 bits."""

LANES = 8
"""Messages hashed side by side; eight 64-bit lanes are the widest vector register there is."""

PARALLEL_FROM_BYTES = 1 << 22
"""Below this much input, one thread takes milliseconds; on a busy machine, the others wake no sooner than that."""


def _fast_backend() -> BackendAPI:
    """eth_hash's pysha3 backend where it is installed: on short messages it is four times as fast as its default."""
    try:
        return load_backend("pysha3")
    except ImportError:
        return auto_choose_backend()


_backend = _fast_backend()


def keccak256(data: bytes | bytearray | memoryview) -> Hash32:
    """The keccak-256 digest of any bytes, which are not copied.

    >>> keccak256(b"").hex()
    'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    """
    return Hash32(_backend.keccak256(data))  # type: ignore[arg-type]  # every backend takes a memoryview


def keccak_stream() -> PreImageAPI:
    """A digest that is fed bit by bit, with ``update``, and read with ``digest``.

    >>> stream = keccak_stream()
    >>> stream.update(b"Fed")
    >>> stream.update(b"Blocks")
    >>> stream.digest() == keccak256(b"FedBlocks")
    True
    """
    return _backend.preimage(b"")


def keccak_rows(rows: NDArray[np.uint8], tag: int) -> NDArray[np.uint8]:
    """keccak-256 of (tag byte ‖ row) for every row.

    Args:
        rows: uint8[n, length], any n and length, zero included.
        tag: the domain tag, 0 to 255.

    Returns:
        uint8[n, 32], row i the digest of row i.

    Raises:
        ValueError: if rows is not a two-dimensional uint8 array or the tag is no byte.
    """
    if rows.dtype != np.uint8 or rows.ndim != 2:
        raise ValueError(f"rows must be uint8[n, length], got {rows.dtype}{list(rows.shape)}")
    if not 0 <= tag <= 255:
        raise ValueError(f"a tag is one byte, got {tag}")
    # One type for the compiler, whether or not the caller may write to its array.
    contiguous = np.ascontiguousarray(rows).view()
    contiguous.flags.writeable = False
    digests = np.empty((len(rows), DIGEST_SIZE), dtype=np.uint8)
    words = digests.view(np.uint64)
    if rows.size < PARALLEL_FROM_BYTES:
        _hash_range(contiguous, np.uint8(tag), words, 0, len(rows))
    else:
        _hash_all(contiguous, np.uint8(tag), words)
    return digests


def hash_pairs(level: NDArray[np.uint8], tag: int) -> NDArray[np.uint8]:
    """One level of a Merkle tree: keccak-256 of (tag ‖ left ‖ right) for every two neighbours.

    Args:
        level: uint8[2m, 32], the nodes of a level.
        tag: the tree's node tag.

    Returns:
        uint8[m, 32], the level above.

    Raises:
        ValueError: if the number of nodes is odd or a node is not 32 bytes.
    """
    if level.ndim != 2 or level.shape[1] != DIGEST_SIZE or len(level) % 2:
        raise ValueError(f"a level must be uint8[2m, {DIGEST_SIZE}], got {level.dtype}{list(level.shape)}")
    return keccak_rows(np.ascontiguousarray(level).reshape(-1, 2 * DIGEST_SIZE), tag)


def hash_subtrees(
    vectors: NDArray[np.int16] | NDArray[np.int32], chunk_values: int, height: int, leaf_tag: int, node_tag: int
) -> NDArray[np.uint8]:
    """The roots of all subtrees of a given height over the chunks of n vectors.

    A chunk is hashed as (leaf tag ‖ values, big-endian, offset by half their range), those past the end being zero.

    Args:
        vectors: int16[n, d] or int32[n, d].
        chunk_values: values of a chunk, a multiple of 32.
        height: a subtree has 2^height chunks.
        leaf_tag, node_tag: the tree's.

    Returns:
        uint8[n, ceil(d / (chunk_values * 2^height)), 32].
    """
    n, d = vectors.shape
    unsigned = np.ascontiguousarray(vectors).view(f"u{vectors.itemsize}")
    unsigned.flags.writeable = False
    roots = np.empty((n, -(-d // (chunk_values << height)), DIGEST_SIZE), dtype=np.uint8)
    hash_them = _subtrees if unsigned.nbytes < PARALLEL_FROM_BYTES else _subtrees_in_parallel
    hash_them(unsigned, chunk_values, height, np.uint64(leaf_tag), np.uint64(node_tag), roots.view(np.uint64))
    return roots


# The permutation, Keccak-f[1600]: https://keccak.team/keccak_specs_summary.html. There A[x, y] is lane x + 5y, and r
# and RC are its tables of rotations and round constants. The steps theta, rho, pi and chi are unrolled by hand: a loop
# over the 25 words would keep the compiler from seeing that the lanes are independent.
# fmt: off
_ROUND_CONSTANTS = np.array(
    [
        0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
        0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
        0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    ],
    dtype=np.uint64,
)
# fmt: on


@njit(inline="always")
def _rotate(word, bits):  # type: ignore[no-untyped-def]
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@njit(cache=True)
def _permute(state):  # type: ignore[no-untyped-def]
    """Keccak-f[1600] in place on uint64[25 * LANES], word i of lane l at i * LANES + l."""
    for turn in range(24):
        constant = _ROUND_CONSTANTS[turn]
        for lane in range(LANES):
            a0 = state[0 * LANES + lane]
            a1 = state[1 * LANES + lane]
            a2 = state[2 * LANES + lane]
            a3 = state[3 * LANES + lane]
            a4 = state[4 * LANES + lane]
            a5 = state[5 * LANES + lane]
            a6 = state[6 * LANES + lane]
            a7 = state[7 * LANES + lane]
            a8 = state[8 * LANES + lane]
            a9 = state[9 * LANES + lane]
            a10 = state[10 * LANES + lane]
            a11 = state[11 * LANES + lane]
            a12 = state[12 * LANES + lane]
            a13 = state[13 * LANES + lane]
            a14 = state[14 * LANES + lane]
            a15 = state[15 * LANES + lane]
            a16 = state[16 * LANES + lane]
            a17 = state[17 * LANES + lane]
            a18 = state[18 * LANES + lane]
            a19 = state[19 * LANES + lane]
            a20 = state[20 * LANES + lane]
            a21 = state[21 * LANES + lane]
            a22 = state[22 * LANES + lane]
            a23 = state[23 * LANES + lane]
            a24 = state[24 * LANES + lane]
            c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
            c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
            c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
            c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
            c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
            d0 = c4 ^ _rotate(c1, 1)
            d1 = c0 ^ _rotate(c2, 1)
            d2 = c1 ^ _rotate(c3, 1)
            d3 = c2 ^ _rotate(c4, 1)
            d4 = c3 ^ _rotate(c0, 1)
            b0 = a0 ^ d0
            b1 = _rotate(a6 ^ d1, 44)
            b2 = _rotate(a12 ^ d2, 43)
            b3 = _rotate(a18 ^ d3, 21)
            b4 = _rotate(a24 ^ d4, 14)
            b5 = _rotate(a3 ^ d3, 28)
            b6 = _rotate(a9 ^ d4, 20)
            b7 = _rotate(a10 ^ d0, 3)
            b8 = _rotate(a16 ^ d1, 45)
            b9 = _rotate(a22 ^ d2, 61)
            b10 = _rotate(a1 ^ d1, 1)
            b11 = _rotate(a7 ^ d2, 6)
            b12 = _rotate(a13 ^ d3, 25)
            b13 = _rotate(a19 ^ d4, 8)
            b14 = _rotate(a20 ^ d0, 18)
            b15 = _rotate(a4 ^ d4, 27)
            b16 = _rotate(a5 ^ d0, 36)
            b17 = _rotate(a11 ^ d1, 10)
            b18 = _rotate(a17 ^ d2, 15)
            b19 = _rotate(a23 ^ d3, 56)
            b20 = _rotate(a2 ^ d2, 62)
            b21 = _rotate(a8 ^ d3, 55)
            b22 = _rotate(a14 ^ d4, 39)
            b23 = _rotate(a15 ^ d0, 41)
            b24 = _rotate(a21 ^ d1, 2)
            state[0 * LANES + lane] = b0 ^ (~b1 & b2) ^ constant
            state[1 * LANES + lane] = b1 ^ (~b2 & b3)
            state[2 * LANES + lane] = b2 ^ (~b3 & b4)
            state[3 * LANES + lane] = b3 ^ (~b4 & b0)
            state[4 * LANES + lane] = b4 ^ (~b0 & b1)
            state[5 * LANES + lane] = b5 ^ (~b6 & b7)
            state[6 * LANES + lane] = b6 ^ (~b7 & b8)
            state[7 * LANES + lane] = b7 ^ (~b8 & b9)
            state[8 * LANES + lane] = b8 ^ (~b9 & b5)
            state[9 * LANES + lane] = b9 ^ (~b5 & b6)
            state[10 * LANES + lane] = b10 ^ (~b11 & b12)
            state[11 * LANES + lane] = b11 ^ (~b12 & b13)
            state[12 * LANES + lane] = b12 ^ (~b13 & b14)
            state[13 * LANES + lane] = b13 ^ (~b14 & b10)
            state[14 * LANES + lane] = b14 ^ (~b10 & b11)
            state[15 * LANES + lane] = b15 ^ (~b16 & b17)
            state[16 * LANES + lane] = b16 ^ (~b17 & b18)
            state[17 * LANES + lane] = b17 ^ (~b18 & b19)
            state[18 * LANES + lane] = b18 ^ (~b19 & b15)
            state[19 * LANES + lane] = b19 ^ (~b15 & b16)
            state[20 * LANES + lane] = b20 ^ (~b21 & b22)
            state[21 * LANES + lane] = b21 ^ (~b22 & b23)
            state[22 * LANES + lane] = b22 ^ (~b23 & b24)
            state[23 * LANES + lane] = b23 ^ (~b24 & b20)
            state[24 * LANES + lane] = b24 ^ (~b20 & b21)


@njit(cache=True, nogil=True)
def _hash_range(rows, tag, digests, start, stop):  # type: ignore[no-untyped-def]
    """Hash rows start to stop, LANES at a time, into uint64[n, 4]."""
    length = rows.shape[1]
    blocks = (length + 1) // RATE + 1
    # All rows have one length, so the tag and the padding stay while the rows pass through the buffer.
    padded = np.zeros((LANES, blocks * RATE), dtype=np.uint8)
    padded[:, 0] = tag
    padded[:, length + 1] = 0x01
    padded[:, blocks * RATE - 1] |= np.uint8(0x80)
    words = padded.view(np.uint64)
    state = np.empty(25 * LANES, dtype=np.uint64)
    for first in range(start, stop, LANES):
        count = min(LANES, stop - first)
        for lane in range(count):
            padded[lane, 1 : length + 1] = rows[first + lane]
        state[:] = 0
        for block in range(blocks):
            for word in range(RATE // 8):
                for lane in range(LANES):
                    state[word * LANES + lane] ^= words[lane, block * (RATE // 8) + word]
            _permute(state)
        for lane in range(count):
            for word in range(4):
                digests[first + lane, word] = state[word * LANES + lane]


@njit(cache=True, parallel=True, nogil=True)
def _hash_all(rows, tag, digests):  # type: ignore[no-untyped-def]
    groups = (len(rows) + LANES - 1) // LANES
    tasks = min(groups, 64)
    for task in prange(tasks):
        start = task * groups // tasks * LANES
        stop = min((task + 1) * groups // tasks * LANES, len(rows))
        _hash_range(rows, tag, digests, start, stop)


@njit(cache=True, nogil=True)
def _hash_words(words, tag, state, digests):  # type: ignore[no-untyped-def]
    """keccak-256 of (tag byte ‖ words) for uint64[LANES, m], into uint64[LANES, 4]; the two may overlap."""
    count = words.shape[1]
    blocks = (8 * count + 1) // RATE + 1
    state[:] = 0
    # The tag moves every byte up by one, so that each word takes in the highest byte of the one before.
    pending = np.empty(LANES, dtype=np.uint64)
    pending[:] = tag
    for block in range(blocks):
        for word in range(RATE // 8):
            at = block * (RATE // 8) + word
            if at < count:
                for lane in range(LANES):
                    value = words[lane, at]
                    state[word * LANES + lane] ^= (value << np.uint64(8)) | pending[lane]
                    pending[lane] = value >> np.uint64(56)
            elif at == count:
                for lane in range(LANES):
                    state[word * LANES + lane] ^= np.uint64(0x0100) | pending[lane]
        if block == blocks - 1:
            for lane in range(LANES):
                state[(RATE // 8 - 1) * LANES + lane] ^= np.uint64(0x80 << 56)
        _permute(state)
    for lane in range(LANES):
        for word in range(4):
            digests[lane, word] = state[word * LANES + lane]


@njit(cache=True, nogil=True)
def _encode(values, wire):  # type: ignore[no-untyped-def]
    """Write values as they are hashed, value zero after the last one; unsigned integers of two or of four bytes."""
    if values.itemsize == 2:
        for k in range(len(values)):
            value = values[k]
            wire[k] = ((value << 8) | (value >> 8)) ^ 0x80
    else:
        for k in range(len(values)):
            value = values[k]
            wire[k] = ((value << 24) | ((value << 8) & 0xFF0000) | ((value >> 8) & 0xFF00) | (value >> 24)) ^ 0x80
    wire[len(values) :] = 0x80


@njit(cache=True, nogil=True)
def _subtree_group(values, chunk_values, height, leaf_tag, node_tag, roots, first):  # type: ignore[no-untyped-def]
    """The LANES subtrees of a vector from `first` on: hashed together, every level of them fills all lanes."""
    chunks = 1 << height
    wire = np.empty((LANES, chunk_values * values.itemsize // 8), dtype=np.uint64)
    encoded = wire.view(values.dtype)
    nodes = np.zeros((LANES * max(chunks, 2), 4), dtype=np.uint64)
    pairs = nodes.reshape(-1, 8)
    state = np.empty(25 * LANES, dtype=np.uint64)
    count = min(LANES, len(roots) - first)
    for chunk in range(0, count * chunks, LANES):
        for lane in range(LANES):
            at = min((first * chunks + chunk + lane) * chunk_values, len(values))
            _encode(values[at : at + chunk_values], encoded[lane])
        _hash_words(wire, leaf_tag, state, nodes[chunk : chunk + LANES])
    width = count * chunks
    while width > count:
        width //= 2
        for pair in range(0, width, LANES):
            _hash_words(pairs[pair : pair + LANES], node_tag, state, nodes[pair : pair + LANES])
    roots[first : first + count] = nodes[:count]


@njit(cache=True, nogil=True)
def _subtrees(vectors, chunk_values, height, leaf_tag, node_tag, roots):  # type: ignore[no-untyped-def]
    for vector in range(len(vectors)):
        for first in range(0, roots.shape[1], LANES):
            _subtree_group(vectors[vector], chunk_values, height, leaf_tag, node_tag, roots[vector], first)


@njit(cache=True, parallel=True, nogil=True)
def _subtrees_in_parallel(vectors, chunk_values, height, leaf_tag, node_tag, roots):  # type: ignore[no-untyped-def]
    groups = (roots.shape[1] + LANES - 1) // LANES
    for task in prange(len(vectors) * groups):
        vector, first = task // groups, task % groups * LANES
        _subtree_group(vectors[vector], chunk_values, height, leaf_tag, node_tag, roots[vector], first)
