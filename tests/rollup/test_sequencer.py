"""The sequencer: what it accepts it keeps, what it refuses changes nothing, and a kill costs nothing."""

from dataclasses import replace

import pytest

from fedblocks.rollup.actions import check_signature
from fedblocks.rollup.admission import (
    AlreadyCommitted,
    DoesNotOpen,
    NotCommitted,
    NothingUnderWay,
    UnsignedAction,
    WrongPhase,
    WrongRound,
    revealed_hash,
)
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.conflicts import WriterConflict
from fedblocks.rollup.progress import Phase
from fedblocks.rollup.records import Level
from fedblocks.rollup.sequencer import Sequencer
from fedblocks.rollup.store import RollupStore
from fedblocks.storage.errors import StorageFull
from tests.rollup.cohort import signer
from tests.rollup.instance import AGGREGATOR, StoredInstance


@pytest.fixture
def instance(tmp_path):
    return StoredInstance(tmp_path)


def actions_of(instance):
    return instance.store.actions(instance.key, instance.sequencer.next_epoch, instance.sequencer.attempt)


def test_an_accepted_commitment_is_stored_and_acknowledged_with_the_sequencers_signature(instance):
    action, signature, _ = instance.round([2])[2]
    answer = instance.sequencer.accept_commit(action, signature)
    check_signature(answer.acknowledgement, instance.cohort.context.domain, answer.signature, AGGREGATOR.address)
    (stored,) = actions_of(instance)
    assert (stored.seat, stored.commitment, stored.signature) == (2, action.commitment, signature)
    assert stored.action_hash == answer.acknowledgement.action_hash
    assert instance.store.action_level(stored.action_hash) is Level.RECEIVED


def test_the_same_commitment_twice_is_acknowledged_twice_and_stored_once(instance):
    action, signature, _ = instance.round([2])[2]
    first = instance.sequencer.accept_commit(action, signature)
    assert instance.sequencer.accept_commit(action, signature) == first
    assert len(actions_of(instance)) == 1


def test_another_commitment_of_the_same_client_is_refused_and_changes_nothing(instance):
    first, again = instance.round([2])[2], instance.round([2])[2]
    instance.sequencer.accept_commit(*first[:2])
    with pytest.raises(AlreadyCommitted, match="a commitment cannot be changed"):
        instance.sequencer.accept_commit(*again[:2])
    assert [stored.commitment for stored in actions_of(instance)] == [first[0].commitment]


def test_a_commitment_of_the_last_epoch_is_no_commitment_of_this_one(instance):
    old = instance.round([0])[0]
    instance.run_epoch()
    with pytest.raises(WrongRound, match="for epoch 1, but epoch 2 is under way"):
        instance.sequencer.accept_commit(*old[:2])
    assert actions_of(instance) == []


def test_an_old_signature_under_a_new_action_is_refused_and_changes_nothing(instance):
    old = instance.round([0])[0]
    instance.run_epoch()
    new = instance.round([0])[0]
    with pytest.raises(UnsignedAction):
        instance.sequencer.accept_commit(new[0], old[1])
    assert actions_of(instance) == []


def test_commitments_after_the_closing_and_reveals_before_it_are_refused(instance):
    parts = instance.round([0, 1])
    instance.sequencer.accept_commit(*parts[0][:2])
    with pytest.raises(WrongPhase, match="a reveal was sent while commitments are open"):
        instance.sequencer.accept_reveal(parts[0][2])
    instance.sequencer.close_commits()
    with pytest.raises(WrongPhase, match="a commitment was sent while commitments are closed"):
        instance.sequencer.accept_commit(*parts[1][:2])
    with pytest.raises(WrongPhase, match="open"):
        StoredInstance(instance.folder / "other").sequencer.execute(lambda model: 0)


def test_a_reveal_is_acknowledged_for_its_commitment(instance):
    action, signature, reveal = instance.round([1])[1]
    commit = instance.sequencer.accept_commit(action, signature)
    instance.sequencer.close_commits()
    answer = instance.sequencer.accept_reveal(reveal)
    assert answer.acknowledgement.action_hash == revealed_hash(commit.acknowledgement.action_hash)
    assert instance.sequencer.accept_reveal(reveal) == answer


