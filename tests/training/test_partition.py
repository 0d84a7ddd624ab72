from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.training.partition import (
    NotEnoughSamples,
    dirichlet_partition,
    iid_partition,
    single_class_partition,
)

LABELS = np.arange(600) % 6

Partition = Callable[[np.ndarray, int, int, int], list[np.ndarray]]
ALL: list[Partition] = [
    lambda labels, clients, seed, minimum: dirichlet_partition(labels, clients, 0.5, seed, minimum),
    iid_partition,
    single_class_partition,
]
IDS = ["dirichlet", "iid", "single class"]


def everything_once(parts: list[np.ndarray], samples: int) -> bool:
    return np.array_equal(np.sort(np.concatenate(parts)), np.arange(samples))


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 9), min_size=40, max_size=200),
    clients=st.integers(1, 10),
    alpha=st.sampled_from([0.01, 0.1, 0.5, 5.0, 1000.0]),
    minimum=st.integers(0, 4),
    seed=st.integers(0, 2**32),
)
def test_label_skew_gives_every_sample_to_one_client_and_every_client_its_minimum(
    labels: list[int], clients: int, alpha: float, minimum: int, seed: int
) -> None:
    parts = dirichlet_partition(np.array(labels), clients, alpha, seed, minimum)
    assert len(parts) == clients
    assert everything_once(parts, len(labels))
    assert min(map(len, parts)) >= minimum


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(1, 200), clients=st.integers(1, 30), seed=st.integers(0, 2**32))
def test_an_even_partition_gives_every_sample_once_and_sizes_differ_by_one_at_most(
    samples: int, clients: int, seed: int
) -> None:
    parts = iid_partition(np.zeros(samples, dtype=np.int64), clients, seed, minimum=0)
    assert everything_once(parts, samples)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@settings(max_examples=30, deadline=None)
@given(clients=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_single_class_clients_have_one_class_and_no_sample_is_shared(clients: int, seed: int) -> None:
    parts = single_class_partition(LABELS, clients, seed)
    assert [set(LABELS[part].tolist()) for part in parts] == [{client % 6} for client in range(clients)]
    given_out = np.concatenate(parts)
    assert len(np.unique(given_out)) == len(given_out) == 100 * min(clients, 6)


@pytest.mark.parametrize("partition", ALL, ids=IDS)
def test_a_seed_gives_the_same_partition_again_and_another_seed_another(partition: Partition) -> None:
    first, again, other = (partition(LABELS, 12, seed, 1) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("partition", ALL, ids=IDS)
def test_indices_ascend(partition: Partition) -> None:
    assert all((np.diff(part) > 0).all() for part in partition(LABELS, 6, 3, 1))


def test_a_small_alpha_skews_and_a_large_one_does_not() -> None:
    def largest_share(alpha: float) -> float:
        parts = dirichlet_partition(LABELS, 6, alpha, seed=4, minimum=10)
        return float(np.mean([np.bincount(LABELS[part]).max() / len(part) for part in parts]))

    assert largest_share(0.05) > 0.6
    assert largest_share(1000.0) < 0.25


@pytest.mark.parametrize("partition", ALL, ids=IDS)
def test_more_than_there_is_cannot_be_promised(partition: Partition) -> None:
    with pytest.raises(NotEnoughSamples, match="600 samples are too few for 7 clients"):
        partition(LABELS, 7, 0, 100)
    with pytest.raises(NotEnoughSamples):
        partition(LABELS[:0], 1, 0, 0)


def test_clients_that_share_a_class_need_their_minimum_each() -> None:
    with pytest.raises(NotEnoughSamples, match="2 samples are too few for 3"):
        single_class_partition(np.array([0, 0, *[1] * 20]), clients=5, seed=0)


@pytest.mark.parametrize(("clients", "alpha", "minimum"), [(0, 0.5, 1), (2, 0.0, 1), (2, -1.0, 1), (2, 0.5, -1)])
def test_arguments_that_mean_nothing_are_refused(clients: int, alpha: float, minimum: int) -> None:
    with pytest.raises(ValueError, match=r"client|alpha"):
        dirichlet_partition(LABELS, clients, alpha, 0, minimum)
