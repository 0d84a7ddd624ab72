"""Rounds over HTTP: what goes in is what the executor finds, and what it makes of it comes out."""

import numpy as np
import pytest

from fedblocks.rollup.actions import WrongSigner, check_signature
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.progress import Happened, Phase
from fedblocks.rollup.records import Level
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import vector_root
from fedblocks.service.client import MpsClient, NodeProblem
from tests.rollup.cohort import SmallCohort, signer
from tests.rollup.instance import AGGREGATOR, USER, StoredInstance
from tests.service.running import ThreadedNode


def run_epoch(instance, client, seats=range(5)):
    """An epoch whose actions all come in over HTTP."""
    domain, parts = instance.cohort.context.domain, instance.round(seats)
    for action, signature, _ in parts.values():
        client.commit(domain, action, signature, AGGREGATOR.address)
    instance.sequencer.close_commits()
    for action, _, reveal in parts.values():
        client.reveal(domain, action, reveal, AGGREGATOR.address)
    return parts, instance.sequencer.execute(lambda model: 700_000)


def test_an_epoch_over_http_has_the_header_of_one_in_a_process(instance, client, tmp_path):
    alone = StoredInstance(tmp_path / "alone")
    for _ in range(2):
        assert run_epoch(instance, client)[1].header == alone.run_epoch(metric=700_000).header


def test_both_databases_take_actions_from_a_node_beside_the_executor(any_database, tmp_path):
    cohort, blobs = SmallCohort(), BlobStore(f"file://{tmp_path}/blobs")
    with RollupStore(any_database) as store:
        accounts = {"user": USER.address, "aggregator": AGGREGATOR.address}
        made = (cohort.context, cohort.model, store, blobs, AGGREGATOR)
        sequencer = Sequencer.create(*made, **accounts, max_epochs=1)
        with ThreadedNode(any_database, blobs) as node, MpsClient(node.url) as client:
            parts = [cohort.commit(sequencer.state, seat, cohort.update()) for seat in range(5)]
            for action, signature, _ in parts:
                client.commit(cohort.context.domain, action, signature, AGGREGATOR.address)
            sequencer.close_commits()
            for action, _, reveal in parts:
                client.reveal(cohort.context.domain, action, reveal, AGGREGATOR.address)
            header = sequencer.execute(lambda model: 1).header
            assert header.participants == 0b11111
            assert client.round(1) is None, "all epochs that were paid for are executed"
            assert [entry.header_hash for entry in client.headers(1)] == ["0x" + header.hash().hex()]
        key = instance_key(cohort.context)
        assert [record.sequence for record in store.actions(key, 1, 0)] == list(range(1, 11))


def test_a_round_says_what_to_train_from_and_who_has_sent_what(instance, client):
    run_epoch(instance, client)
    parts = instance.round([3])
    client.commit(instance.cohort.context.domain, *parts[3][:2], AGGREGATOR.address)
    current, state = client.round(1), instance.sequencer.state
    assert (current.epoch, current.attempt, current.phase, current.committed) == (2, 0, Phase.OPEN, [3])
    model = client.model(bytes.fromhex(current.base_model_blob[2:]), instance.cohort.context.d)
    assert vector_root(model).hex() == current.base_model_root[2:]
    np.testing.assert_array_equal(model, state.model)
    delta = client.delta(bytes.fromhex(current.last_delta_blob[2:]), instance.cohort.context.d)
    np.testing.assert_array_equal(delta, state.last_delta)


def test_the_deadline_that_the_executor_announces_is_told_and_gone_with_its_phase(instance, client):
    instance.sequencer.announce(1_800_000_000.5)
    assert client.round(1).deadline == 1_800_000_000.5
    instance.sequencer.close_commits()
    assert client.round(1).deadline is None


def test_the_same_action_twice_gets_the_same_signed_acknowledgement(instance, client):
    domain = instance.cohort.context.domain
    action, signature, reveal = instance.round([0])[0]
    first = client.commit(domain, action, signature, AGGREGATOR.address)
    check_signature(first.acknowledgement, domain, first.signature, AGGREGATOR.address)
    assert client.commit(domain, action, signature, AGGREGATOR.address) == first
    instance.sequencer.close_commits()
    assert client.commit(domain, action, signature, AGGREGATOR.address) == first, "also when commitments are closed"
    answer = client.reveal(domain, action, reveal, AGGREGATOR.address)
    assert client.reveal(domain, action, reveal, AGGREGATOR.address) == answer
    assert len(instance.store.actions(instance.key, 1, 0)) == 2


