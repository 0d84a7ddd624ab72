from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from fedblocks.aggregation.fixed_point import SCALE, WrongVector
from fedblocks.training.models import build_model
from fedblocks.training.quantise import (
    ModelSizeMismatch,
    NonFiniteModel,
    UnsupportedTensor,
    floating_tensors,
    load_vector,
    model_size,
    model_to_vector,
    update_between,
)

EXACT = 2**24  # float32 holds every integer up to here
INT16 = np.iinfo(np.int16)


class Holder(nn.Module):
    """A module with just these values, in two tensors."""

    def __init__(self, *values: float, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor(values[:1], dtype=dtype))
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("rest", torch.tensor(values[1:], dtype=dtype))


def holder(d: int) -> Holder:
    return Holder(*[0.0] * d)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int32, st.integers(1, 40), elements=st.integers(-EXACT, EXACT)))
def test_a_vector_comes_back_from_the_model_that_it_was_loaded_into(vector: np.ndarray) -> None:
    module = holder(vector.size)
    load_vector(module, vector)
    assert np.array_equal(model_to_vector(module), vector)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.int32, 8, elements=st.integers(-EXACT // 2, EXACT // 2)),
    hnp.arrays(np.int16, 8, elements=st.integers(-(2**15), 2**15 - 1)),
)
def test_the_update_between_two_models_is_their_difference(base: np.ndarray, change: np.ndarray) -> None:
    module = holder(8)
    load_vector(module, base + change)
    assert np.array_equal(update_between(module, base), change)


def test_values_are_rounded_half_to_even() -> None:
    halves = [0.5, 1.5, 2.5, -0.5, -1.5]
    assert model_to_vector(Holder(*[half / SCALE for half in halves])).tolist() == [0, 2, 2, 0, -2]


def test_model_and_update_saturate() -> None:
    module = Holder(1e9, -1e9, 3.0, -3.0)
    assert model_to_vector(module).tolist() == [2**31 - 1, -(2**31), 3 * SCALE, -3 * SCALE]
    assert update_between(module, np.zeros(4, dtype=np.int32)).tolist() == [INT16.max, INT16.min] * 2


def test_floating_tensors_are_taken_in_the_order_of_the_state_dict_and_integers_left_out() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    names = [name for name, _ in floating_tensors(module)]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    assert model_size(module) == 6 + 5 * 3
    assert model_to_vector(module)[-3:].tolist() == [SCALE] * 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_any_floating_dtype_crosses_and_keeps_its_dtype(dtype: torch.dtype) -> None:
    module = Holder(0.5, -1.25, dtype=dtype)
    vector = model_to_vector(module)
    assert vector.tolist() == [SCALE // 2, -5 * SCALE // 4]
    load_vector(module, -vector)
    assert module.first.dtype == dtype
    assert module.first.item() == -0.5


def test_tensors_that_are_views_of_others_are_loaded_in_place() -> None:
    module = nn.Linear(2, 3)
    module.weight = nn.Parameter(torch.zeros(2, 3).t())
    load_vector(module, np.arange(9, dtype=np.int32) * SCALE)
    assert module.weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.array_equal(model_to_vector(module), np.arange(9) * SCALE)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_model_that_is_not_finite_is_refused_by_the_name_of_its_tensor(bad: float) -> None:
    module = Holder(0.0, bad, 1.0, bad)
    with pytest.raises(NonFiniteModel, match="rest has 2 values") as refused:
        model_to_vector(module)
    assert (refused.value.tensor, refused.value.count, refused.value.step) == ("rest", 2, None)
    with pytest.raises(NonFiniteModel, match="rest"):
        update_between(module, np.zeros(4, dtype=np.int32))


@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_vector_of_another_size_is_refused_and_nothing_is_loaded(size: int) -> None:
    module = Holder(1.0, 2.0, 3.0, 4.0)
    for cross in (load_vector, update_between):
        with pytest.raises(ModelSizeMismatch, match=f"4 values.*{size}") as refused:
            cross(module, np.zeros(size, dtype=np.int32))
        assert (refused.value.expected_values, refused.value.actual_values) == (4, size)
    assert model_to_vector(module).tolist() == [SCALE * k for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros(4, np.int16), np.zeros((2, 2), np.int32), [0, 0, 0, 0]])
def test_only_one_dimensional_int32_is_loaded(wrong: np.ndarray) -> None:
    with pytest.raises(WrongVector, match="int32"):
        load_vector(holder(4), wrong)


def test_complex_tensors_are_refused_by_name() -> None:
    module = nn.Module()
    module.register_buffer("phase", torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(UnsupportedTensor, match=r"phase is torch.complex64"):
        model_size(module)


def test_loading_leaves_parameters_trainable() -> None:
    module = build_model("logistic", (1, 8, 8), 10, seed=0)
    load_vector(module, model_to_vector(module))
    module(torch.ones(1, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
