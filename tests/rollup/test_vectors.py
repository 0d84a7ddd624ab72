"""The wire form of vectors and what their roots bind."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.rollup import keccak
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.merkle import LeafOutsideTree
from fedblocks.rollup.vectors import (
    NotAVector,
    VectorKind,
    WrongVectorSize,
    chunk_at,
    chunk_proof,
    decode_vector,
    encode_vector,
    roots_of_subtrees,
    rows_of_one,
    subtree_roots,
    tree_depth,
    vector_root,
    vector_roots,
    verify_chunk,
)

kinds = st.sampled_from(VectorKind)
seeds = st.integers(0, 2**32 - 1)
LENGTHS = [1, 255, 256, 257, 4095, 4096, 4097, 8192, 8193, 12_288, 16_384, 16_385, 20_000]


def random_values(kind: VectorKind, *shape: int, seed: int = 0) -> np.ndarray:
    limits = np.iinfo(kind.dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, kind.dtype, endpoint=True)


def naive_root(values: np.ndarray, kind: VectorKind) -> bytes:
    """The root as docs/protocol.md says it, value by value."""
    leaf, node = (b"\x01", b"\x02") if kind is VectorKind.UPDATE else (b"\x03", b"\x04")
    width, offset = (2, 2**15) if kind is VectorKind.UPDATE else (4, 2**31)
    leaves = -(-len(values) // 4096)
    top = 0
    while 2**top < leaves:
        top += 1
    filled = [int(v) for v in values] + [0] * (2 ** (top + 4) * 256 - len(values))
    data = b"".join((v + offset).to_bytes(width, "big") for v in filled)
    size = 256 * width
    level = [keccak256(leaf + data[i : i + size]) for i in range(0, len(data), size)]
    while len(level) > 1:
        level = [keccak256(node + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def test_values_are_offset_and_big_endian() -> None:
    assert encode_vector(np.array([-(2**15), -1, 0, 2**15 - 1], dtype=np.int16)).hex() == "00007fff8000ffff"
    assert encode_vector(np.array([-(2**31), 1], dtype=np.int32)).hex() == "0000000080000001"


@given(kind=kinds, d=st.integers(1, 700), seed=seeds)
def test_decoding_gives_back_what_was_encoded(kind: VectorKind, d: int, seed: int) -> None:
    values = random_values(kind, d, seed=seed)
    data = encode_vector(values)
    assert len(data) == d * kind.value_bytes
    decoded = decode_vector(memoryview(data), kind, d)
    assert decoded.dtype == kind.dtype
    assert np.array_equal(decoded, values)
    decoded[0] = 0  # the caller owns it


@pytest.mark.parametrize("kind", VectorKind)
@pytest.mark.parametrize("wrong", [-1, 1])
def test_bytes_of_another_size_are_refused_with_both_sizes(kind: VectorKind, wrong: int) -> None:
    expected = 10 * kind.value_bytes
    with pytest.raises(WrongVectorSize, match=f"must be {expected} bytes .* got {expected + wrong}") as caught:
        decode_vector(bytes(expected + wrong), kind, 10)
    assert (caught.value.expected, caught.value.actual) == (expected, expected + wrong)


@pytest.mark.parametrize("kind", VectorKind)
@pytest.mark.parametrize("d", LENGTHS)
def test_the_root_is_the_one_of_the_protocol(kind: VectorKind, d: int) -> None:
    values = random_values(kind, d, seed=d)
    assert vector_root(values) == naive_root(values, kind)


@pytest.mark.parametrize("leaves", [7, 8, 9, 33])
@pytest.mark.parametrize("kind", VectorKind)
@pytest.mark.parametrize("parallel_from", [1, 1 << 30])
def test_the_root_does_not_depend_on_how_many_subtrees_are_hashed_together(
    kind: VectorKind, leaves: int, parallel_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keccak, "PARALLEL_FROM_BYTES", parallel_from)
    values = random_values(kind, leaves * 4096 - 300)
    assert vector_root(values) == naive_root(values, kind)


@settings(max_examples=25, deadline=None)
@given(kind=kinds, n=st.integers(1, 5), d=st.integers(1, 9000), seed=seeds)
def test_vectors_hashed_together_have_the_roots_they_have_alone(kind: VectorKind, n: int, d: int, seed: int) -> None:
    matrix = random_values(kind, n, d, seed=seed)
    assert vector_roots(matrix) == [vector_root(row) for row in matrix] == vector_roots(list(matrix))


@settings(max_examples=30, deadline=None)
@given(kind=kinds, d=st.integers(1, 9000), seed=seeds, data=st.data())
def test_any_changed_value_changes_the_root(kind: VectorKind, d: int, seed: int, data: st.DataObject) -> None:
    values = random_values(kind, d, seed=seed)
    before = vector_root(values)
    values[data.draw(st.integers(0, d - 1))] ^= 1
    assert vector_root(values) != before


def test_an_update_and_a_model_of_the_same_values_have_different_roots() -> None:
    assert vector_root(np.zeros(512, dtype=np.int16)) != vector_root(np.zeros(256, dtype=np.int32))


def test_strided_and_read_only_vectors_hash_like_their_copies() -> None:
    values = random_values(VectorKind.MODEL, 9000)[::3]
    frozen = values.copy()
    frozen.flags.writeable = False
    assert vector_root(values) == vector_root(frozen)
    assert encode_vector(values) == encode_vector(frozen)


def test_subtree_roots_are_the_level_at_which_the_gram_commitments_walk() -> None:
    matrix = random_values(VectorKind.UPDATE, 2, 3 * 4096 + 5)
    subtrees = subtree_roots(matrix)
    assert subtrees.shape == (2, 4, 32)
    assert subtrees[1, 2].tobytes() == vector_root(matrix[1, 2 * 4096 : 3 * 4096])
    assert roots_of_subtrees(subtrees, VectorKind.UPDATE) == vector_roots(matrix)


def test_hashing_takes_no_room_that_grows_with_the_values() -> None:
    matrix = np.zeros((2, 8_000_000), dtype=np.int16)
    vector_roots(matrix[:, :100_000])
    tracemalloc.start()
    vector_roots(matrix)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20, "the subtrees' roots and the levels above are all there is"


@pytest.mark.parametrize(("d", "depth"), [(1, 4), (4096, 4), (4097, 5), (8192, 5), (8193, 6), (10**8, 19), (2**30, 22)])
def test_the_depth_follows_from_d(d: int, depth: int) -> None:
    assert tree_depth(d) == depth


@pytest.mark.parametrize("kind", VectorKind)
@pytest.mark.parametrize("d", [1, 300, 4097, 12_289])
def test_every_chunk_is_proved_at_its_own_position_only(kind: VectorKind, d: int) -> None:
    values = random_values(kind, d)
    root = vector_root(values)
    width = 2 ** tree_depth(d)
    for index in {0, 1, (d - 1) // 256, 15, 16 % width, width // 2, width - 1}:
        chunk, proof = chunk_at(values, index), chunk_proof(values, index)
        assert verify_chunk(chunk, index, proof, root, kind, d)
        assert not verify_chunk(chunk, index + width, proof, root, kind, d)
        assert not verify_chunk(chunk, index - width, proof, root, kind, d)
        assert not verify_chunk(chunk, index, proof[1:], root, kind, d)
        assert not verify_chunk(chunk, index, [*proof, bytes(32)], root, kind, d)
        assert not verify_chunk(chunk[:-1], index, proof, root, kind, d)
        assert not verify_chunk(chunk[:-1] + bytes([chunk[-1] ^ 1]), index, proof, root, kind, d)
        if index < d // 256:
            assert not verify_chunk(chunk, index ^ 1, proof, root, kind, d)


def test_a_chunk_outside_the_tree_is_refused_by_name() -> None:
    values = random_values(VectorKind.UPDATE, 10)
    for ask in (chunk_at, chunk_proof):
        with pytest.raises(LeafOutsideTree, match=r"leaf 16 is outside the tree's 0\.\.15"):
            ask(values, 16)


def test_what_is_no_vector_is_refused_with_the_reason() -> None:
    with pytest.raises(NotAVector, match="float32"):
        encode_vector(np.zeros(3, dtype=np.float32))  # type: ignore[arg-type]
    with pytest.raises(NotAVector, match="2 dimensions"):
        encode_vector(np.zeros((3, 3), dtype=np.int16))
    with pytest.raises(NotAVector, match="0 values"):
        vector_root(np.zeros(0, dtype=np.int32))
    with pytest.raises(NotAVector, match=r"int16\[4\] among vectors of int16\[5\]"):
        vector_roots([np.zeros(5, dtype=np.int16), np.zeros(4, dtype=np.int16)])
    with pytest.raises(NotAVector, match="there are none"):
        vector_roots([])


def test_a_vector_is_decoded_into_a_row_of_a_matrix():
    values = np.array([-(1 << 15), -1, 0, 7, (1 << 15) - 1], dtype=np.int16)
    matrix = np.full((2, 5), 9, dtype=np.int16)
    decode_vector(encode_vector(values), VectorKind.UPDATE, 5, matrix[1])
    assert matrix.tolist() == [[9] * 5, values.tolist()]


def test_rows_of_one_matrix_are_recognised_and_nothing_else_is():
    matrix = np.arange(12, dtype=np.int16).reshape(3, 4)
    whole = matrix.copy()
    found = rows_of_one(list(whole))
    assert found is not None
    assert found.tolist() == whole.tolist()
    assert np.shares_memory(found, whole)
    assert not found.flags.writeable
    for others in (
        list(whole[::-1]),
        list(whole[::2]),
        [whole[0], whole[0], whole[1]],
        [row[:3] for row in whole],
        [row[::2] for row in whole],
        [whole[0], whole[1].copy(), whole[2]],
        [row.copy() for row in whole],
    ):
        assert rows_of_one(others) is None
