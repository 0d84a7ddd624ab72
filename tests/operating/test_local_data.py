"""A process's own data: files of arrays, and what is refused in them."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from fedblocks.operating.config import DataConfig, EvaluationConfig
from fedblocks.operating.local_data import UnreadableData, evaluation_data, read_arrays, training_data

X, Y = np.arange(12, dtype=np.float64).reshape(3, 2, 2), np.array([0, 1, 1], dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_arrays_are_read_from_either_kind_of_file(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    if suffix == ".npz":
        np.savez(path, x=X, y=Y)
    else:
        save_file({"x": X, "y": Y}, path)
    data = training_data(DataConfig(file=path, domain="tests"))
    assert (data.x.dtype, data.y.dtype, data.shape) == (np.float32, np.int64, (2, 2))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": X}, "there is no array y"),
        ({"x": X, "y": Y[:2]}, r"x has the shape \(3, 2, 2\) and y \(2,\)"),
        ({"x": X[:0], "y": Y[:0]}, "x has the shape"),
        ({"x": X[:, 0, 0], "y": Y}, "x has the shape"),
        ({"x": X, "y": Y.astype(np.float32)}, "y of float32"),
        ({"x": np.full_like(X, np.nan), "y": Y}, "not finite"),
        ({"x": X, "y": np.array([0, -1, 1])}, "negative"),
    ],
)
def test_what_are_no_samples_with_labels_is_refused(tmp_path, arrays, says):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(UnreadableData, match=says):
        read_arrays(path)


@pytest.mark.parametrize("name", ["data.npz", "data.safetensors"])
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UnreadableData, match="No such file"):
        read_arrays(path)
    path.write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(UnreadableData, match="this is no file of arrays"):
        read_arrays(path)


def test_pickles_are_not_opened(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([object()] * 3, dtype=object), y=Y)
    with pytest.raises(UnreadableData, match="allow_pickle"):
        read_arrays(path)


def test_parts_of_a_data_set_are_everybody_s_own():
    parts = [training_data(DataConfig(dataset="digits", part=part, parts=3)) for part in range(3)]
    whole = training_data(DataConfig(dataset="digits"))
    assert sum(len(part.y) for part in parts) == len(whole.y)
    assert parts[0].domain == "digits"
    assert len(evaluation_data(EvaluationConfig(dataset="digits")).y) == 300
