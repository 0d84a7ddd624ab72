"""The demo's cast and stage: a chain with the protocol on it, and clients with data, keys and intentions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fedblocks.chain.node import Anvil
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import TransactionSender
from fedblocks.client import FedBlocks
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.demo.options import DemoOptions
from fedblocks.deployments import ProtocolParameters
from fedblocks.engines.local import Member
from fedblocks.rollup.keccak import keccak256
from fedblocks.training.attacks import Attack, Outcome, find_attack
from fedblocks.training.client import FederatedClient
from fedblocks.training.datasets import Dataset
from fedblocks.training.job import LocalTraining
from fedblocks.training.models import build_model
from fedblocks.training.partition import dirichlet_partition
from fedblocks.training.profile import SignedProfile, profile_of, sign_profile
from fedblocks.training.trainer import ClientTrainer
from fedblocks.types import Address, Timestamp

ADMIN, USER, AGGREGATOR, FIRST_CLIENT = range(4)
OUTSIDERS = 2
"""Staked clients whose data do not fit the job: matching must pass them over."""

MINIMUM_SAMPLES = 64
PARAMETERS = ProtocolParameters(challenge_window=3600)
"""The defaults but for the challenge window: an hour, which the demo lets pass on the chain's clock."""


@dataclass(frozen=True)
class Stage:
    """A chain with the protocol deployed, and the accounts that act on it.

    Attributes:
        node: the EVM node.
        deployment_file: where the deployment was written.
        admin, user, aggregator, watcher: the protocol as each of them sees it.
        successor: the aggregator whom the user names when the first one was found out.
    """

    node: Anvil
    deployment_file: Path
    admin: FedBlocks
    user: FedBlocks
    aggregator: FedBlocks
    watcher: FedBlocks
    successor: FedBlocks

    def acting_as(self, signer: LocalSigner) -> FedBlocks:
        return self.user.acting_as(signer)


@dataclass(frozen=True)
class Player:
    """A data owner of the demo.

    Attributes:
        name: for people.
        signer: its account.
        profile: what it says of its data, signed.
        member: what the engine runs; None for an outsider.
        attack: its attack, None if it is honest.
    """

    name: str
    signer: LocalSigner
    profile: SignedProfile
    member: Member | None
    attack: Attack | None

    @property
    def address(self) -> Address:
        return self.signer.address

    @property
    def expected(self) -> str:
        return self.attack.expected if self.attack else "honest: keeps its stake"

    @property
    def slash_expected(self) -> bool:
        return self.attack is not None and self.attack.outcome is Outcome.SLASHED


@contextmanager
def open_stage(options: DemoOptions) -> Iterator[Stage]:
    """Start a node, deploy the protocol with the code that the ape script uses, and stop the node at the end."""
    _clear(options.output)
    first_spare = FIRST_CLIENT + options.clients + OUTSIDERS
    with Anvil(accounts=first_spare + 2, port=options.port) as node:
        admin_signer = node.signer(ADMIN)
        deployment = deploy_protocol(TransactionSender(node.connection, admin_signer), PARAMETERS)
        path = options.output / "deployment.json"
        deployment.save(path)
        admin = FedBlocks.connect(node.url, path, signer=admin_signer)
        yield Stage(
            node=node,
            deployment_file=path,
            admin=admin,
            user=admin.acting_as(node.signer(USER)),
            aggregator=admin.acting_as(node.signer(AGGREGATOR)),
            watcher=admin.acting_as(node.signer(first_spare)),
            successor=admin.acting_as(node.signer(first_spare + 1)),
        )


def account_of(fedblocks: FedBlocks) -> Address:
    """The account that signs for one of the stage's roles."""
    address = fedblocks.sender.address
    assert address is not None, "the demo's accounts sign"
    return address


def _clear(output: Path) -> None:
    """Remove what an earlier demo left: every demo has a chain of its own, and the old store belongs to another one."""
    for name in ("rollup.sqlite", "rollup.sqlite-wal", "rollup.sqlite-shm", "deployment.json", "demo.png"):
        (output / name).unlink(missing_ok=True)
    if (output / "blobs").is_dir():
        shutil.rmtree(output / "blobs")


def assemble(stage: Stage, options: DemoOptions, data: Dataset, training: LocalTraining) -> list[Player]:
    """Divide the data among clients, give each a key, an intention and a signed data profile.

    Attackers take the last seats of the list, outsiders come after them.
    """
    parts = dirichlet_partition(data.train_y, options.clients, options.alpha, options.seed, MINIMUM_SAMPLES)
    honest = options.clients - len(options.attackers)
    # Clients train one after the other and load the base model first: they can share the network.
    module = build_model(options.model, data.input_shape, data.classes, options.seed)
    issued_at = stage.node.connection.block().timestamp
    settlement = stage.user.chain.address
    players = []
    for index, part in enumerate(parts):
        signer = stage.node.signer(FIRST_CLIENT + index)
        attack = find_attack(options.attackers[index - honest]) if index >= honest else None
        labels = data.train_y[part]
        trainer = ClientTrainer(
            module,
            data.train_x[part],
            attack.poison(labels, data.classes) if attack else labels,
            replace(training, local_steps=attack.local_steps(training.local_steps)) if attack else training,
            client=signer.address,
            seed=options.seed,
        )
        secret = keccak256(f"fedblocks demo {options.seed} {index}".encode())
        players.append(
            Player(
                name=f"client {index + 1}" if attack is None else attack.name,
                signer=signer,
                profile=_profile(stage, signer, labels, data, data.name, issued_at, settlement),
                member=Member(FederatedClient(signer, trainer, secret), attack),
                attack=attack,
            )
        )
    players.extend(_outsiders(stage, options, data, issued_at, settlement))
    return players


def _outsiders(
    stage: Stage, options: DemoOptions, data: Dataset, issued_at: Timestamp, settlement: Address
) -> Sequence[Player]:
    players = []
    for index in range(OUTSIDERS):
        signer = stage.node.signer(FIRST_CLIENT + options.clients + index)
        profile = _profile(stage, signer, data.train_y[:MINIMUM_SAMPLES], data, "x-ray", issued_at, settlement)
        players.append(Player(f"outsider {index + 1}", signer, profile, None, None))
    return players


def _profile(
    stage: Stage,
    signer: LocalSigner,
    labels: object,
    data: Dataset,
    domain: str,
    issued_at: Timestamp,
    settlement: Address,
) -> SignedProfile:
    profile = profile_of(
        labels,  # type: ignore[arg-type]
        data.input_shape,
        client=signer.address,
        domain=domain,
        modality="image",
        issued_at=issued_at,
    )
    return sign_profile(profile, signer, chain_id=stage.node.connection.chain_id, settlement=settlement)
