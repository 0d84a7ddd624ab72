"""What comes of an epoch at one client, whoever has trained it.

The protocol does not care how a client trains: with :class:`~fedblocks.training.trainer.ClientTrainer`, inside a Flower
app, or in a framework that FedBlocks has never heard of. All it wants is an update, in integers. Nothing here needs
PyTorch, so that clients without it can take part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array


@dataclass(frozen=True, eq=False)
class LocalUpdate:
    """What a client has to offer after an epoch.

    Attributes:
        update: int16[d], what training changed, in fixed point.
        samples: how many samples the client has, the weight it declares.
        loss: the mean of the steps' losses; for the client's own eyes.
        steps: how many steps were taken.
    """

    update: Int16Array
    samples: int
    loss: float
    steps: int


class Trainer(Protocol):
    """Whatever trains a client's data."""

    def train(self, base: Int32Array, epoch: int) -> LocalUpdate:
        """Train from a base model.

        Args:
            base: int32[d], the epoch's base model.
            epoch: counted from 1.
        """
        ...
