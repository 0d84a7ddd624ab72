"""The watcher on a real chain: it finds, proves, demands, collects, and does nothing twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedblocks import FedBlocks
from fedblocks.chain.connection import NodeRefused
from fedblocks.chain.events import LogsIncomplete
from fedblocks.chain.reverts import ContractReverted
from fedblocks.contracts.model_parameter_chain import EpochOverturned
from fedblocks.rollup.fraud.cases import DemandKind, FraudCase
from fedblocks.rollup.fraud.prover import find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.manifest import read_manifest
from fedblocks.rollup.publication import read_epoch
from fedblocks.rollup.records import Level
from fedblocks.rollup.responder import Responder
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.state import RollupState
from fedblocks.rollup.submitter import Submitter
from fedblocks.rollup.watch_journal import JournalUnusable, WatchJournal
from fedblocks.rollup.watcher import Happening, Watcher
from tests.faults.proxy import Fault, FaultyNode, OfFunction, Script
from tests.rollup.epochs import changed
from tests.rollup.running import Running, open_instance

D = 2 * 4096 + 300


class Liar(Sequencer):
    """A sequencer that posts what `lie` makes of an epoch, and publishes it if `publishes`."""

    lie = staticmethod(lambda transition: transition)
    publishes = True

    def _transition(self, submissions):
        return self.lie(super()._transition(submissions))

    def _publish(self, transition):
        return super()._publish(transition) if self.publishes else keccak256(b"nowhere")


@pytest.fixture
def running(staked, tmp_path) -> Running:
    return open_instance(staked, tmp_path, Liar, D)


class Watching:
    """A watcher of a test, and what it said."""

    def __init__(self, running: Running, account=None, journal: Path | None = None, **options) -> None:
        roles = running.roles
        fedblocks = roles.stranger if account is None else account
        self.reports = []
        self.watcher = Watcher(
            fedblocks.watched,
            running.blobs,
            fedblocks.deployment.first_block,
            WatchJournal(journal),
            self.reports.append,
            genesis={running.sequencer.context.instance_id: running.cohort.model},
            **options,
        )

    def poll(self) -> list[Happening]:
        """What a look at the chain makes it say."""
        before = len(self.reports)
        self.watcher.poll()
        return [report.what for report in self.reports[before:]]


def wrong_delta(transition):
    return replace(transition, data=replace(transition.data, delta=changed(transition.data.delta, 5000)))


def wrong_product(transition):
    leaves = transition.data.gram.leaves.copy()
    leaves[1:, transition.data.gram.layout.row(2).start + 4] ^= 1
    return replace(transition, data=replace(transition.data, gram=GramTrace(6, leaves)))


def wrong_cohort(transition):
    return replace(transition, data=replace(transition.data, cohort=b"\1" + transition.data.cohort[1:]))


def wrong_submission(transition):
    submissions = list(transition.data.submissions)
    submissions[1] = submissions[1][:-1] + b"\0"
    return replace(transition, data=replace(transition.data, submissions=tuple(submissions)))


def viewer(running: Running, url: str) -> FedBlocks:
    """Somebody who only looks, through a node of their own."""
    return FedBlocks.connect(url, running.roles.stranger.deployment)


def post(running: Running, lie=None) -> object:
    running.sequencer.lie = lie or (lambda transition: transition)
    header = running.executed().header
    running.submitter.submit(header)
    return header


def take_back(running: Running) -> None:
    """The aggregator sees that its epoch has fallen, pays another bond, and goes on."""
    running.submitter.reconcile()
    key = instance_key(running.sequencer.context)
    attempt = running.roles.user.chain.instance(key.instance_id).attempt
    running.roles.aggregator.chain.deposit_bond(key.instance_id)
    signer = running.roles.aggregator.sender.signer
    running.sequencer = Liar.resume(running.store, running.blobs, key, signer, attempt)
    running.submitter = Submitter(running.roles.aggregator.chain, running.store, key)


def test_right_epochs_are_left_alone(running):
    watching = Watching(running)
    post(running)
    assert watching.poll() == [Happening.RIGHT]
    post(running)
    assert watching.poll() == [Happening.RIGHT]
    assert watching.poll() == []
    assert running.posted == 2


@pytest.mark.parametrize(
    ("lie", "case"),
    [
        (wrong_delta, FraudCase.DELTA),
        (wrong_product, FraudCase.PRODUCT),
        (wrong_cohort, FraudCase.COHORT),
        (wrong_submission, FraudCase.SUBMISSION),
    ],
)
def test_a_lie_costs_the_bond_and_pays_the_watcher(running, lie, case):
    roles, instance = running.roles, running.sequencer.context.instance_id
    bond = roles.user.chain.bond(instance, roles.aggregator.sender.address)
    post(running)
    post(running, lie)
    post(running)  # a successor falls with it
    watching = Watching(running)
    assert watching.poll() == [Happening.RIGHT, Happening.FAULT, Happening.CHALLENGED, Happening.COLLECTED]
    (event,) = [each for each in roles.user.chain.events() if isinstance(each, EpochOverturned)]
    assert (event.epoch, event.fraud_case, event.challenger) == (2, case, roles.stranger.sender.address)
    assert running.posted == 1
    assert roles.user.chain.bond(instance, roles.aggregator.sender.address) == 0
    collected = int(watching.reports[-1].text.split()[0])
    assert 0 < collected < bond // 2
    assert watching.poll() == [Happening.OVERTURNED]
    assert watching.poll() == []


def test_without_an_account_a_watcher_only_looks(running):
    post(running, wrong_delta)
    viewer = running.roles.stranger
    alone = type(viewer)(viewer.connection, viewer.deployment)
    watching = Watching(running, alone)
    assert watching.poll() == [Happening.FAULT]
    assert watching.poll() == []
    assert running.posted == 1


def test_a_watcher_that_was_killed_does_nothing_twice(running, tmp_path):
    post(running, wrong_delta)
    journal = tmp_path / "journal"
    first = Watching(running, journal=journal)
    first.poll()
    nonce = running.roles.stranger.sender.next_nonce()
    second = Watching(running, journal=journal)
    assert second.poll() == [Happening.OVERTURNED]
    assert running.roles.stranger.sender.next_nonce() == nonce


def test_two_watchers_send_one_challenge_that_counts(running):
    post(running, wrong_delta)
    one, other = Watching(running), Watching(running, running.roles.clients[0])
    one.watcher._follow()
    other.watcher._follow()  # both have seen the epoch before either acts
    assert Happening.CHALLENGED in one.poll()
    assert other.poll() == [Happening.OVERTURNED]


def test_an_epoch_that_is_not_published_falls_after_one_demand(running):
    running.sequencer.publishes = False
    post(running)
    watching = Watching(running)
    assert watching.poll() == [Happening.MISSING, Happening.DEMANDED]
    assert watching.poll() == []
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    with pytest.raises(ContractReverted, match="data are demanded"):
        running.roles.user.chain.finalize_epoch(running.sequencer.context.instance_id, 1)
    running.roles.node.increase_time(running.roles.user.demands.answer_period() + 1)
    assert watching.poll() == [Happening.CHALLENGED, Happening.COLLECTED, Happening.COLLECTED]
    assert watching.poll() == [Happening.OVERTURNED]
    assert running.posted == 0


def test_what_is_published_late_needs_no_further_demand(running):
    header = post(running)
    folder = Path(running.blobs.url.removeprefix("file://"))
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in contents:
        path.unlink()
    watching = Watching(running)
    assert watching.poll() == [Happening.MISSING, Happening.DEMANDED]
    for path, content in contents.items():
        path.write_bytes(content)
    assert watching.poll() == [Happening.RIGHT]
    responder = Responder(
        running.roles.aggregator.demands, running.store, running.blobs, instance_key(running.sequencer.context), 0
    )
    (answered,) = responder.poll()
    assert answered.demand.header_hash == header.hash()
    assert responder.poll() == []
    assert Happening.ANSWERED in watching.poll()
    assert running.posted == 1


def test_what_is_missing_is_demanded_when_it_has_been_for_some_time(running):
    running.sequencer.publishes = False
    post(running)
    now = [100.0]
    watching = Watching(running, patience=30.0, clock=lambda: now[0])
    assert watching.poll() == [Happening.MISSING]
    assert f"0x{keccak256(b'nowhere').hex()}" in watching.reports[-1].text
    now[0] += 29
    assert watching.poll() == []
    now[0] += 2
    assert watching.poll() == [Happening.DEMANDED]


def test_a_blob_that_comes_back_in_time_costs_nobody_a_demand(running):
    header = post(running)
    now = [0.0]
    watching = Watching(running, patience=30.0, clock=lambda: now[0])
    manifest = running.blobs.get(header.data_locator)
    running.blobs.discard(header.data_locator)
    assert watching.poll() == [Happening.MISSING]
    running.blobs.put(manifest)
    now[0] += 60
    assert watching.poll() == [Happening.RIGHT]


def test_an_update_that_is_damaged_is_named_by_its_address(running):
    header = post(running)
    address = next(iter(read_manifest(running.blobs.get(header.data_locator), 6).blobs.updates.values()))
    path = Path(running.blobs.path_of(address))
    path.write_bytes(path.read_bytes()[:-1])
    watching = Watching(running, patience=30.0)
    assert watching.poll() == [Happening.MISSING]
    assert f"0x{address.hex()}" in watching.reports[-1].text


def test_a_genesis_model_that_is_not_to_be_had_is_said(running):
    post(running)
    known = running.store.get_instance(instance_key(running.sequencer.context))
    running.blobs.discard(known.genesis_model_blob)
    watching = Watching(running)
    watching.watcher._genesis = {}
    assert watching.poll() == [Happening.MISSING]
    assert f"0x{known.genesis_model_blob.hex()}" in watching.reports[-1].text
    assert watching.poll() == []


def test_answers_lead_a_watcher_to_a_lie_that_was_not_published(running, tmp_path):
    """The aggregator answers every demand: the watcher learns the epoch from the chain alone, and finds the lie."""
    post(running, wrong_delta)
    own = running.blobs
    running.blobs = type(own)(f"file://{tmp_path / 'empty'}")
    watching = Watching(running)
    responder = Responder(
        running.roles.aggregator.demands, running.store, own, instance_key(running.sequencer.context), 0
    )
    for _ in range(20):
        said = watching.poll()
        if Happening.CHALLENGED in said:
            break
        responder.poll()
    assert Happening.FAULT in said
    (event,) = [each for each in running.roles.user.chain.events() if isinstance(each, EpochOverturned)]
    assert event.fraud_case == FraudCase.DELTA


def test_a_fault_in_a_final_epoch_is_said_and_no_more(running):
    post(running, wrong_delta)
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    running.roles.user.chain.finalize_epoch(running.sequencer.context.instance_id, 1)
    watching = Watching(running)
    assert watching.poll() == [Happening.FINAL, Happening.FAULT, Happening.TOO_LATE]
    assert watching.poll() == []


def test_the_store_takes_back_what_was_overturned_and_the_work_goes_on(running):
    post(running)
    post(running, wrong_delta)
    Watching(running).poll()
    take_back(running)
    key = instance_key(running.sequencer.context)
    assert [each.level for each in running.store.epochs(key, include_reverted=True)] == [Level.POSTED, Level.REVERTED]
    assert running.sequencer.attempt == 1
    assert running.sequencer.next_epoch == 2
    post(running)
    watching = Watching(running)
    assert Happening.FAULT not in watching.poll()
    assert running.posted == 2


def test_a_reorganised_chain_is_followed_anew(running):
    node = running.roles.node
    snapshot = node.snapshot()
    post(running, wrong_delta)
    watching = Watching(
        running,
        read := type(running.roles.stranger)(running.roles.stranger.connection, running.roles.stranger.deployment),
    )
    assert read is not None
    assert watching.poll() == [Happening.FAULT]
    node.revert(snapshot)
    for _ in range(12):
        node.connection.rpc("evm_mine")
    assert watching.poll() == []
    assert watching.watcher.instances[running.sequencer.context.instance_id].epochs == []


def test_a_node_that_is_behind_what_was_seen_is_waited_for(running):
    post(running)
    with FaultyNode(running.roles.node.url, lag=8) as node:
        watching = Watching(running, viewer(running, node.url))
        assert watching.poll() == [Happening.RIGHT]
        node.always_stale = True
        assert watching.poll() == []
        assert len(watching.watcher.instances[running.sequencer.context.instance_id].epochs) == 1
        node.always_stale = False
        post(running)
        assert watching.poll() == [Happening.RIGHT]


def test_logs_that_a_node_leaves_out_are_noticed(running):
    """Behind the node's address are two: one that is behind answers for the logs, with what it has of them."""
    post(running)
    post(running)
    with FaultyNode(running.roles.node.url, lag=1) as node:
        node.plan = Script([Fault.STALE], ["eth_getLogs"])
        watching = Watching(running, viewer(running, node.url))
        with pytest.raises(LogsIncomplete, match="instance 1 has 2 epochs, it shows 1"):
            watching.poll()
        assert watching.poll() == [Happening.RIGHT, Happening.RIGHT]


