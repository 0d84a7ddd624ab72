"""The batched keccak is the keccak that Ethereum knows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.rollup import keccak
from fedblocks.rollup.keccak import hash_pairs, keccak256, keccak_rows


def random_rows(count: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, length), dtype=np.uint8)


def assert_equals_single_hashes(rows: np.ndarray, tag: int) -> None:
    digests = keccak_rows(rows, tag)
    assert digests.shape == (len(rows), 32)
    for row, digest in zip(rows, digests, strict=True):
        assert digest.tobytes() == keccak256(bytes([tag]) + row.tobytes())


def test_keccak256_gives_ethereums_known_digests() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_keccak256_takes_views_without_a_copy() -> None:
    data = bytes(range(256)) * 3
    assert keccak256(memoryview(data)) == keccak256(bytearray(data)) == keccak256(data)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 134, 135, 136, 137, 270, 271, 272, 273, 512, 1024, 1100])
def test_rows_of_any_length_hash_as_single_messages_do(length: int) -> None:
    assert_equals_single_hashes(random_rows(9, length), 0x0B)


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(0, 20),
    length=st.integers(0, 1100),
    tag=st.integers(0, 255),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_of_a_batch_equals_the_single_hash(count: int, length: int, tag: int, seed: int) -> None:
    assert_equals_single_hashes(random_rows(count, length, seed), tag)


@pytest.mark.parametrize("count", [256, 257, 263, 511, 513, 1999])
def test_the_threads_give_the_rows_of_one_thread(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keccak, "PARALLEL_FROM_BYTES", 1 << 17)
    rows = random_rows(count, 512)
    assert rows.size >= keccak.PARALLEL_FROM_BYTES
    alone = np.concatenate([keccak_rows(rows[i : i + 8], 1) for i in range(0, count, 8)])
    assert np.array_equal(keccak_rows(rows, 1), alone)


def test_a_row_says_nothing_about_its_neighbours() -> None:
    rows = random_rows(24, 136)
    before = keccak_rows(rows, 5)
    rows[11, 77] ^= 1
    changed = np.any(keccak_rows(rows, 5) != before, axis=1)
    assert np.flatnonzero(changed).tolist() == [11]


def test_read_only_and_strided_rows_are_hashed_in_place_of_copies() -> None:
    rows = random_rows(6, 200)
    frozen = np.frombuffer(rows.tobytes(), dtype=np.uint8).reshape(6, 200)
    assert np.array_equal(keccak_rows(frozen, 2), keccak_rows(rows, 2))
    assert_equals_single_hashes(rows[::2, ::3], 2)


def test_pairs_are_tag_left_right() -> None:
    level = random_rows(6, 32)
    parents = hash_pairs(level, 0x04)
    assert parents.shape == (3, 32)
    assert parents[1].tobytes() == keccak256(b"\x04" + level[2].tobytes() + level[3].tobytes())


def test_an_odd_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8\[2m, 32\]"):
        hash_pairs(random_rows(3, 32), 4)


def test_rows_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="int16"):
        keccak_rows(np.zeros((2, 4), dtype=np.int16), 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one byte"):
        keccak_rows(np.zeros((2, 4), dtype=np.uint8), 256)
