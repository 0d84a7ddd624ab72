"""A small model, a few digits, and the large data set where it is."""

from __future__ import annotations

import numpy as np
import pytest

from fedblocks.training.datasets import Dataset, DatasetMissing, load_dataset


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    try:
        return load_dataset("fashion-mnist")
    except DatasetMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def letters() -> Dataset:
    try:
        return load_dataset("letters")
    except DatasetMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_260_731)
