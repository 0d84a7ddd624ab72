"""What can be chosen about a demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedblocks.demo.dishonesty import LYING_EPOCH, find_dishonesty
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.attacks import find_attack
from fedblocks.types import MAX_COHORT, MIN_COHORT
from fedblocks.units import PARTS_PER_MILLION

DEFAULT_ATTACKERS = ("sign-flip", "gaussian", "free-rider", "disguised")


class InvalidOption(FedBlocksError, ValueError):
    """An option of the demo is out of range."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"--{name} is {value}; it must be {allowed}")
        self.name, self.value = name, value


@dataclass(frozen=True)
class DemoOptions:
    """The options of `fedblocks demo`.

    Attributes:
        clients: seats of the cohort, attackers included.
        attackers: attacks by name, one client each.
        seed: of the data's division, the model, the batches and the attackers; the same seed gives the same headers.
        epochs: how many the user pays for at most.
        target_ppm: the accuracy at which the user stops, in parts per million; None for the data set's usual one.
        model: the architecture's name.
        data: the data set's name; None for Fashion-MNIST, or the digits where it is missing.
        alpha: the skew of the labels (Dirichlet); small is strong.
        local_steps: mini-batch steps of each client in each epoch.
        dishonest_aggregator: how the aggregator lies (see demo/dishonesty.py); None for an honest one.
        output: folder for store, plot and deployments file.
        port: where the node listens; 0 lets the system choose.
        pace: seconds to wait after each epoch, for people who look on.
    """

    clients: int = 13
    attackers: tuple[str, ...] = DEFAULT_ATTACKERS
    seed: int = 0
    epochs: int = 20
    target_ppm: int | None = None
    model: str = "mlp"
    data: str | None = None
    alpha: float = 0.5
    local_steps: int = 60
    dishonest_aggregator: str | None = None
    output: Path = Path("demo-run")
    port: int = 0
    pace: float = 0.0

    def __post_init__(self) -> None:
        if not MIN_COHORT <= self.clients <= MAX_COHORT:
            raise InvalidOption("clients", self.clients, f"from {MIN_COHORT} to {MAX_COHORT}")
        for name in self.attackers:
            find_attack(name)
        if len(self.attackers) >= self.clients:
            raise InvalidOption("attackers", len(self.attackers), f"fewer than the {self.clients} clients")
        if not 1 <= self.epochs <= 1024:
            raise InvalidOption("epochs", self.epochs, "from 1 to 1024")
        if self.target_ppm is not None and not 1 <= self.target_ppm <= PARTS_PER_MILLION:
            raise InvalidOption("target", self.target_ppm / PARTS_PER_MILLION, "above 0 and at most 1")
        if not 0 < self.alpha <= 1000:
            raise InvalidOption("alpha", self.alpha, "above 0 and at most 1000")
        if not 0 <= self.seed < 1 << 53:
            raise InvalidOption("seed", self.seed, "from 0 to 2**53 - 1")
        if self.dishonest_aggregator is not None:
            find_dishonesty(self.dishonest_aggregator)
            if self.epochs < LYING_EPOCH:
                raise InvalidOption("epochs", self.epochs, f"at least {LYING_EPOCH}, in which the aggregator lies")
        if not 0 <= self.port < 1 << 16:
            raise InvalidOption("port", self.port, "from 0 to 65535")
        if not 0 <= self.pace <= 3600:
            raise InvalidOption("pace", self.pace, "from 0 to 3600 seconds")
        if not 1 <= self.local_steps <= 10_000:
            raise InvalidOption("local-steps", self.local_steps, "from 1 to 10000")
