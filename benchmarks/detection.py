"""How often the rules fail honest clients, and what they do to attackers; the figures of docs/detection.md.

    python benchmarks/detection.py honest --seeds 1010-1012
    python benchmarks/detection.py attacks --seeds 1100-1101
    python benchmarks/detection.py tables

Every run is a whole closed loop (training, quantising, Gram matrix, verdicts, aggregate) without a chain, and becomes
one JSON line under ``--raw``; runs that are there are not repeated, so that a measurement can be stopped and resumed.
A line counts only for the code of the aggregation that made it. ``honest`` and ``attacks`` sum the lines up in
``--out``; ``tables`` prints those sums as the tables of the document.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

import fedblocks.aggregation
from fedblocks.aggregation.fixed_point import apply_delta
from fedblocks.aggregation.gram import Gram, gram
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.mean import weighted_delta
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.verdicts import Carried, Judgement, judge
from fedblocks.seats import unpack_reasons
from fedblocks.training.attacks import ATTACKS, Attack, Knowledge, find_attack
from fedblocks.training.datasets import Dataset, load_dataset
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import build_model
from fedblocks.training.partition import dirichlet_partition, iid_partition, single_class_partition
from fedblocks.training.quantise import NonFiniteModel, model_to_vector
from fedblocks.training.trainer import ClientTrainer, evaluate
from fedblocks.units import PARTS_PER_MILLION

ROOT = Path(__file__).resolve().parents[1]
FASHION_IMAGES, FASHION_TESTS = 20_000, 2_000
SMALLEST = 32
"""Samples that every client has at least, where labels are divided by Dirichlet's distribution."""
LAST_EPOCHS = 3
"""The accuracy of a run is the mean of these many last epochs."""
DEMO = ("sign-flip", "gaussian", "free-rider", "disguised")
ATTACKERS, COHORT = 3, 10
FAR = 1e6
"""Stands for a ratio without bound, which JSON has no number for."""

TRAININGS = {
    "60x0.1": LocalTraining(60, 32, 100_000),
    "60x0.3": LocalTraining(60, 32, 300_000),
    "60x0.03": LocalTraining(60, 32, 30_000),
    "20x0.03": LocalTraining(20, 32, 30_000),
    "10x0.1": LocalTraining(10, 32, 100_000),
    "60x0.02, momentum 0.9": LocalTraining(60, 32, 20_000, 900_000),
    "60x0.1, batch 128": LocalTraining(60, 128, 100_000),
    "10x0.003, batch 128": LocalTraining(10, 128, 3_000),
    "10x0.1, batch 8": LocalTraining(10, 8, 100_000),
    "60x0.1, momentum 0.9": LocalTraining(60, 32, 100_000, 900_000),
}
"""Steps x learning rate; batch 32 where nothing else is said."""
USUAL, EASY = "60x0.1", "20x0.03"
PARTITIONS = ("iid", "0.5", "0.1", "single-class", "mixed-1", "mixed-2")


@dataclass(frozen=True)
class Setting:
    """One cohort and how it trains; partitions are explained in :func:`divide`."""

    kind: str
    data: str
    model: str
    partition: str
    clients: int
    training: str
    epochs: int
    attack: str = ""

    def key(self, seed: int) -> str:
        return json.dumps([*asdict(self).values(), seed])


# What is run.


def honest_settings(part: str) -> Iterator[Setting]:
    """Cohorts of honest clients. Part "core": what jobs look like; "stress": what no job should look like."""
    core = part in ("core", "all")
    for data in ("digits", "fashion-mnist") if core else ():
        for model, training, partition in product(("mlp", "logistic"), list(TRAININGS)[:7], PARTITIONS):
            yield Setting("honest", data, model, partition, 10, training, 15 if training == USUAL else 12)
        for clients, training, partition in product((8, 13, 16), (USUAL, EASY), PARTITIONS):
            yield Setting("honest", data, "mlp", partition, clients, training, 12)
        for partition in ("0.5", "0.1", "mixed-2"):
            yield Setting("honest", data, "mlp", partition, 32, USUAL, 12)
    if core:
        for training, partition in product((USUAL, EASY), PARTITIONS):
            yield Setting("honest", "digits", "cnn", partition, 10, training, 12)
        for partition in ("0.1", "mixed-1"):
            yield Setting("honest", "fashion-mnist", "cnn", partition, 10, EASY, 12)
    if part in ("stress", "all"):
        for model, training, partition in product(("mlp", "logistic"), list(TRAININGS)[:8], ("twins", "shared", "few")):
            yield Setting("honest", "digits", model, partition, 10, training, 12)
        for model, partition in product(("mlp", "logistic"), PARTITIONS):
            yield Setting("honest", "digits", model, partition, 10, "10x0.003, batch 128", 12)
        for model, partition in product(("mlp", "logistic"), ("iid", "0.5")):
            # Long after the model has converged: what is left is the noise of small batches.
            yield Setting("honest", "digits", model, partition, 10, "10x0.1, batch 8", 60)
        for model, partition in product(("mlp", "logistic"), ("mixed-1", "mixed-2", "single-class")):
            # Steps so long that the model is thrown from class to class.
            yield Setting("honest", "fashion-mnist", model, partition, 10, "60x0.1, momentum 0.9", 12)
        for training, partition in product((USUAL, EASY), ("0.5", "single-class", "mixed-1")):
            yield Setting("honest", "digits", "mlp", partition, 10, training, 40)


