"""Training all clients of a simulated cohort at once, many times faster than one after the other.

A step of a small model takes longer to start than to compute. Here the clients' weights are stacked, and one step of
all of them is a few batched products: the loss is the sum of the clients' losses, and because no client's loss depends
on another's weights, its gradient is every client's own. Batches, steps and momentum are those of
:class:`~fedblocks.training.trainer.ClientTrainer`; sums are in another order, so that a quantised value may differ by
a few steps of 2**-14.

For simulations alone. A real client trains by itself, and its commitment depends on the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array, dequantise, quantise_update
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.datasets import Float32Array, LabelArray
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import Residual, reproducible
from fedblocks.training.quantise import NonFiniteModel, model_size
from fedblocks.training.trainer import UnusableData, draw_batches, epoch_seed


class NotStackable(FedBlocksError, TypeError):
    """A model has a layer that cannot be trained for many clients at once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(
            f"{type(layer).__name__} cannot be trained for a cohort at once; "
            f"there are {', '.join(kind.__name__ for kind in _LAYERS)}, or train with ClientTrainer"
        )
        self.layer = layer


@dataclass(frozen=True, eq=False)
class ClientData:
    """What one client of the cohort trains with.

    Attributes:
        indices: int64[m], its samples among the cohort's.
        labels: int64[m], theirs; an attacker's may be wrong.
        local_steps: how many of the job's steps it takes.
        name: what tells its random numbers from another's.
    """

    indices: Int64Array
    labels: LabelArray
    local_steps: int
    name: str


