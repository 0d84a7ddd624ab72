"""Numba kernels: the loops over a model's values.

They work on integers, so that the order in which threads add is of no consequence: every thread count and every
machine gives the same bits. int16 times int16 is accumulated straight into int64; blocks of int32 were measured to
be ten times slower.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array

BLOCK_VALUES = 4096
"""Values of each row that are walked together, a leaf of the Gram tree: two tiles of two rows stay in the first-level
cache."""


@njit(parallel=True, cache=True, nogil=True)
def leaf_products(left: Int16Array, right: Int16Array, symmetric: bool) -> Int64Array:
    """All inner products of the rows of `left` with those of `right`, leaf by leaf of BLOCK_VALUES values.

    Args:
        left: int16[a, d].
        right: int16[b, d].
        symmetric: `left` is `right`; only the tiles on and above the diagonal are worked out, and mirrored.

    Returns:
        int64[ceil(d / BLOCK_VALUES), a, b]; entry [k, i, j] is the product over the values of leaf k alone.
    """
    a, d = left.shape
    b = right.shape[0]
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    products = np.empty((blocks, a, b), dtype=np.int64)
    for block in prange(blocks):
        start = block * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        for i in range(0, a, 2):
            # A tile is two rows by two; where their number is odd, the last row stands in for the missing one.
            i1 = min(i + 1, a - 1)
            for j in range(i if symmetric else 0, b, 2):
                j1 = min(j + 1, b - 1)
                s00 = np.int64(0)
                s01 = np.int64(0)
                s10 = np.int64(0)
                s11 = np.int64(0)
                for k in range(start, stop):
                    x0 = np.int64(left[i, k])
                    x1 = np.int64(left[i1, k])
                    y0 = np.int64(right[j, k])
                    y1 = np.int64(right[j1, k])
                    s00 += x0 * y0
                    s01 += x0 * y1
                    s10 += x1 * y0
                    s11 += x1 * y1
                products[block, i, j] = s00
                products[block, i, j1] = s01
                products[block, i1, j] = s10
                products[block, i1, j1] = s11
                if symmetric:
                    products[block, j, i] = s00
                    products[block, j1, i] = s01
                    products[block, j, i1] = s10
                    products[block, j1, i1] = s11
    return products


@njit(parallel=True, cache=True, nogil=True)
def leaf_norms(rows: Int16Array) -> Int64Array:
    """The squared length of every row, leaf by leaf: int16[a, d] to int64[leaves, a]."""
    a, d = rows.shape
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    norms = np.empty((blocks, a), dtype=np.int64)
    for block in prange(blocks):
        start = block * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        for i in range(a):
            total = np.int64(0)
            for k in range(start, stop):
                total += np.int64(rows[i, k]) * np.int64(rows[i, k])
            norms[block, i] = total
    return norms


@njit(parallel=True, cache=True, nogil=True)
def leaf_model_products(rows: Int16Array, model: Int32Array) -> Int64Array:
    """The inner product of every row with a model, leaf by leaf: int16[a, d], int32[d] to int64[leaves, a].

    Within a leaf it stays below 2**58; over more of them the caller needs a wider sum.
    """
    a, d = rows.shape
    blocks = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    products = np.empty((blocks, a), dtype=np.int64)
    for block in prange(blocks):
        start = block * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        for i in range(a):
            total = np.int64(0)
            for k in range(start, stop):
                total += np.int64(rows[i, k]) * np.int64(model[k])
            products[block, i] = total
    return products


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
