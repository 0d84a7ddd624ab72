"""A chain with an open job, and the files with which aggregator and clients take part over Flower.

Two scenes that were opened alike are alike to the last hash, because nothing in them depends on the clock or on
chance: what runs in one process on the first must give the headers that Flower's processes give on the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from eth_account import Account

from fedblocks import FedBlocks
from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.chain.node import Anvil
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.deployments import ProtocolParameters
from fedblocks.engines.local import LocalEngine, Member
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.header import Header
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.training.aggregator import AggregatorLoop, EpochReport
from fedblocks.training.client import FederatedClient
from fedblocks.training.job import DataRequirement, JobRequest, LocalTraining
from fedblocks.training.jobs import Job
from fedblocks.training.profile import profile_of, sign_profile
from fedblocks.training.update import Trainer

ADMIN, USER, AGGREGATOR, FIRST_CLIENT = range(4)
PASSPHRASE = "a passphrase that must never be seen in a log"
PARAMETERS = ProtocolParameters(challenge_window=3600)


@dataclass(frozen=True)
class Scene:
    """An open job.

    Attributes:
        folder: where everything of the scene lies.
        node: the EVM node.
        user, aggregator: the protocol as they see it.
        job: as it was opened.
        clients: their keys; a client's number is its partition, not its seat.
    """

    folder: Path
    node: Anvil
    user: FedBlocks
    aggregator: FedBlocks
    job: Job
    clients: tuple[LocalSigner, ...]

    @property
    def aggregator_settings(self) -> Path:
        return self.folder / "aggregator" / "aggregator.toml"

    @property
    def clients_folder(self) -> Path:
        """Where ``0.toml``, ``1.toml`` and so on are."""
        return self.folder / "clients"

    def client_settings(self, number: int) -> Path:
        return self.clients_folder / f"{number}.toml"

    def secret(self, number: int) -> bytes:
        """From what the salts of a client follow."""
        return bytes([number]) * 32

    def headers(self) -> list[bytes]:
        """The hashes of the headers that are on chain."""
        posted = self.user.chain.instance(self.job.instance_id).posted_epochs
        return [self.user.chain.epoch(self.job.instance_id, epoch).header_hash for epoch in range(1, posted + 1)]

    def play_locally(
        self, trainers: Sequence[Trainer], evaluate: Callable[[Int32Array], int], epochs: int
    ) -> list[EpochReport]:
        """Run epochs with the engine that has everybody in this process."""
        folder, context = self.folder / "local", self.job.context
        folder.mkdir()
        store, blobs = RollupStore(f"sqlite:///{folder / 'rollup.sqlite'}"), BlobStore(f"file://{folder / 'blobs'}")
        signer = self.node.signer(AGGREGATOR)
        sequencer = Sequencer.create(
            context,
            self.job.genesis,
            store,
            blobs,
            signer,
            user=self.node.signer(USER).address,
            aggregator=signer.address,
            max_epochs=self.job.request.maximum_epochs,
        )
        members = [
            Member(FederatedClient(client, trainer, self.secret(number)))
            for number, (client, trainer) in enumerate(zip(self.clients, trainers, strict=True))
        ]
        loop = AggregatorLoop(
            sequencer,
            Submitter(self.aggregator.chain, store, instance_key(context)),
            LocalEngine(members),
            evaluate,
            is_staked=self.aggregator.staking.is_staked,
            target_ppm=self.job.request.target_accuracy_ppm,
            maximum_epochs=epochs,
        )
        return list(loop.run())

    def stored_headers(self) -> list[Header]:
        """The headers in the database of the aggregator that ran over Flower."""
        with RollupStore(f"sqlite:///{self.folder / 'aggregator' / 'rollup.sqlite'}", read_only=True) as store:
            return [record.header for record in store.epochs(instance_key(self.job.context))]


@contextmanager
def open_scene(
    folder: Path,
    *,
    clients: int,
    genesis: Int32Array,
    labels: Sequence[np.ndarray],
    input_shape: tuple[int, ...],
    classes: int,
    epochs: int,
    target_ppm: int = 1_000_000,
    training: LocalTraining | None = None,
    strangers: int = 0,
) -> Iterator[Scene]:
    """Start a node, deploy, stake, open a job and write everybody's files.

    After the clients the node has accounts for `strangers`, who have no part in the job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Anvil(accounts=FIRST_CLIENT + clients + strangers) as node:
        deployment = deploy_protocol(TransactionSender(node.connection, node.signer(ADMIN)), PARAMETERS)
        deployment.save(folder / "deployment.json")
        admin = FedBlocks.connect(node.url, deployment, signer=node.signer(ADMIN))
        user, aggregator = admin.acting_as(node.signer(USER)), admin.acting_as(node.signer(AGGREGATOR))
        signers = tuple(node.signer(FIRST_CLIENT + number) for number in range(clients))
        profiles = []
        for number, signer in enumerate(signers):
            admin.acting_as(signer).staking.stake()
            profile = profile_of(
                labels[number],
                input_shape,
                client=signer.address,
                domain="tests",
                modality="image",
                issued_at=node.connection.block().timestamp,
            )
            settlement = admin.chain.address
            profiles.append(sign_profile(profile, signer, chain_id=node.connection.chain_id, settlement=settlement))
        request = JobRequest(
            architecture="flower-app",
            input_shape=input_shape,
            classes=classes,
            target_accuracy_ppm=target_ppm,
            maximum_epochs=epochs,
            cohort_size=clients,
            requirement=DataRequirement(domain="tests", modality="image", input_shape=input_shape),
            training=training or LocalTraining(),
        )
        draw = user.jobs.match(request, profiles)
        job = user.jobs.open(request, draw, node.signer(AGGREGATOR).address, genesis=genesis)
        aggregator.chain.deposit_bond(job.instance_id)
        scene = Scene(folder, node, user, aggregator, job, signers)
        _write_files(scene)
        yield scene


