"""The Gram matrix: every inner product that a verdict rests on, exactly, as it grows along the parameters.

Whatever the rules ask of an update (how long it is, how far from the others, whether it is somebody's last one again,
how it responds to the last step of the model) is a function of inner products. They are worked out once, in integers,
for these vectors: every seat's update u, every seat's last revealed update p, the last global delta g and the base
model w.

Row i holds ``<x_i, v>`` for all of them. x_i is the update of a seat that took part, and the last update of one that
did not: it is what its p will be in the next epoch. The update u of an absent seat is zero. The *common* row holds what
all clients are compared with: ``<u, u>``, ``<p, p>`` and ``<u, g>`` of every seat, ``<g, g>`` and ``<w, w>``.

The products are summed leaf by leaf, 4,096 values each, and the *running sums* are kept: two neighbouring ones differ
by what 4,096 values can be checked for, which is what makes a wrong matrix refutable (docs/proofs.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fedblocks.aggregation import gram_routes, kernels
from fedblocks.aggregation.fixed_point import (
    MAX_VALUES,
    Int16Array,
    Int32Array,
    Int64Array,
    WrongVector,
    check_vector,
    read_only,
)
from fedblocks.aggregation.gram_routes import GramRoute
from fedblocks.types import MAX_COHORT

_HALF = 32
_LOW_HALF = (1 << _HALF) - 1


@dataclass(frozen=True)
class Gram:
    """The inner products of one epoch; n seats, all integers exact.

    Attributes:
        updates: n x n, <x_i, u_j>.
        last: n x n, <x_i, p_j>.
        delta: n, <x_i, g>.
        base: n, <x_i, w>; beyond 64 bits for large models.
        norms: n, <u_j, u_j>; 0 of an absent seat.
        last_norms: n, <p_j, p_j>.
        along: n, <u_j, g>; 0 of an absent seat.
        delta_norm: <g, g>.
        base_norm: <w, w>.
    """

    updates: tuple[tuple[int, ...], ...]
    last: tuple[tuple[int, ...], ...]
    delta: tuple[int, ...]
    base: tuple[int, ...]
    norms: tuple[int, ...]
    last_norms: tuple[int, ...]
    along: tuple[int, ...]
    delta_norm: int
    base_norm: int

    @property
    def seats(self) -> int:
        return len(self.updates)

    def distance(self, a: int, b: int) -> int:
        """The squared distance between the updates of two participants."""
        return self.norms[a] + self.norms[b] - 2 * self.updates[a][b]

    def row(self, seat: int) -> list[int]:
        """Row of a seat, as it is committed: with all updates, all last updates, g and w."""
        return [*self.updates[seat], *self.last[seat], self.delta[seat], self.base[seat]]

    def common_row(self) -> list[int]:
        """What all are compared with, as it is committed."""
        return [*self.norms, *self.last_norms, *self.along, self.delta_norm, self.base_norm]


@dataclass(frozen=True, eq=False)
class WideSums:
    """Sums that may exceed 64 bits, as two parts: ``high * 2**32 + low``, both int64, low not negative."""

    high: Int64Array
    low: Int64Array

    @classmethod
    def running(cls, terms: Int64Array) -> WideSums:
        """The running sums along the first axis of terms within 64 bits."""
        return cls(np.cumsum(terms >> _HALF, axis=0), np.cumsum(terms & _LOW_HALF, axis=0))

    def last(self) -> list[int]:
        """The last ones, as integers."""
        high, low = np.atleast_1d(self.high[-1]), np.atleast_1d(self.low[-1])
        return [(int(upper) << _HALF) + int(lower) for upper, lower in zip(high, low, strict=True)]


@dataclass(frozen=True, eq=False)
class RunningGram:
    """All inner products as running sums: entry k is the sum over the values 0 to 4096 (k + 1) - 1.

    Attributes:
        rows: int64[leaves, n, 2n + 1]: <x_i, u_j> of all j, <x_i, p_j> of all j, <x_i, g>.
        base: [leaves, n]: <x_i, w>.
        common: int64[leaves, 3n + 1]: the norms of u, those of p, <u_j, g>, <g, g>.
        base_norm: [leaves]: <w, w>.
    """

    rows: Int64Array
    base: WideSums
    common: Int64Array
    base_norm: WideSums

    def total(self) -> Gram:
        """The whole products, those of the last leaf."""
        n = self.rows.shape[1]
        rows, common = self.rows[-1].tolist(), self.common[-1].tolist()
        return Gram(
            updates=tuple(tuple(row[:n]) for row in rows),
            last=tuple(tuple(row[n : 2 * n]) for row in rows),
            delta=tuple(row[2 * n] for row in rows),
            base=tuple(self.base.last()),
            norms=tuple(common[:n]),
            last_norms=tuple(common[n : 2 * n]),
            along=tuple(common[2 * n : 3 * n]),
            delta_norm=common[3 * n],
            base_norm=self.base_norm.last()[0],
        )


def running_gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    absent: Sequence[int] = (),
    route: GramRoute | None = None,
) -> RunningGram:
    """Work out all inner products of an epoch, as running sums.

    Args:
        updates: int16[n, d], u; a seat that did not take part is a row of zeros.
        last_updates: int16[n, d], p: each seat's last revealed update, zeros when it never revealed one.
        last_delta: int16[d], g, zeros in the first epoch.
        base: int32[d], w, the model that the cohort trained from.
        absent: the seats that did not take part.
        route: how; the result does not depend on it. The fastest one if None.

    Raises:
        WrongVector: if a dtype or shape is another, n exceeds 64 or d exceeds 2**30.
    """
    n, _ = _checked(updates, last_updates, last_delta, base)
    seats = np.arange(n)
    gone: npt.NDArray[np.intp] = np.array(absent, dtype=np.intp)
    present = ~np.isin(seats, gone)
    rows, norms, along = gram_routes.leaf_gram(updates, last_updates, last_delta, base, present, route)

    common: Int64Array = np.empty((len(rows), 3 * n + 1), dtype=np.int64)
    common[:, :n] = rows[:, seats, seats]
    common[:, n : 2 * n] = norms[:, :n]
    common[:, 2 * n : 3 * n] = rows[:, :, 2 * n]
    common[:, 3 * n] = norms[:, n]
    common[:, gone] = 0
    common[:, 2 * n + gone] = 0

    base_norms = kernels.leaf_model_norms(read_only(base))
    return RunningGram(
        rows=np.cumsum(rows, axis=0, out=rows),
        base=WideSums.running(along),
        common=np.cumsum(common, axis=0, out=common),
        base_norm=WideSums(np.cumsum(base_norms[:, 0]), np.cumsum(base_norms[:, 1])),
    )


def gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    absent: Sequence[int] = (),
    route: GramRoute | None = None,
) -> Gram:
    """All inner products of an epoch; arguments and errors as for :func:`running_gram`.

    >>> import numpy as np
    >>> u = np.array([[1, 2], [3, -4]], dtype=np.int16)
    >>> g = gram(u, np.zeros_like(u), np.array([1, 0], dtype=np.int16), np.array([0, 1 << 20], dtype=np.int32))
    >>> g.updates, g.base, g.distance(0, 1)
    (((5, -5), (-5, 25)), (2097152, -4194304), 40)
    """
    return running_gram(updates, last_updates, last_delta, base, absent, route).total()


def _checked(
    updates: Int16Array, last_updates: Int16Array, last_delta: Int16Array, base: Int32Array
) -> tuple[int, int]:
    if updates.dtype != np.int16 or updates.ndim != 2 or not 1 <= updates.shape[0] <= MAX_COHORT:
        raise WrongVector("the updates", f"int16 of shape (1..{MAX_COHORT}, d)", f"{updates.dtype} {updates.shape}")
    n, d = updates.shape
    if not 1 <= d <= MAX_VALUES:
        raise WrongVector("the updates", f"of 1 to {MAX_VALUES} values", f"of {d}")
    if last_updates.dtype != np.int16 or last_updates.shape != (n, d):
        raise WrongVector("the last updates", f"int16 of shape {(n, d)}", f"{last_updates.dtype} {last_updates.shape}")
    check_vector(last_delta, np.int16, d, "the last delta")
    check_vector(base, np.int32, d, "the base model")
    return n, d
