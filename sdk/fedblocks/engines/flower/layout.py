"""The layout of a model: how its named tensors lie one after the other in the protocol's one vector.

A Flower app speaks of tensors with names, the protocol of ``int32[d]``. The layout is what leads from one to the
other: the floating tensors in their order, each row by row, exactly as :mod:`fedblocks.training.quantise` does it for a
PyTorch module. What is not floating (a batch counter) has no mean that makes sense: it stays as the server sent it.

Everything here is NumPy, so that it serves apps of any framework.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fedblocks.aggregation.fixed_point import (
    Int16Array,
    Int32Array,
    check_vector,
    dequantise,
    quantise_model,
    quantise_update,
)
from fedblocks.exceptions import FedBlocksError

AnyArray = npt.NDArray[Any]

_DTYPES = ("float16", "float32", "float64")
_MOST_TENSORS = 1 << 16
_MOST_DIMENSIONS = 16
_MOST_VALUES = 1 << 30


class WrongLayout(FedBlocksError, ValueError):
    """Tensors are not those of the model that is being trained, or a layout is none."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the tensors do not fit the model: {what}")


@dataclass(frozen=True)
class Tensor:
    """A floating tensor: its name, its dtype by NumPy's name, its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """The floating tensors of a model, in the order in which they make up its vector."""

    tensors: tuple[Tensor, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, AnyArray]) -> Layout:
        """The layout of these tensors.

        Raises:
            WrongLayout: if none is floating, or one is of a floating type that has no fixed-point form here.
        """
        floating = [(name, array) for name, array in arrays.items() if array.dtype.kind in "fc"]
        for name, array in floating:
            if array.dtype.name not in _DTYPES:
                raise WrongLayout(f"{name} is {array.dtype}, and only {', '.join(_DTYPES)} can be averaged")
        if not floating:
            raise WrongLayout("none of them is floating")
        return cls(tuple(Tensor(name, array.dtype.name, array.shape) for name, array in floating))

    @property
    def d(self) -> int:
        """How many values the model's vector has."""
        return sum(tensor.size for tensor in self.tensors)

    def model(self, arrays: Mapping[str, AnyArray]) -> Int32Array:
        """A model as a vector: int32[d].

        Raises:
            WrongLayout: if the tensors are others.
            NotFinite: if a value is NaN or infinite.
        """
        vector = np.empty(self.d, dtype=np.int32)
        for part, values in self._parts(arrays):
            vector[part] = quantise_model(values)
        return vector

    def update(self, arrays: Mapping[str, AnyArray], base: Int32Array) -> Int16Array:
        """What training changed: int16[d].

        Args:
            arrays: the trained tensors.
            base: int32[d], what training started from.

        Raises:
            WrongLayout: if the tensors are others.
            NotFinite: if a value is NaN or infinite.
        """
        update = np.empty(self.d, dtype=np.int16)
        for part, values in self._parts(arrays):
            update[part] = quantise_update(values, base[part])
        return update

    def tensors_of(self, vector: Int32Array) -> dict[str, AnyArray]:
        """The floating tensors that a vector stands for, by name and in order.

        Raises:
            WrongVector: if it is not int32[d].
        """
        check_vector(vector, np.int32, self.d, "the model")
        arrays: dict[str, AnyArray] = {}
        start = 0
        for tensor in self.tensors:
            values = dequantise(vector[start : start + tensor.size])
            arrays[tensor.name] = values.reshape(tensor.shape).astype(tensor.dtype)
            start += tensor.size
        return arrays

    def to_json(self) -> str:
        """The layout as it is sent."""
        return json.dumps([[tensor.name, tensor.dtype, list(tensor.shape)] for tensor in self.tensors])

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what :meth:`to_json` wrote, from whoever it comes.

        Raises:
            WrongLayout: if it is no layout.
        """
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise WrongLayout(f"{error}") from error
        if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_TENSORS:
            raise WrongLayout(f"a layout is a list of 1 to {_MOST_TENSORS} tensors")
        layout = cls(tuple(_tensor(row) for row in rows))
        if len({tensor.name for tensor in layout.tensors}) != len(layout.tensors):
            raise WrongLayout("two of them have one name")
        if not 1 <= layout.d <= _MOST_VALUES:
            raise WrongLayout(f"they have {layout.d} values, allowed are 1 to {_MOST_VALUES}")
        return layout

    def _parts(self, arrays: Mapping[str, AnyArray]) -> Iterator[tuple[slice, AnyArray]]:
        start = 0
        for tensor in self.tensors:
            if tensor.name not in arrays:
                raise WrongLayout(f"{tensor.name} is missing; there are {', '.join(arrays) or 'none'}")
            array = arrays[tensor.name]
            if array.shape != tensor.shape:
                raise WrongLayout(f"{tensor.name} has the shape {array.shape}, and must have {tensor.shape}")
            yield slice(start, start + tensor.size), array.reshape(-1)
            start += tensor.size


def _tensor(row: object) -> Tensor:
    match row:
        case [str(name), str(dtype), list(shape)] if dtype in _DTYPES and len(shape) <= _MOST_DIMENSIONS:
            if all(type(each) is int and 0 <= each <= _MOST_VALUES for each in shape):
                return Tensor(name, dtype, tuple(shape))
    raise WrongLayout(f"{str(row)[:200]} is no tensor")
