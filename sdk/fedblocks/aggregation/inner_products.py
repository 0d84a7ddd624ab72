"""Numba kernels: inner products of int16 vectors, exactly and as fast as the vector units multiply.

They add up integers, so that the order in which threads add is of no consequence: every thread count and every machine
gives the same bits.

Vector units multiply sixteen bits by sixteen and add neighbours into thirty-two in one instruction, four times as fast
as what accumulates into int64; but int32 overflows. So the values of a block are looked at when they are first read:
from the largest ones follows how many products the sums in int32 bear, and after so many they are moved to int64. Small
values, which is what training gives, are moved once a block. The results are the same bits.

Every value is read from memory once. A block of all rows comes into the second-level cache, copied side by side where
there are many; there *tiles* of up to four rows by four are taken, whose sums stay in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array

BLOCK_VALUES = 4096
"""Values of each row that are walked together, a leaf of the Gram tree."""

_VECTOR = 32
"""int16 values that are multiplied at a time; neighbours are added, so that half as many sums run side by side."""

_NARROW_LIMIT = ((1 << 31) - 1) // 2
"""What int32 sums bear: steps, each of two products, times the largest absolute values of both rows."""

_TILE = 4
_SUMS = 8
"""int64 sums of one vector."""

_PADDING = 32
"""Values between two rows of a block, which keep rows from sharing the same lines of the first-level cache."""

_LINE_BYTES = 64

_IN_PLACE = 16
"""So few rows are not copied: every one is read for a tile so seldom that its place in memory is good enough."""

_CACHE_BYTES = 7 << 17
"""What the rows of a block may occupy: most of a second-level cache of a megabyte."""

MOST_VALUES, _LEAST_VALUES = 1 << 14, 1 << 8
"""Values of a row in a block, where no leaf says how many."""


def _added_up(builder: Any, vectors: Sequence[Any]) -> Any:
    """The sums over each of eight int64[8] vectors, as one such vector: neighbours, then pairs, then halves."""
    for width in (1, 2, 4):
        kept = [lane for lane in range(_SUMS) if not lane & width]
        left = ir.Constant(ir.VectorType(ir.IntType(32), _SUMS), _interleaved(kept, width))
        right = ir.Constant(ir.VectorType(ir.IntType(32), _SUMS), _interleaved([lane + width for lane in kept], width))
        vectors = [
            builder.add(builder.shuffle_vector(a, b, left), builder.shuffle_vector(a, b, right))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _interleaved(lanes: Sequence[int], width: int) -> list[int]:
    """Lanes of two vectors by turns, `width` at a time."""
    result: list[int] = []
    for start in range(0, len(lanes), width):
        taken = lanes[start : start + width]
        result += [*taken, *(lane + _SUMS for lane in taken)]
    return result


def _tile(pairs: Sequence[tuple[int, int]], *, same: bool) -> Any:
    """A function that takes the inner products of some rows of a block with some others.

    numba promotes every product to int64, so the loop is given to LLVM directly, in a form in which it knows the
    instruction again on every processor that has it: sixteen-bit products of which neighbours are added. The sums are
    kept in registers.

    Args:
        pairs: (row, column) of each product, counted from the first row i and the first column j of the tile.
        same: whether rows and columns are the same ones; then j is not looked at.

    Returns:
        ``tile(rows, stride, i, j, steps, flush, out)``: over the first `steps` vectors of int16 rows that begin at the
        address `rows`, every `stride` values; `flush` steps are within _NARROW_LIMIT. Writes the products to int64
        `out`, of a multiple of eight.
    """

    def code(typing_context, rows, stride, i, j, steps, flush, out):  # type: ignore[no-untyped-def]
        return types.void(rows, stride, i, j, steps, flush, out), generate

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = _VECTOR // 2
        int32, int64 = ir.IntType(32), ir.IntType(64)
        loaded, products = ir.VectorType(ir.IntType(16), _VECTOR), ir.VectorType(int32, _VECTOR)
        narrow, wide = ir.VectorType(int32, lanes), ir.VectorType(int64, _SUMS)
        neighbours = [ir.Constant(narrow, [2 * lane + side for lane in range(lanes)]) for side in (0, 1)]
        shift = ir.Constant(wide, [32] * _SUMS)
        address, stride, i, j, steps, flush = (
            context.cast(builder, value, kind, types.int64)
            for value, kind in zip(arguments[:6], signature.args[:6], strict=True)
        )
        data = builder.inttoptr(address, ir.IntType(16).as_pointer())
        out = context.make_array(signature.args[6])(context, builder, arguments[6]).data
        groups = [
            builder.bitcast(builder.gep(out, [int64(start)]), wide.as_pointer())
            for start in range(0, len(pairs), _SUMS)
        ]
        for group in groups:
            builder.store(ir.Constant(wide, None), group, align=8)

        def starts(first: Any, indices: set[int]) -> dict[int, Any]:
            return {
                index: builder.gep(data, [builder.mul(builder.add(first, int64(index)), stride)])
                for index in sorted(indices)
            }

        rows = starts(i, {row for row, _ in pairs})
        columns = {} if same else starts(j, {column for _, column in pairs})

        before = builder.block
        segment, step, moved, done = (builder.append_basic_block(name) for name in ("segment", "step", "moved", "done"))
        builder.branch(segment)

        builder.position_at_end(segment)
        first = builder.phi(int64)
        first.add_incoming(int64(0), before)
        after = builder.add(first, flush)
        stop = builder.select(builder.icmp_signed("<", after, steps), after, steps)
        builder.branch(step)

        builder.position_at_end(step)
        at = builder.phi(int64)
        at.add_incoming(first, segment)
        sums = [builder.phi(narrow) for _ in pairs]
        offset = builder.mul(at, int64(_VECTOR))

        def load(start: Any) -> Any:
            place = builder.bitcast(builder.gep(start, [offset]), loaded.as_pointer())
            return builder.sext(builder.load(place, align=2), products)

        own = {index: load(start) for index, start in rows.items()}
        others = own if same else {index: load(start) for index, start in columns.items()}
        for (row, column), total in zip(pairs, sums, strict=True):
            product = builder.mul(own[row], others[column])
            even, odd = (
                builder.shuffle_vector(product, ir.Constant(products, ir.Undefined), side) for side in neighbours
            )
            total.add_incoming(ir.Constant(narrow, None), segment)
            total.add_incoming(builder.add(total, builder.add(even, odd)), step)
        following = builder.add(at, int64(1))
        at.add_incoming(following, step)
        builder.cbranch(builder.icmp_signed("<", following, stop), step, moved)

        builder.position_at_end(moved)
        vectors = []
        for total in sums:
            halves = builder.bitcast(total.incomings[1][0], wide)
            vectors.append(builder.add(builder.ashr(builder.shl(halves, shift), shift), builder.ashr(halves, shift)))
        vectors += [ir.Constant(wide, None)] * (-len(vectors) % _SUMS)
        for index, group in enumerate(groups):
            added = _added_up(builder, vectors[_SUMS * index : _SUMS * (index + 1)])
            builder.store(builder.add(builder.load(group, align=8), added), group, align=8)
        first.add_incoming(stop, moved)
        builder.cbranch(builder.icmp_signed("<", stop, steps), segment, done)

        builder.position_at_end(done)
        return context.get_dummy_value()

    return intrinsic(code)


def _triangle(rows: int) -> Any:
    return _tile([(row, column) for row in range(rows) for column in range(row + 1)], same=True)


def _rectangle(columns: int) -> Any:
    return _tile([(row, column) for row in range(_TILE) for column in range(columns)], same=False)


_triangle_1, _triangle_2, _triangle_3, _triangle_4 = (_triangle(rows) for rows in (1, 2, 3, 4))
_rectangle_1, _rectangle_2, _rectangle_3, _rectangle_4 = (_rectangle(columns) for columns in (1, 2, 3, 4))
_diagonal_4 = _tile([(row, row) for row in range(_TILE)], same=True)


def _value_code(typing_context, address, index):  # type: ignore[no-untyped-def]
    """The int16 value `index` places from an address, as int64."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        data = builder.inttoptr(arguments[0], ir.IntType(16).as_pointer())
        return builder.sext(builder.load(builder.gep(data, [arguments[1]]), align=2), ir.IntType(64))

    return types.int64(types.int64, types.int64), generate


