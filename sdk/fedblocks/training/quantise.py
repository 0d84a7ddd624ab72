"""The border between PyTorch and the protocol: floats on one side, integers on the other.

To the protocol a model is one long vector of int32: its floating tensors one after the other, in the order of
``state_dict``, each row by row. Weights and biases are in it, and so is what batch normalisation has learned about
its inputs, because a model without it is another model. Integer tensors (a batch counter) are not: no mean of them
makes sense.

NumPy integer arrays are all that crosses this border; what fixed point means is in
:mod:`fedblocks.aggregation.fixed_point`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from fedblocks.aggregation.fixed_point import (
    Int16Array,
    Int32Array,
    NotFinite,
    WrongVector,
    check_vector,
    dequantise,
    quantise_model,
    quantise_update,
)
from fedblocks.exceptions import FedBlocksError


class NonFiniteModel(FedBlocksError, ValueError):
    """Training has run away: a tensor of the model, or the loss, holds NaN or an infinity."""

    def __init__(self, tensor: str, count: int, step: int | None = None) -> None:
        when = "" if step is None else f" after step {step}"
        super().__init__(
            f"{tensor} has {count} values that are NaN or infinite{when}; "
            "lower the learning rate or check the data, and train again"
        )
        self.tensor, self.count, self.step = tensor, count, step


class ModelSizeMismatch(WrongVector):
    """A vector has another number of values than the model, so that it belongs to another architecture."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__("the vector", f"of {expected} values, as the model has", f"of {actual}")
        self.expected_values, self.actual_values = expected, actual


class UnsupportedTensor(FedBlocksError, TypeError):
    """A model has a tensor that has no fixed-point form: complex numbers are not floating."""

    def __init__(self, tensor: str, dtype: torch.dtype) -> None:
        super().__init__(f"{tensor} is {dtype}, which has no fixed-point form; split it into real tensors")
        self.tensor, self.dtype = tensor, dtype


def floating_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that make up the model as a vector, with their names, in order; they share the module's memory.

    Raises:
        UnsupportedTensor: if one is complex.
    """
    for name, tensor in module.state_dict().items():
        if tensor.is_complex():
            raise UnsupportedTensor(name, tensor.dtype)
        if tensor.is_floating_point():
            yield name, tensor


def model_size(module: nn.Module) -> int:
    """d, the number of values in the model's vector."""
    return sum(tensor.numel() for _, tensor in floating_tensors(module))


def model_to_vector(module: nn.Module) -> Int32Array:
    """The model in fixed point: ``round(x * 2**14)``, half to even, saturating.

    Returns:
        int32[d].

    Raises:
        NonFiniteModel: if a value is NaN or infinite; it names the tensor.
    """
    vector = np.empty(model_size(module), dtype=np.int32)
    start = 0
    for name, tensor in floating_tensors(module):
        end = start + tensor.numel()
        try:
            vector[start:end] = quantise_model(_floats(tensor))
        except NotFinite as error:
            raise NonFiniteModel(name, error.count) from error
        start = end
    return vector


def load_vector(module: nn.Module, vector: Int32Array) -> None:
    """Set the model's floating tensors, in place, to what a vector stands for.

    A float32 tensor holds the vector's values exactly up to 2**24 steps, an absolute value of 1024; larger ones are
    rounded.

    Args:
        vector: int32[d].

    Raises:
        ModelSizeMismatch: if it has another number of values than the model; nothing is set then.
        WrongVector: if it is not a vector of int32.
    """
    _check(module, vector)
    start = 0
    with torch.no_grad():
        for _, tensor in floating_tensors(module):
            end = start + tensor.numel()
            tensor.copy_(torch.from_numpy(dequantise(vector[start:end])).view(tensor.shape))
            start = end


def update_between(trained: nn.Module, base: Int32Array) -> Int16Array:
    """What training changed: ``round((trained - base) * 2**14)``, half to even, clamped to int16.

    Args:
        trained: the model after training.
        base: int32[d], the model that training started from.

    Returns:
        int16[d], the update that a client commits to.

    Raises:
        NonFiniteModel: if a trained value is NaN or infinite; it names the tensor.
        ModelSizeMismatch: if the base model is of another size.
    """
    _check(trained, base)
    update = np.empty(base.size, dtype=np.int16)
    start = 0
    for name, tensor in floating_tensors(trained):
        end = start + tensor.numel()
        try:
            update[start:end] = quantise_update(_floats(tensor), base[start:end])
        except NotFinite as error:
            raise NonFiniteModel(name, error.count) from error
        start = end
    return update


def _floats(tensor: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    flat: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = (
        tensor.detach().reshape(-1).to(device="cpu", dtype=torch.float64).numpy()
    )
    return flat


def _check(module: nn.Module, vector: Int32Array) -> None:
    d = model_size(module)
    if isinstance(vector, np.ndarray) and vector.ndim == 1 and vector.size != d:
        raise ModelSizeMismatch(d, vector.size)
    check_vector(vector, np.int32, d, "the vector")