def attack_settings() -> Iterator[Setting]:
    for partition, name in product(("0.5", "0.1", "iid"), ("none", *ATTACKS)):
        yield Setting("attacks", "fashion-mnist", "mlp", partition, COHORT, USUAL, 12, name)
    for partition in ("0.5", "0.1"):
        yield Setting("attacks", "fashion-mnist", "mlp", partition, 13, USUAL, 12, "demo")


@lru_cache(maxsize=2)
def _data(name: str) -> Dataset:
    data = load_dataset(name)
    return data.head(FASHION_IMAGES, FASHION_TESTS) if name == "fashion-mnist" else data


def divide(labels: np.ndarray, partition: str, clients: int, seed: int) -> list[np.ndarray]:
    """The samples of each client.

    A number is the alpha of a Dirichlet division; "mixed-k" k clients with samples of every class among clients with
    one class each; "twins" two clients with the same samples; "shared" all with the same; "few" three clients with 8
    samples each.
    """
    if partition == "iid":
        return iid_partition(labels, clients, seed)
    if partition == "single-class":
        return single_class_partition(labels, clients, seed)
    if partition.startswith("mixed-"):
        whole = int(partition.removeprefix("mixed-"))
        return single_class_partition(labels, clients - whole, seed) + iid_partition(labels, clients, seed)[:whole]
    if partition == "shared":
        return iid_partition(labels, 4, seed)[:1] * clients
    parts = dirichlet_partition(
        labels, clients, 0.5 if partition in ("twins", "few") else float(partition), seed, SMALLEST
    )
    if partition == "twins":
        parts[1] = parts[0]
    if partition == "few":
        generator = np.random.default_rng(seed)
        parts[:3] = [np.sort(generator.choice(part, 8, replace=False)) for part in parts[:3]]
    return parts


# A closed loop.


@dataclass
class Seen:
    """What a run has shown, by seat where it says so."""

    slashed: dict[int, tuple[int, str]] = field(default_factory=dict)
    due: dict[int, tuple[int, str]] = field(default_factory=dict)
    taken: Counter[int] = field(default_factory=Counter)
    excluded: Counter[int] = field(default_factory=Counter)
    suspicions: Counter[tuple[int, str]] = field(default_factory=Counter)
    margins: dict[str, float] = field(default_factory=dict)
    accuracies: list[int] = field(default_factory=list)
    failed: str = ""

    @property
    def accuracy(self) -> float:
        last = self.accuracies[-LAST_EPOCHS:]
        return round(sum(last) / len(last) / PARTS_PER_MILLION, 4) if last and not self.failed else 0.0