_value: Any = intrinsic(_value_code)


@njit(cache=True, nogil=True)
def _wide_product(rows, stride, i, j, values):  # type: ignore[no-untyped-def]
    """The product of two rows that not even two neighbours' sum is exact of in int32: both hold -32,768."""
    total = np.int64(0)
    for k in range(values):
        total += _value(rows, i * stride + k) * _value(rows, j * stride + k)
    return total


@njit(cache=True, nogil=True)
def _most(largest, first, count):  # type: ignore[no-untyped-def]
    most = np.int64(0)
    for index in range(first, first + count):
        most = max(most, largest[index])
    return most


@njit(cache=True, nogil=True)
def _tile_products(source, stride, largest, i, rows, j, columns, steps, out):  # type: ignore[no-untyped-def]
    """The products of `rows` rows from i on with `columns` rows from j on, row by row; up to the diagonal if i is j.

    Fewer than four rows are taken with themselves only. The rows begin at the address `source`, every `stride` values;
    `largest` holds every row's largest absolute value.
    """
    bound = _most(largest, i, rows) * _most(largest, j, columns)
    if bound == 0:
        out[:] = 0
        return
    flush = _NARROW_LIMIT // bound
    if flush == 0:
        at = 0
        for row in range(i, i + rows):
            for column in range(j, row + 1 if i == j else j + columns):
                out[at] = _wide_product(source, stride, row, column, _VECTOR * steps)
                at += 1
    elif i == j:
        if rows == 4:
            _triangle_4(source, stride, i, j, steps, flush, out)
        elif rows == 3:
            _triangle_3(source, stride, i, j, steps, flush, out)
        elif rows == 2:
            _triangle_2(source, stride, i, j, steps, flush, out)
        else:
            _triangle_1(source, stride, i, j, steps, flush, out)
    elif columns == 4:
        _rectangle_4(source, stride, i, j, steps, flush, out)
    elif columns == 3:
        _rectangle_3(source, stride, i, j, steps, flush, out)
    elif columns == 2:
        _rectangle_2(source, stride, i, j, steps, flush, out)
    else:
        _rectangle_1(source, stride, i, j, steps, flush, out)


