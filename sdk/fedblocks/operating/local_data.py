"""A process's own data: read from a file of arrays, or cut out of a known data set.

Files hold numbers and no code: ``.npz`` is read without pickles, ``.safetensors`` has none.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.config import DataConfig, EvaluationConfig
from fedblocks.training.datasets import Float32Array, LabelArray, load_dataset
from fedblocks.training.partition import dirichlet_partition


class UnreadableData(FedBlocksError, ValueError):
    """A file does not hold samples and labels as they are wanted."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; it must hold x, float[n, *shape], and y, integer[n]")
        self.path, self.why = path, why


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples and their classes.

    Attributes:
        x: float32[n, *shape].
        y: int64[n].
        domain, modality: as jobs name them.
    """

    x: Float32Array
    y: LabelArray
    domain: str
    modality: str

    @property
    def shape(self) -> tuple[int, ...]:
        """One sample's."""
        return tuple(int(each) for each in self.x.shape[1:])


def training_data(config: DataConfig) -> Samples:
    """A client's data.

    Raises:
        UnreadableData: if the file is not what it should be.
        DatasetMissing, UnknownDataset, NotEnoughSamples: if the data set, or the part of it, is not to be had.
    """
    if config.file is not None:
        x, y = read_arrays(config.file)
        return Samples(x, y, config.domain, config.modality)
    data = load_dataset(config.dataset or "")
    parts = dirichlet_partition(data.train_y, config.parts, config.alpha, config.seed, config.minimum_samples)
    mine = parts[config.part]
    return Samples(data.train_x[mine], data.train_y[mine], config.domain or data.name, config.modality)


def evaluation_data(config: EvaluationConfig) -> Samples:
    """What accuracy is measured with; errors as of :func:`training_data`."""
    if config.file is not None:
        return Samples(*read_arrays(config.file), domain="", modality="")
    data = load_dataset(config.dataset or "")
    return Samples(data.test_x, data.test_y, data.name, "image")


def read_arrays(path: Path) -> tuple[Float32Array, LabelArray]:
    """x and y of a file.

    Raises:
        UnreadableData: if it holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            arrays = load_file(path)
        else:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("x", "y") if name in file.files}
        x, y = arrays["x"], arrays["y"]
    except OSError as error:
        raise UnreadableData(path, error.strerror or str(error)) from error
    except (ValueError, SafetensorError, zipfile.BadZipFile, AttributeError) as error:
        raise UnreadableData(path, f"this is no file of arrays ({error})") from error
    except KeyError as error:
        raise UnreadableData(path, f"there is no array {error.args[0]}") from error
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or len(x) == 0:
        raise UnreadableData(path, f"x has the shape {x.shape} and y {y.shape}")
    if x.dtype.kind not in "fiu" or y.dtype.kind not in "iu":
        raise UnreadableData(path, f"x is of {x.dtype} and y of {y.dtype}")
    if not np.isfinite(x).all() or y.min() < 0:
        raise UnreadableData(path, "a sample is not finite, or a class is negative")
    return x.astype(np.float32), y.astype(np.int64)
