from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fedblocks.training.models import (
    ARCHITECTURES,
    Architecture,
    UnknownArchitecture,
    UnreadableModel,
    UnsuitableShape,
    build_model,
    load_model,
    register_architecture,
    reproducible,
    save_model,
)
from fedblocks.training.quantise import model_size, model_to_vector

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 9, 13)]


def test_the_mlp_for_fashion_mnist_has_50890_values() -> None:
    assert model_size(build_model("mlp", (1, 28, 28), 10, seed=0)) == 50_890


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_architecture_gives_one_logit_for_each_class(name: str, shape: tuple[int, ...]) -> None:
    outputs = build_model(name, shape, 7, seed=1)(torch.zeros(2, *shape))
    assert outputs.shape == (2, 7)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_seed_gives_the_same_weights_again_and_another_seed_others(name: str) -> None:
    first, again, other = (model_to_vector(build_model(name, (1, 8, 8), 10, seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_first_weights_do_not_depend_on_what_was_drawn_before_nor_disturb_what_is_drawn_after() -> None:
    torch.manual_seed(1)
    expected = [torch.rand(1), torch.rand(1)]
    torch.manual_seed(1)
    first = torch.rand(1)
    vector = model_to_vector(build_model("mlp", (1, 8, 8), 10, seed=3))
    assert [first, torch.rand(1)] == expected
    assert np.array_equal(vector, model_to_vector(build_model("mlp", (1, 8, 8), 10, seed=3)))


def test_threads_that_build_at_the_same_time_get_the_weights_of_their_seeds() -> None:
    expected = [model_to_vector(build_model("mlp", (1, 28, 28), 10, seed)) for seed in range(4)]
    built: dict[int, np.ndarray] = {}

    def build(seed: int) -> None:
        built[seed] = model_to_vector(build_model("mlp", (1, 28, 28), 10, seed))

    threads = [threading.Thread(target=build, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(built[seed], expected[seed]) for seed in range(4))


def test_the_number_of_threads_is_put_back_even_when_the_block_fails() -> None:
    before = torch.get_num_threads()
    seen = []

    def fail() -> None:
        with reproducible(1, threads=before + 1):
            seen.append(torch.get_num_threads())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        build_model("mlp", (1, 8, 8), 10, seed)


def test_an_unknown_architecture_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownArchitecture, match=r"'resnet'.*cnn, logistic, mlp"):
        build_model("resnet", (1, 8, 8), 10, seed=0)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("mlp", (), 10), ("mlp", (0,), 10), ("logistic", (4,), 1), ("cnn", (64,), 10), ("cnn", (1, 3, 28), 10)],
)
def test_inputs_that_an_architecture_cannot_take_are_refused(name: str, shape: tuple[int, ...], classes: int) -> None:
    with pytest.raises(UnsuitableShape, match=name):
        build_model(name, shape, classes, seed=0)


def test_an_architecture_of_ones_own_is_built_by_its_name_and_a_taken_name_refused() -> None:
    own = Architecture("test-own", "for this test", lambda shape, classes: nn.Linear(shape[0], classes))
    register_architecture(own)
    assert model_size(build_model("test-own", (3,), 2, seed=0)) == 8
    with pytest.raises(ValueError, match="already"):
        register_architecture(own)


def test_a_saved_model_comes_back_bit_for_bit(tmp_path: Path) -> None:
    model, other = (build_model("cnn", (1, 8, 8), 10, seed) for seed in (1, 2))
    save_model(tmp_path / "model.safetensors", model, {"epoch": "3"})
    load_model(tmp_path / "model.safetensors", other)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_file_with_another_model_or_with_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, build_model("mlp", (1, 8, 8), 10, seed=1))
    with pytest.raises(UnreadableModel, match=r"model\.safetensors"):
        load_model(path, build_model("logistic", (1, 8, 8), 10, seed=1))
    with pytest.raises(UnreadableModel):
        load_model(path, build_model("mlp", (1, 9, 9), 10, seed=1))
    path.write_bytes(b"not a model at all")
    with pytest.raises(UnreadableModel):
        load_model(path, build_model("mlp", (1, 8, 8), 10, seed=1))
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "absent", build_model("mlp", (1, 8, 8), 10, seed=1))
