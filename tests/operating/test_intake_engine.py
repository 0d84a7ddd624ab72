"""The engine that waits: for whom, for how long, and what a restart changes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from fedblocks.engines.intake import GRACE_SECONDS, IntakeEngine, Patience, opened_commits, publish_commits
from fedblocks.rollup.intake import Intake
from fedblocks.rollup.progress import Phase
from fedblocks.rollup.store import RollupStore
from fedblocks.training.client import RoundTask
from fedblocks.types import Address
from tests.rollup.instance import AGGREGATOR, StoredInstance

PATIENCE = Patience(commit_seconds=100, reveal_seconds=50)


class NoRest(Exception):
    """The engine would wait, and nothing more will happen."""


class Waiting:
    """An instance, its engine, and what happens while the engine waits."""

    def __init__(self, folder, patience: Patience = PATIENCE) -> None:
        self.instance, self.patience = StoredInstance(folder), patience
        self.now = 1000.0
        self.unstaked: set[Address] = set()
        self.happens: list[Callable[[], object]] = []
        self.parts = self.instance.round()
        self.start()

    def start(self) -> None:
        self.engine = IntakeEngine(
            self.instance.store,
            self.patience,
            is_staked=lambda client: client not in self.unstaked,
            rest=self._rest,
            clock=lambda: self.now,
        )

    def _rest(self) -> None:
        if not self.happens:
            raise NoRest
        self.happens.pop(0)()

    @property
    def cohort(self) -> tuple[Address, ...]:
        return self.instance.cohort.context.cohort

    @property
    def task(self) -> RoundTask:
        state = self.instance.sequencer.state
        return RoundTask(
            self.instance.cohort.context,
            self.instance.sequencer.next_epoch,
            self.instance.sequencer.attempt,
            state.model,
            state.model_root,
            state.last_delta,
        )

    @property
    def deadline(self) -> float | None:
        current = self.instance.store.rounds.current(self.instance.key)
        return None if current is None else current.deadline

    def commits(self, *seats: int) -> None:
        """Clients commit at a node: on the same database, in what could be another process."""
        with RollupStore(f"sqlite:///{self.instance.database}") as store:
            record = store.get_instance(self.instance.key)
            for seat in seats:
                Intake(store, self.instance.blobs, AGGREGATOR, record).accept_commit(*self.parts[seat][:2])

    def reveals(self, *seats: int) -> None:
        with RollupStore(f"sqlite:///{self.instance.database}") as store:
            record = store.get_instance(self.instance.key)
            for seat in seats:
                Intake(store, self.instance.blobs, AGGREGATOR, record).accept_reveal(self.parts[seat][2])

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def waiting(tmp_path) -> Waiting:
    return Waiting(tmp_path)


def test_it_waits_until_everybody_has_committed(waiting):
    waiting.happens = [lambda: waiting.commits(2, 0), lambda: waiting.commits(1, 3), lambda: waiting.commits(4)]
    answer = waiting.engine.commit(waiting.task, waiting.cohort)
    assert [commit.client for commit in answer.commits] == list(waiting.cohort), "in the order of seats"
    assert answer.absent == {}
    assert waiting.happens == []


def test_its_deadline_is_announced_and_then_it_goes_on_without_the_rest(waiting):
    waiting.commits(0, 1)
    waiting.happens = [lambda: waiting.passes(99), lambda: waiting.passes(1)]
    answer = waiting.engine.commit(waiting.task, waiting.cohort)
    assert waiting.deadline == 1100
    assert [commit.client for commit in answer.commits] == list(waiting.cohort[:2])
    assert set(answer.absent) == set(waiting.cohort[2:])


def test_who_has_no_stake_is_not_waited_for(waiting):
    waiting.unstaked = {waiting.cohort[4]}
    waiting.commits(0, 1, 2, 3)
    answer = waiting.engine.commit(waiting.task, waiting.cohort)
    assert list(answer.absent) == [waiting.cohort[4]]


def test_with_too_few_commitments_no_deadline_ends_the_waiting(tmp_path):
    waiting = Waiting(tmp_path, Patience(commit_seconds=100, reveal_seconds=50, minimum_commits=2))
    waiting.commits(3)
    waiting.happens = [lambda: waiting.passes(1000), lambda: waiting.passes(1000), lambda: waiting.commits(1)]
    answer = waiting.engine.commit(waiting.task, waiting.cohort)
    assert len(answer.commits) == 2
    assert waiting.deadline == 1100


def test_a_restarted_engine_keeps_to_the_deadline(waiting):
    waiting.commits(0)
    waiting.happens = [lambda: waiting.passes(10)]
    with pytest.raises(NoRest):
        waiting.engine.commit(waiting.task, waiting.cohort)
    waiting.start()
    waiting.happens = [lambda: waiting.passes(89), lambda: waiting.passes(1)]
    assert len(waiting.engine.commit(waiting.task, waiting.cohort).commits) == 1
    assert (waiting.now, waiting.deadline) == (1100, 1100)


def test_one_that_was_away_gives_those_a_little_time_who_could_not_reach_it(waiting):
    waiting.commits(0)
    with pytest.raises(NoRest):
        waiting.engine.commit(waiting.task, waiting.cohort)
    waiting.passes(5000)
    waiting.start()
    waiting.happens = [lambda: waiting.commits(1), lambda: waiting.passes(GRACE_SECONDS)]
    assert len(waiting.engine.commit(waiting.task, waiting.cohort).commits) == 2
    assert waiting.deadline == 6000 + GRACE_SECONDS


def test_commitments_that_a_former_self_has_closed_are_not_waited_for(waiting):
    waiting.commits(0, 1)
    root = waiting.instance.sequencer.close_commits()
    answer = waiting.engine.commit(waiting.task, waiting.cohort)
    assert len(answer.commits) == 2
    for commit in answer.commits:
        waiting.instance.sequencer.accept_commit(commit.action, commit.signature)
    assert waiting.instance.sequencer.close_commits() == root


def test_updates_are_waited_for_until_all_are_there_or_the_time_is_over(waiting):
    waiting.commits(0, 1, 2)
    waiting.instance.sequencer.close_commits()
    three = waiting.cohort[:3]
    waiting.happens = [lambda: waiting.reveals(1), lambda: waiting.passes(49), lambda: waiting.passes(1)]
    assert waiting.engine.reveal(waiting.task, three) == []
    assert waiting.deadline == 1050
    waiting.happens = [lambda: waiting.reveals(0), lambda: waiting.reveals(2)]
    waiting.start()
    assert waiting.engine.reveal(waiting.task, three) == []
    executed = waiting.instance.sequencer.execute(lambda _: 1)
    assert executed.header.participants == 0b111


def test_without_a_single_update_no_deadline_ends_the_waiting(waiting):
    waiting.commits(0, 1)
    waiting.instance.sequencer.close_commits()
    waiting.happens = [lambda: waiting.passes(500), lambda: waiting.reveals(0)]
    waiting.engine.reveal(waiting.task, waiting.cohort[:2])
    assert waiting.happens == []


def test_the_list_of_commitments_lies_under_the_root_that_goes_on_chain(waiting):
    waiting.commits(0, 2, 3)
    leaver = waiting.cohort[3]
    root = waiting.instance.sequencer.close_commits(lambda client: client != leaver)
    assert publish_commits(waiting.instance.blobs, waiting.instance.sequencer) == root
    opened = waiting.instance.blobs.get(root)
    assert opened == opened_commits(waiting.instance.sequencer)
    filled = [seat for seat in range(5) if any(opened[1 + 32 * seat : 33 + 32 * seat])]
    assert filled == [0, 2], "who had no stake is not in it"


def test_time_is_the_wall_clock_s(tmp_path):
    instance = StoredInstance(tmp_path)
    engine = IntakeEngine(
        instance.store, PATIENCE, is_staked=lambda _: True, rest=lambda: (_ for _ in ()).throw(NoRest)
    )
    state, context = instance.sequencer.state, instance.cohort.context
    task = RoundTask(context, instance.sequencer.next_epoch, 0, state.model, state.model_root, state.last_delta)
    before = time.time()
    with pytest.raises(NoRest):
        engine.commit(task, context.cohort)
    current = instance.store.rounds.current(instance.key)
    assert current.phase is Phase.OPEN
    assert before + 100 <= current.deadline <= time.time() + 100
