"""A fork of Arbitrum One: of the real chain when ARBITRUM_RPC_URL says where it is, else of a stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fedblocks.chain.connection import Connection
from fedblocks.chain.node import Anvil
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.v1 import FedBlocksV1
from tests.fork.build_state import build_state

REAL = os.environ.get("ARBITRUM_RPC_URL", "")
"""Arbitrum's own node. Nothing is ever sent there: it is only forked."""
BLOCK = os.environ.get("ARBITRUM_FORK_BLOCK", "")
"""The block that is forked; the newest at the start of the tests when left out, and the same for all of them."""

ACCOUNTS = 16


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The node that is forked."""
    if REAL:
        yield REAL
        return
    state = tmp_path_factory.mktemp("arbitrum") / "state.json"
    build_state(state)
    with Anvil(chain_id=V1_ARBITRUM.chain_id, arguments=("--load-state", str(state))) as node:
        yield node.url


@pytest.fixture(scope="session")
def forked(upstream: str) -> Iterator[Anvil]:
    """The fork, pinned to a block."""
    block = int(BLOCK or Connection.open(upstream, chain_id=V1_ARBITRUM.chain_id).block_number())
    # A low block number makes anvil take an old EVM; and it would keep what it has read for the next fork.
    arguments = (
        "--fork-url",
        upstream,
        "--fork-block-number",
        str(block),
        "--hardfork",
        "cancun",
        "--no-storage-caching",
    )
    with Anvil(accounts=ACCOUNTS, chain_id=V1_ARBITRUM.chain_id, arguments=arguments) as node:
        if REAL:
            # Everyone knows these keys: on public chains others have put code at their addresses.
            for index in range(ACCOUNTS):
                node.connection.rpc("anvil_setCode", node.signer(index).address, "0x")
        yield node


@pytest.fixture
def fork(forked: Anvil) -> Iterator[Anvil]:
    """The fork; what a test does to it is undone afterwards."""
    snapshot = forked.snapshot()
    yield forked
    forked.revert(snapshot)


@pytest.fixture
def v1(fork: Anvil) -> FedBlocksV1:
    """Version 1, with an account that holds ether."""
    return FedBlocksV1.connect(fork.url, signer=fork.signer(1))