@njit(cache=True, nogil=True)
def _aligned_block(rows, values):  # type: ignore[no-untyped-def]
    """int16[rows, values + padding], the first value of every row on a cache line of its own."""
    stride = values + _PADDING
    memory = np.empty(rows * stride + _LINE_BYTES // 2, dtype=np.int16)
    start = (-memory.ctypes.data % _LINE_BYTES) // 2
    return memory[start : start + rows * stride].reshape(rows, stride)


def _reader(*, copying: bool) -> Any:
    """A function that reads the full vectors of some values, and returns the largest absolute one.

    Rows lie far apart in memory, and a processor notices only after a few lines that the next row is being read. So it
    is told: while these values are read, those of the `following` row are fetched.

    Args:
        copying: whether the values are written to `row`, on cache lines; otherwise that is not looked at.
    """

    def code(typing_context, row, values, following):  # type: ignore[no-untyped-def]
        return types.int64(row, values, following), generate

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        int16, int32, int64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
        vector, byte = ir.VectorType(int16, _VECTOR), ir.IntType(8).as_pointer()
        target, source, later = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        )

        def declared(name: str, result: Any, *taken: Any) -> Any:
            return builder.module.declare_intrinsic(name, (), ir.FunctionType(result, taken))

        kind = f"v{_VECTOR}i16"
        fetch = declared("llvm.prefetch.p0", ir.VoidType(), byte, int32, int32, int32)
        absolute = declared(f"llvm.abs.{kind}", vector, vector, ir.IntType(1))
        larger = declared(f"llvm.umax.{kind}", vector, vector, vector)
        largest = declared(f"llvm.vector.reduce.umax.{kind}", int16, vector)
        steps = builder.udiv(builder.extract_value(source.shape, 0), int64(_VECTOR))
        before, step, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", int64(0), steps), step, done)

        builder.position_at_end(step)
        at, found = builder.phi(int64), builder.phi(vector)
        at.add_incoming(int64(0), before)
        found.add_incoming(ir.Constant(vector, None), before)
        offset = builder.mul(at, int64(_VECTOR))
        builder.call(fetch, [builder.bitcast(builder.gep(later.data, [offset]), byte), int32(0), int32(2), int32(1)])
        place = builder.bitcast(builder.gep(source.data, [offset]), vector.as_pointer())
        loaded = builder.load(place, align=2)
        if copying:
            copied = builder.bitcast(builder.gep(target.data, [offset]), vector.as_pointer())
            builder.store(loaded, copied, align=_LINE_BYTES)
        # The absolute value of -32,768 is 32,768: as an unsigned number, there is room for it.
        found.add_incoming(builder.call(larger, [found, builder.call(absolute, [loaded, ir.IntType(1)(0)])]), step)
        following = builder.add(at, int64(1))
        at.add_incoming(following, step)
        builder.cbranch(builder.icmp_signed("<", following, steps), step, done)

        builder.position_at_end(done)
        result = builder.phi(vector)
        result.add_incoming(ir.Constant(vector, None), before)
        result.add_incoming(found.incomings[1][0], step)
        return builder.zext(builder.call(largest, [result]), int64)

    return intrinsic(code)


