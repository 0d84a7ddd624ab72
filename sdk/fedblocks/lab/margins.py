"""How near anybody came to hard evidence: what each hard rule compares, as a ratio to its threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from math import sqrt

from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.verdicts import Judgement

FAR = 1e6
"""Stands for a ratio without bound, which JSON has no number for."""


class Margins:
    """The largest value of what each hard rule compares, as a ratio to its threshold: above 1 the rule holds.

    Where a rule asks for several things at once it is the smallest of their ratios, and where it asks for a run of
    epochs the smallest of the run.
    """

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        self._runs: dict[tuple[int, str], list[float]] = defaultdict(list)
        self._before: set[int] = set()

    def add(self, products: Gram, judgement: Judgement, rules: Rules, seats: Collection[int]) -> None:
        """Count an epoch; of all who took part, these seats alone."""
        cohort = judgement.cohort
        tested = cohort.weight > 0
        chosen = {seat: own for seat, own in judgement.stats.items() if seat in seats}
        for seat, own in chosen.items():
            longest = max(own.norm, own.last_norm)
            self._raise("zero", rules.zero_permille / 1000 * _root(cohort.median_norm, longest))
            self._raise("hardly anything (excludes)", rules.little_percent / 100 * _root(cohort.median_norm, own.norm))
            rest = 1 - rules.copy_millionths / 1_000_000
            if not tested or seat not in self._before:
                continue
            self._raise(
                "replay of one's own",
                _nearness(own.own_last, own.norm * own.last_norm, rest),
            )
            others = (
                _nearness(each, own.norm * norm, rest)
                for other, (each, norm) in enumerate(zip(products.last[seat], products.last_norms, strict=True))
                if other != seat
            )
            self._raise("replay of another's", max(others, default=0.0))
            unrelated = max(1, tolerated(cohort.participants)) / (own.related + 1)
            off = own.norm - own.delta**2 / max(1, cohort.delta_norm)
            self._raise(
                "copy of the global delta",
                min(
                    _nearness(own.delta, own.norm * cohort.delta_norm, rest),
                    rules.global_near_percent / 100 * _root(own.peer_distance, off),
                    unrelated,
                ),
            )
            noise = rules.noise_percent / 100
            self._run(
                seat,
                "noise, peers aside",
                min(
                    _capped(noise, abs(own.own_last) / max(1.0, sqrt(own.norm * own.last_norm))),
                    _capped(noise, abs(own.delta) / max(1.0, sqrt(own.norm * cohort.delta_norm))),
                ),
                rules.run,
            )
            self._run(
                seat,
                "noise",
                min(
                    _capped(noise, abs(own.own_last) / max(1.0, sqrt(own.norm * own.last_norm))),
                    _capped(noise, abs(own.delta) / max(1.0, sqrt(own.norm * cohort.delta_norm))),
                    unrelated,
                ),
                rules.run,
            )
            step, change = cohort.step_norm, max(1, own.norm + own.last_norm - 2 * own.own_last)
            grown = cohort.weight * own.response / max(1, step)
            self._raise("response in one epoch, of the step", grown)
            self._run(
                seat,
                "response",
                # Nobody's response counts where more grow than can be malicious.
                cohort.monotone
                * min(
                    grown * 100 / rules.response_percent,
                    own.response / sqrt(max(1, step * change)) * 100 / rules.response_slash_cosine_percent,
                    step / max(1, rules.response_signal_times * cohort.unrelated_norm),
                    rules.response_cap_times * _root(step, cohort.weight**2 * max(own.norm, own.last_norm)),
                ),
                rules.run,
            )
        for one in chosen.values() if tested else ():
            two, distance = judgement.stats[one.nearest], one.nearest_distance
            length = min(one.norm, two.norm, one.typical_distance, two.typical_distance)
            earlier = min(one.earlier_distance, two.earlier_distance)
            self._raise(
                "duplicate",
                min(
                    rules.duplicate_permille / 1000 * _root(length, distance),
                    rules.duplicate_other_percent / 100 * _root(earlier, distance),
                ),
            )
        self._before |= set(judgement.stats)

    def _raise(self, name: str, value: float) -> None:
        self.largest[name] = max(self.largest.get(name, -FAR), round(min(value, FAR), 6))

    def _run(self, seat: int, name: str, value: float, length: int) -> None:
        run = self._runs[seat, name]
        run.append(value)
        self._raise(f"{name} in one epoch", value)
        if len(run) >= length:
            self._raise(name, min(run[-length:]))


def _capped(numerator: float, denominator: float) -> float:
    return min(FAR, numerator / denominator) if denominator > 0 else FAR if numerator > 0 else 0.0


def _root(numerator: int, denominator: float) -> float:
    return sqrt(_capped(numerator, denominator))


def _nearness(product: int, norms: int, allowed: float) -> float:
    """How near a cosine is to 1: `allowed` against 1 - cos, which integers give exactly where floats cannot."""
    if product <= 0 or norms <= 0:
        return 0.0
    rest = max(0, norms - product**2) / norms  # 1 - cos^2
    return _capped(allowed, rest / (1 + sqrt(max(0.0, 1 - rest))))