def play(
    setting: Setting, seed: int, attackers: dict[int, Attack], *, judged: bool = True, absent: Iterable[int] = ()
) -> Seen:
    """Train a cohort epoch after epoch.

    Args:
        judged: by the rules; otherwise every update counts alike (FedAvg).
        absent: seats that never take part.

    In a cohort without attackers nobody leaves, so that evidence against an honest client is not hidden by earlier
    evidence against it or another.
    """
    data = _data(setting.data)
    n, rules, seen = setting.clients, Rules(), Seen()
    parts = divide(data.train_y, setting.partition, n, seed)
    module = build_model(setting.model, data.input_shape, data.classes, seed)
    base = model_to_vector(module)
    trainers, sources = [], []
    for seat, part in enumerate(parts):
        labels, training = data.train_y[part], TRAININGS[setting.training]
        if seat in attackers:
            labels = attackers[seat].poison(labels, data.classes)
            training = replace(training, local_steps=attackers[seat].local_steps(training.local_steps))
        trainers.append(ClientTrainer(module, data.train_x[part], labels, training, client=str(seat), seed=seed))
        sources.append(np.random.default_rng([seed, seat]))
    last, delta = np.zeros((n, base.size), np.int16), np.zeros(base.size, np.int16)
    carried, sent = Carried.genesis(n), set[int]()
    history = History()
    for epoch in range(1, setting.epochs + 1):
        gone = set(unpack_reasons(carried.slash_reasons)) | set(absent)
        present = [seat for seat in range(n) if seat not in gone]
        try:
            own = {seat: trainers[seat].train(base, epoch).update for seat in present}
        except NonFiniteModel as error:
            seen.failed = f"epoch {epoch}: {error}"
            break
        updates = np.zeros_like(last)
        for seat in present:
            updates[seat] = own[seat]
            if seat in attackers:
                updates[seat] = attackers[seat].update(
                    Knowledge(
                        own=own[seat],
                        rng=sources[seat],
                        base=base,
                        others=[own[other] for other in present if other not in attackers],
                        accomplices=[own[other] for other in present if other in attackers],
                        last_delta=delta if epoch > 1 else None,
                        own_last=last[seat] if seat in sent else None,
                        others_last=[last[other] for other in present if other != seat and other in sent],
                        epoch=epoch,
                    )
                )
        weights: Sequence[int] = [int(seat in present) for seat in range(n)]
        if judged:
            products = gram(updates, last, delta, base, [seat for seat in range(n) if seat not in present])
            judgement = judge(products, dict.fromkeys(present, 1), carried, rules)
            _note(seen, epoch, judgement)
            history.add(products, judgement, rules)
            carried, weights = judgement.carried, judgement.carried.weights
            if not attackers:
                carried = replace(carried, slash_reasons=0)
        last[present] = updates[present]
        sent.update(present)
        delta = weighted_delta(updates, weights)
        base = apply_delta(base, delta)
        if epoch > setting.epochs - LAST_EPOCHS:
            seen.accuracies.append(evaluate(module, data.test_x, data.test_y, vector=base))
    seen.margins = history.largest
    return seen


def _note(seen: Seen, epoch: int, judgement: Judgement) -> None:
    for seat, verdict in judgement.verdicts.items():
        seen.taken[seat] += 1
        seen.excluded[seat] += verdict.excluded
        if verdict.slashed:
            seen.slashed.setdefault(seat, (epoch, verdict.slashed.name))
        if verdict.evidence:
            seen.due.setdefault(seat, (epoch, verdict.evidence.name))
        if verdict.excluded:
            seen.suspicions.update((seat, each.name) for each in verdict.suspicions)


# How near anybody came to hard evidence.


class History:
    """The largest value of what each hard rule compares, as a ratio to its threshold: above 1 the rule holds.

    Where a rule asks for several things at once it is the smallest of their ratios, and where it asks for a run of
    epochs the smallest of the run.
    """

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        self._runs: dict[tuple[int, str], list[float]] = defaultdict(list)
        self._before: set[int] = set()

    def add(self, products: Gram, judgement: Judgement, rules: Rules) -> None:
        cohort = judgement.cohort
        tested = cohort.weight > 0
        for seat, own in judgement.stats.items():
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
                min(
                    grown * 100 / rules.response_percent,
                    own.response / sqrt(max(1, step * change)) * 100 / rules.response_slash_cosine_percent,
                    step / max(1, rules.response_signal_times * cohort.unrelated_norm),
                    rules.response_cap_times * _root(step, cohort.weight**2 * max(own.norm, own.last_norm)),
                ),
                rules.run,
            )
        for one in judgement.stats.values() if tested else ():
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


# One line for each run.


def run(setting: Setting, seed: int) -> dict[str, Any]:
    started = time.monotonic()
    line = {"key": setting.key(seed), "code": code(), "setting": asdict(setting), "seed": seed}
    line |= _run_honest(setting, seed) if setting.kind == "honest" else _run_attack(setting, seed)
    return line | {"seconds": round(time.monotonic() - started, 1)}


def _run_honest(setting: Setting, seed: int) -> dict[str, Any]:
    seen = play(setting, seed, {})
    line = {
        "slashed": seen.slashed,
        "due": seen.due,
        "epochs": sum(seen.taken.values()),
        "excluded": sum(seen.excluded.values()),
        "margins": seen.margins,
        "accuracy": seen.accuracy,
        "failed": seen.failed,
    }
    if setting.training == USUAL and setting.model != "cnn" and setting.clients <= 16:
        line["fedavg"] = play(setting, seed, {}, judged=False).accuracy
    return line


