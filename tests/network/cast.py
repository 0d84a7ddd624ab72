"""Who takes part: digits dealt to clients, the app's training without Flower, and the model that all begin from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.engines.flower.layout import Layout
from fedblocks.training.datasets import load_dataset
from fedblocks.training.update import LocalUpdate
from tests.network.app.digitsapp import task

APP = Path(__file__).parent / "app"
_LAYOUT = Layout.of(task.initial(0))


@dataclass(frozen=True, eq=False)
class Cast:
    """Everybody's data, and what they begin with.

    Attributes:
        parts: x: float64[n, 64], y: int64[n], of each client.
        test: of the aggregator.
        seed: of model and training.
    """

    parts: tuple[tuple[np.ndarray, np.ndarray], ...]
    test: tuple[np.ndarray, np.ndarray]
    seed: int

    @classmethod
    def deal(cls, clients: int, seed: int) -> Cast:
        """Deal the digits as cards: everybody has some of all kinds."""
        data = load_dataset("digits")
        x, y = data.train_x.reshape(len(data.train_y), -1).astype(np.float64), data.train_y
        order = np.random.default_rng([seed, 2]).permutation(len(y))
        parts = tuple((x[order[number::clients]], y[order[number::clients]]) for number in range(clients))
        return cls(parts, (data.test_x.reshape(len(data.test_y), -1).astype(np.float64), data.test_y), seed)

    @property
    def genesis(self) -> Int32Array:
        return _LAYOUT.model(task.initial(self.seed))

    @property
    def trainers(self) -> list[LocalTrainer]:
        """What the ClientApps do, without Flower."""
        return [LocalTrainer(self, number) for number in range(len(self.parts))]

    @property
    def scene(self) -> dict[str, Any]:
        """What :func:`tests.flower.scene.open_scene` is to open."""
        return {
            "clients": len(self.parts),
            "genesis": self.genesis,
            "labels": [y for _, y in self.parts],
            "input_shape": (task.PIXELS,),
            "classes": task.CLASSES,
        }

    def evaluate(self, vector: Int32Array) -> int:
        """A model's accuracy in parts per million, as the strategy states it."""
        return math.floor(task.accuracy(_LAYOUT.tensors_of(vector), *self.test) * 1_000_000 + 1e-6)

    def write(self, folder: Path) -> None:
        """Give everybody a file."""
        folder.mkdir()
        for name, (x, y) in [*enumerate(self.parts), ("test", self.test)]:
            np.savez(folder / f"{name}.npz", x=x, y=y)


@dataclass(frozen=True, eq=False)
class LocalTrainer:
    """One client's."""

    cast: Cast
    number: int

    def train(self, base: Int32Array, epoch: int) -> LocalUpdate:
        """What the app does in its ClientApp."""
        x, y = self.cast.parts[self.number]
        trained = task.train(_LAYOUT.tensors_of(base), x, y, [self.cast.seed, 1 + self.number, epoch])
        return LocalUpdate(_LAYOUT.update(trained, base), len(y), 0.0, 0)
