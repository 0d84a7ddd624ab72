"""Data, model and training, without a framework: what everybody starts again for each message should start quickly."""

import os
from pathlib import Path

import numpy as np

PIXELS, HIDDEN, CLASSES = 64, 32, 10
PASSES, BATCH, RATE = 4, 16, 0.15


def load(name):
    """The samples of one file of the folder that the environment names: a client's own, or those for testing."""
    with np.load(Path(os.environ["DIGITS"]) / f"{name}.npz") as file:
        return file["x"], file["y"]


def initial(seed):
    """The model that training starts from."""
    rng = np.random.default_rng([seed, 0])
    return {
        "hidden.weight": rng.normal(scale=PIXELS**-0.5, size=(PIXELS, HIDDEN)).astype(np.float32),
        "hidden.bias": np.zeros(HIDDEN, dtype=np.float32),
        "output.weight": rng.normal(scale=HIDDEN**-0.5, size=(HIDDEN, CLASSES)).astype(np.float32),
        "output.bias": np.zeros(CLASSES, dtype=np.float32),
    }


def train(arrays, x, y, seed):
    """Some passes of stochastic gradient descent; the trained model, in the same floats wherever it runs."""
    rng = np.random.default_rng(seed)
    w1, b1, w2, b2 = (arrays[name].astype(np.float64) for name in initial(0))
    for _ in range(PASSES):
        order = rng.permutation(len(y))
        for start in range(0, len(y), BATCH):
            batch = order[start : start + BATCH]
            inputs, count = x[batch], len(batch)
            hidden = np.maximum(inputs @ w1 + b1, 0)
            error = _softmax(hidden @ w2 + b2)
            error[np.arange(count), y[batch]] -= 1
            error /= count
            back = (error @ w2.T) * (hidden > 0)
            w2 -= RATE * (hidden.T @ error)
            b2 -= RATE * error.sum(axis=0)
            w1 -= RATE * (inputs.T @ back)
            b1 -= RATE * back.sum(axis=0)
    return {name: value.astype(np.float32) for name, value in zip(initial(0), (w1, b1, w2, b2), strict=True)}


def accuracy(arrays, x, y):
    """The share of samples that are read rightly."""
    hidden = np.maximum(x @ arrays["hidden.weight"] + arrays["hidden.bias"], 0)
    return float(((hidden @ arrays["output.weight"] + arrays["output.bias"]).argmax(axis=1) == y).mean())


def _softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