def test_an_acknowledgement_of_another_than_the_aggregator_is_not_taken(instance, client):
    action, signature, _ = instance.round([0])[0]
    with pytest.raises(WrongSigner):
        client.commit(instance.cohort.context.domain, action, signature, signer(50).address)


def test_a_client_checks_that_its_update_is_in(instance, client):
    parts, executed = run_epoch(instance, client, [0, 1, 2, 3])
    proof = client.proof(1, 1, 2)
    assert proof.header == executed.header
    assert proof.took_part
    assert parts[2][2].update_root in proof.submission
    assert not client.proof(1, 1, 4).took_part
    assert client.proof(1, 1, 4).commit is None


def test_an_epoch_rises_from_executed_to_final_or_falls(instance, client):
    run_epoch(instance, client)
    assert client.epoch(1, 1).level is Level.EXECUTED
    instance.store.set_level(instance.key, 1, 0, Level.POSTED, transaction_hash=bytes(31) + b"\1", block_number=5)
    posted = client.epoch(1, 1)
    assert (posted.level, posted.block_number, posted.fields["metric"]) == (Level.POSTED, 5, "700000")
    instance.store.set_level(instance.key, 1, 0, Level.FINAL)
    assert client.epoch(1, 1).level is Level.FINAL
    stored = instance.store.actions(instance.key, 1, 0)[0]
    assert client.action_level(stored.action_hash).level is Level.FINAL


def test_progress_is_told_in_order_and_from_any_number_on(instance, client):
    run_epoch(instance, client, [0, 1, 2, 3])
    instance.store.set_level(instance.key, 1, 0, Level.POSTED)
    events = list(client.events(1, wait=False))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    commits, reveals = [Happened.COMMITTED] * 4, [Happened.REVEALED] * 4
    assert [event.what for event in events] == [
        *(Happened.OPENED, *commits, Happened.CLOSED, *reveals),
        *(Happened.EXECUTED, Happened.OPENED, Happened.POSTED),
    ]
    assert [event.details["count"] for event in events if event.what is Happened.COMMITTED] == [1, 2, 3, 4]
    assert list(client.events(1, after=events[5].number, wait=False)) == events[6:]


def test_who_follows_hears_of_what_happens_next(instance, client):
    following = client.events(1)
    assert next(following).what is Happened.OPENED
    action, signature, _ = instance.round([1])[1]
    instance.sequencer.accept_commit(action, signature)
    event = next(following)
    assert (event.what, event.details) == (Happened.COMMITTED, {"seat": 1, "count": 1})
    following.close()


def test_who_has_no_stake_when_commitments_are_closed_is_left_out(instance, client):
    domain, parts = instance.cohort.context.domain, instance.round()
    for action, signature, _ in parts.values():
        client.commit(domain, action, signature, AGGREGATOR.address)
    leaver = instance.cohort.context.cohort[2]
    root = instance.sequencer.close_commits(lambda client: client != leaver)
    assert client.round(1).left_out == [2]
    with pytest.raises(NodeProblem, match="had no active stake") as caught:
        client.reveal(domain, parts[2][0], parts[2][2], AGGREGATOR.address)
    assert caught.value.status == 403
    instance.sequencer = instance.killed()
    assert instance.sequencer.close_commits() == root, "a restarted executor leaves out the same"
    for seat in (0, 1, 3, 4):
        client.reveal(domain, parts[seat][0], parts[seat][2], AGGREGATOR.address)
    assert instance.sequencer.execute(lambda model: 1).header.participants == 0b11011
    instance.sequencer = instance.killed()
    assert instance.sequencer.state.epoch == 1, "it replays without the one that was left out"


def test_a_node_without_the_aggregators_key_takes_nothing(instance):
    with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, account=signer(7)) as node:
        action, signature, _ = instance.round([0])[0]
        with MpsClient(node.url) as client, pytest.raises(NodeProblem, match="ask the aggregator for its node"):
            client.commit(instance.cohort.context.domain, action, signature, AGGREGATOR.address)
