"""Intakes beside the executor: whatever is acknowledged counts, and what does not count is not acknowledged."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fedblocks.rollup.actions import Acknowledgement, action_hash, sign_action
from fedblocks.rollup.admission import NothingUnderWay, WrongPhase
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.conflicts import RoundConflict, UnknownRecord
from fedblocks.rollup.intake import Intake
from fedblocks.rollup.progress import Phase
from fedblocks.rollup.records import ActionKind, ActionRecord
from fedblocks.rollup.replay import ReplayMismatch
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from tests.rollup.cohort import SmallCohort, signer
from tests.rollup.instance import AGGREGATOR, USER


class Shared:
    """An instance with its executor, and the cohort that takes part in it."""

    def __init__(self, url: str, folder: Path, n: int = 5) -> None:
        self.url, self.cohort, self.blobs = url, SmallCohort(n), BlobStore(f"file://{folder}/blobs")
        self.store, self.key = RollupStore(url), instance_key(self.cohort.context)
        accounts = {"user": USER.address, "aggregator": AGGREGATOR.address}
        made = (self.cohort.context, self.cohort.model, self.store, self.blobs, AGGREGATOR)
        self.sequencer = Sequencer.create(*made, **accounts, max_epochs=3)

    def intake(self, account=AGGREGATOR) -> Intake:
        """Another process's: it shares the database, and nothing else."""
        store = RollupStore(self.url)
        record = store.get_instance(self.key)
        assert record is not None
        return Intake(store, self.blobs, account, record)

    def parts(self):
        state, attempt = self.sequencer.state, self.sequencer.attempt
        return [
            self.cohort.commit(state, seat, self.cohort.update(), attempt=attempt)
            for seat in range(len(self.cohort.signers))
        ]


@pytest.fixture
def shared(any_database, tmp_path) -> Shared:
    return Shared(any_database, tmp_path)


def test_whatever_is_acknowledged_while_commitments_are_closed_is_under_the_root(any_database, tmp_path):
    shared = Shared(any_database, tmp_path, n=12)
    parts, intakes = shared.parts(), [shared.intake(), shared.intake()]
    acknowledged: set[int] = set()
    some, gate = threading.Event(), threading.Barrier(5)

    def send(worker: int) -> None:
        gate.wait()
        for seat in range(worker, 12, 4):
            try:
                intakes[worker % 2].accept_commit(*parts[seat][:2])
            except WrongPhase:
                return
            acknowledged.add(seat)
            some.set()

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    gate.wait()
    some.wait(30)
    shared.sequencer.close_commits()
    for thread in threads:
        thread.join()
    assert set(shared.sequencer.commits) == acknowledged
    records = shared.store.actions(shared.key, 1, 0)
    assert [record.sequence for record in records] == list(range(1, len(acknowledged) + 1))


def test_reveals_of_another_process_are_executed_after_a_second_look(shared):
    intake, parts = shared.intake(), shared.parts()
    for action, signature, _ in parts:
        intake.accept_commit(action, signature)
    shared.sequencer.close_commits()
    for _, _, reveal in parts:
        intake.accept_reveal(reveal)
    assert shared.sequencer.execute(lambda model: 1).header.participants == 0b11111
    with pytest.raises(WrongPhase, match="while commitments are open"):
        intake.accept_reveal(parts[0][2])


def test_a_commitment_that_somebody_wrote_into_the_database_is_not_believed(shared):
    parts = shared.parts()
    for action, signature, _ in parts[:4]:
        shared.sequencer.accept_commit(action, signature)
    action, _, _ = parts[4]
    domain = shared.cohort.context.domain
    digest = action_hash(action, domain)
    shared.store.rounds.admit(
        shared.key,
        ActionRecord(
            epoch=1,
            attempt=0,
            seat=4,
            kind=ActionKind.COMMIT,
            action_hash=digest,
            client=shared.cohort.context.cohort[4],
            commitment=action.commitment,
            signature=sign_action(action, domain, signer(70)),
            acknowledgement=sign_action(Acknowledgement(digest), domain, AGGREGATOR),
        ),
    )
    with pytest.raises(ReplayMismatch, match="its commit"):
        shared.sequencer.close_commits()


def test_an_acknowledgement_by_another_key_is_noticed_before_anything_is_posted(shared):
    action, signature, _ = shared.parts()[0]
    shared.intake(signer(71)).accept_commit(action, signature)
    with pytest.raises(ReplayMismatch, match="must be signed by"):
        shared.sequencer.close_commits()


def test_a_restarted_executor_finds_the_phase(shared):
    parts = shared.parts()
    for action, signature, _ in parts:
        shared.sequencer.accept_commit(action, signature)
    root = shared.sequencer.close_commits()
    again = Sequencer.resume(shared.store, shared.blobs, shared.key, AGGREGATOR)
    assert (again.phase, again.close_commits()) == (Phase.CLOSED, root)
    for _, _, reveal in parts:
        again.accept_reveal(reveal)
    # Killed while it executes: nothing of it was stored, and the round is closed again.
    shared.store.rounds.move(shared.key, 1, 0, Phase.EXECUTING)
    again = Sequencer.resume(shared.store, shared.blobs, shared.key, AGGREGATOR)
    assert again.phase is Phase.CLOSED
    assert again.execute(lambda model: 1).header.participants == 0b11111
    assert again.phase is Phase.OPEN


def test_another_attempt_makes_the_round_void_and_its_number_is_used_up(shared):
    intake, (action, signature, _) = shared.intake(), shared.parts()[0]
    intake.accept_commit(action, signature)
    shared.sequencer.restart(1)
    assert shared.store.rounds.get(shared.key, 1, 0).phase is Phase.VOID
    assert (intake.current().attempt, shared.sequencer.commits) == (1, {})
    with pytest.raises(RoundConflict, match="it is void; a new one needs a higher attempt"):
        shared.sequencer.restart(0)


def test_when_the_instance_is_done_nothing_is_admitted(shared):
    action, signature, _ = shared.parts()[0]
    shared.sequencer.finish()
    assert shared.sequencer.phase is Phase.VOID
    with pytest.raises(NothingUnderWay):
        shared.intake().accept_commit(action, signature)


def test_a_round_does_not_go_back_nor_leap(shared):
    rounds, key = shared.store.rounds, shared.key
    with pytest.raises(RoundConflict, match="it is open and cannot become executed"):
        rounds.move(key, 1, 0, Phase.EXECUTED)
    with pytest.raises(RoundConflict, match="the root is of closed commitments"):
        rounds.fix_commits(key, 1, 0, bytes(32))
    rounds.move(key, 1, 0, Phase.CLOSED)
    rounds.fix_commits(key, 1, 0, bytes(32))
    rounds.fix_commits(key, 1, 0, bytes(32))
    with pytest.raises(RoundConflict, match="its root is 0x0000"):
        rounds.fix_commits(key, 1, 0, bytes([1] * 32))
    with pytest.raises(RoundConflict, match="cannot become open"):
        rounds.move(key, 1, 0, Phase.OPEN)
    with pytest.raises(UnknownRecord, match="attempt 7 at epoch 1"):
        rounds.announce(key, 1, 7, 1.0)
