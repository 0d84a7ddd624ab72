"""The data sets that FedBlocks trains on when nobody brings their own.

**fashion-mnist** is 70,000 grey images of clothes, 28 by 28, in ten classes; Debian packages it, and the demo's
set-up unpacks that package into ``.data/``. **digits** is 1,797 handwritten digits, 8 by 8, and comes with
scikit-learn, so that it is always there. **letters** is a table: 20,000 printed letters, distorted, each described by
16 numbers, in 26 classes; Debian packages it with R's mlbench, and the set-up unpacks that too. Nothing here downloads
anything.

Values are scaled by constants, never by what a client's own data happen to be: two clients must see the same sample as
the same numbers.
"""

from __future__ import annotations

import gzip
import lzma
import math
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fedblocks.exceptions import FedBlocksError

Float32Array = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int64]

FASHION_MNIST_MEAN, FASHION_MNIST_STD = 0.2860, 0.3530
DIGITS_MEAN, DIGITS_STD = 0.3053, 0.3760

_FASHION_MNIST_FILES = {
    "train_x": ("train-images-idx3-ubyte.gz", (60_000, 28, 28)),
    "train_y": ("train-labels-idx1-ubyte.gz", (60_000,)),
    "test_x": ("t10k-images-idx3-ubyte.gz", (10_000, 28, 28)),
    "test_y": ("t10k-labels-idx1-ubyte.gz", (10_000,)),
}
_SYSTEM = Path("/usr/share/datasets/fashion-mnist")
_REPOSITORY = Path(__file__).resolve().parents[3]
_DIGITS_TEST_EVERY = 6

LETTERS_MEAN, LETTERS_STD = 5.9255, 2.9079
_LETTERS_FILE, _LETTERS_TABLE, _LETTERS_SHAPE = "LetterRecognition.rda", "LetterRecognition", (20_000, 17)
_LETTERS_TRAIN = 16_000
_LETTERS_SYSTEM = Path("/usr/lib/R/site-library/mlbench/data")
_PACKAGES = {"fashion-mnist": "dataset-fashion-mnist", "letters": "r-cran-mlbench"}


class UnknownDataset(FedBlocksError, KeyError):
    """There is no data set of the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes.


class DatasetMissing(FedBlocksError, FileNotFoundError):
    """A data set's files are in none of the places where they are looked for."""

    def __init__(self, name: str, looked: Sequence[Path]) -> None:
        super().__init__(
            f"{name} is not in {', '.join(str(path) for path in looked)}; install Debian's {_PACKAGES[name]}, run "
            "`make setup`, or say where its files are; the data set digits needs no files"
        )
        self.name, self.looked = name, tuple(looked)


class DatasetDamaged(FedBlocksError, ValueError):
    """A data set's file is not what it should be: cut short, of another kind, or of another size."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}; fetch it anew")
        self.path = path


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their classes, for training and for testing.

    Attributes:
        train_x: float32[n, *input_shape], normalised.
        train_y: int64[n], 0 to classes - 1.
        test_x: float32[m, *input_shape].
        test_y: int64[m].
        input_shape: one sample's shape; of an image, channels first.
        name: what :func:`load_dataset` knows it by.
    """

    train_x: Float32Array
    train_y: LabelArray
    test_x: Float32Array
    test_y: LabelArray
    input_shape: tuple[int, ...]
    classes: int
    name: str

    def head(self, train: int, test: int) -> Dataset:
        """The first samples alone, for a quick run; without copying."""
        return replace(
            self,
            train_x=self.train_x[:train],
            train_y=self.train_y[:train],
            test_x=self.test_x[:test],
            test_y=self.test_y[:test],
        )


def load_dataset(name: str, root: Path | str | None = None) -> Dataset:
    """Load a data set by name.

    Args:
        name: one of :data:`DATASETS`.
        root: the folder with the files, when they are somewhere else than in ``.data`` under the working directory or
            the repository (in a folder of the data set's name), or where Debian's package puts them.

    Raises:
        UnknownDataset: if there is none of the name.
        DatasetMissing: if its files are not to be found.
        DatasetDamaged: if a file is not what it should be.
    """
    if name == "fashion-mnist":
        return _fashion_mnist(None if root is None else Path(root))
    if name == "digits":
        return _digits()
    if name == "letters":
        return _letters(None if root is None else Path(root))
    raise UnknownDataset(name)


def default_dataset(root: Path | str | None = None) -> Dataset:
    """Fashion-MNIST where its files are, and the digits elsewhere."""
    try:
        return load_dataset("fashion-mnist", root)
    except DatasetMissing:
        return load_dataset("digits")


