"""Numba kernels: the loops over a model's values.

They work on integers, so that the order in which threads add is of no consequence: every thread count and every
machine gives the same bits. int16 times int16 is accumulated straight into int64; blocks of int32 were measured to
be ten times slower.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from fedblocks.aggregation.fixed_point import Int16Array, Int64Array

BLOCK_VALUES = 4096
"""Values of each row that are walked together: two tiles of two rows stay in the first-level cache."""

PARTS = 16
"""Parallel parts; more than a machine's cores costs nothing, fewer would idle some."""


@njit(parallel=True, cache=True, nogil=True)
def cross_products(left: Int16Array, right: Int16Array, symmetric: bool) -> Int64Array:
    """All inner products of the rows of `left` with those of `right`.

    Args:
        left: int16[a, d], a even (pad with a row of zeros).
        right: int16[b, d], b even.
        symmetric: `left` is `right`; only the tiles on and above the diagonal are worked out, the rest stays zero.

    Returns:
        int64[a, b].
    """
    a, d = left.shape
    b = right.shape[0]
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    partial = np.zeros((PARTS, a, b), dtype=np.int64)
    for part in prange(PARTS):
        for block in range(part * blocks // PARTS, (part + 1) * blocks // PARTS):
            start = block * BLOCK_VALUES
            stop = min(start + BLOCK_VALUES, d)
            for i in range(0, a, 2):
                for j in range(i if symmetric else 0, b, 2):
                    s00 = np.int64(0)
                    s01 = np.int64(0)
                    s10 = np.int64(0)
                    s11 = np.int64(0)
                    for k in range(start, stop):
                        x0 = np.int64(left[i, k])
                        x1 = np.int64(left[i + 1, k])
                        y0 = np.int64(right[j, k])
                        y1 = np.int64(right[j + 1, k])
                        s00 += x0 * y0
                        s01 += x0 * y1
                        s10 += x1 * y0
                        s11 += x1 * y1
                    partial[part, i, j] += s00
                    partial[part, i, j + 1] += s01
                    partial[part, i + 1, j] += s10
                    partial[part, i + 1, j + 1] += s11
    total: Int64Array = partial.sum(axis=0)
    return total


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
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    for block in prange(blocks):
        start = block * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        sums = np.zeros(BLOCK_VALUES, dtype=np.int64)
        for i in range(n):
            weight = weights[i]
            if weight != 0:
                for k in range(start, stop):
                    sums[k - start] += weight * updates[i, k]
        for k in range(start, stop):
            mean[k] = sums[k - start] // total
    return mean
