"""Every fraud case once, proven on the real ModelParameterChain, with cohorts and models of several sizes.

Nobody trains here: epochs are made up so that exactly one thing in them is wrong, the one that is found last.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boa
from eth_utils import keccak

from fedblocks.rollup.actions import Acknowledgement, CommitUpdate, action_hash, update_commitment
from fedblocks.rollup.admission import revealed_hash
from tests.contracts import committed
from tests.contracts.proofs import reference
from tests.contracts.proofs.deep import deep_epoch
from tests.contracts.proofs.reference import LEAF, Vector
from tests.contracts.verdicts.epochs import Cohort, flipped
from tests.contracts.verdicts.epochs import Epoch as JudgedEpoch
from tests.contracts.world import (
    AGGREGATOR_BOND,
    ANSWER_PERIOD,
    DEMAND_DEPOSIT,
    ETHER,
    GENESIS_ROOT,
    NO_HASH,
    RULES_HASH,
    Header,
    Protocol,
    Run,
    account,
    wait,
)

COHORTS = (10, 32, 64)
PARAMETERS = (10**4, 10**6, 10**9)

OVERTURNING = "overturnEpoch by itself"

Costs = dict[str, int]


def size(n: int, d: int) -> str:
    """How a cohort and a model are called in the table."""
    return f"n = {n}, d = {d:,}"


def calldata_gas(data: bytes) -> int:
    """What a transaction pays for its data."""
    return 16 * len(data) - 12 * data.count(0)


@dataclass
class Court:
    """One deployment with one cohort; every case is another instance."""

    n: int

    def __post_init__(self) -> None:
        self.protocol = Protocol.deploy(account("deployer"), account("admin"))
        self.user, self._calls = account("user"), 0
        self.aggregator = committed.account("aggregator").address
        boa.env.set_balance(self.aggregator, 1_000_000 * ETHER)
        self.clients = [committed.client(seat).address for seat in range(self.n)]
        for client in self.clients:
            boa.env.set_balance(client, ETHER)
            self.protocol.stake(client)

    def order(self, d: int, rules_hash: bytes = RULES_HASH) -> Run:
        configuration = (self.aggregator, GENESIS_ROOT, d, rules_hash)
        instance = self.protocol.order(self.user, self.clients, 2, *configuration)
        self.protocol.chain.depositBond(instance, sender=self.aggregator, value=AGGREGATOR_BOND)
        return Run(self.protocol, instance, self.user, self.clients, self.aggregator)

    def post(self, run: Run, **words: Any) -> Header:
        """Post an epoch with what is made up."""
        root = words.pop("commits_root", run.commits_root(run.next_epoch))
        run.chain.closeCommits(run.instance, run.next_epoch, run.attempt, root, sender=self.aggregator)
        before = run.chain.getInstance(run.instance).lastHeaderHash
        return run.post(commits_root=root, previous_header_hash=before, **words)

    def call(self, contract: Any, function: str, arguments: list[Any], value: int = 0, sender: Any = None) -> Costs:
        """A call in a transaction of its own, of somebody who has never been credited anything.

        titanoboa by itself lets calls share warm storage.
        """
        self._calls += 1
        data = getattr(contract, function).prepare_calldata(*arguments)
        boa.env.evm.vm.state.lock_changes()
        boa.env.reset_gas_used()
        computation = boa.env.execute_code(
            to_address=contract.address, sender=sender or account(f"caller {self._calls}"), data=data, value=value
        )
        assert not computation.is_error, (function, computation.output)
        return {
            "execution": computation.get_gas_used(),
            "calldata": calldata_gas(data),
            "bytes": len(data),
            "zeros": data.count(0),
        }

    def overturns(self, contract: Any, function: str, arguments: list[Any], run: Run) -> Costs:
        """A challenge, which must succeed."""
        costs = self.call(contract, function, arguments)
        assert self.protocol.chain.getInstance(run.instance).postedEpochs == 1, function
        return costs


def of_vectors(court: Court, d: int) -> Iterator[tuple[str, Costs]]:
    """F2, F2c, F5 and padding."""
    generator = random.Random(d)
    leaf = -(-d // LEAF) // 2
    used = -(-d // 256)
    honest = deep_epoch(court.n, leaf, d)
    length = {row: 8 * (len(honest.factors(row)) - 1) + 12 for row in range(court.n + 1)}
    # Rows and delta are anything: that is a fault, and their cost does not depend on what they say.
    rows = {("row", at, row): generator.randbytes(length[row]) for at in (leaf - 1, leaf) for row in length}
    column = {("column", leaf): generator.randbytes(32 * court.n)}
    delta = {("delta",): honest.last_delta, ("next",): honest.base}
    padded = Vector(d, 2, {used // 16: [0] * (256 * (used % 16)) + [1] * (LEAF - 256 * (used % 16))})
    long = honest.forge(rows | delta)
    long.updates = [padded, *honest.updates[1:]]
    cases: list[tuple[str, str, reference.Epoch, Any]] = [
        ("F2 product", "challengeProduct", rows, lambda epoch: epoch.product_arguments(1, 2, leaf)),
        ("F2 with the base model", "challengeProduct", rows, lambda e: e.product_arguments(1, 2 * e.n + 1, leaf)),
        ("F2c column", "challengeColumn", column, lambda epoch: epoch.column_arguments(1, leaf)),
        ("F5 delta", "challengeDelta", delta, lambda epoch: epoch.delta_arguments(leaf, 5)),
        ("F5 next model", "challengeNextModel", delta, lambda epoch: epoch.next_model_arguments(16 * leaf)),
        ("padding of an update", "challengePadding", None, lambda epoch: epoch.padding_arguments(0, used, 0)),
    ]
    for name, function, forged, arguments_of in cases:
        epoch = long if forged is None else honest.forge(rows | delta | forged)
        arguments = arguments_of(epoch)
        run = court.order(d)
        court.post(run, next_model_root=epoch.base.tree.root, delta_root=epoch.last_delta.tree.root)
        header = court.post(
            run,
            submissions_root=epoch.header[5],
            gram_root=epoch.gram.root,
            delta_root=epoch.delta.tree.root,
            next_model_root=epoch.next_model.tree.root,
            carried_root=epoch.header[14],
        )
        arguments["header"] = header.words
        if "previous" in arguments:
            arguments["previous"] = run.headers[0].words
        yield name, court.overturns(court.protocol.vectors, function, list(arguments.values()), run)


def judged(n: int, d: int) -> JudgedEpoch:
    """The second epoch of honest clients."""
    cohort = Cohort(n, 3, chain_d=d)
    cohort.run(cohort.honest())
    return cohort.run(cohort.honest())


def of_verdicts(court: Court, d: int) -> Iterator[tuple[str, Costs]]:
    """F4a, F4b and F4c: what is compared last is wrong."""
    honest, n = judged(court.n, d), court.n
    krum_end, badness = 71, 142
    wrong_figures = honest.with_stats(1, flipped(honest.entry(1), krum_end))
    wrong_verdict = honest.with_stats(1, flipped(honest.entry(1), badness))
    wrong_cohort = honest.with_stats(n, flipped(honest.entry(n), -1))
    for name, function, epoch, arguments in (
        ("F4a figures", "challengeFigures", wrong_figures, wrong_figures.figures_arguments(1)),
        ("F4b verdict", "challengeVerdict", wrong_verdict, wrong_verdict.verdict_arguments(1)),
        ("F4c cohort", "challengeCohort", wrong_cohort, wrong_cohort.cohort_arguments()),
    ):
        assert epoch.previous is not None
        run = court.order(d, epoch.rules_hash)
        for each in (epoch.previous, epoch):
            header = court.post(
                run,
                submissions_root=each.header[5],
                gram_root=each.header[6],
                stats_root=each.header[7],
                participants=each.header[11],
                excluded=each.header[12],
                slash_reasons=each.header[13],
                carried_root=each.header[14],
            )
        arguments[:2] = [header.words, run.headers[0].words]
        yield name, court.overturns(court.protocol.verdicts, function, arguments, run)


@dataclass
class HandedIn(committed.Epoch):
    """What clients hand in to an instance."""

    instance: int = 1

    def commit(self, commitment: bytes, /, **changes: Any) -> CommitUpdate:
        return super().commit(commitment, **{"instance_id": self.instance, "attempt": 0, **changes})

    @property
    def words(self) -> dict[str, Any]:
        """What the header says of it."""
        return {
            "commits_root": self.header.commits_root,
            "submissions_root": self.header.submissions_root,
            "next_model_root": self.header.next_model_root,
            "participants": self.participants,
        }


def of_submissions(court: Court, d: int) -> Iterator[tuple[str, Costs]]:
    """F1, F6 and F8, of seat 1."""
    verifier, everybody = court.protocol.submissions, 2**court.n - 1
    for name in ("F1 submission", "F6 last update", "F8 censorship"):
        run = court.order(d)
        first = HandedIn(court.protocol.chain, court.n, 1, d, everybody, instance=run.instance)
        present = everybody & ~2 if name == "F8 censorship" else everybody
        epoch = HandedIn(court.protocol.chain, court.n, 2, d, present, first, instance=run.instance)
        update, salt = keccak(text="update"), keccak(text="salt")
        if name == "F1 submission":
            # Everything else holds: it is looked for in the list of commits last.
            epoch.commits[1] = epoch.commits[0]
        elif name == "F6 last update":
            epoch.contents[1] = committed.changed(epoch.contents[1], "last update root", update)
        court.post(run, **first.words)
        header = court.post(run, **epoch.words)
        lists = [epoch.submissions, epoch.contents[1]]
        if name == "F1 submission":
            costs = court.overturns(verifier, "challengeSubmission", [header.words, 1, *lists, epoch.committed], run)
        elif name == "F6 last update":
            before = [first.submissions, first.contents[1]]
            arguments = [header.words, run.headers[0].words, 1, *lists, *before]
            costs = court.overturns(verifier, "challengeLastUpdate", arguments, run)
        else:
            commitment = update_commitment(update, 100, salt, committed.client(1).address)  # type: ignore[arg-type]
            action = Acknowledgement(revealed_hash(action_hash(epoch.commit(commitment), epoch.domain)))
            signature = committed.signed(epoch.aggregator, action_hash(action, epoch.domain))
            arguments = [header.words, 1, update, 100, salt, signature]
            costs = court.overturns(verifier, "challengeCensorship", arguments, run)
        yield name, costs


@dataclass
class Archive:
    """An epoch of which every kind of data is demanded."""

    n: int
    d: int

    def __post_init__(self) -> None:
        self.random = random.Random(self.d)
        self.leaf = -(-self.d // LEAF) // 2
        honest = deep_epoch(self.n, self.leaf, self.d)
        rows = {
            ("row", at, row): self.random.randbytes(8 * (len(honest.factors(row)) - 1) + 12)
            for at in (self.leaf - 1, self.leaf)
            for row in range(self.n + 1)
        }
        self.epoch = honest.forge(rows | {("delta",): honest.last_delta, ("next",): honest.base})
        self.commits = self.random.randbytes(32 * self.n)
        self.stats = self.random.randbytes(143)
        self.stats_list = keccak(b"\x09" + self.stats) * (self.n + 1)

    @property
    def words(self) -> dict[str, Any]:
        return {
            "commits_root": keccak(b"\x06" + self.commits),
            "submissions_root": self.epoch.header[5],
            "gram_root": self.epoch.gram.root,
            "stats_root": keccak(b"\x0a" + self.stats_list),
            "delta_root": self.epoch.delta.tree.root,
            "next_model_root": self.epoch.next_model.tree.root,
            "carried_root": self.epoch.header[14],
        }

    @cached_property
    def answers(self) -> Mapping[str, tuple[tuple[int, int, int], tuple[Any, ...]]]:
        """By its name, where a demand points, and what answers it."""
        epoch, leaf, nothing = self.epoch, self.leaf, (0, NO_HASH, NO_HASH, [])
        content, values, proof = epoch.operand(epoch.updates[1], leaf)
        opening = epoch.opening(leaf)
        _, delta, delta_proof = epoch.operand(epoch.delta, leaf)
        _, model, model_proof = epoch.operand(epoch.next_model, leaf)
        return {
            "commits": ((0, 0, 0), (b"", b"", nothing, self.commits, [])),
            "submission": ((1, 1, 0), (epoch.submissions, b"", nothing, epoch.submission(1), [])),
            "update": ((2, 1, leaf), (epoch.submissions, content, nothing, values, proof)),
            "column": ((3, 0, leaf), (b"", b"", opening, epoch.column(leaf), [])),
            "row": ((4, self.n, leaf), (epoch.rows(leaf), b"", opening, epoch.row(leaf, self.n), [])),
            "stats": ((5, 1, 0), (self.stats_list, b"", nothing, self.stats, [])),
            "carried": ((6, 0, 0), (b"", b"", nothing, epoch.carried, [])),
            "delta": ((7, 0, leaf), (b"", b"", nothing, delta, delta_proof)),
            "next model": ((8, 0, leaf), (b"", b"", nothing, model, model_proof)),
        }


def of_demands(court: Court, d: int) -> Iterator[tuple[str, Costs]]:
    """F7, and every answer that averts it. The first demand of an epoch costs the most."""
    archive, demands = Archive(court.n, d), court.protocol.demands
    for kind, (position, answer) in archive.answers.items():
        run = court.order(d)
        court.post(run)
        header = court.post(run, **archive.words)
        demanding = court.call(demands, "demand", [header.words, *position], DEMAND_DEPOSIT)
        if kind == "commits":
            yield "demand", demanding
        yield f"answer: {kind}", court.call(demands, "answer", [_number(header, position), header.words, *answer])
    run = court.order(d)
    court.post(run)
    header = court.post(run)
    court.call(demands, "demand", [header.words, 0, 0, 0], DEMAND_DEPOSIT)
    wait(ANSWER_PERIOD + 1)
    yield "F7 failDemand", court.overturns(demands, "failDemand", [_number(header, (0, 0, 0))], run)


def of_overturning(court: Court, d: int) -> Iterator[tuple[str, Costs]]:
    """What every proven case has in common."""
    run = court.order(d)
    court.post(run)
    court.post(run)
    arguments = [run.instance, 2, account("challenger"), 1]
    verifier = court.protocol.submissions.address
    yield OVERTURNING, court.call(court.protocol.chain, "overturnEpoch", arguments, sender=verifier)


def _number(header: Header, position: tuple[int, int, int]) -> int:
    """The number of a demand."""
    return int.from_bytes(keccak(header.hash + b"".join(map(committed.word, position))), "big")


def measure() -> dict[str, dict[str, Costs]]:
    """By case and by size, what it costs."""
    table: dict[str, dict[str, Costs]] = {}
    for n in COHORTS:
        with boa.swap_env(boa.Env()):
            court = Court(n)
            for d in PARAMETERS:
                for cases in (of_submissions, of_vectors, of_verdicts, of_demands, of_overturning):
                    for name, costs in cases(court, d):
                        table.setdefault(name, {})[size(n, d)] = costs
    return table
