"""What a run is: one cohort, how it trains, who attacks in it, and by which rules it is judged.

A setting is data. Its key (JSON of every field, and the seed) names a run in a file of results, so that a campaign
that is stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.datasets import DATASETS, Dataset, UnknownDataset, load_dataset
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import ARCHITECTURES, UnknownArchitecture
from fedblocks.types import MAX_COHORT, MIN_COHORT

FASHION_IMAGES, FASHION_TESTS = 20_000, 2_000
"""How much of Fashion-MNIST is used: enough that accuracies are steady to half a point."""
SMALLEST = 32
"""Samples that every client has at least, where labels are divided by Dirichlet's distribution."""

TRAININGS: Mapping[str, LocalTraining] = {
    "60x0.1": LocalTraining(60, 32, 100_000),
    "60x0.3": LocalTraining(60, 32, 300_000),
    "60x0.03": LocalTraining(60, 32, 30_000),
    "20x0.03": LocalTraining(20, 32, 30_000),
    "10x0.1": LocalTraining(10, 32, 100_000),
    "60x0.02, momentum 0.9": LocalTraining(60, 32, 20_000, 900_000),
    "60x0.1, batch 128": LocalTraining(60, 128, 100_000),
    "10x0.003, batch 128": LocalTraining(10, 128, 3_000),
    "10x0.1, batch 8": LocalTraining(10, 8, 100_000),
    "60x0.1, momentum 0.9": LocalTraining(60, 32, 100_000, 900_000),
}
"""Steps x learning rate; batch 32 where nothing else is said."""
USUAL, EASY = "60x0.1", "20x0.03"

PARTITIONS = ("iid", "0.5", "0.1", "single-class", "mixed-1", "mixed-2")
SPECIAL_PARTITIONS = ("twins", "shared", "few")

NO_ATTACK = "none"


class InvalidSetting(FedBlocksError, ValueError):
    """A run is asked for that there cannot be."""

    def __init__(self, name: str, value: object, why: str) -> None:
        super().__init__(f"{name} {value!r}: {why}")
        self.name, self.value = name, value


@dataclass(frozen=True)
class Setting:
    """One cohort.

    Attributes:
        data: a data set's name.
        model: an architecture's name.
        partition: how the samples are divided, see :func:`fedblocks.lab.division.divide`.
        clients: n, attackers included.
        training: a key of :data:`TRAININGS`.
        epochs: how many.
        attack: an attack's name, or several with ``+`` between, which attackers take in turn; "none" without.
        attackers: f; the attackers have seats 0 to f - 1.
        rules: thresholds that differ from the measured defaults.
    """

    data: str = "fashion-mnist"
    model: str = "mlp"
    partition: str = "0.5"
    clients: int = 10
    training: str = USUAL
    epochs: int = 12
    attack: str = NO_ATTACK
    attackers: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.data not in DATASETS:
            raise UnknownDataset(self.data)
        if self.model not in ARCHITECTURES:
            raise UnknownArchitecture(self.model)
        if self.training not in TRAININGS:
            raise InvalidSetting("training", self.training, f"there are {'; '.join(TRAININGS)}")
        if self.epochs < 1:
            raise InvalidSetting("epochs", self.epochs, "there must be at least one")
        if not MIN_COHORT <= self.clients <= MAX_COHORT:
            raise InvalidSetting("clients", self.clients, f"a cohort has {MIN_COHORT} to {MAX_COHORT}")
        _check_partition(self.partition, self.clients)
        if (self.attack == NO_ATTACK) != (self.attackers == 0):
            raise InvalidSetting("attackers", self.attackers, f"with the attack {self.attack!r}; none is 0 of them")
        if not 0 <= self.attackers <= tolerated(self.clients):
            raise InvalidSetting(
                "attackers", self.attackers, f"{self.clients} clients bear at most {tolerated(self.clients)}"
            )
        self.judged_by()

    def key(self, seed: int) -> str:
        """What names the run with this seed."""
        return json.dumps({**asdict(self), "rules": dict(self.rules), "seed": seed}, sort_keys=True)

    def judged_by(self) -> Rules:
        """The rules.

        Raises:
            InvalidSetting: if there is no rule of a name.
            InvalidRules: if a threshold is out of its range.
        """
        known = {each.name for each in fields(Rules)}
        for name in self.rules:
            if name not in known:
                raise InvalidSetting("rule", name, f"there is none of that name; there are {', '.join(sorted(known))}")
        return replace(Rules(), **self.rules)

    def peaceful(self) -> Setting:
        """The same cohort without attackers or rules of its own: what baselines are shared by."""
        return replace(self, attack=NO_ATTACK, attackers=0, rules={})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Setting:
        """What :func:`dataclasses.asdict` gave."""
        return cls(**content)


def _check_partition(partition: str, clients: int) -> None:
    if partition in PARTITIONS or partition in SPECIAL_PARTITIONS:
        return
    name, _, number = partition.rpartition("-")
    if name == "mixed" and number.isdecimal() and 1 <= int(number) < clients:
        return
    try:
        alpha = float(partition)
    except ValueError:
        alpha = 0.0
    if not 0 < alpha < float("inf"):
        raise InvalidSetting(
            "partition",
            partition,
            f"must be an alpha above 0, mixed-K, or of {', '.join(PARTITIONS)}, {', '.join(SPECIAL_PARTITIONS)}",
        )


@lru_cache(maxsize=2)
def data_of(name: str) -> Dataset:
    """The data set as the laboratory uses it."""
    data = load_dataset(name)
    return data.head(FASHION_IMAGES, FASHION_TESTS) if name == "fashion-mnist" else data