def test_finality_that_a_node_leaves_out_is_noticed(running):
    post(running)
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    running.submitter.finalize_ready()
    with FaultyNode(running.roles.node.url, lag=1) as node:
        node.plan = Script([Fault.STALE], ["eth_getLogs"])
        watching = Watching(running, viewer(running, node.url))
        with pytest.raises(LogsIncomplete, match="instance 1 has 1 final epochs, it shows 0"):
            watching.poll()
        assert watching.poll() == [Happening.FINAL, Happening.RIGHT]


def test_the_finality_of_one_epoch_does_not_stand_for_that_of_those_before(running):
    """A range of logs is read in pieces, each of which may be cut short by another node."""
    post(running)
    post(running)
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    first, last = running.submitter.finalize_ready()
    watching = Watching(running, viewer(running, running.roles.node.url))
    connection = watching.watcher._connection
    fetch, left_out = connection.fetch_events, [first.block]

    def without(*arguments):
        found = fetch(*arguments)
        gone = left_out.pop() if left_out else None
        return tuple(each for each in found if each.block != gone)

    connection.fetch_events = without
    with pytest.raises(LogsIncomplete, match=f"EpochFinalized in block {last.block} follows from nothing"):
        watching.poll()
    assert watching.poll() == [Happening.FINAL, Happening.FINAL, Happening.RIGHT, Happening.RIGHT]


