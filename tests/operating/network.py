"""A network of real processes: anvil, a node, an aggregator and clients, each started, killed and restarted at will.

    with Network(folder, clients=4) as network:
        network.start()
        network.aggregator.kill()
        network.aggregator.start()
        network.run_to_the_end()

Ports are chosen by the system, each process writes a log of its own below the folder, and whatever happens in a test,
nothing is left running: processes die with the one that started them. On a development chain time stands still; the
network lets a challenge window pass as soon as an epoch waits for it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import numpy as np
import torch
from eth_account import Account

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.deployments import ProtocolParameters
from fedblocks.engines.local import LocalEngine, Member
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.training.aggregator import AggregatorLoop
from fedblocks.training.client import FederatedClient
from fedblocks.training.datasets import load_dataset
from fedblocks.training.job import DataRequirement, JobRequest, LocalTraining
from fedblocks.training.jobs import Job
from fedblocks.training.models import build_model
from fedblocks.training.partition import dirichlet_partition
from fedblocks.training.profile import profile_of, sign_profile
from fedblocks.training.trainer import ClientTrainer, evaluate

ADMIN, USER, AGGREGATOR, FIRST_CLIENT = range(4)
PASSPHRASE = "a passphrase that must never be seen in a log"
WINDOW = 3600
PARAMETERS = ProtocolParameters(challenge_window=WINDOW)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass
class Process:
    """A command that can be started again and again.

    Attributes:
        name: of its log.
        command: what is run, after Python's name.
        folder: where the log is.
    """

    name: str
    command: Sequence[str]
    folder: Path
    popen: subprocess.Popen[bytes] | None = None
    starts: int = field(default=0)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self) -> None:
        """Start it, again if it has ended."""
        assert not self.is_running
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(self.folder)}
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, *self.command],
                stdout=log,
                stderr=log,
                env=environment,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self.starts += 1

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.popen is not None:
            self.popen.send_signal(signal.SIGKILL)
            self.popen.wait()

    def stop(self, seconds: float = 30) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)

    def said(self, what: str) -> list[dict[str, object]]:
        """What it has logged of one kind; the processes of this network log JSON."""
        if not self.log.is_file():
            return []
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [each for each in map(json.loads, lines) if each["what"] == what]


@dataclass(frozen=True)
class Played:
    """How a job has ended.

    Attributes:
        headers: the hashes of its headers.
        balances: all money of the protocol.
        sent: how many transactions aggregator and clients have sent.
    """

    headers: list[bytes]
    balances: dict[str, int]
    sent: dict[str, int]


class Network:
    """An open job on a chain of its own, and the processes that train it.

    Args:
        folder: where everything of the network lies.
        clients: how many, all of them in the cohort.
        epochs: how many are paid for.
        store: the database that node and aggregator share; SQLite below the folder when left out.
        local_steps: of each client's training.
        target_ppm: at which to stop; above 1,000,000 would never be reached, and so 1,000,000 means all epochs.
        poll: seconds between two looks, of everybody.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clients: int = 4,
        epochs: int = 2,
        store: str | None = None,
        local_steps: int = 3,
        target_ppm: int = 1_000_000,
        poll: float = 0.25,
    ) -> None:
        self.folder, self.count, self.epochs, self.poll = folder, clients, epochs, poll
        self.store_url = store or f"sqlite:///{folder / 'rollup.sqlite'}"
        self.blobs_url = f"file://{folder / 'blobs'}"
        self._target, self._steps = target_ppm, local_steps
        self.anvil = Anvil(accounts=FIRST_CLIENT + clients)

    def __enter__(self) -> Network:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.anvil.__enter__()
        try:
            self._open_job()
            self._prepare()
        except BaseException:
            self.anvil.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.is_running:
                process.kill()
        self.anvil.stop()

    @property
    def processes(self) -> list[Process]:
        return [self.node, self.aggregator, *self.clients]

    def start(self) -> None:
        """Start everybody; the node comes up while the others look for it."""
        for process in (self.aggregator, self.node, *self.clients):
            process.start()

    def tick(self) -> None:
        """Let a challenge window pass if an epoch waits for it, and have the user stop what has reached its target."""
        chain, number = self.user.chain, self.job.instance_id
        instance = chain.instance(number)
        if instance.finalized_epochs < instance.posted_epochs:
            record = chain.epoch(number, instance.finalized_epochs + 1)
            if self.anvil.connection.block().timestamp <= record.posted_at + WINDOW:
                self.anvil.increase_time(WINDOW + 1)
        if not instance.stopped_at and self.aggregator.said("waiting to close") and not chain.is_closed(number):
            chain.stop_instance(number)

    def run_to_the_end(self, seconds: float = 120, each: Callable[[], None] | None = None) -> None:
        """Wait until the aggregator and the clients have ended by themselves.

        Args:
            seconds: how long at most.
            each: called now and then, to do harm.
        """
        end = time.monotonic() + seconds
        while any(process.is_running for process in (self.aggregator, *self.clients)):
            if time.monotonic() > end:
                raise TimeoutError(self.last_words())
            self.tick()
            if each is not None:
                each()
            time.sleep(0.05)
        for process in (self.aggregator, *self.clients):
            assert process.popen is not None
            assert process.popen.returncode == 0, self.last_words()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(self.last_words())
            self.tick()
            time.sleep(0.02)

    def last_words(self) -> str:
        """The ends of all logs."""
        logs = [process.log for process in self.processes if process.log.is_file()]
        return "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in logs)

    def played(self) -> Played:
        """How the job has ended."""
        return Played(self.headers(), self.balances(), self.sent())

    def headers(self) -> list[bytes]:
        """The hashes of the headers on chain."""
        chain, number = self.user.chain, self.job.instance_id
        return [chain.epoch(number, epoch).header_hash for epoch in range(1, chain.instance(number).posted_epochs + 1)]

    def balances(self) -> dict[str, int]:
        """All money of the protocol, but for what everybody pays for gas."""
        user, number = self.user, self.job.instance_id
        return {
            "escrow": user.rewards.user_instance(number).escrow,
            "refund": user.rewards.refund(number),
            "bond": user.chain.bond(number, self.anvil.signer(AGGREGATOR).address),
            **{contract.NAME: contract.balance() for contract in user.contracts},
            **{f"reward {each.address}": user.rewards.reward(number, each.address) for each in self.signers},
            **{f"stake {each.address}": user.staking.client_stake(each.address) for each in self.signers},
        }

    def sent(self) -> dict[str, int]:
        """How many transactions everybody has sent, by address."""
        signers = [self.anvil.signer(AGGREGATOR), *self.signers]
        count = self.anvil.connection.web3.eth.get_transaction_count
        return {each.address: count(each.address) for each in signers}

    def play_locally(self, folder: Path) -> Played:
        """What the engine in one process makes of the same job, undisturbed; the chain is as before afterwards."""
        snapshot = self.anvil.snapshot()
        aggregator, number = self.user.acting_as(self.anvil.signer(AGGREGATOR)), self.job.instance_id
        aggregator.chain.deposit_bond(number)
        with RollupStore(f"sqlite:///{folder / 'local.sqlite'}") as store:
            loop = self._local_loop(aggregator, store, BlobStore(f"file://{folder / 'local'}"))
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            headers = [report.header.hash() for report in loop.run()]
            torch.set_num_threads(threads)
            if len(headers) < self.epochs:
                self.user.chain.stop_instance(number)
            self.anvil.increase_time(WINDOW + 1)
            loop.submitter.finalize_ready()
        aggregator.rewards.collect_training_fees(number)
        aggregator.chain.withdraw_bond(number)
        for signer in self.signers:
            self.user.acting_as(signer).rewards.claim_reward(number)
        played = Played(headers, self.balances(), self.sent())
        self.anvil.revert(snapshot)
        return played

    def _local_loop(self, aggregator: FedBlocks, store: RollupStore, blobs: BlobStore) -> AggregatorLoop:
        context, request, data = self.job.context, self.job.request, self.data
        signer = self.anvil.signer(AGGREGATOR)
        sequencer = Sequencer.create(
            context,
            self.job.genesis,
            store,
            blobs,
            signer,
            user=self.anvil.signer(USER).address,
            aggregator=signer.address,
            max_epochs=request.maximum_epochs,
        )
        module = build_model(request.architecture, request.input_shape, request.classes, request.seed)
        members = []
        for number, part in enumerate(self.parts):
            client = self.signers[number]
            x, y = data.train_x[part], data.train_y[part]
            trainer = ClientTrainer(module, x, y, request.training, client=client.address, seed=request.seed)
            members.append(Member(FederatedClient(client, trainer, self.secret(number))))
        return AggregatorLoop(
            sequencer,
            Submitter(aggregator.chain, store, instance_key(context)),
            LocalEngine(members),
            lambda model: evaluate(module, data.test_x, data.test_y, vector=model),
            is_staked=aggregator.staking.is_staked,
            target_ppm=request.target_accuracy_ppm,
            maximum_epochs=request.maximum_epochs,
        )

    def secret(self, number: int) -> bytes:
        """From what a client's salts follow; a client would draw it, but two engines must have the same."""
        return bytes([number + 1]) * 32

    def _open_job(self) -> None:
        node, data = self.anvil, load_dataset("digits")
        self.data = data
        deployment = deploy_protocol(TransactionSender(node.connection, node.signer(ADMIN)), PARAMETERS)
        deployment.save(self.folder / "deployment.json")
        self.user = FedBlocks.connect(node.url, deployment, signer=node.signer(USER))
        self.signers: list[LocalSigner] = [node.signer(FIRST_CLIENT + number) for number in range(self.count)]
        self.parts: list[np.ndarray] = dirichlet_partition(data.train_y, self.count, 0.5, 7, 64)  # type: ignore[assignment]
        profiles = []
        for signer, part in zip(self.signers, self.parts, strict=True):
            self.user.acting_as(signer).staking.stake()
            profile = profile_of(
                data.train_y[part],
                data.input_shape,
                client=signer.address,
                domain="digits",
                modality="image",
                issued_at=node.connection.block().timestamp,
            )
            profiles.append(sign_profile(profile, signer, chain_id=node.chain_id, settlement=self.user.chain.address))
        request = JobRequest(
            architecture="logistic",
            input_shape=data.input_shape,
            classes=data.classes,
            target_accuracy_ppm=self._target,
            maximum_epochs=self.epochs,
            cohort_size=self.count,
            requirement=DataRequirement(domain="digits", modality="image", input_shape=data.input_shape),
            training=LocalTraining(local_steps=self._steps),
            seed=11,
        )
        jobs = self.user.jobs
        self.job: Job = jobs.open(request, jobs.match(request, profiles), node.signer(AGGREGATOR).address)

    def _prepare(self) -> None:
        (self.folder / "passphrase").write_text(PASSPHRASE)
        (self.folder / "passphrase").chmod(0o600)
        (self.folder / "job.json").write_text(self.job.request.to_json())
        np.savez(self.folder / "test.npz", x=self.data.test_x, y=self.data.test_y)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.service_url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        chain = f'[chain]\nnetwork = "{self.anvil.url}"\ndeployment = "deployment.json"\n'
        key = self._keyfile("aggregator", self.anvil.signer(AGGREGATOR))
        self._write(
            "aggregator.toml",
            f'store = "{self.store_url}"\ndata = "{self.blobs_url}"\ndeposit_bond = true\n'
            f"poll_seconds = {self.poll}\nchain_seconds = {self.poll}\ncommit_seconds = 600\nreveal_seconds = 600\n"
            f'{chain}[account]\nkeyfile = "{key}"\npassphrase_file = "passphrase"\n'
            f'[[instance]]\ninstance = {self.job.instance_id}\njob = "job.json"\n'
            '[instance.evaluation]\nfile = "test.npz"\n',
        )
        self.aggregator = self._process(
            "aggregator", "fedblocks.cli.aggregator", "run", str(self.folder / "aggregator.toml"), "--json-log"
        )
        self.node = self._process(
            *("node", "fedblocks.cli.node", "--store", self.store_url, "--data", self.blobs_url),
            *("--listen", self.service_url.removeprefix("http://"), "--account", str(self.folder / key)),
            *("--passphrase-file", str(self.folder / "passphrase")),
        )
        self.clients = [self._client(number, chain) for number in range(self.count)]

    def _client(self, number: int, chain: str) -> Process:
        name, signer = f"client-{number}", self.signers[number]
        notebook = self.folder / name / signer.address.lower()
        notebook.mkdir(parents=True)
        (notebook / "secret").write_bytes(self.secret(number))
        self._write(
            f"{name}.toml",
            f'service = "{self.service_url}"\nstate = "{name}"\npoll_seconds = {self.poll}\nclaim_rewards = true\n'
            f'{chain}[account]\nkeyfile = "{self._keyfile(name, signer)}"\npassphrase_file = "passphrase"\n'
            f'[data]\nfile = "{name}.npz"\ndomain = "digits"\n',
        )
        part = self.parts[number]
        np.savez(self.folder / f"{name}.npz", x=self.data.train_x[part], y=self.data.train_y[part])
        path = str(self.folder / f"{name}.toml")
        return self._process(name, "fedblocks.cli.client", "run", path, "--until-done", "--json-log")

    def _process(self, name: str, module: str, *arguments: str) -> Process:
        return Process(name, ("-m", module, *arguments), self.folder)

    def _keyfile(self, name: str, signer: LocalSigner) -> str:
        # One round of the key derivation: these keys are anvil's, and everybody knows them.
        key = Account.encrypt(signer._account.key, PASSPHRASE, kdf="pbkdf2", iterations=1)
        self._write(f"{name}.key.json", json.dumps(key))
        return f"{name}.key.json"

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def is_ready(self) -> bool:
        """Whether the node answers."""
        try:
            return httpx.get(f"{self.service_url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def _die_with_parent() -> None:
    # Tests that are killed leave no processes behind.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
