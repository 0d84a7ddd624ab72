"""The tiny app's cast, for the tests that play it in one process."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.engines.flower.layout import Layout
from fedblocks.training.update import LocalUpdate
from tests.flower.app.tinyapp import task

APP = Path(__file__).parent / "app"
LAYOUT = Layout.of(task.initial())
GENESIS = LAYOUT.model(task.initial())


class TinyTrainer:
    """What the app does in its ClientApp, without Flower."""

    def __init__(self, partition: int) -> None:
        self.partition = partition

    def train(self, base: Int32Array, epoch: int) -> LocalUpdate:
        arrays = {**task.initial(), **LAYOUT.tensors_of(base)}
        trained = task.train(arrays, self.partition, epoch)
        return LocalUpdate(LAYOUT.update(trained, base), task.SAMPLES, 0.0, task.STEPS)


def evaluate(vector: Int32Array) -> int:
    return math.floor(task.accuracy(LAYOUT.tensors_of(vector), *task.test_data()) * 1_000_000 + 1e-6)


def stage(clients: int) -> dict:
    """What :func:`tests.flower.scene.open_scene` is to open."""
    return {
        "clients": clients,
        "genesis": GENESIS,
        "labels": [np.asarray(task.data_of(number)[1]) for number in range(clients)],
        "input_shape": (task.FEATURES,),
        "classes": task.CLASSES,
    }
