from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.training.cohort import ClientData, CohortTrainer, NotStackable
from fedblocks.training.datasets import Dataset
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import ARCHITECTURES, build_model
from fedblocks.training.partition import dirichlet_partition
from fedblocks.training.quantise import NonFiniteModel, model_to_vector
from fedblocks.training.trainer import ClientTrainer, UnusableData

PLAIN, MOMENTUM = LocalTraining(8, 16, 50_000), LocalTraining(8, 16, 20_000, 900_000)
CLIENTS = 4


def cohort(data: Dataset, module: nn.Module, training: LocalTraining, steps: int | None = None) -> CohortTrainer:
    parts = dirichlet_partition(data.train_y, CLIENTS, 0.5, seed=2, minimum=20)
    clients = [ClientData(p, data.train_y[p], steps or training.local_steps, str(k)) for k, p in enumerate(parts)]
    return CohortTrainer(module, data.train_x, clients, training, seed=7)


def alone(data: Dataset, module: nn.Module, training: LocalTraining, base: Int32Array) -> np.ndarray:
    parts = dirichlet_partition(data.train_y, CLIENTS, 0.5, seed=2, minimum=20)
    return np.stack(
        [
            ClientTrainer(module, data.train_x[p], data.train_y[p], training, client=str(k), seed=7)
            .train(base, epoch=3)
            .update
            for k, p in enumerate(parts)
        ]
    )


@pytest.mark.parametrize("training", [PLAIN, MOMENTUM], ids=["plain", "momentum"])
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_cohort_trained_at_once_gives_what_its_clients_give_one_by_one(
    name: str, training: LocalTraining, digits: Dataset
) -> None:
    module = build_model(name, digits.input_shape, digits.classes, seed=1)
    base = model_to_vector(module)
    together = cohort(digits, module, training).train(base, 3, range(CLIENTS))
    apart = alone(digits, module, training, base)
    assert together.dtype == np.int16
    # Sums are in another order; where a unit is at its bend, or two pixels are alike, a value may go the other way.
    difference = np.abs(together.astype(int) - apart)
    assert np.quantile(difference, 0.999) <= 2
    assert np.linalg.norm(difference) < 2e-3 * np.linalg.norm(apart.astype(float))
    assert np.abs(apart).max() > 100


def test_some_of_the_cohort_train_as_they_do_with_all(digits: Dataset) -> None:
    module = build_model("mlp", digits.input_shape, digits.classes, seed=1)
    base = model_to_vector(module)
    trainer = cohort(digits, module, PLAIN)
    everybody, some = trainer.train(base, 1, range(CLIENTS)), trainer.train(base, 1, [2, 0])
    assert np.abs(everybody[[2, 0]].astype(int) - some).max() <= 2


@pytest.mark.parametrize("training", [PLAIN, MOMENTUM], ids=["plain", "momentum"])
def test_a_lazy_client_stands_still_after_its_steps(training: LocalTraining, digits: Dataset) -> None:
    module = build_model("logistic", digits.input_shape, digits.classes, seed=1)
    base = model_to_vector(module)
    lazy = cohort(digits, module, training, steps=2).train(base, 3, range(CLIENTS))
    short = LocalTraining(2, training.batch_size, training.learning_rate_millionths, training.momentum_millionths)
    assert np.abs(lazy.astype(int) - alone(digits, module, short, base)).max() <= 2


def test_training_leaves_the_module_as_it_was(digits: Dataset) -> None:
    module = build_model("mlp", digits.input_shape, digits.classes, seed=1)
    base = model_to_vector(module)
    cohort(digits, module, PLAIN).train(base, 1, range(CLIENTS))
    assert np.array_equal(model_to_vector(module), base)


def test_a_model_that_runs_away_is_named(digits: Dataset) -> None:
    module = build_model("mlp", digits.input_shape, digits.classes, seed=1)
    trainer = cohort(digits, module, LocalTraining(60, 16, 1_000_000_000, 999_999))
    with pytest.raises(NonFiniteModel, match="the model of client"):
        trainer.train(model_to_vector(module), 1, range(CLIENTS))


def test_a_layer_that_is_not_known_is_refused(digits: Dataset) -> None:
    with pytest.raises(NotStackable, match="BatchNorm1d cannot be trained for a cohort at once"):
        cohort(digits, nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4)), PLAIN)


def test_a_client_without_samples_is_refused(digits: Dataset) -> None:
    nobody = ClientData(np.empty(0, np.int64), np.empty(0, np.int64), 8, "0")
    with pytest.raises(UnusableData, match="0 samples"):
        CohortTrainer(nn.Sequential(nn.Linear(2, 2)), digits.train_x, [nobody], PLAIN, seed=1)


def test_a_linear_layer_without_bias_trains_too() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 2, bias=False))
    x, y = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    base = model_to_vector(module)
    together = CohortTrainer(module, x, [ClientData(np.arange(3), y, 8, "0")], PLAIN, seed=7).train(base, 1, [0])
    apart = ClientTrainer(module, x, y, PLAIN, client="0", seed=7).train(base, 1).update
    assert np.abs(together[0].astype(int) - apart).max() <= 2
