"""One client's process on a stage of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.deployments import Deployment
from tests.anvil import AGGREGATOR, CLIENTS, DEPLOYER, FIRST_CLIENT, STRANGER, USER, Roles
from tests.operating.stage import Stage, open_job, open_stage


@pytest.fixture(scope="module")
def opened(anvil: Anvil, deployment: Deployment) -> Iterator[tuple[Roles, Any]]:
    """Everybody staked, and an open job: the same for all tests of a module."""
    snapshot = anvil.snapshot()
    deployer = FedBlocks.connect(anvil.url, deployment, signer=anvil.signer(DEPLOYER))
    user, aggregator, stranger = (deployer.acting_as(anvil.signer(each)) for each in (USER, AGGREGATOR, STRANGER))
    clients = tuple(deployer.acting_as(anvil.signer(FIRST_CLIENT + number)) for number in range(CLIENTS))
    for client in clients:
        client.staking.stake()
    roles = Roles(anvil, deployer, user, aggregator, stranger, clients)
    yield roles, open_job(roles)
    anvil.revert(snapshot)


@pytest.fixture
def stage(tmp_path: Path, opened: tuple[Roles, Any]) -> Iterator[Stage]:
    """The job, its aggregator and a node; the client's process is started by the test."""
    roles, job = opened
    snapshot = roles.node.snapshot()
    stage = open_stage(tmp_path, roles, job)
    with stage.node:
        yield stage
    stage.store.close()
    roles.node.revert(snapshot)
