"""Numba kernels: the loops over a model's values.

They work on integers, so that the order in which threads add is of no consequence: every thread count and every
machine gives the same bits.

Inner products of int16 are the bulk of the work. Vector units multiply sixteen bits by sixteen and add neighbours into
thirty-two in one instruction, four times as fast as what accumulates into int64; but int32 overflows. So every leaf's
values are looked at first: where they are small enough for the sum of a few of them to be exact in int32, which is what
training gives, the fast instruction is taken, and where they are not, int64. The results are the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array

BLOCK_VALUES = 4096
"""Values of each row that are walked together, a leaf of the Gram tree: all rows of a leaf stay in the second-level
cache, and a tile of two rows by two in the first."""

_VECTOR = 32
"""int16 values that are multiplied at a time; neighbours are added, so that half as many sums run side by side."""

_NARROW_VALUES = 512
"""Values that are added up in int32 before they are moved to int64."""

_NARROW_LIMIT = ((1 << 31) - 1) // (2 * _NARROW_VALUES // _VECTOR)
"""Where the largest absolute values of two rows have at most this product, no int32 sum of theirs overflows."""

_MEAN_VALUES = 1024
"""Values whose weighted sums are kept in the first-level cache while the seats are walked through."""


def _narrow_tile_code(typing_context, block, i0, i1, j0, j1):  # type: ignore[no-untyped-def]
    """The four inner products of rows i0 and i1 with rows j0 and j1 of int16[rows, BLOCK_VALUES], within _NARROW_LIMIT.

    numba promotes every product to int64, so the loop is given to LLVM directly, in a form in which it knows the
    instruction again on every processor that has it: sixteen-bit products of which neighbours are added.
    """
    signature = types.UniTuple(types.int64, 4)(block, i0, i1, j0, j1)  # type: ignore[no-untyped-call]

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = _VECTOR // 2
        int64 = ir.IntType(64)
        loaded, products = ir.VectorType(ir.IntType(16), _VECTOR), ir.VectorType(ir.IntType(32), _VECTOR)
        narrow, wide = ir.VectorType(ir.IntType(32), lanes), ir.VectorType(int64, lanes)
        neighbours = [ir.Constant(narrow, [2 * lane + side for lane in range(lanes)]) for side in (0, 1)]
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        rows = []
        for index, kind in zip(arguments[1:], signature.args[1:], strict=True):
            start = builder.mul(context.cast(builder, index, kind, types.int64), int64(BLOCK_VALUES))
            rows.append(builder.gep(data, [start]))
        totals = [cgutils.alloca_once_value(builder, ir.Constant(wide, None)) for _ in range(4)]  # type: ignore[no-untyped-call]
        with cgutils.for_range_slice(builder, int64(0), int64(BLOCK_VALUES), int64(_NARROW_VALUES)) as (first, _):
            sums = [cgutils.alloca_once(builder, narrow) for _ in range(4)]  # type: ignore[no-untyped-call]
            for each in sums:
                builder.store(ir.Constant(narrow, None), each)
            after = builder.add(first, int64(_NARROW_VALUES))
            with cgutils.for_range_slice(builder, first, after, int64(_VECTOR)) as (at, _):
                places = [builder.bitcast(builder.gep(row, [at]), loaded.as_pointer()) for row in rows]
                x0, x1, y0, y1 = (builder.sext(builder.load(place, align=2), products) for place in places)
                for (x, y), each in zip(((x0, y0), (x0, y1), (x1, y0), (x1, y1)), sums, strict=True):
                    product = builder.mul(x, y)
                    even, odd = (
                        builder.shuffle_vector(product, ir.Constant(products, ir.Undefined), side)
                        for side in neighbours
                    )
                    builder.store(builder.add(builder.load(each), builder.add(even, odd)), each)
            for each, total in zip(sums, totals, strict=True):
                builder.store(builder.add(builder.load(total), builder.sext(builder.load(each), wide)), total)
        results = []
        for total in totals:
            vector = builder.load(total)
            result = int64(0)
            for lane in range(lanes):
                result = builder.add(result, builder.extract_element(vector, ir.IntType(32)(lane)))
            results.append(result)
        return context.make_tuple(builder, signature.return_type, results)

    return signature, generate


_narrow_tile: Any = intrinsic(_narrow_tile_code)


@njit(cache=True, nogil=True)
def _wide_tile(block, i0, i1, j0, j1):  # type: ignore[no-untyped-def]
    """The same for any values."""
    x0, x1, y0, y1 = block[i0], block[i1], block[j0], block[j1]
    s00 = np.int64(0)
    s01 = np.int64(0)
    s10 = np.int64(0)
    s11 = np.int64(0)
    for k in range(BLOCK_VALUES):
        s00 += np.int64(x0[k]) * np.int64(y0[k])
        s01 += np.int64(x0[k]) * np.int64(y1[k])
        s10 += np.int64(x1[k]) * np.int64(y0[k])
        s11 += np.int64(x1[k]) * np.int64(y1[k])
    return s00, s01, s10, s11


@njit(cache=True, nogil=True)
def _tile(block, largest, i0, i1, j0, j1):  # type: ignore[no-untyped-def]
    """The inner products of rows i0 and i1 with rows j0 and j1; `largest` holds every row's largest absolute value."""
    if max(largest[i0], largest[i1]) * max(largest[j0], largest[j1]) <= _NARROW_LIMIT:
        return _narrow_tile(block, i0, i1, j0, j1)
    return _wide_tile(block, i0, i1, j0, j1)


