"""Data, model and training, without a framework."""

import numpy as np

FEATURES, CLASSES, SAMPLES, STEPS = 24, 4, 80, 20


def _points(seed, samples):
    centres = np.random.default_rng(7).normal(scale=0.5, size=(CLASSES, FEATURES))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, samples)
    return centres[labels] + rng.normal(size=(samples, FEATURES)), labels


def data_of(partition):
    return _points([1, partition], SAMPLES)


def test_data():
    return _points([2], 400)


def initial():
    """Two floating tensors, and one that no mean makes sense of."""
    return {
        "weight": np.zeros((FEATURES, CLASSES), dtype=np.float32),
        "seen": np.array(0, dtype=np.int64),
        "bias": np.zeros(CLASSES, dtype=np.float32),
    }


def train(arrays, partition, epoch):
    """What the app is about: some steps of gradient descent on the partition's points."""
    x, y = data_of(partition)
    rng = np.random.default_rng([3, partition, epoch])
    weight, bias = arrays["weight"].astype(np.float64), arrays["bias"].astype(np.float64)
    for _ in range(STEPS):
        batch = rng.integers(0, len(y), 16)
        error = _softmax(x[batch] @ weight + bias)
        error[np.arange(16), y[batch]] -= 1
        weight -= 0.01 * x[batch].T @ error / 16
        bias -= 0.01 * error.mean(axis=0)
    return {
        "weight": weight.astype(np.float32),
        "seen": np.asarray(arrays["seen"] + 1),
        "bias": bias.astype(np.float32),
    }


def accuracy(arrays, x, y):
    return float(((x @ arrays["weight"] + arrays["bias"]).argmax(axis=1) == y).mean())


def _softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
