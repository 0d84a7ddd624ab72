from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from fedblocks.training import datasets
from fedblocks.training.datasets import (
    DATASETS,
    Dataset,
    DatasetDamaged,
    DatasetMissing,
    UnknownDataset,
    default_dataset,
    load_dataset,
    read_idx,
)


def idx(values: np.ndarray, magic: bytes | None = None) -> bytes:
    header = magic if magic is not None else bytes([0, 0, 8, values.ndim])
    return header + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def idx_file(tmp_path: Path) -> Path:
    return tmp_path / "values.gz"


def consistent(dataset: Dataset) -> None:
    for x, y in ((dataset.train_x, dataset.train_y), (dataset.test_x, dataset.test_y)):
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.shape == (len(y), *dataset.input_shape)
        assert set(y.tolist()) == set(range(dataset.classes))
        assert np.isfinite(x).all()
    assert abs(float(dataset.train_x.mean())) < 0.02
    assert abs(float(dataset.train_x.std()) - 1) < 0.02


def test_the_digits_are_always_there_and_normalised(digits: Dataset) -> None:
    consistent(digits)
    assert (len(digits.train_y), len(digits.test_y), digits.input_shape) == (1497, 300, (1, 8, 8))


def test_fashion_mnist_is_complete_and_normalised(fashion_mnist: Dataset) -> None:
    consistent(fashion_mnist)
    assert (len(fashion_mnist.train_y), len(fashion_mnist.test_y)) == (60_000, 10_000)
    assert np.bincount(fashion_mnist.train_y).tolist() == [6_000] * 10


def test_loading_twice_gives_the_same_numbers(digits: Dataset) -> None:
    again = load_dataset("digits")
    assert np.array_equal(digits.train_x, again.train_x)
    assert np.array_equal(digits.test_y, again.test_y)


def test_the_head_of_a_data_set_is_a_smaller_one(digits: Dataset) -> None:
    head = digits.head(100, 10)
    assert (head.train_x.shape, head.test_y.shape, head.classes) == ((100, 1, 8, 8), (10,), 10)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownDataset, match=r"'cifar'.*fashion-mnist, digits"):
        load_dataset("cifar")
    assert set(DATASETS) == {"fashion-mnist", "digits", "letters"}


def test_missing_files_are_reported_with_where_they_were_looked_for_and_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"dataset-fashion-mnist.*make setup") as missing:
        load_dataset("fashion-mnist", tmp_path)
    assert missing.value.looked == (tmp_path,)


def test_the_default_is_the_digits_where_fashion_mnist_is_not(tmp_path: Path) -> None:
    assert default_dataset(tmp_path).name == "digits"


def test_fashion_mnist_is_found_in_the_data_folder_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".data" / "fashion-mnist"
    folder.mkdir(parents=True)
    sizes = {"train_x": (20, 28, 28), "train_y": (20,), "test_x": (10, 28, 28), "test_y": (10,)}
    names = {part: name for part, (name, _) in datasets._FASHION_MNIST_FILES.items()}
    monkeypatch.setattr(datasets, "_FASHION_MNIST_FILES", {part: (names[part], sizes[part]) for part in sizes})
    for part, shape in sizes.items():
        (folder / names[part]).write_bytes(gzip.compress(idx(np.full(shape, 9, dtype=np.uint8))))
    monkeypatch.chdir(tmp_path)
    loaded = default_dataset()
    assert (loaded.name, loaded.train_x.shape, loaded.test_y.tolist()) == ("fashion-mnist", (20, 1, 28, 28), [9] * 10)
    (folder / names["test_y"]).write_bytes(gzip.compress(idx(np.full((10,), 10, dtype=np.uint8))))
    with pytest.raises(DatasetDamaged, match="class above 9"):
        load_dataset("fashion-mnist")


def test_an_idx_file_is_read_as_it_was_written(idx_file: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    idx_file.write_bytes(gzip.compress(idx(values)))
    assert np.array_equal(read_idx(idx_file, (2, 3, 4)), values)


VALUES = np.arange(6, dtype=np.uint8)


def packed(content: bytes) -> bytes:
    """Compressed, without the time of day: every process must find the same tests."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no gzip at all", "(?i)gzip"),
        (packed(idx(VALUES))[:-12], "(?i)end"),
        (packed(idx(VALUES, magic=b"\0\0\x09\x01")), "magic number is 00000901"),
        (packed(b"\0\0\x08\x01\0"), "within its header"),
        (packed(b""), "magic number"),
        (packed(idx(VALUES[:5])), r"holds \(5,\)"),
        (packed(idx(VALUES)[:-1]), "less than it says"),
        (packed(idx(VALUES) + b"\0"), "more than it says"),
    ],
    ids=["no gzip", "cut off", "other values", "within header", "empty", "fewer", "less", "more"],
)
def test_a_damaged_idx_file_is_refused(idx_file: Path, content: bytes, why: str) -> None:
    idx_file.write_bytes(content)
    with pytest.raises(DatasetDamaged, match=why):
        read_idx(idx_file, (6,))


def test_the_letters_are_a_table_of_26_classes(letters: Dataset) -> None:
    assert (letters.train_x.shape, letters.test_x.shape, letters.input_shape) == ((16_000, 16), (4_000, 16), (16,))
    assert letters.train_x.dtype == np.float32
    assert np.bincount(letters.train_y).min() > 500
    assert letters.train_y[0] == ord("T") - ord("A")
    assert abs(float(letters.train_x.mean())) < 0.01
    assert float(letters.train_x.std()) == pytest.approx(1, abs=0.01)


def test_missing_letters_name_their_package(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"letters is not in .*r-cran-mlbench.*make setup"):
        load_dataset("letters", tmp_path)


@pytest.mark.parametrize(
    "content",
    # Without a time in it: all workers must find the same tests.
    [b"", b"no such file", gzip.compress(b"RDX2\nX\n\0\0", mtime=0), b"\xfd7zXZ\0\0"],
    ids=["empty", "other text", "cut off inside", "cut off outside"],
)
def test_damaged_letters_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "LetterRecognition.rda").write_bytes(content)
    with pytest.raises(DatasetDamaged, match=r"LetterRecognition\.rda is damaged"):
        load_dataset("letters", tmp_path)