@njit(cache=True, nogil=True)
def _fill(row, values):  # type: ignore[no-untyped-def]
    """Copy a leaf's values, zeros after the last one, and return their largest absolute value."""
    count = len(values)
    lowest = np.int16(0)
    highest = np.int16(0)
    for k in range(count):
        value = values[k]
        row[k] = value
        lowest = min(lowest, value)
        highest = max(highest, value)
    row[count:] = 0
    return max(np.int64(highest), -np.int64(lowest))


@njit(cache=True, nogil=True)
def _model_products(x0, x1, model):  # type: ignore[no-untyped-def]
    s0 = np.int64(0)
    s1 = np.int64(0)
    for k in range(len(model)):
        value = np.int64(model[k])
        s0 += np.int64(x0[k]) * value
        s1 += np.int64(x1[k]) * value
    return s0, s1


@njit(parallel=True, cache=True, nogil=True)
def leaf_gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    present: NDArray[np.bool_],
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """All inner products of an epoch with int16 vectors, and those with the base model, leaf by leaf.

    Every value is read from memory once: a leaf of all vectors is copied side by side, and all its products are taken
    there.

    Args:
        updates: int16[n, d], u; zeros of the absent.
        last_updates: int16[n, d], p.
        last_delta: int16[d], g.
        base: int32[d], w.
        present: bool[n], who took part: whose x is u, and not p.

    Returns:
        rows: int64[leaves, n, 2n + 1], <x_i, u_j>, <x_i, p_j>, <x_i, g>, of each leaf alone.
        norms: int64[leaves, n + 1], of every p, and of g.
        base: int64[leaves, n], <x_i, w>. Within a leaf it stays below 2**58; over more the caller needs a wider sum.
    """
    n, d = updates.shape
    leaves = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    rows = np.empty((leaves, n, 2 * n + 1), dtype=np.int64)
    norms = np.empty((leaves, n + 1), dtype=np.int64)
    along = np.empty((leaves, n), dtype=np.int64)
    moved = np.empty(n, dtype=np.int64)
    for i in range(n):
        moved[i] = i if present[i] else n + i
    for leaf in prange(leaves):
        start = leaf * BLOCK_VALUES
        stop = min(start + BLOCK_VALUES, d)
        block = np.empty((2 * n + 1, BLOCK_VALUES), dtype=np.int16)
        largest = np.empty(2 * n + 1, dtype=np.int64)
        for i in range(n):
            largest[i] = _fill(block[i], updates[i, start:stop])
            largest[n + i] = _fill(block[n + i], last_updates[i, start:stop])
        largest[2 * n] = _fill(block[2 * n], last_delta[start:stop])
        own = rows[leaf]
        # A tile is two rows by two; where their number is odd, the last row stands in for the missing one.
        for i in range(0, n, 2):
            i1 = min(i + 1, n - 1)
            for j in range(i, n, 2):
                j1 = min(j + 1, n - 1)
                s00, s01, s10, s11 = _tile(block, largest, i, i1, j, j1)
                own[i, j], own[i, j1], own[i1, j], own[i1, j1] = s00, s01, s10, s11
                own[j, i], own[j1, i], own[j, i1], own[j1, i1] = s00, s01, s10, s11
            for j in range(n, 2 * n + 1, 2):
                j1 = min(j + 1, 2 * n)
                s00, s01, s10, s11 = _tile(block, largest, moved[i], moved[i1], j, j1)
                own[i, j], own[i, j1], own[i1, j], own[i1, j1] = s00, s01, s10, s11
            along[leaf, i], along[leaf, i1] = _model_products(block[moved[i]], block[moved[i1]], base[start:stop])
        for i in range(n):
            # Above, the row of an absent seat was taken with its update, zero: <p_i, u_j> stands in row j already.
            if not present[i]:
                for j in range(n):
                    own[i, j] = own[j, n + i] if present[j] else 0
        for i in range(0, n + 1, 2):
            i1 = min(i + 1, n)
            s00, _, _, s11 = _tile(block, largest, n + i, n + i1, n + i, n + i1)
            norms[leaf, i], norms[leaf, i1] = s00, s11
    return rows, norms, along


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
