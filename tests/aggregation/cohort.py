"""A cohort of clients with quadratic losses, for tests of verdicts that need epochs but no network.

Client i pulls the model towards its own optimum ``common + skew_i``; mini-batches add noise. This has what matters of
real training (updates agree in part, differ by client, and respond to the model's steps) and costs microseconds.
"""

from collections.abc import Callable

import numpy as np

from fedblocks.aggregation.gram import gram
from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.verdicts import Carried, Judgement, judge
from fedblocks.seats import unpack_reasons

Behaviour = Callable[["Cohort", int, np.ndarray], np.ndarray | None]
"""From the cohort, a seat and its honest update to what it sends; None stays away."""


class Cohort:
    def __init__(
        self,
        n: int,
        behaviours: dict[int, Behaviour] | None = None,
        seed: int = 0,
        d: int = 4000,
        *,
        skew: float = 1.0,
        noise: float = 1.0,
        rate: float = 0.3,
    ) -> None:
        self.generator = np.random.default_rng(seed)
        self.n, self.d, self.rules = n, d, Rules()
        self.behaviours = behaviours or {}
        self.common = self.generator.normal(0, 8000, d)
        self.skew = skew * self.generator.normal(0, 8000, (n, d))
        self.noise, self.rate = noise, rate
        self.model = np.zeros(d, dtype=np.int32)
        self.last = np.zeros((n, d), dtype=np.int16)
        self.delta = np.zeros(d, dtype=np.int16)
        self.carried = Carried.genesis(n)
        self.epoch = 0
        self.honest: dict[int, np.ndarray] = {}

    def epochs(self, count: int) -> None:
        for _ in range(count):
            self.run_epoch()

    def run_epoch(self) -> Judgement:
        self.epoch += 1
        gone = unpack_reasons(self.carried.slash_reasons)
        pull = self.rate * (self.common + self.skew - self.model)
        noise = self.noise * self.generator.normal(0, 1, (self.n, self.d)) * np.sqrt(np.mean(pull**2))
        self.honest = {seat: np.rint(pull[seat] + noise[seat]) for seat in range(self.n)}
        updates = np.zeros((self.n, self.d), dtype=np.int16)
        samples = {}
        for seat in range(self.n):
            sent: np.ndarray | None = self.honest[seat]
            if seat in self.behaviours:
                sent = self.behaviours[seat](self, seat, self.honest[seat])
            if seat not in gone and sent is not None:
                updates[seat] = np.clip(np.rint(sent), -(1 << 15), (1 << 15) - 1)
                samples[seat] = 100
        absent = [seat for seat in range(self.n) if seat not in samples]
        products = gram(updates, self.last, self.delta, self.model, absent)
        judgement = judge(products, samples, self.carried, self.rules)
        self.delta = weighted_delta(updates, judgement.carried.weights)
        self.model = apply_delta(self.model, self.delta)
        for seat in samples:
            self.last[seat] = updates[seat]
        self.carried = judgement.carried
        return judgement

    @property
    def slashed(self) -> dict[int, str]:
        return {int(seat): reason.name for seat, reason in unpack_reasons(self.carried.slash_reasons).items()}