_copy, _look = _reader(copying=True), _reader(copying=False)


@njit(cache=True, nogil=True)
def _fill(row, values, following):  # type: ignore[no-untyped-def]
    """Copy values, zeros up to the next full vector, and return their largest absolute value.

    The values of the `following` row are read next.
    """
    largest = _copy(row, values, following)
    count = len(values)
    full = count // _VECTOR * _VECTOR
    if full < count:
        for k in range(full, count):
            row[k] = values[k]
            largest = max(largest, abs(np.int64(values[k])))
        row[count : full + _VECTOR] = 0
    return largest


@njit(cache=True, nogil=True)
def _add_symmetric(source, stride, largest, n, steps, out, sums):  # type: ignore[no-untyped-def]
    """Add the products of the first n rows with one another to int64 sums[n, n], below and on the diagonal."""
    for j in range(0, n, _TILE):
        columns = min(_TILE, n - j)
        # Rows that fill a tile are taken with all columns before them; what is left over is taken as columns.
        _tile_products(source, stride, largest, j, columns, j, columns, steps, out)
        at = 0
        for row in range(j, j + columns):
            for column in range(j, row + 1):
                sums[row, column] += out[at]
                at += 1
        for i in range(0, j, _TILE):
            _tile_products(source, stride, largest, i, _TILE, j, columns, steps, out)
            at = 0
            for row in range(i, i + _TILE):
                for column in range(j, j + columns):
                    sums[column, row] += out[at]
                    at += 1


def block_values(rows: int, most: int = MOST_VALUES) -> int:
    """How many values of each row are walked together: a power of two, so many that the second-level cache has room."""
    values = most
    while values > _LEAST_VALUES and 2 * rows * values > _CACHE_BYTES:
        values //= 2
    return values


