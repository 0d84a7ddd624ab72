"""The submitter on a real chain: each epoch exactly once, whatever happens in between."""

from dataclasses import replace

import pytest

from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import IntentState as OutboxState
from fedblocks.chain.outbox_records import NotDoneYet, Step
from fedblocks.contracts.model_parameter_chain import EpochFinalized
from fedblocks.rollup.records import IntentKind, IntentState, Level
from fedblocks.rollup.sequencer import instance_key
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.submitter import ConflictingEpoch, Submitter
from tests.rollup.running import open_instance


@pytest.fixture
def running(staked, tmp_path):
    return open_instance(staked, tmp_path)


def test_the_genesis_that_is_computed_here_is_the_one_on_chain(running):
    context: InstanceContext = running.sequencer.context
    assert running.roles.user.chain.instance(context.instance_id).last_header_hash == context.genesis_hash
    assert RollupState.genesis(context, running.cohort.model).head == context.genesis_hash


def test_a_header_is_posted_under_the_hash_that_was_computed_here(running):
    header = running.executed().header
    receipt = running.submitter.submit(header)
    record = running.roles.user.chain.epoch(running.sequencer.context.instance_id, 1)
    assert record.header_hash == header.hash()
    assert running.level(1) is Level.POSTED
    stored = running.store.get_epoch(instance_key(running.sequencer.context), 1)
    assert (stored.transaction_hash, stored.block_number) == (receipt.transaction_hash, receipt.block)


def test_posting_again_sends_nothing(running):
    header = running.executed().header
    running.submitter.submit(header)
    nonce = running.roles.aggregator.sender.next_nonce()
    assert running.submitter.submit(header) is None
    assert running.roles.aggregator.sender.next_nonce() == nonce
    assert running.posted == 1


def test_a_submitter_that_was_killed_after_sending_finds_its_epoch_on_chain(running):
    header = running.executed().header
    # What happens when the process dies between the transaction and its confirmation: the chain knows, the store not.
    running.roles.aggregator.chain.submit_epoch(header)
    assert running.level(1) is Level.EXECUTED
    restarted = Submitter(running.roles.aggregator.chain, running.store, instance_key(running.sequencer.context))
    assert restarted.submit(header) is None
    assert running.level(1) is Level.POSTED
    assert running.posted == 1


def test_a_submitter_that_was_killed_before_sending_sends_what_it_had_planned(running):
    header = running.executed().header
    key = instance_key(running.sequencer.context)
    intent = running.store.get_intent(key, IntentKind.CLOSE_COMMITS, 1, 0)
    assert intent.state is IntentState.CONFIRMED
    restarted = Submitter(running.roles.aggregator.chain, running.store, key)
    assert restarted.submit(header) is not None
    assert running.store.get_intent(key, IntentKind.SUBMIT_EPOCH, 1, 0).state is IntentState.CONFIRMED
    assert running.store.open_intents(key) == []


def test_closing_the_same_commitments_again_sends_nothing(running):
    running.executed()
    root = running.roles.user.chain.epoch(running.sequencer.context.instance_id, 1).commits_root
    nonce = running.roles.aggregator.sender.next_nonce()
    assert running.submitter.close_commits(1, 0, root) is None
    assert running.roles.aggregator.sender.next_nonce() == nonce


def test_another_header_or_root_on_chain_is_a_conflict_and_nothing_is_sent(running):
    header = running.executed().header
    other = replace(header, metric=2)
    running.roles.aggregator.chain.submit_epoch(other)
    with pytest.raises(ConflictingEpoch, match="the header of epoch 1 on chain is 0x"):
        running.submitter.submit(header)
    with pytest.raises(ConflictingEpoch, match="the root of commitments of epoch 1"):
        running.submitter.close_commits(1, 0, bytes(31) + b"\1")
    assert running.posted == 1


def test_epochs_become_final_in_order_when_their_window_has_passed(running):
    window = running.roles.user.chain.challenge_window()
    running.submitter.submit(running.executed().header)
    assert running.submitter.finalize_ready() == []
    running.roles.node.increase_time(window // 2)
    running.submitter.submit(running.executed().header)
    running.roles.node.increase_time(window // 2 + 2)
    (first,) = running.submitter.finalize_ready()
    assert first.one(EpochFinalized).epoch == 1
    assert [running.level(1), running.level(2)] == [Level.FINAL, Level.POSTED]
    running.roles.node.increase_time(window)
    assert [receipt.one(EpochFinalized).epoch for receipt in running.submitter.finalize_ready()] == [2]
    assert running.submitter.finalize_ready() == []


def test_levels_follow_the_chain_whoever_finalised(running):
    running.submitter.submit(running.executed().header)
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    running.roles.stranger.chain.finalize_epoch(running.sequencer.context.instance_id, 1)
    running.submitter.reconcile()
    assert running.level(1) is Level.FINAL


class TestWithAnOutbox:
    """The same through an outbox: what was sent by a process that is gone is found, and not sent again."""

    @pytest.fixture
    def box(self, running, tmp_path):
        sender = running.roles.aggregator.chain.sender
        with Outbox.open(f"sqlite:///{tmp_path / 'outbox.sqlite'}", sender.connection, sender.signer) as box:
            sender.outbox = box
            yield box
        sender.outbox = None

    def test_every_transaction_of_an_epoch_is_written_down_by_what_it_means(self, running, box):
        running.submitter.submit(running.executed().header)
        running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
        assert len(running.submitter.finalize_ready()) == 1
        meanings = [intent.meaning.split("/")[0] for intent in box.intents()]
        assert meanings == ["closeCommits", "submitEpoch", "finalizeEpoch"]
        assert {intent.state for intent in box.intents()} == {OutboxState.CONFIRMED}
        assert running.level(1) is Level.FINAL

    def test_what_was_sent_and_not_yet_mined_is_waited_for_and_not_sent_again(self, running, box):
        header = running.executed().header
        node, sender = running.roles.node, running.roles.aggregator.sender
        node.connection.rpc("evm_setAutomine", False)
        try:
            sender._timeout = 0.05
            with pytest.raises(NotDoneYet):
                running.submitter.submit(header)
            # Posted all the same, as soon as there is a block.
            node.connection.rpc("evm_mine")
        finally:
            node.connection.rpc("evm_setAutomine", True)
        restarted = Submitter(running.roles.aggregator.chain, running.store, instance_key(running.sequencer.context))
        assert restarted.submit(header) is None
        assert running.level(1) is Level.POSTED
        assert [intent.state for intent in box.settle(timeout=5)] == []
        assert [len(intent.attempts) for intent in box.intents()] == [1, 1]

    def test_an_epoch_that_others_finalise_first_is_no_error(self, running, box):
        running.submitter.submit(running.executed().header)
        instance = running.sequencer.context.instance_id
        running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
        others = running.roles.stranger.chain

        def first(step):
            if step.step is Step.PLANNED:
                others.finalize_epoch(instance, 1)

        box._listener = first
        assert running.submitter.finalize_ready() == []
        assert running.level(1) is Level.FINAL
        assert box.intents()[-1].state is OutboxState.DONE_BY_OTHERS
