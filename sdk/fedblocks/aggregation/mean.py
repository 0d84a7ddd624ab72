"""The global step: the weighted integer mean of the accepted updates.

A sum of integers does not depend on the order of its terms, and a floor is a floor everywhere: two nodes always agree
on the next model, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedblocks.aggregation import kernels
from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, WrongVector, check_vector, read_only
from fedblocks.exceptions import FedBlocksError

MAX_WEIGHT = 1 << 40
"""Weights stay below it: a sum over 64 seats of weight times int16 then fits int64."""


class NothingToAverage(FedBlocksError, ValueError):
    """No accepted update has a weight above zero, so that there is no mean."""

    def __init__(self, weights: Sequence[int]) -> None:
        super().__init__(f"the weights {list(weights)} add up to zero; an epoch needs at least one accepted update")
        self.weights = tuple(weights)


def weighted_delta(updates: Int16Array, weights: Sequence[int]) -> Int16Array:
    """``delta = floor(sum(w_k * u_k) / sum(w_k))`` per value, towards minus infinity.

    Args:
        updates: int16[n, d].
        weights: n integers, 0 to 2**40 - 1; 0 leaves a seat out.

    Returns:
        int16[d].

    Raises:
        NothingToAverage: if all weights are zero.
        WrongVector: if shapes or ranges are others.

    >>> import numpy as np
    >>> weighted_delta(np.array([[1, -1], [2, -2]], dtype=np.int16), [1, 1]).tolist()
    [1, -2]
    """
    if updates.dtype != np.int16 or updates.ndim != 2:
        raise WrongVector("the updates", "int16 of shape (n, d)", f"{updates.dtype} of shape {updates.shape}")
    if len(weights) != updates.shape[0]:
        raise WrongVector("the weights", f"{updates.shape[0]} integers", f"{len(weights)}")
    for weight in weights:
        if not 0 <= weight < MAX_WEIGHT:
            raise WrongVector("a weight", f"from 0 to {MAX_WEIGHT - 1}", str(weight))
    total = sum(weights)
    if total == 0:
        raise NothingToAverage(weights)
    return kernels.weighted_floor_mean(read_only(updates), np.array(weights, dtype=np.int64), total)


def apply_delta(base: Int32Array, delta: Int16Array) -> Int32Array:
    """The next global model, ``base + delta``, saturating at the ends of int32.

    Args:
        base: int32[d].
        delta: int16[d].

    Raises:
        WrongVector: if dtypes or shapes are others.
    """
    check_vector(base, np.int32, base.size, "the base model")
    check_vector(delta, np.int16, base.size, "the delta")
    return kernels.saturating_sum(read_only(base), read_only(delta))
