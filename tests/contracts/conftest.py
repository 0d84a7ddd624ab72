"""One fixture a role. The contracts are deployed once; every test leaves the chain as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from tests.contracts import world


@pytest.fixture(scope="session")
def deployer() -> Any:
    return world.account("deployer")


@pytest.fixture(scope="session")
def admin() -> Any:
    return world.account("admin", 0)


@pytest.fixture(scope="session")
def user() -> Any:
    return world.account("user")


@pytest.fixture(scope="session")
def aggregator() -> Any:
    return world.account("aggregator")


@pytest.fixture(scope="session")
def successor() -> Any:
    """Who takes an aggregator's place."""
    return world.account("successor")


@pytest.fixture(scope="session")
def stranger() -> Any:
    """Somebody with no role at all."""
    return world.account("stranger")


@pytest.fixture(scope="session")
def newcomer() -> Any:
    """Somebody who has not staked yet."""
    return world.account("newcomer")


@pytest.fixture(scope="session")
def protocol(deployer: Any, admin: Any) -> world.Protocol:
    return world.Protocol.deploy(deployer, admin)


@pytest.fixture(scope="session")
def crowd(protocol: world.Protocol) -> list[Any]:
    """As many staked clients as a cohort can have."""
    clients = [world.account(f"client {seat}") for seat in range(64)]
    for client in clients:
        protocol.stake(client)
    return clients


@pytest.fixture(scope="session")
def clients(crowd: list[Any]) -> list[Any]:
    """A small cohort."""
    return crowd[:5]


@pytest.fixture(scope="session")
def client(clients: list[Any]) -> Any:
    return clients[0]


@pytest.fixture(scope="session")
def rewards(protocol: world.Protocol) -> Any:
    return protocol.rewards


@pytest.fixture(scope="session")
def chain(protocol: world.Protocol) -> Any:
    return protocol.chain


@pytest.fixture(scope="session")
def registry(protocol: world.Protocol) -> Any:
    return protocol.registry


@pytest.fixture(scope="session")
def slashing(protocol: world.Protocol) -> Any:
    return protocol.slashing


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    with boa.env.anchor():
        yield


@pytest.fixture
def run(protocol: world.Protocol, user: Any, clients: list[Any], aggregator: Any) -> world.Run:
    """An instance of three epochs, configured and bonded."""
    return protocol.run(user, clients, 3, aggregator)


@pytest.fixture
def slashed_run(run: world.Run) -> world.Run:
    """An instance whose first epoch is final; seat 1 was found a duplicate in it and seat 3 noise."""
    run.train(excluded=0b01010, slash_reasons=world.reasons((1, 2), (3, 5)))
    run.finalize()
    return run