class CohortTrainer:
    """Trains the clients of a cohort, epoch after epoch.

    Args:
        module: the model, of layers in sequence; its own weights do not matter and stay as they are.
        x: float32[samples, *input_shape], all samples.
        clients: what each client has of them.
        training: steps, batch size, learning rate and momentum.
        seed: the job's.

    Raises:
        NotStackable: if the model has a layer that is not known here.
        UnusableData: if a client has no samples, or not as many labels as samples.
    """

    def __init__(
        self, module: nn.Module, x: Float32Array, clients: Sequence[ClientData], training: LocalTraining, *, seed: int
    ) -> None:
        for client in clients:
            if len(client.indices) == 0 or len(client.indices) != len(client.labels):
                raise UnusableData(len(client.indices), len(client.labels))
        self._forward = _stacked(module, "")
        self._shapes = {name: parameter.shape for name, parameter in module.named_parameters()}
        self._x = torch.from_numpy(x if x.flags.writeable else x.copy())
        self._clients = [(torch.from_numpy(each.indices), torch.from_numpy(each.labels)) for each in clients]
        self._who = clients
        self._training, self._seed, self._d = training, seed, model_size(module)

    def train(self, base: Int32Array, epoch: int, seats: Sequence[int]) -> Int16Array:
        """What these clients send after the job's steps from the base model, int16[seats, d].

        Args:
            base: int32[d], the epoch's base model.
            epoch: counted from 1.
            seats: which clients train, by their place in the cohort.

        Raises:
            NonFiniteModel: if the model of one of them is no longer finite at the end; it names the client.
        """
        weights = self._stack(base, len(seats))
        # One thread, as a client: with more, small steps wait for one another.
        with reproducible(epoch_seed(self._seed, "cohort", epoch)):
            self._descend(weights, seats, *self._batches(epoch, seats))
        flat = torch.cat([each.detach().reshape(len(seats), -1) for each in weights.values()], dim=1)
        trained: npt.NDArray[np.float64] = flat.to(torch.float64).numpy()
        updates = np.empty((len(seats), self._d), dtype=np.int16)
        for row, seat in enumerate(seats):
            broken = int(np.count_nonzero(~np.isfinite(trained[row])))
            if broken:
                raise NonFiniteModel(f"the model of client {self._who[seat].name}", broken)
            updates[row] = quantise_update(trained[row], base)
        return updates

    def _stack(self, base: Int32Array, clients: int) -> dict[str, Tensor]:
        values = torch.from_numpy(dequantise(base).astype(np.float32))
        parts = torch.split(values, [shape.numel() for shape in self._shapes.values()])
        return {
            name: part.view(1, *shape).repeat(clients, *(1 for _ in shape)).requires_grad_()
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }

    def _batches(self, epoch: int, seats: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Indices of samples and their labels, int64[local_steps, clients * batch_size] each."""
        indices, labels = [], []
        for seat in seats:
            generator = torch.Generator().manual_seed(epoch_seed(self._seed, self._who[seat].name, epoch))
            own, targets = self._clients[seat]
            drawn = draw_batches(len(own), self._training, generator)
            indices.append(own[drawn])
            labels.append(targets[drawn])
        return torch.cat(indices, dim=1), torch.cat(labels, dim=1)

    def _descend(self, weights: dict[str, Tensor], seats: Sequence[int], batches: Tensor, labels: Tensor) -> None:
        training, clients = self._training, len(seats)
        steps_of = torch.tensor([self._who[seat].local_steps for seat in seats])
        lazy = bool((steps_of < training.local_steps).any())
        parameters = list(weights.values())
        velocities: list[Tensor] | None = None
        for step, (batch, targets) in enumerate(zip(batches.unbind(), labels.unbind(), strict=True)):
            inputs = self._x.index_select(0, batch).view(clients, training.batch_size, *self._x.shape[1:])
            outputs = self._forward(inputs, weights)
            loss = functional.cross_entropy(outputs.flatten(0, 1), targets, reduction="sum") / training.batch_size
            gradients = list(torch.autograd.grad(loss, parameters))
            with torch.no_grad():
                if training.momentum:
                    if velocities is None:
                        velocities = gradients
                    else:
                        torch._foreach_mul_(velocities, training.momentum)
                        torch._foreach_add_(velocities, gradients)
                    gradients = velocities
                if lazy:
                    # Who has done its steps stands still.
                    gradients = [each * _beside(step < steps_of, each) for each in gradients]
                torch._foreach_add_(parameters, gradients, alpha=-training.learning_rate)


Weights = Mapping[str, Tensor]
Forward = Callable[[Tensor, Weights], Tensor]
"""Takes inputs [clients, batch, ...] and stacked weights [clients, ...], gives outputs [clients, batch, ...]."""


def _beside(values: Tensor, other: Tensor) -> Tensor:
    """A vector of one value a client, shaped so that it multiplies a stacked tensor."""
    return values.view(-1, *(1 for _ in other.shape[1:]))


def _stacked(layer: nn.Module, name: str) -> Forward:
    for kind, build in _LAYERS.items():
        if type(layer) is kind:
            return build(layer, name)
    raise NotStackable(layer)


def _in_sequence(layer: nn.Module, name: str) -> Forward:
    steps = [_stacked(each, f"{name}.{key}" if name else key) for key, each in layer.named_children()]

    def forward(x: Tensor, weights: Weights) -> Tensor:
        for step in steps:
            x = step(x, weights)
        return x

    return forward


def _residual(layer: nn.Module, name: str) -> Forward:
    inner = _in_sequence(layer.body, f"{name}.body" if name else "body")  # type: ignore[arg-type]
    return lambda x, weights: x + inner(x, weights)


def _linear(layer: nn.Module, name: str) -> Forward:
    biased = layer.bias is not None

    def forward(x: Tensor, weights: Weights) -> Tensor:
        matrix = weights[f"{name}.weight"].mT
        return torch.baddbmm(weights[f"{name}.bias"].unsqueeze(1), x, matrix) if biased else torch.bmm(x, matrix)

    return forward


def _layer_norm(layer: nn.Module, name: str) -> Forward:
    assert isinstance(layer, nn.LayerNorm)
    shape, eps = layer.normalized_shape, layer.eps

    def forward(x: Tensor, weights: Weights) -> Tensor:
        scale, shift = weights[f"{name}.weight"].unsqueeze(1), weights[f"{name}.bias"].unsqueeze(1)
        return functional.layer_norm(x, shape, eps=eps) * scale + shift

    return forward


def _convolution(layer: nn.Module, name: str) -> Forward:
    """As one product of each client's patches and filters: PyTorch's grouped convolution is slower on a CPU."""
    assert isinstance(layer, nn.Conv2d)
    if layer.groups != 1 or layer.bias is None or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise NotStackable(layer)
    size, dilation, padding, stride = layer.kernel_size, layer.dilation, layer.padding, layer.stride

    def forward(x: Tensor, weights: Weights) -> Tensor:
        clients, batch, _, height, _ = x.shape
        patches = functional.unfold(x.flatten(0, 1), size, dilation, padding, stride)
        filters = weights[f"{name}.weight"].flatten(2)
        # [clients, 1, filters, patch] times [clients, batch, patch, places]
        out = filters.unsqueeze(1) @ patches.view(clients, batch, *patches.shape[1:])
        out = out + weights[f"{name}.bias"].view(clients, 1, -1, 1)
        rows = (height + 2 * padding[0] - dilation[0] * (size[0] - 1) - 1) // stride[0] + 1
        return out.reshape(*out.shape[:-1], rows, -1)

    return forward


def _pooling(layer: nn.Module, name: str) -> Forward:
    return lambda x, weights: layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


_LAYERS: Mapping[type[nn.Module], Callable[[nn.Module, str], Forward]] = {
    nn.Sequential: _in_sequence,
    nn.Flatten: lambda layer, name: lambda x, weights: x.flatten(2),
    nn.ReLU: lambda layer, name: lambda x, weights: x.relu(),
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.Conv2d: _convolution,
    nn.MaxPool2d: _pooling,
    Residual: _residual,
}
