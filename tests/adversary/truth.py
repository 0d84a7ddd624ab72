"""Honest epochs of cohorts with real keys: what lies are told about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.aggregation.mean import NothingToAverage
from fedblocks.aggregation.rules import Rules
from fedblocks.rollup.actions import CommitUpdate, Reveal, action_hash, sign_action
from fedblocks.rollup.admission import admit_reveal
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.fraud.cases import Demand, DemandKind
from fedblocks.rollup.fraud.prover import PreviousEpoch
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, Transition, Worked, execute, work_out
from fedblocks.rollup.vectors import vector_root
from fedblocks.types import InstanceId, Seat
from tests.adversary.committed import Committed
from tests.adversary.stage import AGGREGATOR, Instance, Stage, client_signer
from tests.contracts import world

MANY = (1 << 256) - 1
INT16, INT32 = np.iinfo(np.int16), np.iinfo(np.int32)


@dataclass(frozen=True)
class Base:
    """What an epoch is worked out for; with a seed it is always the same one.

    Attributes:
        n, d: sizes.
        epoch: which epoch of its instance.
        attempt: 1 where the epoch was posted once already, and deleted.
        flavour: what the updates are like.
        seed: of everything drawn.
    """

    n: int
    d: int
    epoch: int
    attempt: int
    flavour: str
    seed: int

    def __str__(self) -> str:
        return f"{self.n}/{self.d}/{self.epoch}/{self.attempt}/{self.flavour}/{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Base:
        n, d, epoch, attempt, flavour, seed = text.split("/")
        return cls(int(n), int(d), int(epoch), int(attempt), flavour, int(seed))


FLAVOURS = ("plain", "extreme", "copied", "still")


@cache
def _signature(context: InstanceContext, action: CommitUpdate, seat: int) -> bytes:
    return sign_action(action, context.domain, client_signer(seat))


@dataclass(frozen=True, eq=False)
class Truth:
    """An honest epoch that has not been posted yet, and all that is known when it is.

    Attributes:
        instance: on the chain; the epochs before are posted there.
        context, before, previous: what the epoch follows.
        attempt: of its commitments.
        commits, reveals: what the clients sent.
        transition: what follows from it.
        past: the epochs before.
        deleted: this epoch as it was posted under the attempt before.
    """

    instance: Instance
    context: InstanceContext
    before: RollupState
    previous: PreviousEpoch | None
    attempt: int
    commits: Mapping[Seat, Commit]
    reveals: Mapping[Seat, Reveal]
    transition: Transition
    past: tuple[Truth, ...]
    deleted: Truth | None = None

    @property
    def n(self) -> int:
        return len(self.context.cohort)

    @property
    def d(self) -> int:
        return self.context.d

    @property
    def data(self) -> EpochData:
        return self.transition.data

    @cached_property
    def header(self) -> Header:
        return self.transition.seal(self.context, self.before, 500_000, keccak256(b"locator %d" % self.before.epoch))

    @cached_property
    def committed(self) -> Committed:
        return Committed.of(self.data)

    @cached_property
    def after(self) -> RollupState:
        return self.transition.after(self.header)

    @property
    def present(self) -> list[int]:
        return sorted(self.reveals)

    @property
    def absent(self) -> list[int]:
        return [seat for seat in range(self.n) if seat not in self.reveals]

    @cached_property
    def submissions(self) -> dict[Seat, Submission]:
        return {seat: admit_reveal(self.context, self.commits, reveal) for seat, reveal in self.reveals.items()}

    @cached_property
    def worked(self) -> Worked:
        return work_out(self.context, self.before, self.submissions)

    @cached_property
    def again(self) -> Truth:
        """The same under the next attempt: every client signs its commitment anew."""
        return told(self, self.reveals, self.attempt + 1)

    def signed(self, seat: int, commitment: bytes, **changes: object) -> bytes:
        """A seat's signature of a commitment for this epoch; `changes` are made to the action before it is signed."""
        action = CommitUpdate(
            instance_id=self.context.instance_id,
            epoch=self.before.epoch + 1,
            attempt=self.attempt,
            base_model_root=self.before.model_root,
            commitment=commitment,
        )
        return _signature(self.context, replace(action, **changes), seat)

    def commit_hash(self, seat: int) -> bytes:
        """What an aggregator acknowledges of a seat's commitment."""
        action = CommitUpdate(
            self.context.instance_id,
            self.before.epoch + 1,
            self.attempt,
            self.before.model_root,
            self.reveals[Seat(seat)].commitment(self.context.cohort[seat]),
        )
        return action_hash(action, self.context.domain)


