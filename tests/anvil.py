"""A running chain for tests: one anvil for each test process, and every test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.deployments import Deployment
from fedblocks.types import Address

DEPLOYER, USER, AGGREGATOR, STRANGER = range(4)
FIRST_CLIENT = 4
CLIENTS = 6


@dataclass(frozen=True)
class Roles:
    """The protocol as each of its roles sees it."""

    node: Anvil
    deployer: FedBlocks
    user: FedBlocks
    aggregator: FedBlocks
    stranger: FedBlocks
    clients: tuple[FedBlocks, ...]

    @property
    def cohort(self) -> list[Address]:
        """The clients' addresses, in the order of their seats."""
        return [self.node.signer(FIRST_CLIENT + index).address for index in range(len(self.clients))]


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    """One node for the whole test process, on a free port."""
    with Anvil(accounts=16) as node:
        yield node


@pytest.fixture(scope="session")
def deployment(anvil: Anvil) -> Deployment:
    """The protocol with its default parameters."""
    return deploy_protocol(TransactionSender(anvil.connection, anvil.signer(DEPLOYER)))


@pytest.fixture
def node(anvil: Anvil, deployment: Deployment) -> Iterator[Anvil]:
    """The node with the protocol on it; what a test does to it is undone afterwards."""
    snapshot = anvil.snapshot()
    yield anvil
    anvil.revert(snapshot)


@pytest.fixture
def roles(node: Anvil, deployment: Deployment) -> Roles:
    """Everybody who takes part; nobody has staked yet."""
    deployer = FedBlocks.connect(node.url, deployment, signer=node.signer(DEPLOYER))
    return Roles(
        node=node,
        deployer=deployer,
        user=deployer.acting_as(node.signer(USER)),
        aggregator=deployer.acting_as(node.signer(AGGREGATOR)),
        stranger=deployer.acting_as(node.signer(STRANGER)),
        clients=tuple(deployer.acting_as(node.signer(FIRST_CLIENT + index)) for index in range(CLIENTS)),
    )


@pytest.fixture
def staked(roles: Roles) -> Roles:
    """Everybody, with all clients staked."""
    for client in roles.clients:
        client.staking.stake()
    return roles
