"""How a data set is divided among clients, to simulate what federated learning meets.

Real clients do not hold samples of one distribution: one sees mostly shoes, another mostly coats. The customary model
of that *label skew* is Dirichlet's distribution (Hsu et al. 2019, "Measuring the effects of non-identical data
distribution", arXiv:1909.06335): for every class the shares of the clients are drawn from Dir(alpha). A large alpha
gives every client the same mixture, 0.5 is a usual skew, 0.1 leaves most clients with a few classes. The extremes are
clients that hold independent samples of the whole (*IID*) and clients that hold a *single class*.

Every function takes the labels and gives, for each client, the indices of its samples in ascending order. The same
seed gives the same partition on every machine.
"""

from __future__ import annotations

import numpy as np

from fedblocks.aggregation.fixed_point import Int64Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.datasets import LabelArray


class NotEnoughSamples(FedBlocksError, ValueError):
    """There are fewer samples than the clients must have at least."""

    def __init__(self, samples: int, clients: int, minimum: int) -> None:
        super().__init__(f"{samples} samples are too few for {clients} clients with at least {minimum} each")
        self.samples, self.clients, self.minimum = samples, clients, minimum


def dirichlet_partition(
    labels: LabelArray, clients: int, alpha: float, seed: int, minimum: int = 1
) -> list[Int64Array]:
    """Divide samples with label skew: each class among the clients in shares from Dir(alpha).

    A client that gets fewer than `minimum` samples is given random ones of the client that has the most.

    Args:
        labels: int64[n].
        clients: how many parts.
        alpha: above 0; the smaller, the more skewed.
        minimum: samples that every client has at least.

    Returns:
        for each client its indices, ascending; every index is with exactly one client.

    Raises:
        NotEnoughSamples: if there are fewer than ``clients * minimum``.

    Example:
        >>> parts = dirichlet_partition(np.array([0, 1] * 50), clients=4, alpha=0.5, seed=7, minimum=5)
        >>> sum(len(part) for part in parts), min(len(part) for part in parts) >= 5
        (100, True)
    """
    _check(labels, clients, minimum)
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, not {alpha}")
    rng = _generator(seed)
    parts: list[list[Int64Array]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(clients, alpha))
        ends = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for part, share in zip(parts, np.split(members, ends), strict=True):
            part.append(share)
    return [np.sort(part) for part in _raise_to_minimum([np.concatenate(part) for part in parts], minimum, rng)]


def iid_partition(labels: LabelArray, clients: int, seed: int, minimum: int = 1) -> list[Int64Array]:
    """Divide samples evenly and at random; the sizes differ by one at most.

    Arguments, result and errors as for :func:`dirichlet_partition`.
    """
    _check(labels, clients, minimum)
    order = _generator(seed).permutation(len(labels))
    return [np.sort(part) for part in np.array_split(order, clients)]


def single_class_partition(labels: LabelArray, clients: int, seed: int, minimum: int = 1) -> list[Int64Array]:
    """Give every client samples of one class: client k the k-th class, starting over after the last.

    Clients of the same class share its samples evenly. With fewer clients than classes, the samples of the remaining
    classes are with nobody.

    Arguments and result as for :func:`dirichlet_partition`.

    Raises:
        NotEnoughSamples: if a class has too few samples for the clients that share it.
    """
    _check(labels, clients, minimum)
    rng = _generator(seed)
    classes = np.unique(labels)
    parts: list[Int64Array] = [np.empty(0, dtype=np.int64) for _ in range(clients)]
    for position, label in enumerate(classes[:clients]):
        members = rng.permutation(np.flatnonzero(labels == label))
        sharers = range(position, clients, len(classes))
        if len(members) < len(sharers) * minimum:
            raise NotEnoughSamples(len(members), len(sharers), minimum)
        for client, share in zip(sharers, np.array_split(members, len(sharers)), strict=True):
            parts[client] = np.sort(share)
    return parts


def _raise_to_minimum(parts: list[Int64Array], minimum: int, rng: np.random.Generator) -> list[Int64Array]:
    # Shuffled, because a part is in order of its classes: its end would give away one class only.
    parts = [rng.permutation(part) for part in parts]
    for poor in range(len(parts)):
        while (missing := minimum - len(parts[poor])) > 0:
            rich = max(range(len(parts)), key=lambda k: len(parts[k]))
            taken = min(missing, len(parts[rich]) - minimum)
            parts[rich], gift = parts[rich][:-taken], parts[rich][-taken:]
            parts[poor] = np.concatenate([parts[poor], gift])
    return parts


def _check(labels: LabelArray, clients: int, minimum: int) -> None:
    if clients < 1:
        raise ValueError(f"there must be at least one client, not {clients}")
    if minimum < 0:
        raise ValueError(f"a client cannot have {minimum} samples at least")
    if len(labels) < clients * minimum or len(labels) == 0:
        raise NotEnoughSamples(len(labels), clients, minimum)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))
