"""A job on a chain, its aggregator in this process, a node in a thread, and one client's process, led by hand."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from eth_account import Account

from fedblocks.engines.intake import publish_commits
from fedblocks.operating.client import ClientProcess
from fedblocks.operating.config import AccountConfig, ChainConfig, ClientConfig, DataConfig
from fedblocks.operating.talking import Stopping, Talk
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.training.client import FederatedClient, RoundTask
from fedblocks.training.job import DataRequirement, JobRequest, LocalTraining
from fedblocks.training.profile import profile_of, sign_profile
from tests.anvil import FIRST_CLIENT, Roles
from tests.service.running import ThreadedNode

SHAPE, CLASSES, SAMPLES = (1, 2, 3), 2, 40
PASSPHRASE = "correct horse"
OURS = 0
"""The client whose process is looked at."""


def samples(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A client's data."""
    rng = np.random.default_rng(number)
    return rng.normal(size=(SAMPLES, *SHAPE)).astype(np.float32), np.arange(SAMPLES) % CLASSES


class Still:
    """A trainer for the clients that nobody looks at."""

    def train(self, base: Any, epoch: int) -> Any:
        raise AssertionError("they train nothing")


@dataclass
class Stage:
    """Everything.

    Attributes:
        folder: the client's files are in it.
        roles: on the chain.
        job: as it was opened.
        store, blobs, sequencer, submitter: the aggregator's.
        node: takes actions.
    """

    folder: Path
    roles: Roles
    job: Any
    store: RollupStore
    blobs: BlobStore
    sequencer: Sequencer
    submitter: Submitter
    node: ThreadedNode
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def signer(self) -> Any:
        return self.roles.node.signer(FIRST_CLIENT + OURS)

    @property
    def seat(self) -> int:
        return self.job.context.seat_of(self.signer.address)

    def config(self, **changes: Any) -> ClientConfig:
        x, y = samples(OURS)
        np.savez(self.folder / "data.npz", x=x, y=y)
        self.roles.deployer.deployment.save(self.folder / "deployment.json")
        key = Account.encrypt(self.signer._account.key, PASSPHRASE, kdf="pbkdf2", iterations=1)
        (self.folder / "key.json").write_text(json.dumps(key))
        (self.folder / "passphrase").write_text(PASSPHRASE)
        (self.folder / "passphrase").chmod(0o600)
        values: dict[str, Any] = {
            "service": self.node.url,
            "state": self.folder / "state",
            "poll_seconds": 0.01,
            "chain": ChainConfig(network=self.roles.node.url, deployment=self.folder / "deployment.json"),
            "account": AccountConfig(keyfile=self.folder / "key.json", passphrase_file=self.folder / "passphrase"),
            "data": DataConfig(file=self.folder / "data.npz", domain="tests"),
        }
        return ClientConfig(**(values | changes))

    def client(self, **changes: Any) -> ClientProcess:
        """The client's process, as it starts."""
        self.log = io.StringIO()
        return ClientProcess(self.config(**changes), self.signer, Talk(self.log, as_json=True), Stopping())

    def said(self, what: str) -> list[dict[str, Any]]:
        """What the process has logged of one kind."""
        return [each for each in map(json.loads, self.log.getvalue().splitlines()) if each["what"] == what]

    def stored(self) -> list[str]:
        """What the client has sent in the epoch under way, as the node has stored it."""
        records = self.store.actions(self.sequencer.intake.record.key, self.sequencer.next_epoch, 0)
        return [record.kind.value for record in records if record.seat == self.seat]

    def others_commit(self) -> RoundTask:
        """Everybody else commits, with updates of their own."""
        state, context = self.sequencer.state, self.job.context
        task = RoundTask(context, self.sequencer.next_epoch, 0, state.model, state.model_root, state.last_delta)
        rng = np.random.default_rng(5)
        self.others = []
        for number in range(len(context.cohort)):
            signer = self.roles.node.signer(FIRST_CLIENT + number)
            if signer.address != self.signer.address:
                client = FederatedClient(signer, Still(), bytes([number]) * 32)
                update = rng.integers(-300, 300, context.d).astype(np.int16)
                commit = client.commit(task, update, 10)
                self.sequencer.accept_commit(commit.action, commit.signature)
                self.others.append(client)
        return task

    def close(self) -> None:
        """Close commitments, publish the list, tell the chain."""
        root = self.sequencer.close_commits()
        publish_commits(self.blobs, self.sequencer)
        self.submitter.close_commits(self.sequencer.next_epoch, 0, root)

    def post(self, task: RoundTask) -> None:
        """Everybody else reveals; the epoch is executed and posted."""
        for client in self.others:
            self.sequencer.accept_reveal(client.reveal(task))
        self.submitter.submit(self.sequencer.execute(lambda _: 500_000).header)

    def play_out(self, client: ClientProcess) -> int:
        """One epoch in which the client takes part, posted and final, and the instance stopped; its number."""
        client.turn()
        task = self.others_commit()
        self.close()
        client.turn()
        self.post(task)
        chain, number = self.roles.user.chain, self.job.instance_id
        chain.stop_instance(number)
        self.roles.node.increase_time(chain.challenge_window() + 1)
        self.submitter.finalize_ready()
        return int(number)


def open_job(roles: Roles) -> Any:
    """A job for all clients of the tests' chain."""
    profiles = [
        sign_profile(
            profile_of(
                samples(number)[1],
                SHAPE,
                client=client.sender.address,
                domain="tests",
                modality="image",
                issued_at=roles.node.connection.block().timestamp,
            ),
            client.sender.signer,
            chain_id=roles.node.chain_id,
            settlement=roles.user.chain.address,
        )
        for number, client in enumerate(roles.clients)
    ]
    request = JobRequest(
        architecture="logistic",
        input_shape=SHAPE,
        classes=CLASSES,
        target_accuracy_ppm=990_000,
        maximum_epochs=3,
        cohort_size=len(profiles),
        requirement=DataRequirement(domain="tests", modality="image", input_shape=SHAPE),
        training=LocalTraining(local_steps=2, batch_size=8),
    )
    jobs = roles.user.jobs
    job = jobs.open(request, jobs.match(request, profiles), roles.aggregator.sender.address)
    roles.aggregator.chain.deposit_bond(job.instance_id)
    return job


def open_stage(folder: Path, roles: Roles, job: Any) -> Stage:
    """A stage for an open job; its node is not started yet."""
    url, signer = f"sqlite:///{folder / 'rollup.sqlite'}", roles.aggregator.sender.signer
    store, blobs = RollupStore(url), BlobStore(f"file://{folder / 'blobs'}")
    sequencer = Sequencer.create(
        job.context,
        job.genesis,
        store,
        blobs,
        signer,
        user=roles.user.sender.address,
        aggregator=signer.address,
        max_epochs=job.request.maximum_epochs,
        document=job.request.to_json().encode(),
    )
    submitter = Submitter(roles.aggregator.chain, store, instance_key(job.context))
    return Stage(folder, roles, job, store, blobs, sequencer, submitter, ThreadedNode(url, blobs, account=signer))