def _run_attack(setting: Setting, seed: int) -> dict[str, Any]:
    names = DEMO if setting.attack == "demo" else (setting.attack,) * ATTACKERS
    attackers = {} if setting.attack == "none" else {seat: find_attack(name) for seat, name in enumerate(names)}
    seen = play(setting, seed, attackers)
    fedavg = play(setting, seed, attackers, judged=False)
    line = {
        "slashed": {seat: each for seat, each in seen.slashed.items() if seat in attackers},
        "attacks": {seat: attack.name for seat, attack in attackers.items()},
        "excluded": [sum(seen.excluded[seat] for seat in attackers), sum(seen.taken[seat] for seat in attackers)],
        "honest_slashed": {seat: each for seat, each in seen.slashed.items() if seat not in attackers},
        "honest_excluded": [
            sum(count for seat, count in counts.items() if seat not in attackers)
            for counts in (seen.excluded, seen.taken)
        ],
        "accuracy": seen.accuracy,
        "fedavg": fedavg.accuracy,
        "failed": seen.failed,
        "fedavg_failed": fedavg.failed,
    }
    if setting.attack in ("none", "demo"):
        kept = play(setting, seed, {}, judged=False, absent=range(len(names)))
        line["honest_only"] = kept.accuracy
    return line


@lru_cache(maxsize=1)
def code() -> str:
    """A fingerprint of the aggregation's code, comments and docstrings aside: lines of other rules do not count."""
    digest = sha256()
    for path in sorted(Path(fedblocks.aggregation.__path__[0]).glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                # A string alone is a docstring, or stands below an attribute as one.
                node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def measure(settings: Iterable[Setting], seeds: Sequence[int], raw: Path, jobs: int, minutes: float) -> None:
    """Do the runs that are missing, one line each."""
    raw.parent.mkdir(parents=True, exist_ok=True)
    present = {line["key"] for line in read(raw)}
    todo = [(setting, seed) for seed in seeds for setting in settings if setting.key(seed) not in present]
    # In an order without meaning, so that a measurement that is stopped is a sample of all settings, and not the first.
    todo.sort(key=lambda each: (each[1], each[0].kind == "honest" and sha256(each[0].key(each[1]).encode()).digest()))
    print(f"{len(todo)} runs to do, {len(present)} done; lines in {raw}", flush=True)
    # Each run is one thread; the variable is read when a child imports torch, so the children are started anew.
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    started, done = time.monotonic(), 0
    with (
        raw.open("a") as lines,
        ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        futures = {pool.submit(run, setting, seed): (setting, seed) for setting, seed in todo}
        for future in as_completed(futures):
            line = future.result()
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            done += 1
            spent = time.monotonic() - started
            setting, seed = futures[future]
            told = line.get("honest_slashed", line["slashed"])
            print(
                f"{done}/{len(todo)} {spent:5.0f} s, {spent / done * (len(todo) - done) / 60:3.0f} min to go: "
                f"{setting.attack or setting.data} {setting.model} {setting.partition} n={setting.clients} "
                f"{setting.training} seed {seed}: {line['accuracy']:.3f}" + (f" HONEST SLASHED {told}" if told else ""),
                flush=True,
            )
            if minutes and spent > 60 * minutes:
                print(f"{minutes:g} minutes are over; the same command goes on", flush=True)
                pool.shutdown(wait=False, cancel_futures=True)
                break


def read(raw: Path) -> list[dict[str, Any]]:
    """The lines that this code's rules have made."""
    if not raw.exists():
        return []
    lines = [json.loads(line) for line in raw.read_text().splitlines() if line.strip()]
    return [line for line in lines if line["code"] == code()]


# Sums.


def sum_honest(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Totals, and the same by data set and model, by partition, by training and by cohort size."""
    stress = {setting.key(0) for setting in honest_settings("stress")}

    def place(line: dict[str, Any]) -> str:
        return "stress" if Setting(**line["setting"]).key(0) in stress else "core"

    result: dict[str, Any] = {"code": code(), "seeds": sorted({line["seed"] for line in lines})}
    for part in ("core", "stress"):
        chosen = [line for line in lines if place(line) == part]
        groups: dict[str, Callable[[dict[str, Any]], str]] = {
            "data and model": lambda line: f"{line['setting']['data']}, {line['setting']['model']}",
            "partition": lambda line: line["setting"]["partition"],
            "training": lambda line: line["setting"]["training"],
            "clients": lambda line: f"{line['setting']['clients']:02}",
        }
        result[part] = {"all": _sum(chosen)} | {
            name: {
                value: _sum([line for line in chosen if of(line) == value]) for value in sorted({of(x) for x in chosen})
            }
            for name, of in groups.items()
        }
        result[part]["findings"] = [
            {"setting": line["setting"], "seed": line["seed"], "slashed": line["slashed"], "due": line["due"]}
            for line in chosen
            if line["due"]
        ]
    return result


def _sum(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    margins: dict[str, float] = {}
    for line in lines:
        for name, value in line["margins"].items():
            margins[name] = max(margins.get(name, -FAR), value)
    both = [line for line in lines if "fedavg" in line]
    clients, epochs = sum(line["setting"]["clients"] for line in lines), sum(line["epochs"] for line in lines)
    return {
        "runs": len(lines),
        "client_runs": clients,
        "client_epochs": epochs,
        "slashed": sum(len(line["slashed"]) for line in lines),
        "slashed_by": dict(Counter(reason for line in lines for _, reason in line["slashed"].values())),
        "due": sum(len(line["due"]) for line in lines),
        "due_by": dict(Counter(reason for line in lines for _, reason in line["due"].values())),
        "excluded": round(sum(line["excluded"] for line in lines) / max(1, epochs), 4),
        "accuracy": _mean([line["accuracy"] for line in lines]),
        "against_fedavg": {
            "runs": len(both),
            "rules": _mean([line["accuracy"] for line in both]),
            "fedavg": _mean([line["fedavg"] for line in both]),
            "worst": round(min((line["accuracy"] - line["fedavg"] for line in both), default=0), 4),
        },
        "margins": margins,
        "failed": sum(bool(line["failed"]) for line in lines),
    }


def sum_attacks(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {"code": code(), "seeds": sorted({line["seed"] for line in lines}), "by": []}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["setting"]["partition"], line["setting"]["attack"]].append(line)
    alone = {
        (line["setting"]["partition"], line["setting"]["clients"], line["seed"]): line["honest_only"]
        for line in lines
        if "honest_only" in line
    }
    for (partition, attack), chosen in groups.items():
        slashed = [each for line in chosen for each in line["slashed"].values()]
        places = [(partition, line["setting"]["clients"], line["seed"]) for line in chosen]
        result["by"].append(
            {
                "partition": partition,
                "attack": attack,
                "runs": len(chosen),
                "attackers": sum(len(line["attacks"]) for line in chosen),
                "slashed": len(slashed),
                "slashed_by": dict(Counter(reason for _, reason in slashed)),
                "slashed_epochs": [min(e for e, _ in slashed), max(e for e, _ in slashed)] if slashed else [],
                "excluded": _share(line["excluded"] for line in chosen),
                "honest": sum(line["setting"]["clients"] - len(line["attacks"]) for line in chosen),
                "honest_slashed": sum(len(line["honest_slashed"]) for line in chosen),
                "honest_slashed_by": dict(
                    Counter(reason for line in chosen for _, reason in line["honest_slashed"].values())
                ),
                "honest_excluded": _share(line["honest_excluded"] for line in chosen),
                "rules": _mean([line["accuracy"] for line in chosen]),
                "fedavg": _mean([line["fedavg"] for line in chosen]),
                "honest_only": _mean([alone[place] for place in places if place in alone]),
                "failed": sum(bool(line["failed"]) for line in chosen),
                "fedavg_failed": sum(bool(line["fedavg_failed"]) for line in chosen),
            }
        )
    return result


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


def _share(counts: Iterable[Sequence[int]]) -> float:
    pairs = list(counts)
    return round(sum(a for a, _ in pairs) / max(1, sum(b for _, b in pairs)), 4)


# Tables.


def bound(failures: int, trials: int) -> str:
    """The 95 % upper bound of a rate: 3 / N without a failure (the rule of three)."""
    if not trials:
        return "-"
    if not failures:
        return f"{300 / trials:.2f} %"
    # Beyond none: Wilson's bound, one-sided like the rule of three.
    z, rate = 1.645, failures / trials
    upper = (rate + z * z / 2 / trials + z * sqrt(rate * (1 - rate) / trials + z * z / 4 / trials**2)) / (
        1 + z * z / trials
    )
    return f"{100 * upper:.2f} %"


def honest_tables(sums: dict[str, Any]) -> Iterator[str]:
    for part in ("core", "stress"):
        yield f"\n### honest, {part}; seeds {_seeds(sums['seeds'])}\n"
        yield "| | runs | client-runs | slashed | bound | due, cap aside | excluded | rules* | FedAvg* |"
        yield "|---|---|---|---|---|---|---|---|---|"
        rows = {"all": sums[part]["all"]}
        for name in ("data and model", "partition", "training", "clients"):
            rows |= {f"n = {int(key)}" if name == "clients" else key: row for key, row in sums[part][name].items()}
        for name, row in rows.items():
            if not row["runs"]:
                continue
            by = ", ".join(f"{reason.lower()} {count}" for reason, count in row["due_by"].items())
            both = row["against_fedavg"]
            yield (
                f"| {name} | {row['runs']} | {row['client_runs']:,} | {row['slashed']} | "
                f"{bound(row['slashed'], row['client_runs'])} | {row['due']}{f' ({by})' if by else ''} | "
                f"{100 * row['excluded']:.1f} % | "
                + (f"{both['rules']:.3f} | {both['fedavg']:.3f} |" if both["runs"] else "- | - |")
            )
    yield "\n### largest ratio to a hard rule's threshold\n"
    yield "| rule | core | stress |"
    yield "|---|---|---|"
    names = sorted(set(sums["core"]["all"]["margins"]) | set(sums["stress"]["all"]["margins"]))
    for name in names:
        values = (sums[part]["all"]["margins"].get(name) for part in ("core", "stress"))
        yield f"| {name} | " + " | ".join("-" if value is None else f"{value:.3g}" for value in values) + " |"


def attack_tables(sums: dict[str, Any]) -> Iterator[str]:
    for partition in dict.fromkeys(row["partition"] for row in sums["by"]):
        yield f"\n### attacks, {partition}; seeds {_seeds(sums['seeds'])}\n"
        yield (
            "| attack | slashed | for | in epoch | excluded while there | honest slashed | honest excluded | "
            "FedAvg | rules | honest only |"
        )
        yield "|---|---|---|---|---|---|---|---|---|---|"
        for row in (row for row in sums["by"] if row["partition"] == partition):
            why = ", ".join(reason.lower() for reason in row["slashed_by"]) or "-"
            epochs = "-".join(str(epoch) for epoch in dict.fromkeys(row["slashed_epochs"])) or "-"
            yield (
                f"| {row['attack']} | {row['slashed']}/{row['attackers']} | {why} | {epochs} | "
                f"{100 * row['excluded']:.0f} % | {row['honest_slashed']}/{row['honest']} | "
                f"{100 * row['honest_excluded']:.1f} % | {row['fedavg']:.3f} | {row['rules']:.3f} | "
                f"{row['honest_only']:.3f} |"
            )


def _seeds(seeds: Sequence[int]) -> str:
    return f"{min(seeds)} to {max(seeds)}" if seeds else "none"


def _parse_seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for each in text.split(","):
        low, _, high = each.partition("-")
        seeds += range(int(low), int(high or low) + 1)
    return seeds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("honest", "attacks", "tables"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "detection", help="folder for the sums")
    parser.add_argument("--raw", type=Path, default=ROOT / ".cache" / "detection", help="folder for one line a run")
    parser.add_argument("--seeds", type=_parse_seeds, default=[1000], help="such as 1000-1002,1005")
    parser.add_argument("--part", choices=("core", "stress", "all"), default="all", help="of the honest cohorts")
    parser.add_argument("--only", default="", help="settings with this text in their JSON alone")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--minutes", type=float, default=0, help="stop after this time; 0 does everything")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.what == "tables":
        for name, tables in (("honest", honest_tables), ("attacks", attack_tables)):
            path = chosen.out / f"{name}.json"
            if path.exists():
                print("\n".join(tables(json.loads(path.read_text()))))
        return 0
    settings = list(honest_settings(chosen.part) if chosen.what == "honest" else attack_settings())
    raw = chosen.raw / f"{chosen.what}.jsonl"
    measure([each for each in settings if chosen.only in each.key(0)], chosen.seeds, raw, chosen.jobs, chosen.minutes)
    lines = read(raw)
    sums = sum_honest(lines) if chosen.what == "honest" else sum_attacks(lines)
    (chosen.out / f"{chosen.what}.json").write_text(json.dumps(sums, indent=1) + "\n")
    print("\n".join((honest_tables if chosen.what == "honest" else attack_tables)(sums)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