def test_a_reveal_that_is_not_admitted_changes_nothing(instance):
    parts = instance.round([0, 1])
    instance.sequencer.accept_commit(*parts[0][:2])
    instance.sequencer.close_commits()
    with pytest.raises(DoesNotOpen):
        instance.sequencer.accept_reveal(replace(parts[0][2], samples=99))
    with pytest.raises(NotCommitted):
        instance.sequencer.accept_reveal(parts[1][2])
    assert [stored.kind for stored in actions_of(instance)] == ["commit"]


def test_a_full_disk_changes_nothing_and_the_client_may_send_again(instance, monkeypatch):
    parts = instance.round([0, 1, 2, 3])
    for action, signature, _ in parts.values():
        instance.sequencer.accept_commit(action, signature)
    instance.sequencer.close_commits()

    def full(self, data):
        raise StorageFull("blobs")

    with monkeypatch.context() as patch:
        patch.setattr(BlobStore, "put", full)
        with pytest.raises(StorageFull, match="no space left"):
            instance.sequencer.accept_reveal(parts[0][2])
    for _, _, reveal in parts.values():
        instance.sequencer.accept_reveal(reveal)
    with monkeypatch.context() as patch:
        patch.setattr(BlobStore, "put", full)
        with pytest.raises(StorageFull):
            instance.sequencer.execute(lambda model: 1)
    assert instance.sequencer.next_epoch == 1
    assert instance.sequencer.execute(lambda model: 1).header.participants == 0b1111


def test_epochs_follow_one_another_and_are_stored(instance):
    first, second = instance.run_epoch(), instance.run_epoch([0, 1, 2, 3])
    assert second.header.previous_header_hash == first.header.hash()
    assert [stored.header for stored in instance.store.epochs(instance.key)] == [first.header, second.header]
    assert instance.sequencer.next_epoch == 3


@pytest.mark.parametrize("metric", [-1, 1_000_001])
def test_a_metric_out_of_range_is_refused(instance, metric):
    with pytest.raises(ValueError, match="parts per million"):
        instance.run_epoch(metric=metric)
    assert instance.sequencer.next_epoch == 1


def test_a_killed_sequencer_comes_back_to_the_same_header(tmp_path):
    """Killed after every single action, it posts what it would have posted."""
    steady, shaken = StoredInstance(tmp_path / "steady"), StoredInstance(tmp_path / "shaken")
    expected = [steady.run_epoch().header for _ in range(2)]
    for header in expected:
        parts = shaken.round()
        for action, signature, _ in parts.values():
            shaken.sequencer.accept_commit(action, signature)
            shaken.sequencer = shaken.killed()
        shaken.sequencer.close_commits()
        for _, _, reveal in parts.values():
            shaken.sequencer.accept_reveal(reveal)
            shaken.sequencer = shaken.killed()
            shaken.sequencer.close_commits()
        assert shaken.sequencer.execute(lambda model: 500_000).header == header
        shaken.sequencer = shaken.killed()
        assert shaken.sequencer.state.head == header.hash()


def test_a_second_sequencer_takes_over_only_under_the_same_name(instance):
    other = RollupStore(f"sqlite:///{instance.database}")
    with pytest.raises(WriterConflict, match="is written by"):
        other.acquire_writer(instance.key, signer(7).address)
    Sequencer.resume(other, instance.blobs, instance.key, AGGREGATOR)
    action, signature, _ = instance.round([0])[0]
    with pytest.raises(WriterConflict, match="taken over"):
        instance.sequencer.accept_commit(action, signature)
    assert instance.sequencer.commits == {}


def test_a_new_attempt_makes_old_commitments_void(instance):
    old = instance.round([0])[0]
    instance.sequencer.accept_commit(*old[:2])
    instance.sequencer.restart(1)
    with pytest.raises(WrongRound, match="for attempt 0, but attempt 1 is under way"):
        instance.sequencer.accept_commit(*old[:2])
    assert instance.run_epoch().header.attempt == 1


def test_a_sequencer_that_was_finished_comes_back_finished_and_a_new_attempt_begins_anew(instance):
    instance.run_epoch()
    instance.sequencer.finish()
    instance.sequencer = instance.killed()
    assert instance.sequencer.phase is Phase.VOID
    action, signature, _ = instance.round([0])[0]
    with pytest.raises(NothingUnderWay):
        instance.sequencer.accept_commit(action, signature)
    instance.sequencer.restart(1)
    assert instance.run_epoch().header.attempt == 1
