"""Architectures by name, built the same way everywhere.

A job names its architecture so that a client can build the empty network before it downloads the weights. Two things
must then be equal on every machine: which tensors there are, in which order (that order is the model's layout as a
vector, see :mod:`fedblocks.training.quantise`), and, for whoever creates the genesis model, the first weights that a
seed gives. The names here are a convenience: everything else in FedBlocks takes any ``nn.Module``.

PyTorch draws first weights, and dropout its masks, from one generator for the whole process, and it has one setting
for the number of threads, on which the last bit of a sum depends. :func:`reproducible` is the one place that sets
both, and puts them back.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model as _read_safetensors
from safetensors.torch import save_model as _write_safetensors
from torch import nn

from fedblocks.exceptions import FedBlocksError

InputShape = tuple[int, ...]
"""The shape of one sample without the batch: channels, height, width for an image."""

_MAX_SEED = 2**64
_torch_state = threading.RLock()


class UnknownArchitecture(FedBlocksError, KeyError):
    """No architecture is registered under the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no architecture {name!r}; there are {', '.join(sorted(ARCHITECTURES))}")
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes.


class UnsuitableShape(FedBlocksError, ValueError):
    """An architecture cannot be built for these inputs or this number of classes."""

    def __init__(self, architecture: str, input_shape: InputShape, classes: int, why: str) -> None:
        super().__init__(f"{architecture} does not fit inputs of shape {input_shape} and {classes} classes: {why}")
        self.architecture, self.input_shape, self.classes = architecture, input_shape, classes


class UnreadableModel(FedBlocksError, ValueError):
    """A file is no safetensors file, or holds other tensors than the model has."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} does not hold this model: {why}")
        self.path = path


@dataclass(frozen=True)
class Architecture:
    """A network by name.

    Attributes:
        build: takes the input shape and the number of classes. It may draw its first weights from PyTorch's global
            generator, which :func:`build_model` seeds for it.
    """

    name: str
    description: str
    build: Callable[[InputShape, int], nn.Module]


@contextmanager
def reproducible(seed: int, threads: int = 1) -> Iterator[torch.Generator]:
    """Run a block whose random draws and sums depend on `seed` and `threads` alone.

    PyTorch's global generator is seeded and its number of threads set, and both are as they were afterwards. They
    belong to the whole process, so one such block runs at a time: a second thread waits. Train in several processes,
    not in several threads. What is drawn on an accelerator (dropout there) has a generator of its own and is not
    seeded.

    Args:
        seed: 0 to 2**64 - 1.
        threads: for PyTorch's kernels. The same number gives the same bits on one machine; between machines nothing
            does, which is why only quantised vectors are ever committed to.

    Yields:
        a generator seeded alike, for draws that need not be the global generator's.
    """
    if not 0 <= seed < _MAX_SEED:
        raise ValueError(f"a seed is 0 to 2**64 - 1, not {seed}")
    with _torch_state, torch.random.fork_rng(devices=[]):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.default_generator.manual_seed(seed)
        try:
            yield torch.Generator().manual_seed(seed)
        finally:
            torch.set_num_threads(before)


def build_model(name: str, input_shape: InputShape, classes: int, seed: int) -> nn.Module:
    """Build the architecture `name` with the first weights that `seed` gives.

    Args:
        name: a key of :data:`ARCHITECTURES`.
        input_shape: one sample's, without the batch.
        classes: the model's outputs, at least 2.
        seed: 0 to 2**64 - 1.

    Returns:
        the model in training mode; it maps float32[batch, *input_shape] to logits float32[batch, classes].

    Raises:
        UnknownArchitecture: if nothing is registered under the name.
        UnsuitableShape: if it cannot be built for such inputs.
    """
    if name not in ARCHITECTURES:
        raise UnknownArchitecture(name)
    if not input_shape or min(input_shape) < 1:
        raise UnsuitableShape(name, input_shape, classes, "every dimension must be at least 1")
    if classes < 2:
        raise UnsuitableShape(name, input_shape, classes, "there must be at least 2 classes")
    with reproducible(seed):
        return ARCHITECTURES[name].build(input_shape, classes)


def register_architecture(architecture: Architecture) -> None:
    """Make an architecture of your own available by its name, on this machine.

    Raises:
        ValueError: if the name is taken: a job's architecture must not mean two things.
    """
    if architecture.name in _architectures:
        raise ValueError(f"there already is an architecture {architecture.name!r}")
    _architectures[architecture.name] = architecture


def save_model(path: Path | str, module: nn.Module, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's tensors as safetensors, which holds numbers and no code.

    Args:
        metadata: text to store beside the tensors, such as the instance and the epoch.
    """
    _write_safetensors(module, str(path), dict(metadata) if metadata else None)


def load_model(path: Path | str, module: nn.Module) -> None:
    """Read into `module` what :func:`save_model` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableModel: if it is not safetensors, or has other tensors than the module.
    """
    try:
        _read_safetensors(module, str(path))
    except (SafetensorError, RuntimeError) as error:
        raise UnreadableModel(Path(path), str(error)) from error


def _logistic(input_shape: InputShape, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), classes))


def _mlp(input_shape: InputShape, classes: int) -> nn.Module:
    hidden = 64
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), hidden), nn.ReLU(), nn.Linear(hidden, classes))


def _cnn(input_shape: InputShape, classes: int) -> nn.Module:
    if len(input_shape) != 3 or min(input_shape[1:]) < 4:
        raise UnsuitableShape("cnn", input_shape, classes, "it needs channels, height and width, at least 4 by 4")
    channels, height, width = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * (height // 4) * (width // 4), classes),
    )


class Residual(nn.Module):
    """``x + body(x)``: what a block adds to its input."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32[batch, width] in and out."""
        return x + self.body(x)  # type: ignore[no-any-return]


def _resmlp(input_shape: InputShape, classes: int) -> nn.Module:
    width, blocks = 64, 2
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), width),
        *(
            Residual(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(blocks)
        ),
        nn.LayerNorm(width),
        nn.ReLU(),
        nn.Linear(width, classes),
    )


_architectures = {
    architecture.name: architecture
    for architecture in (
        Architecture("logistic", "multinomial logistic regression: one layer, a convex loss", _logistic),
        Architecture("mlp", "one hidden layer of 64 rectified units; 50,890 values for 28x28 and 10 classes", _mlp),
        Architecture("cnn", "two 3x3 convolutions with pooling and one linear layer; for images", _cnn),
        Architecture("resmlp", "two residual blocks of width 64 with layer normalisation; for tables", _resmlp),
    )
}

ARCHITECTURES: Mapping[str, Architecture] = _architectures
"""The architectures that a job can name; :func:`register_architecture` adds to them."""
