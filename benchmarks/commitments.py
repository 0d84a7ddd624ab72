"""What the commitments of an epoch cost, beside Flower's MultiKrum; the figures of docs/benchmarks.md.

    python benchmarks/commitments.py
    python benchmarks/commitments.py --huge
    python benchmarks/commitments.py --tables

Every method runs alone in a process of its own, the methods take turns, and each size is gone through several times, so
that a machine that others use too is as slow for one as for the other. Compare ratios; seconds are this machine's.
Flower is installed at an exact version into an environment of its own under ``.cache``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cohort import measure, model, updates
from eth_account import Account
from numpy.typing import NDArray

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.actions import CommitUpdate, Reveal, sign_action
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.fraud.prover import PreviousEpoch, find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.sequencer import Sequencer
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, execute
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import subtree_roots, vector_root
from fedblocks.types import Address, InstanceId, Seat

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "commitments"
FLOWER = "flwr==1.41.0"
SIZES = ((10, 10_000_000), (10, 1_000_000), (32, 1_000_000), (64, 1_000_000))
HUGE = (10, 100_000_000)
ROUNDS, REPEATS = 2, 3
SAMPLES = 100
METRIC = 500_000
METHODS = {
    "commitments": "all commitments, from updates in memory",
    "replay": "replay by a watcher, from published data in memory",
    "aggregator": "the aggregator, from reveals to a stored epoch",
    "watcher": "a watcher, from stored blobs",
    "multikrum": "Flower's MultiKrum",
}


# The epoch that is measured.


class Cohort:
    """n clients with keys, and two rounds of updates: the second is measured, on a state that the first has left."""

    def __init__(self, n: int, d: int) -> None:
        self.n, self.d = n, d
        self.signers = [LocalSigner(Account.from_key(keccak256(b"benchmark %d" % seat))) for seat in range(n)]
        self.genesis = model(d)
        self.context = InstanceContext(
            chain_id=31337,
            settlement=Address("0x00000000000000000000000000000000000000C1"),
            instance_id=InstanceId(1),
            cohort=tuple(each.address for each in self.signers),
            d=d,
            genesis_root=vector_root(self.genesis),
            rules=Rules(),
        )

    def reveals(self, epoch: int, matrix: NDArray[np.int16] | None = None) -> list[Reveal]:
        """What every client reveals, the rows of a matrix; nothing of it has been hashed."""
        return [
            Reveal(Seat(seat), update, SAMPLES, keccak256(b"salt %d %d" % (epoch, seat)))
            for seat, update in enumerate(updates(self.n, self.d, epoch) if matrix is None else matrix)
        ]

    def sign(self, state: RollupState, reveals: Sequence[Reveal]) -> dict[Seat, tuple[CommitUpdate, bytes]]:
        signed = {}
        for own in reveals:
            commitment = own.commitment(self.context.cohort[own.seat])
            action = CommitUpdate(self.context.instance_id, state.epoch + 1, 0, state.model_root, commitment)
            signed[own.seat] = action, sign_action(action, self.context.domain, self.signers[own.seat])
        return signed

    def submissions(
        self, commits: Mapping[Seat, Commit], reveals: Sequence[Reveal], matrix: NDArray[np.int16]
    ) -> dict[Seat, Submission]:
        """The reveals, hashed together."""
        subtrees = subtree_roots(matrix)
        return {
            own.seat: Submission(
                seat=own.seat,
                client=self.context.cohort[own.seat],
                commit=commits[own.seat],
                update=own.update,
                subtrees=own_subtrees,
                samples=own.samples,
                salt=own.salt,
            )
            for own, own_subtrees in zip(reveals, subtrees, strict=True)
        }


def commits_of(signed: Mapping[Seat, tuple[CommitUpdate, bytes]]) -> dict[Seat, Commit]:
    return {seat: Commit(action.commitment, signature) for seat, (action, signature) in signed.items()}


@dataclass(frozen=True, eq=False)
class Prepared:
    """The second epoch of a cohort, before it is executed."""

    cohort: Cohort
    before: RollupState
    previous: PreviousEpoch
    commits: dict[Seat, Commit]
    matrix: NDArray[np.int16]
    reveals: list[Reveal]

    def submissions(self) -> dict[Seat, Submission]:
        return self.cohort.submissions(self.commits, self.reveals, self.matrix)

    @classmethod
    def of(cls, n: int, d: int) -> Prepared:
        cohort = Cohort(n, d)
        genesis = RollupState.genesis(cohort.context, cohort.genesis)
        matrix = updates(n, d, 1)
        first = cohort.reveals(1, matrix)
        commits = commits_of(cohort.sign(genesis, first))
        transition = execute(cohort.context, genesis, 0, commits, cohort.submissions(commits, first, matrix))
        header = transition.seal(cohort.context, genesis, METRIC, bytes(32))
        state, previous = transition.after(header), PreviousEpoch.of(header, transition.data)
        matrix = updates(n, d, 2)
        reveals = cohort.reveals(2, matrix)
        return cls(cohort, state, previous, commits_of(cohort.sign(state, reveals)), matrix, reveals)


# What is measured, each in a process of its own.


def commitments(n: int, d: int, repeats: int, *, warm: bool = True) -> None:
    """Everything that a header commits to: hashes, inner products, verdicts, the step and the next model."""
    epoch = Prepared.of(n, d)
    context = epoch.cohort.context

    def produce(_: int) -> dict[str, float]:
        start = time.perf_counter()
        submissions = epoch.submissions()
        hashed = time.perf_counter()
        transition = execute(context, epoch.before, 0, epoch.commits, submissions)
        executed = time.perf_counter()
        transition.seal(context, epoch.before, METRIC, bytes(32)).hash()
        return {
            "updates_hashed": hashed - start,
            "executed": executed - hashed,
            "sealed": time.perf_counter() - executed,
        }

    measure(produce, repeats, warm=warm)


def replay(n: int, d: int, repeats: int) -> None:
    """A watcher that has all data: it hashes what was published, works the epoch out and compares."""
    epoch = Prepared.of(n, d)
    context = epoch.cohort.context
    submissions = epoch.submissions()
    transition = execute(context, epoch.before, 0, epoch.commits, submissions)
    header = transition.seal(context, epoch.before, METRIC, bytes(32))

    def look(_: int) -> None:
        published = Published.of(context, header, transition.data)
        assert find_fault(epoch.before, epoch.previous, header, published) is None

    measure(look, repeats)


def aggregator(n: int, d: int, repeats: int) -> None:
    """The sequencer on SQLite and blobs on the disk: a round of reveals, and the epoch that they lead to."""
    CACHE.mkdir(parents=True, exist_ok=True)
    cohort = Cohort(n, d)
    operator = LocalSigner(Account.from_key(keccak256(b"benchmark aggregator")))
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        store = RollupStore(f"sqlite:///{folder}/rollup.sqlite")
        names = {"user": operator.address, "aggregator": operator.address, "max_epochs": repeats + 2}
        sequencer = Sequencer.create(
            cohort.context, cohort.genesis, store, BlobStore(f"file://{folder}/blobs"), operator, **names
        )

        def run(repeat: int) -> dict[str, float]:
            # Clients hash and sign before the aggregator's work begins; the reveals are then rebuilt without hashes.
            reveals = cohort.reveals(3 + repeat)
            for action, signature in cohort.sign(sequencer.state, reveals).values():
                sequencer.accept_commit(action, signature)
            sequencer.close_commits()
            fresh = [Reveal(own.seat, own.update, own.samples, own.salt) for own in reveals]
            start = time.perf_counter()
            for own in fresh:
                sequencer.accept_reveal(own)
            revealed = time.perf_counter()
            sequencer.execute(lambda _: METRIC)
            executed = time.perf_counter()
            return {"seconds": executed - start, "reveals": revealed - start, "execute": executed - revealed}

        measure(run, repeats)
        store.close()


def watcher(n: int, d: int, repeats: int) -> None:
    """A watcher that fetches what an aggregator has stored, checks every byte of it, and replays."""
    CACHE.mkdir(parents=True, exist_ok=True)
    cohort = Cohort(n, d)
    operator = LocalSigner(Account.from_key(keccak256(b"benchmark aggregator")))
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        blobs = BlobStore(f"file://{folder}/blobs")
        store = RollupStore(f"sqlite:///{folder}/rollup.sqlite")
        names = {"user": operator.address, "aggregator": operator.address, "max_epochs": 2}
        sequencer = Sequencer.create(cohort.context, cohort.genesis, store, blobs, operator, **names)
        for number in (1, 2):
            before, reveals = sequencer.state, cohort.reveals(number)
            for action, signature in cohort.sign(before, reveals).values():
                sequencer.accept_commit(action, signature)
            sequencer.close_commits()
            for own in reveals:
                sequencer.accept_reveal(own)
            executed = sequencer.execute(lambda _: METRIC)
            if number == 1:
                previous = PreviousEpoch.of(executed.header, executed.transition.data)
        header = executed.header

        def look(_: int) -> None:
            published = Published.load(cohort.context, header, blobs)
            assert find_fault(before, previous, header, published) is None

        measure(look, repeats)
        store.close()


WORKERS: dict[str, Callable[[int, int, int], None]] = {
    "commitments": commitments,
    "replay": replay,
    "aggregator": aggregator,
    "watcher": watcher,
    "huge": partial(commitments, warm=False),
}


# Running them.


def flower() -> Path:
    """The interpreter of an environment with Flower, made when it is not there."""
    home = CACHE / FLOWER.replace("==", "-")
    python = home / "bin" / "python"
    done = home / ".installed"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", FLOWER], check=True)
        done.touch()
    return python


def run(method: str, n: int, d: int, repeats: int) -> dict[str, Any]:
    """Measure one method in a new process."""
    here = Path(__file__).resolve()
    command = (
        [str(flower()), str(here.with_name("multikrum.py"))]
        if method == "multikrum"
        else [sys.executable, str(here), "--worker", method]
    )
    done = subprocess.run([*command, str(n), str(d), str(repeats)], stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure_sizes(sizes: Sequence[tuple[int, int]], rounds: int) -> Iterator[list[dict[str, Any]]]:
    """All methods on all sizes, in turns; what has been measured so far, whenever a size has been gone through."""
    runs: dict[tuple[int, int], dict[str, list[dict[str, Any]]]] = {}
    for turn in range(rounds):
        for n, d in sizes:
            own = runs.setdefault((n, d), {method: [] for method in METHODS})
            for method in METHODS:
                # Storing is measured less often: it takes longest, and longest to prepare.
                own[method].append(run(method, n, d, 1 if method == "aggregator" else REPEATS))
                shown = median(line["seconds"] for line in own[method][-1]["repeats"])
                print(f"n={n} d={d} turn {turn + 1}/{rounds} {method}: {shown:.3f} s", flush=True)
            yield [
                {
                    "n": n,
                    "d": d,
                    "load": round(os.getloadavg()[0], 1),
                    "methods": {method: _summed(each) for method, each in own.items()},
                }
                for (n, d), own in runs.items()
            ]


def _summed(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The medians over all repeats of all turns, and every time that was measured."""
    lines = [line for each in runs for line in each["repeats"]]
    parts = {name: round(median(line[name] for line in lines), 4) for name in lines[0]}
    return parts | {
        "above_mib": max(each["above_mib"] for each in runs),
        "peak_mib": max(each["peak_mib"] for each in runs),
        "all_seconds": [round(line["seconds"], 4) for line in lines],
    }


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags")).split()
    installed = subprocess.run(
        [flower(), "-c", "from importlib.metadata import version as v; print(v('flwr'), v('numpy'))"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    flwr, its_numpy = installed.stdout.split()
    return {
        "cpu": next(line for line in lines if line.startswith("model name")).split(": ", 1)[1],
        "threads": len(os.sched_getaffinity(0)),
        "avx512": "avx512bw" in flags,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "flwr": flwr,
        "numpy of flwr": its_numpy,
    }


# Tables.


def tables(result: dict[str, Any]) -> Iterator[str]:
    """Medians, the fastest repeats, their ratios, and memory."""
    for told, of in (
        ("median", lambda each: each["seconds"]),
        ("fastest", lambda each: min(each["all_seconds"])),
    ):
        yield f"\n### {told}\n"
        ratios = "commitments : multikrum | replay : commitments | watcher : aggregator"
        yield f"| n | d | {' | '.join(METHODS)} | {ratios} |"
        yield "|---|---|" + "---|" * (len(METHODS) + 3)
        for row in result["sizes"]:
            seconds = {method: of(row["methods"][method]) for method in METHODS}
            quotients = (
                seconds["commitments"] / seconds["multikrum"],
                seconds["replay"] / seconds["commitments"],
                seconds["watcher"] / seconds["aggregator"],
            )
            cells = [f"{each:.3f} s" for each in seconds.values()] + [f"{each:.2f}" for each in quotients]
            yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"
    yield "\n### memory above the inputs\n"
    yield f"| n | d | {' | '.join(METHODS)} |"
    yield "|---|---|" + "---|" * len(METHODS)
    for row in result["sizes"]:
        cells = [f"{row['methods'][method]['above_mib']:,} MiB" for method in METHODS]
        yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"


def plot(result: dict[str, Any], path: Path) -> None:
    """Seconds of all methods, one group of bars for each size."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    rows = result["sizes"]
    figure, axes = pyplot.subplots(figsize=(9, 4))
    width = 0.8 / len(METHODS)
    for index, (method, told) in enumerate(METHODS.items()):
        places = np.arange(len(rows)) + (index - (len(METHODS) - 1) / 2) * width
        axes.bar(places, [row["methods"][method]["seconds"] for row in rows], width, label=told)
    axes.set_xticks(range(len(rows)), [f"n = {row['n']}\nd = {row['d']:,}" for row in rows])
    axes.set_yscale("log")
    axes.set_ylabel("seconds, median")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _parse_sizes(text: str) -> list[tuple[int, int]]:
    return [(int(n), int(d)) for n, _, d in (each.partition("x") for each in text.split(","))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks", help="folder for the results")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each size is gone through")
    parser.add_argument("--sizes", type=_parse_sizes, default=SIZES, help="such as 10x10000000,64x1000000")
    parser.add_argument("--huge", action="store_true", help="n = 10, d = 10^8 alone, once, for its memory")
    parser.add_argument("--tables", action="store_true", help="print the tables of stored results")
    parser.add_argument("--worker", nargs=4, metavar=("METHOD", "N", "D", "REPEATS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.worker:
        method, *numbers = chosen.worker
        WORKERS[method](*(int(each) for each in numbers))
        return 0
    path = chosen.out / "commitments.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    if not chosen.tables:
        chosen.out.mkdir(parents=True, exist_ok=True)
        if chosen.huge:
            n, d = HUGE
            result["huge"] = {"n": n, "d": d} | _summed([run("huge", n, d, 1)])
            print(json.dumps(result["huge"]))
        else:
            result["machine"] = machine()
            kept = [row for row in result.get("sizes", []) if (row["n"], row["d"]) not in chosen.sizes]
            for rows in measure_sizes(chosen.sizes, chosen.rounds):
                # A measurement that is stopped leaves what it has.
                result["sizes"] = sorted(kept + rows, key=lambda row: (row["n"], row["d"]))
                path.write_text(json.dumps(result, indent=1) + "\n")
        path.write_text(json.dumps(result, indent=1) + "\n")
    if "sizes" in result:
        plot(result, chosen.out / "commitments.png")
        print("\n".join(tables(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
