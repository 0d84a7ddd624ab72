"""What the commitments of an epoch cost, and a whole verifiable epoch, beside Flower's MultiKrum."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cohort import STORED, measure, model, stored_updates
from drawing import draw_bars
from eth_account import Account
from numpy.typing import NDArray
from turns import Method, between

from fedblocks.aggregation.fixed_point import dequantise, quantise_update
from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.actions import CommitUpdate, Reveal, sign_action
from fedblocks.rollup.admission import admit_commit, check_opening
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.fraud.prover import PreviousEpoch, find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.sequencer import Sequencer
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, commits_root, complete, execute, work_out
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import VectorKind, decode_vector, encode_vector, subtree_roots, vector_root
from fedblocks.types import Address, InstanceId, Seat

CACHE = STORED / "stores"
SIZES = ((10, 10_000_000), (10, 1_000_000), (32, 1_000_000), (64, 1_000_000))
HUGE = (10, 100_000_000)
REPEATS = 3
SAMPLES = 100
METRIC = 500_000
METHODS = {
    "epoch": Method("a whole epoch, from received bytes to a signed header", None, "commitments.py"),
    "commitments": Method("all commitments, from updates in memory", None, "commitments.py"),
    "replay": Method("replay by a watcher, from published data in memory", None, "commitments.py"),
    "aggregator": Method("the aggregator, from reveals to a stored epoch", None, "commitments.py"),
    "watcher": Method("a watcher, from stored blobs", None, "commitments.py"),
    "multikrum": Method("Flower's MultiKrum", "flwr", "peers.py"),
    "quantising": Method("a client's quantising of one update", None, "commitments.py"),
}
SHOWN = [name for name in METHODS if name != "quantising"]
FEES = {"value": 0, "nonce": 1, "gas": 500_000, "maxFeePerGas": 10**9, "maxPriorityFeePerGas": 10**9}
STAGES = ("signatures", "decoded", "hashed", "judged", "next_model", "roots", "signed")
ALONE = {"huge": Method("all commitments, once, d = 10^8", None, "commitments.py")}


def repeats(method: str) -> int:
    """Storing is measured less often: it takes longest, and longest to prepare."""
    return 1 if method == "aggregator" else REPEATS


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
            for seat, update in enumerate(stored_updates(self.n, self.d, epoch) if matrix is None else matrix)
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
        matrix = stored_updates(n, d, 1)
        first = cohort.reveals(1, matrix)
        commits = commits_of(cohort.sign(genesis, first))
        transition = execute(cohort.context, genesis, 0, commits, cohort.submissions(commits, first, matrix))
        header = transition.seal(cohort.context, genesis, METRIC, bytes(32))
        state, previous = transition.after(header), PreviousEpoch.of(header, transition.data)
        matrix = stored_updates(n, d, 2)
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


def epoch(n: int, d: int, repeats: int) -> None:
    """A whole verifiable epoch, from what has been received to a signed header."""
    prepared = Prepared.of(n, d)
    context, before = prepared.cohort.context, prepared.before
    operator = LocalSigner(Account.from_key(keccak256(b"benchmark aggregator")))
    signed = prepared.cohort.sign(before, prepared.reveals)
    received = [(own.seat, encode_vector(own.update), own.samples, own.salt) for own in prepared.reveals]

    def produce(_: int) -> dict[str, float]:
        clock = Stages()
        commits = {}
        for action, signature in signed.values():
            seat = admit_commit(context, before, 0, action, signature)
            commits[seat] = Commit(action.commitment, signature)
        closed = commits_root(context, commits)
        clock.stage("signatures")
        matrix = np.empty((n, d), dtype=np.int16)
        for seat, wire, _, _ in received:
            decode_vector(wire, VectorKind.UPDATE, d, matrix[seat])
        clock.stage("decoded")
        subtrees = subtree_roots(matrix)
        submissions = {}
        for (seat, _, samples, salt), own in zip(received, subtrees, strict=True):
            submission = Submission(seat, context.cohort[seat], commits[seat], matrix[seat], own, samples, salt)
            check_opening(context, commits, seat, submission.update_root, samples, salt)
            submissions[seat] = submission
        clock.stage("hashed")
        worked = work_out(context, before, submissions)
        clock.stage("judged")
        transition = complete(context, before, 0, commits, submissions, worked)
        clock.stage("next_model")
        header = transition.seal(context, before, METRIC, bytes(32))
        assert header.commits_root == closed
        clock.stage("roots")
        operator.sign_transaction(
            FEES | {"to": context.settlement, "data": header.encode(), "chainId": context.chain_id}
        )
        clock.stage("signed")
        return clock.took

    measure(produce, repeats)


class Stages:
    """How long each stage took."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.took[name], self._last = now - self._last, now


def quantising(n: int, d: int, repeats: int) -> None:
    """What each client does before: a trained model as an update in fixed point."""
    base = model(d)
    trained = dequantise(base) + stored_updates(n, d, epoch=2)[0] / (1 << 14)
    measure(lambda _: quantise_update(trained, base), repeats)


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
    "epoch": epoch,
    "quantising": quantising,
    "commitments": commitments,
    "replay": replay,
    "aggregator": aggregator,
    "watcher": watcher,
    "huge": partial(commitments, warm=False),
}


# Tables.


def tables(result: Mapping[str, Any]) -> Iterator[str]:
    """Medians, the fastest repeats, their ratios, and memory."""
    quotients = (
        ("epoch", "multikrum"),
        ("commitments", "multikrum"),
        ("replay", "commitments"),
        ("watcher", "aggregator"),
    )
    for title, told in (
        ("Median", lambda each: each["seconds"]),
        ("Fastest", lambda each: min(each["all_seconds"])),
    ):
        yield f"\n### {title}\n"
        yield f"| n | d | {' | '.join(SHOWN)} | {' | '.join(f'{a} : {b}' for a, b in quotients)} |"
        yield "|---|---|" + "---|" * (len(SHOWN) + len(quotients))
        for row in result["sizes"]:
            methods = row["methods"]
            cells = [f"{told(methods[name]):.3f} s" if name in methods else "-" for name in SHOWN]
            cells += [between(told, row, above, below) for above, below in quotients]
            yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"
    yield "\n### Stages of an epoch, median, ms\n"
    yield f"| n | d | {' | '.join(STAGES)} | a client's quantising |"
    yield "|---|---|" + "---|" * (len(STAGES) + 1)
    for row in result["sizes"]:
        methods = row["methods"]
        cells = [f"{1000 * methods['epoch'][stage]:.1f}" if "epoch" in methods else "-" for stage in STAGES]
        cells.append(f"{1000 * methods['quantising']['seconds']:.1f}" if "quantising" in methods else "-")
        yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"
    yield "\n### Memory above the inputs\n"
    yield f"| n | d | {' | '.join(SHOWN)} |"
    yield "|---|---|" + "---|" * len(SHOWN)
    for row in result["sizes"]:
        methods = row["methods"]
        cells = [f"{methods[name]['above_mib']:,} MiB" if name in methods else "-" for name in SHOWN]
        yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"


def plot(result: Mapping[str, Any], path: Path) -> None:
    """Seconds of all methods, one group of bars for each size."""
    draw_bars(result["sizes"], {name: METHODS[name].told for name in SHOWN}, path)


if __name__ == "__main__":
    WORKERS[sys.argv[2]](*(int(each) for each in sys.argv[3:6]))