def read_idx(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Read a gzipped IDX file of bytes, the format that MNIST was published in.

    It starts with two zero bytes, the type of its values (8: unsigned bytes) and the number of dimensions, then the
    dimensions as big-endian uint32, then the values, last index fastest.

    Args:
        shape: what the file must hold.

    Raises:
        DatasetDamaged: if it holds anything else.
    """
    # One byte more than there should be shows what is too long, and a file that unpacks without end is not followed.
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    try:
        with gzip.open(path) as file:
            content = file.read(expected + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetDamaged(path, str(error)) from error
    if content[:4] != bytes([0, 0, 8, len(shape)]):
        raise DatasetDamaged(path, f"its magic number is {content[:4].hex()}, not 000008{len(shape):02x}")
    if len(content) < header:
        raise DatasetDamaged(path, "it ends within its header")
    actual = struct.unpack(f">{len(shape)}I", content[4:header])
    if actual != shape:
        raise DatasetDamaged(path, f"it says that it holds {actual} values, not {shape}")
    if len(content) != expected:
        raise DatasetDamaged(path, f"it has {'less' if len(content) < expected else 'more'} than it says")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _fashion_mnist(root: Path | None) -> Dataset:
    folder = _find("fashion-mnist", [file for file, _ in _FASHION_MNIST_FILES.values()], _SYSTEM, root)
    raw = {part: read_idx(folder / name, shape) for part, (name, shape) in _FASHION_MNIST_FILES.items()}
    for part in ("train_y", "test_y"):
        if raw[part].max() > 9:
            raise DatasetDamaged(folder / _FASHION_MNIST_FILES[part][0], "it has a class above 9")
    return Dataset(
        train_x=_normalised(raw["train_x"], 255, FASHION_MNIST_MEAN, FASHION_MNIST_STD),
        train_y=raw["train_y"].astype(np.int64),
        test_x=_normalised(raw["test_x"], 255, FASHION_MNIST_MEAN, FASHION_MNIST_STD),
        test_y=raw["test_y"].astype(np.int64),
        input_shape=(1, 28, 28),
        classes=10,
        name="fashion-mnist",
    )


def _find(name: str, files: Sequence[str], system: Path, root: Path | None) -> Path:
    places = [root] if root is not None else [Path.cwd() / ".data" / name, _REPOSITORY / ".data" / name, system]
    for place in places:
        if all((place / file).is_file() for file in files):
            return place
    raise DatasetMissing(name, list(dict.fromkeys(places)))


def _letters(root: Path | None) -> Dataset:
    import rdata  # takes a second, which only this data set should cost

    path = _find("letters", [_LETTERS_FILE], _LETTERS_SYSTEM, root) / _LETTERS_FILE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about R's missing values, of which there are none
            table = rdata.read_rda(path)[_LETTERS_TABLE]
        if table.shape != _LETTERS_SHAPE:
            raise DatasetDamaged(path, f"its table is {table.shape}, not {_LETTERS_SHAPE}")
        values = table.iloc[:, 1:].to_numpy(np.float32)
        labels = table.iloc[:, 0].cat.codes.to_numpy(np.int64)
    except (ValueError, KeyError, EOFError, OSError, AttributeError, NotImplementedError, lzma.LZMAError) as error:
        if isinstance(error, DatasetDamaged):
            raise
        raise DatasetDamaged(path, f"{type(error).__name__}: {error}") from error
    scaled = (values - np.float32(LETTERS_MEAN)) / np.float32(LETTERS_STD)
    # In no order, so that the customary division (the last 4,000 to test) is a fair one.
    return Dataset(
        train_x=scaled[:_LETTERS_TRAIN],
        train_y=labels[:_LETTERS_TRAIN],
        test_x=scaled[_LETTERS_TRAIN:],
        test_y=labels[_LETTERS_TRAIN:],
        input_shape=(16,),
        classes=26,
        name="letters",
    )


def _digits() -> Dataset:
    from sklearn.datasets import load_digits  # takes a second, which only this data set should cost

    bunch = load_digits()
    images = _normalised(bunch.images, 16, DIGITS_MEAN, DIGITS_STD)
    labels = np.asarray(bunch.target, dtype=np.int64)
    # They come writer by writer, so that the last ones are not like the first ones: test on every sixth.
    test = np.arange(len(labels)) % _DIGITS_TEST_EVERY == 0
    return Dataset(
        train_x=images[~test],
        train_y=labels[~test],
        test_x=images[test],
        test_y=labels[test],
        input_shape=(1, 8, 8),
        classes=10,
        name="digits",
    )


def _normalised(images: npt.NDArray[np.generic], highest: float, mean: float, std: float) -> Float32Array:
    """Scale to mean 0 and deviation 1 over the whole data set, and put a channel before height and width."""
    scaled = images.astype(np.float32)
    scaled /= np.float32(highest)
    scaled -= np.float32(mean)
    scaled /= np.float32(std)
    return scaled[:, np.newaxis]


DATASETS: Mapping[str, str] = {
    "fashion-mnist": "70,000 grey images of clothes, 28x28, ten classes (Xiao et al. 2017, MIT)",
    "digits": "1,797 handwritten digits, 8x8, ten classes (scikit-learn, after UCI)",
    "letters": "a table: 20,000 letters by 16 numbers each, 26 classes (Frey and Slate 1991, UCI; mlbench)",
}
"""The data sets and what they are."""