def test_another_epoch_in_the_place_of_one_that_fell_is_noticed(running):
    post(running, wrong_delta)
    with FaultyNode(running.roles.node.url) as node:
        watching = Watching(running, viewer(running, node.url))
        assert watching.poll() == [Happening.FAULT]
        before = running.roles.node.connection.block_number()
        assert Happening.CHALLENGED in Watching(running).poll()
        take_back(running)
        post(running)
        node.lag = running.roles.node.connection.block_number() - before
        node.plan = Script([Fault.STALE], ["eth_getLogs"])
        with pytest.raises(LogsIncomplete, match="instance 1 has another epoch 1 than it shows"):
            watching.poll()
        assert watching.poll() == [Happening.OVERTURNED, Happening.RIGHT]


def test_a_fault_is_not_too_late_because_the_next_node_has_not_heard_of_the_epoch(running):
    post(running, wrong_delta)
    with FaultyNode(running.roles.node.url, lag=1) as node:
        roles = running.roles
        acting = FedBlocks.connect(node.url, roles.stranger.deployment, signer=roles.stranger.sender.signer)
        watching = Watching(running, acting)
        node.plan = OfFunction("getDispute(uint256,uint256)", [Fault.STALE] * 4)
        with pytest.raises(NodeRefused):
            watching.poll()
        assert node.seen[Fault.STALE] == 4
        assert watching.poll() == [Happening.CHALLENGED, Happening.COLLECTED]
        assert running.posted == 0


