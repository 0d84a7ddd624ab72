"""An aggregator's process, with a cohort that speaks to its store: what it does besides epochs, and how it ends."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedblocks import FedBlocks
from fedblocks.chain.connection import NodeUnreachable
from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.base import Contract
from fedblocks.contracts.model_parameter_chain import InstanceOpened
from fedblocks.contracts.staking_registry import Stake
from fedblocks.engines.refusals import NoBond, NotTheAggregator
from fedblocks.operating import aggregator as module
from fedblocks.operating.aggregator import AggregatorProcess
from fedblocks.operating.config import (
    AccountConfig,
    AggregatorConfig,
    ChainConfig,
    EvaluationConfig,
    InstanceConfig,
)
from fedblocks.operating.talking import Stopping, Talk
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.duties import ChainDuties, NotOpenYet
from fedblocks.rollup.fraud.cases import DemandKind
from fedblocks.rollup.intake import Intake
from fedblocks.rollup.progress import Phase, RoundRecord
from fedblocks.rollup.records import ActionKind
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.storage.leases import LeaseTaken
from fedblocks.training.client import FederatedClient, RoundTask
from tests.anvil import FIRST_CLIENT, Roles
from tests.faults.proxy import Fault, FaultyNode, OfFunction, Script
from tests.operating.stage import Still, samples


class Running:
    """The process in a thread of its own, and everybody it has to do with."""

    def __init__(self, folder: Path, roles: Roles, job: Any) -> None:
        self.folder, self.roles, self.job, self.number = folder, roles, job, job.instance_id
        self.log, self.errors = io.StringIO(), []
        self.url, self.blobs_url = f"sqlite:///{folder / 'rollup.sqlite'}", f"file://{folder / 'blobs'}"
        roles.deployer.deployment.save(folder / "deployment.json")
        (folder / "job.json").write_text(job.request.to_json())
        x, y = samples(77)
        np.savez(folder / "test.npz", x=x, y=y)
        self.config = AggregatorConfig(
            store=self.url,
            data=self.blobs_url,
            poll_seconds=0.02,
            chain_seconds=0.02,
            commit_seconds=600,
            reveal_seconds=600,
            chain=ChainConfig(network=roles.node.url, deployment=folder / "deployment.json"),
            account=AccountConfig(keyfile=folder / "key.json", passphrase_file=folder / "passphrase"),
            instance=(
                InstanceConfig(
                    instance=self.number,
                    job=folder / "job.json",
                    evaluation=EvaluationConfig(file=folder / "test.npz"),
                ),
            ),
        )
        self.clients = {
            roles.node.signer(FIRST_CLIENT + number).address: FederatedClient(
                roles.node.signer(FIRST_CLIENT + number), Still(), bytes([number]) * 32
            )
            for number in range(len(roles.clients))
        }

    def process(self, **changes: Any) -> AggregatorProcess:
        self.stopping = Stopping()
        signer = self.roles.aggregator.sender.signer
        assert signer is not None
        return AggregatorProcess(replace(self.config, **changes), signer, Talk(self.log, as_json=True), self.stopping)

    def start(self, **changes: Any) -> None:
        process = self.process(**changes)

        def run() -> None:
            try:
                process.run()
            except Exception as error:
                self.errors.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def said(self, what: str) -> list[dict[str, Any]]:
        return [each for each in map(json.loads, self.log.getvalue().splitlines()) if each["what"] == what]

    def until(self, condition: Callable[[], Any], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.log.getvalue()
            assert self.thread.is_alive() or condition(), (self.errors, self.log.getvalue())
            time.sleep(0.01)

    def current(self) -> RoundRecord | None:
        with RollupStore(self.url) as store:
            records = store.list_instances()
            return store.rounds.current(records[0].key) if records else None

    def play_epoch(self, leaver: FedBlocks | None = None) -> None:
        """The cohort commits, waits for the chain, and reveals; one may give up its stake in between."""
        gone = None if leaver is None else leaver.sender.address
        self.until(lambda: (current := self.current()) is not None and current.phase is Phase.OPEN)
        current = self.current()
        assert current is not None
        context, rng = self.job.context, np.random.default_rng(current.epoch)
        task = RoundTask(
            context, current.epoch, current.attempt, self.job.genesis, current.base_model_root, np.zeros(0, np.int16)
        )
        with RollupStore(self.url) as store:
            intake = self.intake(store)
            for client in sorted(self.clients.values(), key=lambda each: each.address != gone):
                if leaver is not None and client.address != gone:
                    leaver.staking.unregister()
                    leaver = None
                commit = client.commit(task, rng.integers(-300, 300, context.d).astype(np.int16), 10)
                intake.accept_commit(commit.action, commit.signature)
            self.until(lambda: any(each["epoch"] == current.epoch for each in self.said("commitments closed")))
            self.until(lambda: (now := self.current()) is not None and now.commits_root is not None)
            for client in self.clients.values():
                if client.address != gone:
                    intake.accept_reveal(client.reveal(task))
        self.until(lambda: any(each["epoch"] == current.epoch for each in self.said("posted")))

    def intake(self, store: RollupStore) -> Intake:
        return Intake(store, BlobStore(self.blobs_url), self.roles.aggregator.sender.signer, store.list_instances()[0])

    def header(self, epoch: int) -> Any:
        with RollupStore(self.url) as store:
            return store.epochs(store.list_instances()[0].key)[epoch - 1].header

    def pass_window(self) -> None:
        self.roles.node.increase_time(self.roles.user.chain.challenge_window() + 1)


@pytest.fixture
def running(tmp_path: Path, opened: tuple[Roles, Any]) -> Iterator[Running]:
    roles, job = opened
    snapshot = roles.node.snapshot()
    running = Running(tmp_path, roles, job)
    yield running
    if hasattr(running, "thread"):
        running.stop()
    roles.node.revert(snapshot)


def test_demands_are_answered_while_clients_are_waited_for(running):
    running.start()
    running.play_epoch()
    watcher = running.roles.stranger
    watcher.demands.demand(running.header(1), DemandKind.NEXT_MODEL, 0, 0)
    running.until(lambda: running.said("demand answered"))
    current = running.current()
    assert (current.epoch, current.phase) == (2, Phase.OPEN), "nobody has committed to the next epoch"
    assert running.said("demand answered")[0]["epoch"] == 1


def test_an_instance_that_its_user_stops_is_settled_and_the_bond_comes_back(running):
    running.start()
    running.play_epoch()
    running.roles.user.chain.stop_instance(running.number)
    running.until(lambda: running.said("waiting to close"))
    running.pass_window()
    running.until(lambda: running.said("finished"))
    running.thread.join(10)
    assert running.errors == []
    aggregator = running.roles.aggregator
    assert aggregator.chain.bond(running.number, aggregator.sender.address) == 0
    assert running.roles.user.rewards.user_instance(running.number).settled
    assert running.current() is None, "nothing more is admitted"
    sent = running.roles.node.connection.block_number()
    running.process().run()
    assert running.roles.node.connection.block_number() == sent, "who starts it again does nothing again"


def test_who_gives_up_its_stake_before_the_closing_is_left_out(running):
    running.start()
    leaver = running.roles.clients[2]
    running.play_epoch(leaver)
    running.until(lambda: running.said("absent"))
    (absent,) = running.said("absent")
    assert (absent["client"], absent["why"]) == (leaver.sender.address, "has no active stake")
    assert running.said("posted")[0]["participants"] == 5
    assert running.said("commitments closed")[0]["count"] == 5


def test_it_stops_when_asked_and_goes_on_where_it_was(running):
    running.start()
    running.play_epoch()
    running.stop()
    assert running.errors == []
    assert running.said("stopping")
    running.start()
    running.play_epoch()
    assert [each["epoch"] for each in running.said("opened")] == [1, 2]
    assert running.roles.user.chain.instance(running.number).posted_epochs == 2


def test_an_epoch_that_was_executed_and_not_posted_is_posted_after_a_restart(running, monkeypatch):
    def dead(*_: object) -> None:
        raise ValueError("killed before it could send")

    with monkeypatch.context() as patched:
        patched.setattr(Submitter, "submit", dead)
        running.start()
        with pytest.raises(AssertionError):
            running.play_epoch()
        running.thread.join(10)
    assert running.roles.user.chain.instance(running.number).posted_epochs == 0
    running.start()
    running.until(lambda: running.roles.user.chain.instance(running.number).posted_epochs == 1)
    assert running.roles.user.chain.epoch(running.number, 1).header_hash == running.header(1).hash()


def test_a_node_that_is_away_is_waited_for(running, monkeypatch):
    real, failures = Submitter.close_commits, []

    def away_twice(*arguments: Any) -> Any:
        if len(failures) < 2:
            failures.append(1)
            raise NodeUnreachable("http://node", "it is away")
        return real(*arguments)

    monkeypatch.setattr(Submitter, "close_commits", away_twice)
    running.start()
    running.play_epoch()
    assert len(failures) == 2
    assert [each["kind"] for each in running.said("waiting")] == ["NodeUnreachable"], "said once"


def test_a_damaged_update_is_taken_away_so_that_its_client_sends_it_again(running):
    running.start()
    running.play_epoch()
    running.stop()
    with RollupStore(running.url) as store:
        lost = store.actions(store.list_instances()[0].key, 1, 0, ActionKind.REVEAL)[2].update_blob
    blobs = BlobStore(running.blobs_url)
    path = Path(blobs.path_of(lost))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    running.start()
    running.until(lambda: running.said("damaged blob discarded"))
    assert running.said("damaged blob discarded")[0]["blob"] == "0x" + lost.hex()
    assert not blobs.has(lost)
    (waiting,) = [each for each in running.said("waiting") if each["kind"] == "DataLost"]
    assert lost.hex() in waiting["why"]
    time.sleep(0.2)
    assert len(running.said("opened")) == 1, "it waits"
    blobs.put(content)  # as a node does that takes it in again
    running.until(lambda: len(running.said("opened")) == 2)
    assert running.said("opened")[1]["epoch"] == 2
    running.play_epoch()


def behind(faulty: FaultyNode, before: list[ChainEvent]) -> str:
    """The address of a chain behind which a node is that has not heard of any of some events."""
    faulty.lag = int(faulty.call("eth_blockNumber"), 16) - min(each.block for each in before) + 1
    return faulty.url


def events(contract: Contract, kind: type[ChainEvent]) -> list[ChainEvent]:
    """What has happened of one kind."""
    return [each for each in contract.events() if isinstance(each, kind)]


def test_nobody_is_left_out_because_the_next_node_knows_of_no_stake(running):
    with FaultyNode(running.roles.node.url) as faulty:
        # Everybody's is asked for once to know whom to wait for, and once more at the closing.
        faulty.plan = OfFunction("isStaked(address)", [None] * 7 + [Fault.STALE] * 6)
        url = behind(faulty, events(running.roles.user.staking, Stake))
        running.start(chain=replace(running.config.chain, network=url))
        running.play_epoch()
        running.stop()
        assert faulty.seen[Fault.STALE] == 6
    assert running.said("posted")[0]["participants"] == len(running.clients)
    assert running.said("absent") == []


def test_a_block_before_the_instance_says_nothing_against_a_client(running):
    gone, stays = running.roles.clients[2], running.roles.clients[3].sender.address
    gone.staking.unregister()
    with FaultyNode(running.roles.node.url) as faulty:
        url = behind(faulty, events(running.roles.user.staking, Stake))
        fedblocks = FedBlocks.connect(url, running.roles.aggregator.deployment)
        contracts = fedblocks.chain, fedblocks.rewards, fedblocks.staking, fedblocks.slashing
        duties = ChainDuties(*contracts, running.roles.aggregator.sender.address, running.number, Talk())
        faulty.plan = Script([Fault.STALE], ["eth_blockNumber"])
        with pytest.raises(NotOpenYet, match=f"instance {running.number} is not opened"):
            duties.is_staked(stays)
        assert duties.is_staked(stays)
        assert not duties.is_staked(gone.sender.address)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: Script([Fault.STALE] * 3, ["eth_blockNumber"]),
        lambda: OfFunction("getInstance(uint256)", [Fault.STALE] * 5),
    ],
    ids=["of the newest block", "of the instance"],
)
def test_an_instance_that_the_next_node_does_not_have_yet_is_waited_for(running, plan):
    with FaultyNode(running.roles.node.url, plan()) as faulty:
        url = behind(faulty, events(running.roles.user.chain, InstanceOpened))
        running.start(chain=replace(running.config.chain, network=url))
        running.until(lambda: running.said("opened"))
        running.stop()
        assert faulty.plan.left == 0
    assert running.errors == []
    assert {each["kind"] for each in running.said("waiting")} <= {"NotOpenYet", "NodeRefused"}
    assert running.said("waiting")


def test_two_processes_with_one_key_are_one_too_many(running, monkeypatch):
    monkeypatch.setattr(module, "TAKE_OVER_SECONDS", 0.1)
    running.start()
    running.until(lambda: running.said("opened"))
    first = running.stopping
    with pytest.raises(LeaseTaken, match="stop the other one"):
        running.process().run()
    running.stopping = first


def test_the_bond_is_deposited_only_where_that_is_wanted(running, monkeypatch):
    monkeypatch.setattr(type(running.roles.user.chain), "bond", lambda *_: 0)
    with pytest.raises(NoBond):
        running.process().run()


def test_another_s_instance_is_not_run(running):
    process = running.process()
    process._signer = running.roles.stranger.sender.signer
    with pytest.raises(NotTheAggregator):
        process.run()
    assert running.said("failed")[0]["kind"] == "NotTheAggregator"