def told(like: Truth, reveals: Mapping[Seat, Reveal], attempt: int) -> Truth:
    """What follows when these are revealed in the place of an epoch."""
    blank = replace(like, attempt=attempt, reveals=reveals, commits={})
    commits = {}
    for seat, reveal in reveals.items():
        commitment = reveal.commitment(like.context.cohort[seat])
        commits[seat] = Commit(commitment, blank.signed(seat, commitment))
    submissions = {seat: admit_reveal(like.context, commits, reveal) for seat, reveal in reveals.items()}
    transition = execute(like.context, like.before, attempt, commits, submissions)
    return replace(blank, commits=commits, transition=transition)


def _model(base: Base, generator: np.random.Generator) -> Int32Array:
    if base.flavour == "extreme":
        return generator.choice(np.array([INT32.min, INT32.max], dtype=np.int32), base.d)
    return generator.integers(-5000, 5000, base.d, dtype=np.int32)


def _updates(base: Base, seats: list[int], generator: np.random.Generator) -> dict[int, Int16Array]:
    """An update of every seat."""
    d, updates = base.d, {}
    common = generator.integers(-200, 200, d)
    for seat in seats:
        if base.flavour == "extreme":
            updates[seat] = generator.choice(np.array([INT16.min, INT16.max], dtype=np.int16), d)
        else:
            updates[seat] = (common + generator.integers(-300, 300, d) + 50).astype(np.int16)
    if base.flavour == "copied":
        updates[seats[-1]] = updates[seats[0]]
        updates[seats[1]] = (updates[seats[2]] * 2).astype(np.int16)
    if base.flavour == "still":
        updates[seats[-1]] = np.zeros(d, dtype=np.int16)
        updates[seats[0]] = (updates[seats[0]] * 20).astype(np.int16)
    return updates


def _reveals(base: Base, state: RollupState, generator: np.random.Generator) -> dict[Seat, Reveal]:
    """What the clients would reveal; some stay away, but never so many that there is no epoch."""
    open_seats = [seat for seat in range(base.n) if seat not in state.slashable]
    gone = set(generator.permutation(open_seats)[: int(generator.integers(0, 3))].tolist())
    here = [seat for seat in open_seats if seat not in gone] if len(open_seats) - len(gone) >= 3 else open_seats
    samples = [1, 10, 1000, MANY]
    return {
        Seat(seat): Reveal(
            Seat(seat),
            update,
            samples[int(generator.integers(len(samples)))],
            keccak256(b"salt %d %d" % (state.epoch, seat)),
        )
        for seat, update in _updates(base, here, generator).items()
    }


def epochs(stage: Stage, base: Base) -> Iterator[Truth]:
    """The epochs of a base up to its last one, each posted before the next is worked out."""
    generator = np.random.default_rng([base.seed, base.n, base.d])
    model = _model(base, generator)
    cohort = tuple(client_signer(seat).address for seat in range(base.n))
    instance = stage.open(cohort, base.epoch + 3, vector_root(model), base.d, Rules())
    context = InstanceContext(
        stage.chain_id, stage.settlement, InstanceId(instance.number), cohort, base.d, vector_root(model), Rules()
    )
    state, previous, past = RollupState.genesis(context, model), None, ()
    for number in range(base.epoch):
        empty = Truth(instance, context, state, previous, 0, {}, {}, None, past)
        while True:
            try:
                truth = told(empty, _reveals(base, state, generator), attempt=0)
                break
            except NothingToAverage:
                continue
        if number == base.epoch - 1 and base.attempt:
            _delete(truth)
            truth = replace(truth.again, deleted=truth)
        yield truth
        if number < base.epoch - 1:
            instance.close(truth.header.commits_root, AGGREGATOR.address)
            instance.post(truth.header.as_tuple(), AGGREGATOR.address)
        state, previous, past = truth.after, PreviousEpoch.of(truth.header, truth.data), (*past, truth)


def _delete(truth: Truth) -> None:
    """Post an epoch of which nothing can be had, and have it deleted for that."""
    stage, instance = truth.instance.stage, truth.instance
    header = replace(truth.header, submissions_root=keccak256(b"nothing"))
    instance.close(header.commits_root, AGGREGATOR.address)
    instance.post(header.as_tuple(), AGGREGATOR.address)
    number = stage.demand(header, Demand(DemandKind.SUBMISSION, 0, 0, ""))
    world.wait(world.ANSWER_PERIOD + 1)
    stage.fail(number)
    stage.settle(stage.challenger)
    instance.bond(AGGREGATOR.address)


def last_epoch(stage: Stage, base: Base) -> Truth:
    """The last epoch of a base, on a chain that has the others."""
    *_, truth = epochs(stage, base)
    return truth