def test_a_genesis_is_read_of_a_block_that_has_the_cohort(running):
    """The instance is opened and an epoch posted; a node that is behind both answers who is in the cohort."""
    post(running)
    with FaultyNode(running.roles.node.url, lag=1_000_000) as node:
        watching = Watching(running, viewer(running, node.url))
        node.plan = OfFunction("getCohort(uint256)", [Fault.STALE] * 4)
        with pytest.raises(NodeRefused):
            watching.poll()
        assert node.seen[Fault.STALE] == 4
        assert watching.poll() == [Happening.RIGHT]


def demanding(running: Running) -> bytes:
    """Somebody demands data of a posted epoch; its header's hash."""
    header = post(running)
    demands = running.roles.stranger.demands
    demands.demand(header, int(DemandKind.COMMITS), 0, 0)
    return header.hash()


def responder_of(running: Running, url: str) -> Responder:
    """The aggregator's, which sees the chain through a node."""
    roles = running.roles
    aggregator = FedBlocks.connect(url, roles.aggregator.deployment, signer=roles.aggregator.sender.signer)
    return Responder(aggregator.demands, running.store, running.blobs, instance_key(running.sequencer.context), 0)


def test_a_demand_that_a_node_leaves_out_is_looked_for_again(running):
    digest = demanding(running)
    with FaultyNode(running.roles.node.url, lag=1) as node:
        responder = responder_of(running, node.url)
        node.plan = Script([Fault.STALE], ["eth_getLogs"])
        with pytest.raises(LogsIncomplete, match="a demand holds epoch 1 of instance 1, it shows none"):
            responder.poll()
        (answered,) = responder.poll()
        assert answered.demand.header_hash == digest
        assert responder.poll() == []


