"""The ways to take inner products of updates, and which of them is taken. Every way gives the same bits.

- ``NUMBA``: the kernels of :mod:`fedblocks.aggregation.inner_products`, the fastest on every processor measured.
- ``NUMPY``: float64 matrix products of blocks that are short enough for every sum to be an exact integer. It is what
  the others are held against, and needs no compiler.
- ``TORCH``: the same blocks on a GPU, through PyTorch, which is not installed with this package.

docs/benchmarks.md has what each takes beside other libraries.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from fedblocks.aggregation import inner_products
from fedblocks.aggregation.fixed_point import MAX_VALUES, Int16Array, Int32Array, Int64Array, WrongVector, read_only

LEAF_VALUES = inner_products.BLOCK_VALUES
"""Values between two running sums, a leaf of the Gram tree."""

_EXACT_VALUES = 1 << 22
"""So many products of 2**30 stay below 2**53, up to which float64 holds every integer."""

_TORCH_LEAVES = 256
"""Leaves that are on the device at a time."""

_TORCH_SEATS = 48
"""From so many rows on a GPU is asked: with fewer, the way there takes longer than the products."""


class GramRoute(Enum):
    """How inner products are worked out; every route gives the same bits."""

    NUMBA = "numba"
    NUMPY = "numpy"
    TORCH = "torch"


def chosen_route(n: int) -> GramRoute:
    """The fastest route for n updates in this process.

    A GPU is asked for many rows only, and only where the process has PyTorch loaded for its own sake.
    """
    torch = sys.modules.get("torch")
    if n >= _TORCH_SEATS and torch is not None and torch.cuda.is_available():
        return GramRoute.TORCH
    return GramRoute.NUMBA


def exact_gram(updates: Int16Array, route: GramRoute | None = None) -> Int64Array:
    """The Gram matrix of n updates, exactly: all their inner products, of which every squared distance follows.

    Args:
        updates: int16[n, d]: fixed point (:func:`~fedblocks.aggregation.fixed_point.quantise_update`) or any other;
            n is not bounded, d is at most 2**30. A contiguous matrix is not copied.
        route: how; the result does not depend on it. The fastest one if None.

    Returns:
        int64[n, n], symmetric. Nothing overflows: an inner product stays below 2**60.

    Raises:
        WrongVector: if the dtype or the shape is another.

    >>> exact_gram(np.array([[1, 2], [3, -4]], dtype=np.int16)).tolist()
    [[5, -5], [-5, 25]]
    """
    if updates.dtype != np.int16 or updates.ndim != 2 or not len(updates) or not 1 <= updates.shape[1] <= MAX_VALUES:
        expected = f"int16 of shape (1.., 1..{MAX_VALUES})"
        raise WrongVector("the updates", expected, f"{updates.dtype} of shape {updates.shape}")
    n, d = updates.shape
    route = chosen_route(n) if route is None else route
    if route is GramRoute.NUMBA:
        most = 1 << max(10, (d // 64).bit_length())
        values = inner_products.block_values(n, min(most, inner_products.MOST_VALUES))
        return inner_products.whole_gram(read_only(updates), values, get_num_threads())
    total: Int64Array = np.zeros((n, n), dtype=np.int64)
    width = min(d, _EXACT_VALUES, max(LEAF_VALUES, (1 << 24) // n))
    for start in range(0, d, width):
        block = updates[:, start : start + width]
        total += _products(block[np.newaxis], block[np.newaxis], route)[0]
    return total


def squared_distances(gram: Int64Array) -> Int64Array:
    """The squared distances |u_i - u_j|^2 of all updates, from their Gram matrix: int64[n, n].

    >>> squared_distances(exact_gram(np.array([[1, 2], [3, -4]], dtype=np.int16))).tolist()
    [[0, 40], [40, 0]]
    """
    norms = np.diagonal(gram)
    return norms[:, np.newaxis] + norms - 2 * gram


def leaf_gram(
    updates: Int16Array,
    last_updates: Int16Array,
    last_delta: Int16Array,
    base: Int32Array,
    present: NDArray[np.bool_],
    route: GramRoute | None = None,
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """All inner products of an epoch, leaf by leaf; arguments and result as of :func:`inner_products.leaf_gram`."""
    n, d = updates.shape
    route = chosen_route(n) if route is None else route
    if route is GramRoute.NUMBA:
        values = inner_products.block_values(2 * n + 3, LEAF_VALUES)
        u, p, g, w = (read_only(each) for each in (updates, last_updates, last_delta, base))
        return inner_products.leaf_gram(u, p, g, w, present, values, get_num_threads())
    leaves = -(-d // LEAF_VALUES)
    rows: Int64Array = np.empty((leaves, n, 2 * n + 1), dtype=np.int64)
    norms: Int64Array = np.empty((leaves, n + 1), dtype=np.int64)
    along: Int64Array = np.empty((leaves, n), dtype=np.int64)
    together = _TORCH_LEAVES if route is GramRoute.TORCH else 1
    for first in range(0, leaves, together):
        part = slice(first, min(first + together, leaves))
        part_values = slice(part.start * LEAF_VALUES, min(part.stop * LEAF_VALUES, d))
        u, p, g, w = (
            _by_leaves(each[..., part_values])
            for each in (updates, last_updates, last_delta[np.newaxis], base[np.newaxis])
        )
        x = np.where(present[:, np.newaxis], u, p)
        # Two halves of sixteen bits; the higher one, which may reach 2**15, is no int16.
        low = w.astype(np.int16)
        high = (w.astype(np.int64) - low) >> 16
        products = _products(x, np.concatenate([u, p, g, low, high], axis=1), route)
        rows[part] = products[..., : 2 * n + 1]
        along[part] = products[..., 2 * n + 1] + (products[..., 2 * n + 2] << 16)
        others = np.concatenate([p, g], axis=1).reshape(-1, 1, LEAF_VALUES)
        norms[part] = _products(others, others, route).reshape(-1, n + 1)
    return rows, norms, along


def _by_leaves(vectors: NDArray[Any]) -> NDArray[Any]:
    """[m, d] as [leaves, m, 4096], zeros after the last value."""
    m, d = vectors.shape
    leaves = -(-d // LEAF_VALUES)
    filled = np.zeros((m, leaves * LEAF_VALUES), dtype=vectors.dtype)
    filled[:, :d] = vectors
    return filled.reshape(m, leaves, LEAF_VALUES).transpose(1, 0, 2)


def _products(left: NDArray[Any], right: NDArray[Any], route: GramRoute) -> Int64Array:
    """Inner products of integers up to 2**15 through float64: [k, a, values] and [k, b, values] to int64[k, a, b].

    Exact for up to 2**22 values, whatever the order in which they are added.
    """
    if route is GramRoute.TORCH:
        # Not at the top: torch is not installed with this package, and takes a second to load.
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        there = [torch.tensor(np.ascontiguousarray(each), device=device).double() for each in (left, right)]
        exact: Int64Array = (there[0] @ there[1].transpose(1, 2)).long().cpu().numpy()
        return exact
    product: NDArray[np.float64] = left.astype(np.float64) @ right.astype(np.float64).transpose(0, 2, 1)
    return product.astype(np.int64)