@contextmanager
def a_copy_of(scene: Scene, folder: Path) -> Iterator[Scene]:
    """The scene as it is, with files of its own; what happens in it is undone on the chain afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = replace(scene, folder=folder)
    scene.user.deployment.save(folder / "deployment.json")
    snapshot = scene.node.snapshot()
    _write_files(copy)
    yield copy
    scene.node.revert(snapshot)


def _write_files(scene: Scene) -> None:
    scene.clients_folder.mkdir()
    (scene.folder / "passphrase").write_text(PASSPHRASE)
    (scene.folder / "job.json").write_text(scene.job.request.to_json())
    for number, signer in enumerate(scene.clients):
        write_keyfile(scene.clients_folder / f"{number}.json", signer)
        # The secret that a notebook draws by itself; here the engine in one process must have the same.
        notebook = scene.clients_folder / "state" / signer.address.lower()
        notebook.mkdir(parents=True)
        (notebook / "secret").write_bytes(scene.secret(number))
        _write_toml(
            scene.client_settings(number),
            rpc=scene.node.url,
            deployment="../deployment.json",
            account=f"{number}.json",
            passphrase_file="../passphrase",
            state="state",
        )
    home = scene.aggregator_settings.parent
    home.mkdir()
    write_keyfile(home / "key.json", scene.node.signer(AGGREGATOR))
    _write_toml(
        scene.aggregator_settings,
        rpc=scene.node.url,
        deployment="../deployment.json",
        account="key.json",
        passphrase_file="../passphrase",
        instance=scene.job.instance_id,
        job="../job.json",
        store=f"sqlite:///{home / 'rollup.sqlite'}",
        data=f"file://{home / 'blobs'}",
    )


def write_keyfile(path: Path, signer: LocalSigner) -> None:
    """Write a key file with the scene's passphrase."""
    # A key file that opens in no time: these keys are anvil's, and everybody knows them.
    key = Account.encrypt(signer._account.key, PASSPHRASE, kdf="pbkdf2", iterations=1000)
    path.write_text(json.dumps(key))


def _write_toml(path: Path, **values: str | int) -> None:
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
