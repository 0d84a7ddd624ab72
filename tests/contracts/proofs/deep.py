"""Honest epochs of a billion values, zero in all leaves but two: trees of full depth at the price of two leaves."""

from __future__ import annotations

from random import Random

from tests.contracts.proofs.reference import LEAF, Epoch, Vector

D = 10**9


def deep_epoch(n: int, leaf: int = 123_457, d: int = D, seed: int = 1) -> Epoch:
    """All n seats take part and have a weight, and every vector has values at `leaf` and at the leaf before it."""
    random = Random(seed)

    def vector(width: int) -> Vector:
        bound = 1 << (8 * width - 1)
        values = {at: [random.randrange(-bound, bound) for _ in range(LEAF)] for at in (leaf - 1, leaf)}
        return Vector(d, width, values)

    updates: list[Vector | None] = [vector(2) for _ in range(n)]
    last = [vector(2) for _ in range(n)]
    weights = [random.randrange(1, 1 << 40) for _ in range(n)]
    return Epoch(d, updates, last, vector(2), vector(4), weights)
