"""A node of one's own: anvil starts, is the same every time, and never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedblocks.chain import node as node_module
from fedblocks.chain.connection import Connection, NodeUnreachable
from fedblocks.chain.node import GENESIS_TIME, Anvil, AnvilFailed, AnvilMissing, find_anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.units import ether


def is_answered(url: str) -> bool:
    try:
        Connection.open(url)
    except NodeUnreachable:
        return False
    return True


def test_two_runs_with_the_same_transactions_see_the_same_blocks() -> None:
    hashes = []
    for _ in range(2):
        with Anvil(accounts=2) as node:
            sender = TransactionSender(node.connection, node.signer(0))
            sender.transfer(node.signer(1).address, ether(1))
            node.increase_time(86_400)
            sender.transfer(node.signer(1).address, ether(2))
            hashes.append(node.connection.block().hash)
    assert hashes[0] == hashes[1]


def test_time_passes_on_the_chain_without_sleeping() -> None:
    with Anvil(accounts=1) as node:
        assert node.connection.block().timestamp == GENESIS_TIME
        assert node.increase_time(86_400) == GENESIS_TIME + 86_400
        assert node.mine(3) == GENESIS_TIME + 86_403


def test_accounts_are_funded_and_no_others_exist() -> None:
    with Anvil(accounts=2) as node:
        assert node.connection.balance(node.signer(1).address) == ether(10_000)
        with pytest.raises(IndexError, match="2 accounts"):
            node.signer(2)


def test_a_stopped_node_is_gone_and_stopping_twice_is_harmless() -> None:
    node = Anvil(accounts=1).start()
    assert is_answered(node.url)
    node.stop()
    node.stop()
    assert not is_answered(node.url)


def test_an_error_within_the_block_stops_the_node() -> None:
    node = Anvil(accounts=1)
    with pytest.raises(ZeroDivisionError), node:
        _ = 1 / 0
    assert not is_answered(node.url)


OWNER = """
import time
from fedblocks.chain.node import Anvil
print(Anvil(accounts=1).start().url, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_the_node_does_not_outlive_a_killed_owner() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    assert is_answered(url)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 5
    while is_answered(url):
        assert time.monotonic() < deadline, "anvil still runs"


def test_a_missing_anvil_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(node_module, "__file__", str(tmp_path / "node.py"))
    with pytest.raises(AnvilMissing, match="make setup"):
        Anvil().start()


def test_an_anvil_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "anvil"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_anvil() == own


def test_an_anvil_that_does_not_start_is_quoted() -> None:
    with pytest.raises(AnvilFailed, match="--no-such-option"):
        Anvil(arguments=("--no-such-option",)).start()


def test_a_node_can_be_started_again_and_starts_anew() -> None:
    node = Anvil(accounts=1)
    with node:
        node.mine(3)
    with node:
        assert node.start() is node
        assert node.connection.block_number() == 0
