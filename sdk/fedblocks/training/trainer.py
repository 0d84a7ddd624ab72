"""What a client does in an epoch: train the published model on its own data, and say what that changed.

Every client takes the same number of mini-batch steps, however much data it has. With one pass over the data instead,
the clients with most data would move farthest, and distance is what the defence looks at: honest clients would stand
out as attackers do. A client with little data begins its data again, in a new order.

Training is stochastic gradient descent (with momentum, if the job says so) on the cross-entropy, or on any other
loss. It is repeatable: the order of the samples and whatever the model draws (dropout) follow from the job's seed, the
client and the epoch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import reproducible
from fedblocks.training.quantise import NonFiniteModel, load_vector, update_between
from fedblocks.training.update import LocalUpdate
from fedblocks.units import PARTS_PER_MILLION

Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes outputs [batch, ...] and targets [batch, ...], gives one number to be made small."""


class UnusableData(FedBlocksError, ValueError):
    """There are no samples, or not as many labels as samples."""

    def __init__(self, samples: int, labels: int) -> None:
        super().__init__(f"{samples} samples with {labels} labels: there must be at least one, and one label to each")
        self.samples, self.labels = samples, labels


class NothingToTrain(FedBlocksError, ValueError):
    """The model has no parameter that requires a gradient."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(f"{type(module).__name__} has no parameter that requires a gradient")


def epoch_seed(seed: int, client: str, epoch: int) -> int:
    """What everything that a client draws in an epoch follows from, 0 to 2**64 - 1."""
    name = f"{seed}|{client}|{epoch}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def draw_batches(samples: int, training: LocalTraining, generator: torch.Generator) -> Tensor:
    """Indices int64[local_steps, batch_size] below `samples`: shuffled data end to end, cut into batches."""
    needed = training.local_steps * training.batch_size
    rounds = math.ceil(needed / samples)
    order = torch.cat([torch.randperm(samples, generator=generator) for _ in range(rounds)])
    return order[:needed].view(training.local_steps, training.batch_size)


class ClientTrainer:
    """Trains one client's data, epoch after epoch.

    Args:
        module: the model; its weights are overwritten in every epoch. Clients that train one after the other in one
            process can share it. The data go to the device that it is on.
        x: float32[n, *input_shape].
        y: int64[n] for the cross-entropy.
        training: steps, batch size, learning rate and momentum.
        client: what tells this client's random numbers from another's, such as its address.
        seed: the job's.
        loss: what is minimised.
        threads: for PyTorch's kernels, which are set while training and put back after: they are the process's, and
            so two trainings in one process wait for each other. For more, use more processes.

    Raises:
        UnusableData: if there are no samples, or not as many labels as samples.
        NothingToTrain: if the model has no parameter that requires a gradient.
    """

    def __init__(
        self,
        module: nn.Module,
        x: npt.NDArray[Any] | Tensor,
        y: npt.NDArray[Any] | Tensor,
        training: LocalTraining | None = None,
        *,
        client: str,
        seed: int,
        loss: Loss = functional.cross_entropy,
        threads: int = 1,
    ) -> None:
        if len(x) == 0 or len(x) != len(y):
            raise UnusableData(len(x), len(y))
        self.module = module
        self.training = training or LocalTraining()
        self.client = client
        self._parameters: list[Tensor] = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not self._parameters:
            raise NothingToTrain(module)
        self._device = self._parameters[0].device
        self._x, self._y = _tensor(x).to(self._device), _tensor(y).to(self._device)
        self._seed, self._loss, self._threads = seed, loss, threads

    @property
    def samples(self) -> int:
        """How many samples the client has."""
        return len(self._y)

    def train(self, base: Int32Array, epoch: int) -> LocalUpdate:
        """Take the job's steps from the base model.

        The same arguments give the same update, bit for bit, on the same machine with the same number of threads.

        Args:
            base: int32[d], the epoch's base model.
            epoch: counted from 1.

        Raises:
            ModelSizeMismatch: if the base model is of another size than the module.
            NonFiniteModel: if the loss or the model is no longer finite; it names the step.
        """
        load_vector(self.module, base)
        self.module.train()
        with reproducible(epoch_seed(self._seed, self.client, epoch), self._threads) as generator:
            loss = self._descend(draw_batches(self.samples, self.training, generator).to(self._device))
        try:
            update = update_between(self.module, base)
        except NonFiniteModel as error:
            raise NonFiniteModel(error.tensor, error.count, self.training.local_steps) from error
        return LocalUpdate(update, self.samples, loss, self.training.local_steps)

    def _descend(self, batches: Tensor) -> float:
        # Written out rather than torch.optim.SGD: a fifth faster for a model of 50,000 values, where the bookkeeping of
        # an optimiser costs as much as the arithmetic.
        rate, momentum = self.training.learning_rate, self.training.momentum
        velocities: list[Tensor] | None = None
        total = 0.0
        for step, batch in enumerate(batches.unbind(), start=1):
            outputs = self.module(self._x.index_select(0, batch))
            loss = self._loss(outputs, self._y.index_select(0, batch))
            value = loss.item()
            if not math.isfinite(value):
                raise NonFiniteModel("the loss", 1, step)
            total += value
            # What the loss does not depend on has no gradient; zeros keep the lists in step.
            gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
            with torch.no_grad():
                if momentum:
                    if velocities is None:
                        velocities = [gradient.clone() for gradient in gradients]
                    else:
                        torch._foreach_mul_(velocities, momentum)
                        torch._foreach_add_(velocities, gradients)
                    torch._foreach_add_(self._parameters, velocities, alpha=-rate)
                else:
                    torch._foreach_add_(self._parameters, gradients, alpha=-rate)
        return total / len(batches)


def evaluate(
    module: nn.Module,
    x: npt.NDArray[Any] | Tensor,
    y: npt.NDArray[Any] | Tensor,
    *,
    vector: Int32Array | None = None,
    batch_size: int = 1000,
) -> int:
    """How many of the samples the model puts into the right class, in parts per million, rounded down.

    Args:
        module: gives logits [batch, classes]; it is in the same mode afterwards.
        x: float32[n, *input_shape].
        y: int64[n].
        vector: int32[d], weights to load into the module first; without it, those that it has.

    Raises:
        UnusableData: if there are no samples, or not as many labels as samples.
        ModelSizeMismatch: if the vector is of another size than the module.
    """
    if len(x) == 0 or len(x) != len(y):
        raise UnusableData(len(x), len(y))
    if vector is not None:
        load_vector(module, vector)
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    inputs, targets = _tensor(x), _tensor(y)
    was_training = module.training
    module.eval()
    correct = 0
    try:
        with torch.inference_mode():
            for start in range(0, len(y), batch_size):
                batch = slice(start, start + batch_size)
                classes = module(inputs[batch].to(device)).argmax(dim=1)
                correct += int((classes == targets[batch].to(device)).sum())
    finally:
        module.train(was_training)
    return correct * PARTS_PER_MILLION // len(y)


def _tensor(values: npt.NDArray[Any] | Tensor) -> Tensor:
    if isinstance(values, Tensor):
        return values
    # PyTorch knows no read-only memory and warns about it.
    return torch.from_numpy(values if values.flags.writeable else np.array(values))
