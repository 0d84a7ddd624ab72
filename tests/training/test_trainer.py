from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from fedblocks.training.datasets import Dataset
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import build_model
from fedblocks.training.quantise import ModelSizeMismatch, NonFiniteModel, load_vector, model_to_vector
from fedblocks.training.trainer import ClientTrainer, NothingToTrain, UnusableData, draw_batches, epoch_seed, evaluate

Make = Callable[..., ClientTrainer]


def digits_model(seed: int = 0) -> nn.Module:
    return build_model("mlp", (1, 8, 8), 10, seed)


GENESIS = model_to_vector(digits_model())


@pytest.fixture
def make(digits: Dataset) -> Make:
    def make(
        samples: int = 200, module: nn.Module | None = None, client: str = "a", seed: int = 1, **training: int
    ) -> ClientTrainer:
        return ClientTrainer(
            module or digits_model(),
            digits.train_x[:samples],
            digits.train_y[:samples],
            LocalTraining(**{"local_steps": 20, **training}),
            client=client,
            seed=seed,
        )

    return make


def test_training_is_the_same_bit_for_bit_on_every_run(make: Make) -> None:
    trainer = make()
    first = trainer.train(GENESIS, 1)
    for again in (trainer.train(GENESIS, 1), make(module=digits_model(seed=9)).train(GENESIS, 1)):
        assert np.array_equal(first.update, again.update)
        assert first.loss == again.loss


def test_training_is_the_same_in_another_process(make: Make) -> None:
    program = """
from fedblocks.training import datasets, job, models, quantise, trainer
digits = datasets.load_dataset("digits")
module = models.build_model("mlp", (1, 8, 8), 10, 0)
client = trainer.ClientTrainer(module, digits.train_x[:200], digits.train_y[:200],
                               job.LocalTraining(local_steps=20), client="a", seed=1)
print(client.train(quantise.model_to_vector(module), 1).update.tobytes().hex())
"""
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout.strip() == make().train(GENESIS, 1).update.tobytes().hex()


@pytest.mark.parametrize("change", [{"client": "b"}, {"seed": 2}, {"epoch": 2}], ids=["client", "seed", "epoch"])
def test_another_client_seed_or_epoch_trains_differently(make: Make, change: dict[str, int]) -> None:
    epoch = change.pop("epoch", 1)
    assert not np.array_equal(make().train(GENESIS, 1).update, make(**change).train(GENESIS, epoch).update)


def test_a_model_that_draws_at_random_is_repeatable_too(make: Make) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
    base = model_to_vector(module)
    trainer = make(module=module)
    first = trainer.train(base, 1).update
    torch.rand(7)
    assert np.array_equal(first, trainer.train(base, 1).update)


def test_training_does_not_disturb_the_random_numbers_and_threads_of_the_process(make: Make) -> None:
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    make().train(GENESIS, 1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads


def test_an_update_says_how_many_samples_the_client_has_and_lowers_its_loss(make: Make) -> None:
    trainer = make(samples=150)
    first = trainer.train(GENESIS, 1)
    assert (first.update.dtype, first.update.shape, first.samples, first.steps) == (np.int16, GENESIS.shape, 150, 20)
    assert trainer.train(GENESIS + first.update, 2).loss < first.loss


@pytest.mark.parametrize("samples", [1, 5, 33, 1000])
def test_the_number_of_steps_does_not_depend_on_the_amount_of_data(make: Make, samples: int) -> None:
    seen: list[int] = []

    class Counting(nn.Sequential):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append(len(inputs))
            return super().forward(inputs)

    make(samples, Counting(*digits_model()), local_steps=7, batch_size=16).train(GENESIS, 1)
    assert seen == [16] * 7


def test_every_sample_is_seen_before_any_is_seen_again(make: Make) -> None:
    trainer = make(samples=48, local_steps=6, batch_size=16)
    order = draw_batches(trainer.samples, trainer.training, torch.Generator().manual_seed(1)).flatten().tolist()
    assert sorted(order[:48]) == sorted(order[48:]) == list(range(48))
    assert order[:48] != order[48:]


@pytest.mark.parametrize("momentum", [0, 900_000])
def test_steps_are_those_of_torch_optim_sgd(digits: Dataset, make: Make, momentum: int) -> None:
    trainer = make(momentum_millionths=momentum, learning_rate_millionths=20_000)
    ours = trainer.train(GENESIS, 1).update

    module = digits_model()
    load_vector(module, GENESIS)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.02, momentum=momentum / 1e6)
    batches = draw_batches(
        trainer.samples, trainer.training, torch.Generator().manual_seed(epoch_seed(1, trainer.client, 1))
    )
    x, y = torch.from_numpy(digits.train_x), torch.from_numpy(digits.train_y)
    for batch in batches:
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
        optimiser.step()
    theirs = model_to_vector(module) - GENESIS
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(ours).max() > 50


def test_another_loss_can_be_given() -> None:
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, np.newaxis]
    module = nn.Linear(1, 1)
    trainer = ClientTrainer(module, x, 3 * x, client="a", seed=0, loss=nn.functional.mse_loss)
    update = trainer.train(np.zeros(2, dtype=np.int32), 1).update
    assert 2 < trainer.module.weight.item() <= 3.1
    assert update[0] == 2**15 - 1


