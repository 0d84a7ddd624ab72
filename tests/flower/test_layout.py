"""Tensors with names, and the protocol's one vector."""

import json

import numpy as np
import pytest
from torch import nn

from fedblocks.aggregation.fixed_point import NotFinite, WrongVector
from fedblocks.engines.flower.layout import Layout, WrongLayout
from fedblocks.training.models import build_model
from fedblocks.training.quantise import load_vector, model_size, model_to_vector, update_between


@pytest.fixture
def module():
    """Convolutions, batch normalisation with its integer counter, a linear layer."""
    body = build_model("cnn", (1, 8, 8), 3, seed=5)
    return nn.Sequential(body, nn.BatchNorm1d(3))


def arrays_of(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def test_a_modules_tensors_lie_in_the_vector_as_the_trainer_lays_them(module):
    layout = Layout.of(arrays_of(module))
    assert layout.d == model_size(module)
    assert layout.model(arrays_of(module)).tolist() == model_to_vector(module).tolist()


def test_a_client_of_the_trainer_finds_the_same_floats_in_a_vector(module):
    layout, vector = Layout.of(arrays_of(module)), model_to_vector(module) + 3
    load_vector(module, vector)
    theirs = arrays_of(module)
    ours = layout.tensors_of(vector)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert {name: array.dtype for name, array in ours.items()} == {name: theirs[name].dtype for name in ours}


def test_the_update_is_the_trainers(module):
    layout, base = Layout.of(arrays_of(module)), model_to_vector(module) - 7
    assert layout.update(arrays_of(module), base).tolist() == update_between(module, base).tolist()


def test_what_is_not_floating_is_no_part_of_the_vector(module):
    names = [tensor.name for tensor in Layout.of(arrays_of(module)).tensors]
    assert "1.num_batches_tracked" in arrays_of(module)
    assert "1.num_batches_tracked" not in names


def test_a_layout_survives_its_text(module):
    layout = Layout.of(arrays_of(module))
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize(
    "rows",
    [
        [],
        {},
        [["a", "float32"]],
        [["a", "int8", [2]]],
        [["a", "float32", [-1]]],
        [["a", "float32", [True]]],
        [["a", "float32", [1 << 31]]],
        [["a", "float32", [0]]],
        [["a", "float32", [1 << 20]] for _ in range(2)],
        [[str(number), "float32", [1 << 28]] for number in range(5)],
        [["a", "float32", [1] * 17]],
        [[7, "float32", [2]]],
    ],
)
def test_a_strangers_layout_that_is_none_is_refused(rows):
    with pytest.raises(WrongLayout):
        Layout.from_json(json.dumps(rows))


def test_text_that_is_not_json_is_refused():
    with pytest.raises(WrongLayout):
        Layout.from_json("[[")


def test_tensors_of_another_model_are_refused(module):
    arrays = arrays_of(module)
    layout, base = Layout.of(arrays), model_to_vector(module)
    missing = {name: array for name, array in arrays.items() if name != "1.bias"}
    with pytest.raises(WrongLayout, match=r"1\.bias is missing"):
        layout.update(missing, base)
    with pytest.raises(WrongLayout, match="shape"):
        layout.update({**arrays, "1.bias": np.zeros(4, dtype=np.float32)}, base)
    with pytest.raises(WrongVector):
        layout.tensors_of(base[:-1])


def test_a_model_that_has_run_away_is_refused(module):
    arrays = arrays_of(module)
    base = model_to_vector(module)
    arrays["1.bias"][0] = np.nan
    with pytest.raises(NotFinite):
        Layout.of(arrays).update(arrays, base)


def test_tensors_without_a_fixed_point_form_are_refused():
    with pytest.raises(WrongLayout, match="complex"):
        Layout.of({"a": np.zeros(2, dtype=np.complex64)})
    with pytest.raises(WrongLayout, match="none of them is floating"):
        Layout.of({"a": np.zeros(2, dtype=np.int64)})
