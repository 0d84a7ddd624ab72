"""How the laboratory divides a data set: the usual ways, and some that no job should meet."""

from __future__ import annotations

import numpy as np

from fedblocks.aggregation.fixed_point import Int64Array
from fedblocks.lab.settings import SMALLEST
from fedblocks.training.datasets import LabelArray
from fedblocks.training.partition import dirichlet_partition, iid_partition, single_class_partition

_TWINS_ALPHA = 0.5
_FEW_CLIENTS, _FEW_SAMPLES = 3, 8


def divide(labels: LabelArray, partition: str, clients: int, seed: int) -> list[Int64Array]:
    """The samples of each client, int64[m] indices each.

    A number is the alpha of a Dirichlet division; "iid" and "single-class" are the extremes; "mixed-k" k clients with
    samples of every class, after clients with one class each; "twins" two clients with the same samples; "shared" all
    with the same; "few" three clients with 8 samples each.

    Raises:
        NotEnoughSamples: if there are too few for so many clients.
    """
    if partition == "iid":
        return iid_partition(labels, clients, seed)
    if partition == "single-class":
        return single_class_partition(labels, clients, seed)
    if partition.startswith("mixed-"):
        whole = int(partition.removeprefix("mixed-"))
        return single_class_partition(labels, clients - whole, seed) + iid_partition(labels, clients, seed)[:whole]
    if partition == "shared":
        return iid_partition(labels, 4, seed)[:1] * clients
    alpha = _TWINS_ALPHA if partition in ("twins", "few") else float(partition)
    smallest = min(SMALLEST, len(labels) // (2 * clients))
    parts = dirichlet_partition(labels, clients, alpha, seed, smallest)
    if partition == "twins":
        parts[1] = parts[0]
    if partition == "few":
        generator = np.random.default_rng(seed)
        parts[:_FEW_CLIENTS] = [
            np.sort(generator.choice(part, _FEW_SAMPLES, replace=False)) for part in parts[:_FEW_CLIENTS]
        ]
    return parts