def test_parameters_that_are_frozen_or_unused_do_not_move(make: Make) -> None:
    module = digits_model()
    module[1].weight.requires_grad_(False)
    module.register_parameter("unused", nn.Parameter(torch.ones(3)))
    base = model_to_vector(module)
    for momentum in (0, 500_000):
        update = make(module=module, momentum_millionths=momentum).train(base, 1).update
        names = dict(zip(module.state_dict(), np.split(update, [3, 3 + 64 * 64]), strict=False))
        assert not names["unused"].any()
        assert not names["1.weight"].any()
        assert update[3 + 64 * 64 :].any()


def test_a_loss_that_runs_away_is_refused_with_its_step() -> None:
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, np.newaxis]
    training = LocalTraining(learning_rate_millionths=10**9)
    trainer = ClientTrainer(nn.Linear(1, 1), x, 3 * x, training, client="a", seed=0, loss=nn.functional.mse_loss)
    with pytest.raises(NonFiniteModel, match=r"the loss has 1 values .* after step") as refused:
        trainer.train(np.zeros(2, dtype=np.int32), 1)
    assert 1 < refused.value.step <= 60


def test_samples_that_are_not_finite_are_refused_at_the_first_step_that_meets_them(digits: Dataset) -> None:
    x = np.full_like(digits.train_x[:10], np.nan)
    with pytest.raises(NonFiniteModel) as refused:
        ClientTrainer(digits_model(), x, digits.train_y[:10], client="a", seed=0).train(GENESIS, 1)
    assert refused.value.step == 1


def test_a_model_that_becomes_infinite_in_the_last_step_is_refused_by_its_tensor() -> None:
    module = nn.Linear(1, 1, bias=False)
    x = np.full((4, 1), 1e30, dtype=np.float32)

    def explosive(outputs: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return (outputs * 1e30).mean()

    training = LocalTraining(local_steps=1)
    with pytest.raises(NonFiniteModel, match=r"weight has 1 values .* after step 1"):
        ClientTrainer(module, x, x, training, client="a", seed=0, loss=explosive).train(np.zeros(1, np.int32), 1)


def test_a_base_model_of_another_size_is_refused(make: Make) -> None:
    with pytest.raises(ModelSizeMismatch, match=f"{GENESIS.size} values"):
        make().train(GENESIS[:-1], 1)


def test_data_without_samples_or_without_a_label_for_each_are_refused(digits: Dataset) -> None:
    for x, y in ((digits.train_x[:0], digits.train_y[:0]), (digits.train_x[:3], digits.train_y[:2])):
        with pytest.raises(UnusableData):
            ClientTrainer(digits_model(), x, y, client="a", seed=0)
        with pytest.raises(UnusableData):
            evaluate(digits_model(), x, y)


def test_a_model_without_parameters_is_refused(digits: Dataset) -> None:
    with pytest.raises(NothingToTrain, match="Flatten"):
        ClientTrainer(nn.Flatten(), digits.train_x[:2], digits.train_y[:2], client="a", seed=0)


def test_data_in_read_only_memory_are_taken_without_a_warning(
    digits: Dataset, recwarn: pytest.WarningsRecorder
) -> None:
    x = digits.train_x[:50].copy()
    x.flags.writeable = False
    ClientTrainer(digits_model(), x, digits.train_y[:50], client="a", seed=0)
    assert not recwarn.list


def test_accuracy_is_in_parts_per_million_rounded_down() -> None:
    class First(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[1.0, 0.0]]).expand(len(inputs), 2)

    x = np.zeros((3, 1), dtype=np.float32)
    assert evaluate(First(), x, np.array([0, 1, 0])) == 666_666
    assert evaluate(First(), x, np.array([0, 0, 0]), batch_size=2) == 1_000_000
    assert evaluate(First(), x, np.array([1, 1, 1])) == 0


def test_evaluation_is_without_dropout_takes_a_vector_and_leaves_the_mode_as_it_was(digits: Dataset) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(64, 10))
    accuracies = {evaluate(module, digits.test_x, digits.test_y, batch_size=size) for size in (1, 7, 300)}
    assert len(accuracies) == 1
    assert module.training
    zeros = np.zeros(650, dtype=np.int32)
    first_class = int((digits.test_y == 0).sum()) * 10**6 // len(digits.test_y)
    assert evaluate(module.eval(), digits.test_x, digits.test_y, vector=zeros) == first_class
    assert not module.training


@pytest.mark.parametrize("name", ["mlp", "logistic", "cnn"])
def test_a_few_epochs_learn_the_digits(digits: Dataset, name: str) -> None:
    module = build_model(name, digits.input_shape, digits.classes, seed=1)
    training = LocalTraining(learning_rate_millionths=20_000, momentum_millionths=900_000)
    trainer = ClientTrainer(module, digits.train_x, digits.train_y, training, client="a", seed=1)
    model = model_to_vector(module)
    for epoch in range(1, 4):
        model = model + trainer.train(model, epoch).update
    assert evaluate(module, digits.test_x, digits.test_y, vector=model) > 850_000


def test_one_epoch_learns_something_of_fashion_mnist(fashion_mnist: Dataset) -> None:
    data = fashion_mnist.head(2_000, 500)
    module = build_model("mlp", data.input_shape, data.classes, seed=1)
    base = model_to_vector(module)
    trainer = ClientTrainer(module, data.train_x, data.train_y, client="a", seed=1)
    update = trainer.train(base, 1).update
    assert evaluate(module, data.test_x, data.test_y, vector=base + update) > 600_000