@njit(parallel=True, cache=True, nogil=True)
def whole_gram(updates: Int16Array, values: int, threads: int) -> Int64Array:
    """All inner products of the rows of int16[n, d], contiguous: int64[n, n].

    Args:
        updates: the rows.
        values: how many of each are walked together.
        threads: among how many the values are shared. Each takes one part: what it needs besides costs more than
            shorter parts gain, as they are handed out beforehand anyway.
    """
    n, d = updates.shape
    blocks = (d + values - 1) // values
    tasks = min(blocks, threads)
    sums = np.zeros((tasks, n, n), dtype=np.int64)
    for task in prange(tasks):
        block = _aligned_block(n, values)
        largest = np.empty(n, dtype=np.int64)
        out = np.empty(_TILE * _TILE, dtype=np.int64)
        for start in range(task * blocks // tasks * values, min((task + 1) * blocks // tasks * values, d), values):
            stop = min(start + values, d)
            in_place = n <= _IN_PLACE and (stop - start) % _VECTOR == 0
            for i in range(n):
                own = updates[i, start:stop]
                following = updates[i + 1, start:stop] if i + 1 < n else updates[0, stop:]
                largest[i] = _look(block[0], own, following) if in_place else _fill(block[i], own, following)
            if in_place:
                source, stride = updates.ctypes.data + 2 * start, d
            else:
                source, stride = block.ctypes.data, block.shape[1]
            _add_symmetric(source, stride, largest, n, -((start - stop) // _VECTOR), out, sums[task])
    total: Int64Array = sums[0]
    for task in range(1, tasks):
        total += sums[task]
    for i in range(n):
        for j in range(i):
            total[j, i] = total[i, j]
    return total


@njit(cache=True, nogil=True)
def _add_rectangle(source, stride, largest, n, first, count, steps, out, sums):  # type: ignore[no-untyped-def]
    """Add the products of the first n rows with `count` (four or more) from `first` on to int64 sums[n, count]."""
    whole = n // _TILE * _TILE
    for j in range(0, count, _TILE):
        columns = min(_TILE, count - j)
        for i in range(0, whole, _TILE):
            _tile_products(source, stride, largest, i, _TILE, first + j, columns, steps, out)
            at = 0
            for row in range(i, i + _TILE):
                for column in range(j, j + columns):
                    sums[row, column] += out[at]
                    at += 1
        if whole < n:
            # The rows that fill no tile stand as columns, and four of the others as rows; some of these come twice.
            j0 = min(j, count - _TILE)
            _tile_products(source, stride, largest, first + j0, _TILE, whole, n - whole, steps, out)
            for column in range(j, j + columns):
                for row in range(whole, n):
                    sums[row, column] += out[(column - j0) * (n - whole) + row - whole]


@njit(cache=True, nogil=True)
def _add_norms(source, stride, largest, first, count, steps, out, norms):  # type: ignore[no-untyped-def]
    """Add the squared lengths of `count` rows from `first` on to int64 norms[count]; four rows at least follow."""
    for i in range(0, count, _TILE):
        i0 = first + min(i, len(largest) - first - _TILE)
        bound = _most(largest, i0, _TILE) ** 2
        if bound == 0:
            continue
        flush = _NARROW_LIMIT // bound
        if flush == 0:
            for row in range(_TILE):
                out[row] = _wide_product(source, stride, i0 + row, i0 + row, _VECTOR * steps)
        else:
            _diagonal_4(source, stride, i0, i0, steps, flush, out)
        for row in range(first + i, first + min(i + _TILE, count)):
            norms[row - first] += out[row - i0]


@njit(cache=True, nogil=True)
def _split(model, low, high, largest):  # type: ignore[no-untyped-def]
    """Write int32 values as low + 2**16 high, both int16; False where high would not be one."""
    fits = True
    low_bound = np.int64(0)
    high_bound = np.int64(0)
    for k in range(len(model)):
        value = np.int64(model[k])
        part = np.int64(np.int16(value))
        above = (value - part) >> 16
        if above == 1 << 15:
            fits = False
        low[k] = part
        high[k] = above
        low_bound = max(low_bound, abs(part))
        high_bound = max(high_bound, abs(above))
    end = -(-len(model) // _VECTOR) * _VECTOR
    low[len(model) : end] = 0
    high[len(model) : end] = 0
    largest[0] = low_bound
    largest[1] = high_bound
    return fits


@njit(parallel=True, cache=True, nogil=True)
def leaf_gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    present: NDArray[np.bool_],
    values: int,
    threads: int,
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """All inner products of an epoch with int16 vectors, and those with the base model, leaf by leaf.

    Args:
        updates: int16[n, d], u; zeros of the absent. This and all other vectors contiguous.
        last_updates: int16[n, d], p.
        last_delta: int16[d], g.
        base: int32[d], w.
        present: bool[n], who took part: whose x is u, and not p.
        values: how many of each vector are walked together; divides a leaf.
        threads: among how many the leaves are shared.

    Returns:
        rows: int64[leaves, n, 2n + 1], <x_i, u_j>, <x_i, p_j>, <x_i, g>, of each leaf alone.
        norms: int64[leaves, n + 1], of every p, and of g.
        base: int64[leaves, n], <x_i, w>. Within a leaf it stays below 2**58; over more the caller needs a wider sum.
    """
    n, d = updates.shape
    leaves = (d + BLOCK_VALUES - 1) // BLOCK_VALUES
    rows = np.empty((leaves, n, 2 * n + 1), dtype=np.int64)
    norms = np.zeros((leaves, n + 1), dtype=np.int64)
    along = np.zeros((leaves, n), dtype=np.int64)
    tasks = min(leaves, threads)
    for task in prange(tasks):
        # In this order: every x, every p, g, the low and the high half of w.
        block = _aligned_block(2 * n + 3, values)
        largest = np.empty(2 * n + 3, dtype=np.int64)
        out = np.empty(_TILE * _TILE, dtype=np.int64)
        own = np.empty((n, n), dtype=np.int64)
        others = np.empty((n, n + 3), dtype=np.int64)
        for leaf in range(task * leaves // tasks, (task + 1) * leaves // tasks):
            own[:] = 0
            others[:] = 0
            for start in range(leaf * BLOCK_VALUES, min((leaf + 1) * BLOCK_VALUES, d), values):
                stop = min(start + values, d)
                for i in range(n):
                    x, p = updates[i, start:stop], last_updates[i, start:stop]
                    x = x if present[i] else p
                    largest[i] = _fill(block[i], x, p)
                    following = updates[i + 1, start:stop] if i + 1 < n else last_delta[start:stop]
                    largest[n + i] = _fill(block[n + i], p, following)
                largest[2 * n] = _fill(block[2 * n], last_delta[start:stop], updates[0, stop:])
                model = base[start:stop]
                fits = _split(model, block[2 * n + 1], block[2 * n + 2], largest[2 * n + 1 :])
                steps = -((start - stop) // _VECTOR)
                source, stride = block.ctypes.data, block.shape[1]
                _add_symmetric(source, stride, largest, n, steps, out, own)
                _add_rectangle(source, stride, largest, n, n, n + 3, steps, out, others)
                _add_norms(source, stride, largest, n, n + 1, steps, out, norms[leaf])
                for i in range(n):
                    if fits:
                        along[leaf, i] += others[i, n + 1] + (others[i, n + 2] << 16)
                    else:
                        for k in range(len(model)):
                            along[leaf, i] += np.int64(block[i, k]) * np.int64(model[k])
                    others[i, n + 1 :] = 0
            for i in range(n):
                for j in range(n):
                    # The update of an absent seat is zero; its x is p, and only in its own row.
                    rows[leaf, i, j] = own[max(i, j), min(i, j)] if present[j] else 0
                rows[leaf, i, n:] = others[i, : n + 1]
    return rows, norms, along
