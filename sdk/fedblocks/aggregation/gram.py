"""The Gram matrix: every inner product that a verdict rests on, exactly.

Whatever the rules ask of an update (how long it is, how far from the others, whether it is somebody's last one again,
how it responds to the last step of the model) is a function of inner products. They are worked out once, in integers,
for these vectors: every seat's update u, every seat's last revealed update p, the last global delta g and the base
model w. Row i holds <u_i, v> for all of them; the norms row holds <v, v>.

The update of a seat that did not take part is the zero vector in its seat.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from fedblocks.aggregation import kernels
from fedblocks.aggregation.fixed_point import (
    MAX_VALUES,
    Int16Array,
    Int32Array,
    Int64Array,
    WrongVector,
    check_vector,
)
from fedblocks.types import MAX_COHORT

_EXACT_VALUES = 1 << 16
"""Values per float64 product of the fallback: 2**16 products of 2**30 stay far below 2**53, where float64 is exact."""

_LOW_BITS = 16
_LOW_OFFSET = 1 << 15


class GramRoute(Enum):
    """How inner products are worked out; every route gives the same bits."""

    NUMBA = "numba"
    NUMPY = "numpy"


@dataclass(frozen=True)
class Gram:
    """The inner products of one epoch; n seats, all integers exact.

    Attributes:
        updates: n x n, <u_i, u_j>.
        last: n x n, <u_i, p_j>.
        delta: n, <u_i, g>.
        base: n, <u_i, w>; beyond 64 bits for large models.
        last_norms: n, <p_j, p_j>.
        delta_norm: <g, g>.
        base_norm: <w, w>.
    """

    updates: tuple[tuple[int, ...], ...]
    last: tuple[tuple[int, ...], ...]
    delta: tuple[int, ...]
    base: tuple[int, ...]
    last_norms: tuple[int, ...]
    delta_norm: int
    base_norm: int

    @property
    def seats(self) -> int:
        return len(self.updates)

    def norm(self, seat: int) -> int:
        """<u, u> of a seat."""
        return self.updates[seat][seat]

    def distance(self, a: int, b: int) -> int:
        """The squared distance between the updates of two seats."""
        return self.updates[a][a] + self.updates[b][b] - 2 * self.updates[a][b]

    def row(self, seat: int) -> list[int]:
        """Row of a seat, as it is committed: with all updates, all last updates, g and w."""
        return [*self.updates[seat], *self.last[seat], self.delta[seat], self.base[seat]]

    def norms_row(self) -> list[int]:
        """The norms, in the order of a row's columns."""
        norms = [self.updates[seat][seat] for seat in range(self.seats)]
        return [*norms, *self.last_norms, self.delta_norm, self.base_norm]


def _cross_numpy(left: Int16Array, right: Int16Array) -> Int64Array:
    """`left @ right.T` through float64, exact because each partial product stays below 2**53."""
    total = np.zeros((left.shape[0], right.shape[0]), dtype=np.int64)
    for start in range(0, left.shape[1], _EXACT_VALUES):
        a = left[:, start : start + _EXACT_VALUES].astype(np.float64)
        b = right[:, start : start + _EXACT_VALUES].astype(np.float64)
        total += (a @ b.T).astype(np.int64)
    return total


def _even(rows: Int16Array) -> Int16Array:
    """The rows, with one of zeros added when their number is odd: the kernel works in tiles of two."""
    if rows.shape[0] % 2:
        rows = np.concatenate([rows, np.zeros((1, rows.shape[1]), dtype=np.int16)])
    return np.ascontiguousarray(rows)


def inner_products(left: Int16Array, right: Int16Array, route: GramRoute = GramRoute.NUMBA) -> Int64Array:
    """All inner products of two sets of int16 vectors.

    Args:
        left: int16[a, d].
        right: int16[b, d].
        route: how; the result does not depend on it.

    Returns:
        int64[a, b].
    """
    if route is GramRoute.NUMPY:
        return _cross_numpy(left, right)
    return kernels.cross_products(_even(left), _even(right), False)[: left.shape[0], : right.shape[0]]


def _self_products(rows: Int16Array, route: GramRoute) -> Int64Array:
    if route is GramRoute.NUMPY:
        return _cross_numpy(rows, rows)
    even = _even(rows)
    upper = np.triu(kernels.cross_products(even, even, True))
    n = rows.shape[0]
    return (upper + np.triu(upper, 1).T)[:n, :n]


def _split(base: Int32Array) -> Int16Array:
    """An int32 vector as int16 rows (high, low, ones) with ``w = 2**16 high + low + 2**15 ones``."""
    parts = np.empty((3, base.size), dtype=np.int16)
    parts[0] = base >> _LOW_BITS
    parts[1] = (base & 0xFFFF) - _LOW_OFFSET
    parts[2] = 1
    return parts


_SPLIT_FACTORS = (1 << _LOW_BITS, 1, _LOW_OFFSET)


def _combine(parts: list[int]) -> int:
    return sum(factor * part for factor, part in zip(_SPLIT_FACTORS, parts, strict=True))


def _norms(rows: Int16Array, route: GramRoute) -> list[int]:
    return [int(inner_products(row[None, :], row[None, :], route)[0, 0]) for row in rows]


def gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    route: GramRoute = GramRoute.NUMBA,
) -> Gram:
    """Work out all inner products of an epoch.

    Args:
        updates: int16[n, d], u; a seat that did not take part is a row of zeros.
        last_updates: int16[n, d], p: each seat's last revealed update, zeros when it never revealed one.
        last_delta: int16[d], g, zeros in the first epoch.
        base: int32[d], w, the model that the cohort trained from.
        route: how; the result does not depend on it.

    Raises:
        WrongVector: if a dtype or shape is another, n exceeds 64 or d exceeds 2**30.

    >>> import numpy as np
    >>> u = np.array([[1, 2], [3, -4]], dtype=np.int16)
    >>> g = gram(u, np.zeros_like(u), np.array([1, 0], dtype=np.int16), np.array([0, 1 << 20], dtype=np.int32))
    >>> g.updates, g.base, g.distance(0, 1)
    (((5, -5), (-5, 25)), (2097152, -4194304), 40)
    """
    if updates.dtype != np.int16 or updates.ndim != 2 or not 1 <= updates.shape[0] <= MAX_COHORT:
        raise WrongVector("the updates", f"int16 of shape (1..{MAX_COHORT}, d)", f"{updates.dtype} {updates.shape}")
    n, d = updates.shape
    if not 1 <= d <= MAX_VALUES:
        raise WrongVector("the updates", f"of 1 to {MAX_VALUES} values", f"of {d}")
    if last_updates.dtype != np.int16 or last_updates.shape != (n, d):
        raise WrongVector("the last updates", f"int16 of shape {(n, d)}", f"{last_updates.dtype} {last_updates.shape}")
    check_vector(last_delta, np.int16, d, "the last delta")
    check_vector(base, np.int32, d, "the base model")

    split = _split(base)
    columns = np.concatenate([last_updates, last_delta[None, :], split])
    with_others = inner_products(updates, columns, route).tolist()
    base_parts = _self_products(split, route).tolist()
    return Gram(
        updates=tuple(map(tuple, _self_products(updates, route).tolist())),
        last=tuple(tuple(row[:n]) for row in with_others),
        delta=tuple(row[n] for row in with_others),
        base=tuple(_combine(row[n + 1 :]) for row in with_others),
        last_norms=tuple(_norms(last_updates, route)),
        delta_norm=_norms(last_delta[None, :], route)[0],
        base_norm=_combine([_combine(row) for row in base_parts]),
    )
