"""Chains with patients on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.contracts.v1 import V1_ARBITRUM
from tests.fork.build_state import put_stand_ins


@pytest.fixture(scope="session")
def v1_chain() -> Iterator[Anvil]:
    """A chain of Arbitrum's number with the stand-ins for version 1."""
    with Anvil(chain_id=V1_ARBITRUM.chain_id) as node:
        put_stand_ins(node)
        yield node


@pytest.fixture
def v1_node(v1_chain: Anvil) -> Iterator[Anvil]:
    """The same; what a test does to it is undone afterwards."""
    snapshot = v1_chain.snapshot()
    yield v1_chain
    v1_chain.revert(snapshot)