def test_a_demand_is_not_forgotten_because_the_next_node_does_not_have_it_yet(running):
    digest = demanding(running)
    with FaultyNode(running.roles.node.url, lag=1) as node:
        responder = responder_of(running, node.url)
        node.plan = Script([Fault.STALE] * 4, ["eth_call"])  # whether it is still open
        with pytest.raises(NodeRefused):
            responder.poll()
        (answered,) = responder.poll()
        assert answered.demand.header_hash == digest


def test_a_reorganisation_while_logs_are_read_is_noticed(running):
    roles = running.roles
    snapshot = roles.node.snapshot()
    post(running, wrong_delta)
    watching = Watching(running, viewer(running, roles.node.url))
    connection = watching.watcher._connection
    fetch, done = connection.fetch_events, []

    def moved(*arguments):
        events = fetch(*arguments)
        if not done:
            done.append(True)
            roles.node.revert(snapshot)
            for _ in range(12):
                roles.node.connection.rpc("evm_mine")
        return events

    connection.fetch_events = moved
    assert watching.poll() == []
    assert watching.poll() == []
    assert watching.watcher.instances[running.sequencer.context.instance_id].epochs == []


def test_a_client_proves_a_fault_by_itself(running):
    header = post(running, wrong_delta)
    data = read_epoch(running.blobs, header.data_locator, 6, D)
    context = running.sequencer.context
    before = RollupState.genesis(context, running.cohort.model)
    found = find_fault(before, None, header, Published.of(context, header, data))
    verifiers = running.roles.clients[0].watched.verifiers
    with pytest.raises(ValueError, match="SubmissionVerifier cannot take challengeDelta: it is VectorVerifier's"):
        verifiers["SubmissionVerifier"].prove(found)
    receipt = verifiers[found.contract].prove(found)
    assert receipt.one(EpochOverturned).challenger == running.roles.clients[0].sender.address


def test_a_damaged_journal_is_refused_and_a_torn_last_line_is_not(tmp_path):
    path = tmp_path / "journal"
    journal = WatchJournal(path)
    journal.sending("a", b"\1" * 32)
    journal.sending("b", b"\2" * 32)
    path.write_text(path.read_text()[:-10])
    again = WatchJournal(path)
    assert (again.sent("a"), again.sent("b")) == (b"\1" * 32, None)
    again.sending("c", b"\3" * 32)
    assert (WatchJournal(path).sent("a"), WatchJournal(path).sent("c")) == (b"\1" * 32, b"\3" * 32)
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(JournalUnusable, match="line 1 is damaged"):
        WatchJournal(path)


def test_nothing_is_sent_that_cannot_be_written_down(running, tmp_path):
    post(running, wrong_delta)
    folder = tmp_path / "folder"
    folder.mkdir()
    watching = Watching(running, journal=folder / "journal")
    watching.watcher._journal._path = folder  # a folder cannot be written to
    with pytest.raises(JournalUnusable):
        watching.poll()
    assert running.posted == 1
    assert np.array_equal(running.cohort.model, running.cohort.model)
