"""How fast the loops over millions of values are, beside what this machine took before (`make bench-trends`).

Nothing is asserted about time: pytest-benchmark stores each run under .cache and prints it beside the last one.
"""

import numpy as np
import pytest

from fedblocks.aggregation.gram import running_gram
from fedblocks.aggregation.gram_routes import GramRoute, exact_gram
from fedblocks.aggregation.mean import weighted_delta
from fedblocks.rollup.vectors import subtree_roots

N, D = 10, 500_000


@pytest.fixture(scope="module")
def updates():
    return np.random.default_rng(1).normal(0, 100, (N, D)).astype(np.int16)


@pytest.mark.parametrize("route", list(GramRoute))
def test_gram_matrix(benchmark, updates, route):
    gram = benchmark(exact_gram, updates, route)
    assert (gram == exact_gram(updates, GramRoute.NUMPY)).all()


def test_inner_products_of_an_epoch(benchmark, updates):
    base = np.random.default_rng(2).normal(0, 800, D).astype(np.int32)
    running = benchmark(running_gram, updates, updates[::-1].copy(), updates[0], base)
    assert running.total().updates[0][0] == exact_gram(updates)[0, 0]


def test_hashes_of_updates(benchmark, updates):
    assert benchmark(subtree_roots, updates).shape == (N, -(-D // 4096), 32)


def test_mean(benchmark, updates):
    assert benchmark(weighted_delta, updates, [1] * N).shape == (D,)
