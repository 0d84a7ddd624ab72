"""Numba kernels: the loops over a model's values that are no inner products of updates.

They work on integers, so that the order in which threads add is of no consequence: every thread count and every
machine gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array
from fedblocks.aggregation.inner_products import BLOCK_VALUES

_MEAN_VALUES = 1024
"""Values whose weighted sums are kept in the first-level cache while the seats are walked through."""


@njit(parallel=True, cache=True, nogil=True)
def leaf_model_norms(model: Int32Array) -> Int64Array:
    """The squared length of a model, leaf by leaf, in two parts: int32[d] to int64[leaves, 2].

    Part 0 counts 2**32, part 1 counts 1, so that both stay within 64 bits.
    """
    d = model.shape[0]
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    norms = np.empty((blocks, 2), dtype=np.int64)
    for block in prange(blocks):
        start = block * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        high = np.int64(0)
        low = np.int64(0)
        for k in range(start, stop):
            square = np.int64(model[k]) * np.int64(model[k])
            high += square >> 32
            low += square & 0xFFFFFFFF
        norms[block, 0] = high
        norms[block, 1] = low
    return norms


@njit(parallel=True, cache=True, nogil=True)
def weighted_floor_mean(updates: Int16Array, weights: Int64Array, total: int) -> Int16Array:
    """``floor(sum_k weights[k] * updates[k] / total)`` per value.

    Args:
        updates: int16[n, d].
        weights: int64[n], each below 2**40, so that a sum over 64 seats stays within int64.
        total: the sum of the weights, above zero.

    Returns:
        int16[d]; a mean of int16 values never leaves int16.
    """
    n, d = updates.shape
    mean = np.empty(d, dtype=np.int16)
    inverse = 1.0 / total
    blocks = (d + _MEAN_VALUES - 1) // _MEAN_VALUES
    for block in prange(blocks):
        start = block * _MEAN_VALUES
        stop = min(start + _MEAN_VALUES, d)
        sums = np.zeros(_MEAN_VALUES, dtype=np.int64)
        for i in range(n):
            weight = weights[i]
            if weight != 0:
                values = updates[i, start:stop]
                for k in range(len(values)):
                    sums[k] += weight * np.int64(values[k])
        own = mean[start:stop]
        for k in range(len(own)):
            # No vector unit divides integers. The quotient by way of a float is at most one off, for it stays below
            # 2**16 and the float is right to 50 bits; the remainder, in integers, says whether it is.
            quotient = np.int64(np.float64(sums[k]) * inverse)
            remainder = sums[k] - quotient * total
            own[k] = quotient + np.int64(remainder >= total) - np.int64(remainder < 0)
    return mean


@njit(parallel=True, cache=True, nogil=True)
def saturating_sum(base: Int32Array, delta: Int16Array) -> Int32Array:
    """``base + delta`` per value, at most and at least what int32 holds: int32[d] and int16[d] to int32[d]."""
    d = base.shape[0]
    moved = np.empty(d, dtype=np.int32)
    for k in prange(d):
        moved[k] = min(max(np.int64(base[k]) + np.int64(delta[k]), -(1 << 31)), (1 << 31) - 1)
    return moved
