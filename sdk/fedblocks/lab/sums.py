"""What many runs say together: rates with their bounds, and accuracies against what they are compared with.

An accuracy is the mean over a run's last three epochs, and a difference is taken run by run, in points (per cent of the
test samples), before it is averaged. The limits are those that the laboratory is judged by: within 1 point of the
honest clients alone while a fifth of the cohort attacks, within 2 at three tenths, and within 1 of FedAvg when nobody
does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from fedblocks.lab.lines import Line
from fedblocks.lab.settings import NO_ATTACK

LAST_EPOCHS = 3
"""The accuracy of a run is the mean of these many last epochs."""
FIFTH_LIMIT, TENTHS_LIMIT, CLEAN_LIMIT = 1.0, 2.0, 1.0
_NUMBER = re.compile(r"\d+(\.\d+)?")
_Z = 1.645
"""One-sided 95 %."""


def accuracy(line: Line, name: str) -> float | None:
    """The accuracy of a run or of what it is compared with ("rules", "fedavg", "honest_only", "undefended").

    None if the run ended early: there is no last epoch then.
    """
    values = line["accuracy"].get(name)
    if not values or len(values) < line["setting"]["epochs"]:
        return None
    return fmean(values[-LAST_EPOCHS:])


def points(line: Line, name: str, against: str) -> float | None:
    """How many points better one accuracy of a run is than another."""
    first, second = accuracy(line, name), accuracy(line, against)
    return None if first is None or second is None else 100 * (first - second)


def gap(line: Line) -> float | None:
    """The judged run against the honest clients alone, or against FedAvg where all are honest."""
    return points(line, "rules", "honest_only" if line["attackers"] else "fedavg")


def limit_of(clients: int, attackers: int) -> float | None:
    """How many points a run may lose; None where nothing is promised."""
    if not attackers:
        return CLEAN_LIMIT
    if 5 * attackers <= clients:
        return FIFTH_LIMIT
    return TENTHS_LIMIT if 10 * attackers <= 3 * clients else None


def upper_bound(failures: int, trials: int) -> float | None:
    """The 95 % upper bound of a rate, 0 to 1.

    3 / N without a failure (the rule of three), else Wilson's bound, one-sided like it. Clients of one cohort are not
    independent, so that the true bound is looser.
    """
    if not trials:
        return None
    if not failures:
        return min(1.0, 3 / trials)
    rate = failures / trials
    spread = _Z * sqrt(rate * (1 - rate) / trials + _Z * _Z / 4 / trials**2)
    return (rate + _Z * _Z / 2 / trials + spread) / (1 + _Z * _Z / trials)


@dataclass(frozen=True)
class Gap:
    """A difference of accuracies over several runs, in points.

    Attributes:
        runs: how many have it.
        mean, worst: over them.
        error: the standard error of the mean; None of one run.
        limit: how far below zero the mean may be.
    """

    runs: int
    mean: float
    worst: float
    error: float | None
    limit: float | None

    @property
    def too_large(self) -> bool:
        return self.limit is not None and self.mean < -self.limit


def gap_of(lines: Iterable[Line], of: Callable[[Line], float | None] = gap) -> Gap | None:
    """The gap of runs with equally many attackers; None if no run has one."""
    found = [(each, value) for each in lines if (value := of(each)) is not None]
    if not found:
        return None
    values = [value for _, value in found]
    setting = found[0][0]["setting"]
    return Gap(
        len(values),
        fmean(values),
        min(values),
        stdev(values) / sqrt(len(values)) if len(values) > 1 else None,
        limit_of(setting["clients"], setting["attackers"]),
    )


@dataclass(frozen=True)
class Honest:
    """What happened to honest clients.

    Attributes:
        runs: how many runs.
        clients: honest client-runs.
        slashed, due: of them; `due` counts hard evidence also where the cap stopped the slash.
        reasons: how many of `due` for what.
        epochs: honest client-epochs.
        excluded: of them.
    """

    runs: int
    clients: int
    slashed: int
    due: int
    reasons: Mapping[str, int]
    epochs: int
    excluded: int

    @property
    def bound(self) -> float | None:
        return upper_bound(self.slashed, self.clients)


def honest_of(lines: Sequence[Line]) -> Honest:
    """Adds up what happened to honest clients."""
    honest = [line["honest"] for line in lines]
    return Honest(
        len(lines),
        sum(each["clients"] for each in honest),
        sum(len(each["slashed"]) for each in honest),
        sum(len(each["due"]) for each in honest),
        Counter(reason for each in honest for _, reason in each["due"].values()),
        sum(each["client_epochs"] for each in honest),
        sum(len(epochs) for each in honest for epochs in each["excluded"].values()),
    )


@dataclass(frozen=True)
class Attackers:
    """What happened to attackers.

    Attributes:
        clients: attacker-runs.
        slashed: of them.
        reasons: how many for what.
        first, last: the epochs of the first and the last slash.
        epochs: attacker-epochs, up to the slash.
        excluded: of them.
    """

    clients: int
    slashed: int
    reasons: Mapping[str, int]
    first: int | None
    last: int | None
    epochs: int
    excluded: int


def attackers_of(lines: Sequence[Line]) -> Attackers:
    """Adds up what happened to attackers."""
    seats = [seat for line in lines for seat in line["attackers"].values()]
    slashes = [seat["slashed"] for seat in seats if seat["slashed"]]
    return Attackers(
        len(seats),
        len(slashes),
        Counter(reason for _, reason in slashes),
        min((epoch for epoch, _ in slashes), default=None),
        max((epoch for epoch, _ in slashes), default=None),
        sum(seat["taken"] for seat in seats),
        sum(len(seat["excluded"]) for seat in seats),
    )


def margins_of(lines: Iterable[Line]) -> dict[str, float]:
    """The largest ratio to each hard rule's threshold that any honest client came to."""
    largest: dict[str, float] = {}
    for line in lines:
        for name, value in line["margins"].items():
            largest[name] = max(value, largest.get(name, value))
    return dict(sorted(largest.items()))


def grouped(lines: Iterable[Line], *names: str) -> dict[tuple[object, ...], list[Line]]:
    """Lines by some fields of their settings, in ascending order of those."""
    groups: dict[tuple[object, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line["setting"][name] for name in names), []).append(line)
    return dict(sorted(groups.items(), key=lambda each: [_rank(value) for value in each[0]]))


def _rank(value: object) -> tuple[int, float, str]:
    """IID first, then the weaker skews, then what has no number."""
    if isinstance(value, int):
        return 0, value, ""
    text = str(value)
    if text in (NO_ATTACK, "iid"):
        return 0, 0.0, text
    # Not every text that Python takes for a number is one: there is an attack "inf".
    return (1, -float(text), "") if _NUMBER.fullmatch(text) else (2, 0.0, text)
