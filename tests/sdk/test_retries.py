"""Asking again: what only reads survives a node's bad moment, what changes something is asked once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from fedblocks.chain.connection import Connection, NodeRefused, NodeUnreachable
from fedblocks.chain.head import Head
from fedblocks.chain.node import Anvil
from fedblocks.chain.retries import Retries, is_busy, is_harmless, seconds_asked_for
from tests.faults.mempool import give, nobody, rich_account, sign
from tests.faults.proxy import Fault, FaultyNode, Script

PASSING = [
    Fault.BUSY,
    Fault.BUSY_FOR,
    Fault.BUSY_IN_JSON,
    Fault.ERROR_500,
    Fault.ERROR_502,
    Fault.RESET_BEFORE,
    Fault.RESET_AFTER,
    Fault.GARBLED,
    Fault.CUT_OFF,
    Fault.SLOW_DRIP,
    Fault.TWICE,
]
QUICK = Retries(first_pause=0.001)


@pytest.mark.parametrize("fault", PASSING)
def test_a_read_survives_a_bad_moment(anvil: Anvil, fault: Fault) -> None:
    with FaultyNode(anvil.url) as node:
        connection = Connection.open(node.url, retries=QUICK)
        node.plan = Script([fault, None, fault], ["eth_getBlockByNumber", "eth_getBalance"])
        assert connection.block() == anvil.connection.block()
        assert connection.balance(anvil.signer(0).address) == anvil.connection.balance(anvil.signer(0).address)
        assert connection.block() == anvil.connection.block()
        assert node.seen[fault] == 2


def test_a_read_that_times_out_is_asked_once_more(anvil: Anvil) -> None:
    with FaultyNode(anvil.url, hang=1.0) as node:
        connection = Connection.open(node.url, timeout=0.15, retries=QUICK)
        node.plan = Script([Fault.TIME_OUT])
        assert connection.block_number() == anvil.connection.block_number()
        node.plan = script = Script([Fault.TIME_OUT] * 3)
        with pytest.raises(NodeUnreachable, match="eth_blockNumber timed out"):
            connection.block_number()
        assert script.left == 1


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (Fault.BUSY, NodeUnreachable, "HTTP 429"),
        (Fault.GARBLED, NodeUnreachable, "not answered with JSON"),
        (Fault.RESET_BEFORE, NodeUnreachable, "the connection failed"),
        (Fault.BUSY_IN_JSON, NodeRefused, "limit exceeded"),
    ],
)
def test_a_node_that_stays_bad_is_given_up(anvil: Anvil, fault: Fault, error: type[Exception], text: str) -> None:
    with FaultyNode(anvil.url) as node:
        connection = Connection.open(node.url, retries=QUICK)
        node.plan = script = Script([fault] * 9)
        with pytest.raises(error, match=text):
            connection.block_number()
        assert script.left == 5


def test_a_block_that_one_node_behind_an_address_does_not_have_is_asked_of_the_next(node: Anvil) -> None:
    node.mine(3)
    with FaultyNode(node.url, lag=2) as faulty:
        connection, address = Connection.open(faulty.url, retries=QUICK), node.signer(0).address
        head = connection.block_number()
        faulty.plan = Script([Fault.STALE] * 3, ["eth_getBalance"])
        assert connection.balance(address, head) == node.connection.balance(address, head)
        faulty.plan = script = Script([Fault.STALE] * 5, ["eth_getBalance"])
        with pytest.raises(NodeRefused, match="header not found"):
            connection.balance(address, head)
        assert script.left == 1


def test_the_newest_block_is_never_an_older_one(node: Anvil) -> None:
    with FaultyNode(node.url, lag=2) as faulty:
        newest = Head(Connection.open(faulty.url))
        before = newest()
        assert before == node.connection.block_number()
        faulty.always_stale = True
        assert newest() == before
        node.mine(5)
        assert newest() == before + 3


def test_a_transaction_is_handed_over_once_by_the_connection(anvil: Anvil) -> None:
    signer = rich_account(anvil)
    with FaultyNode(anvil.url) as node:
        connection = Connection.open(node.url, retries=QUICK)
        node.plan = script = Script([Fault.RESET_AFTER, Fault.RESET_AFTER], ["eth_sendRawTransaction"])
        raw = sign(anvil, signer, 0, nobody(), 1)
        with pytest.raises(NodeUnreachable):
            connection.web3.eth.send_raw_transaction(raw)
        assert script.left == 1
    with pytest.raises(Exception, match=r"nonce too low|already imported"):
        give(anvil, raw)  # the node had it all the same


def test_what_the_node_asks_for_is_waited_up_to_a_limit() -> None:
    retries = Retries(first_pause=0.1, longest_pause=7.0)
    assert retries.pause(1, 3.0) == 3.0
    assert retries.pause(1, 100.0) == 7.0
    assert 0.075 <= retries.pause(1) <= 0.125
    assert 0.3 <= retries.pause(3) <= 0.5
    assert retries.pause(60) == 7.0


def test_retry_after_is_a_number_or_a_date() -> None:
    assert seconds_asked_for("2") == 2.0
    assert seconds_asked_for(None) == seconds_asked_for("soon") == seconds_asked_for("-3") == 0.0
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert 80 < seconds_asked_for(format_datetime(later, usegmt=True)) <= 90
    assert seconds_asked_for(format_datetime(later - timedelta(days=1), usegmt=True)) == 0.0


@pytest.mark.parametrize("method", ["eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "anvil_reorg"])
def test_what_changes_something_is_not_harmless(method: str) -> None:
    assert not is_harmless(method)


@pytest.mark.parametrize("method", ["eth_call", "eth_getLogs", "net_version", "eth_estimateGas", "debug_traceCall"])
def test_what_only_reads_is_harmless(method: str) -> None:
    assert is_harmless(method)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        ({"code": -32005, "message": "limit exceeded"}, True),
        ({"code": -32603, "message": "internal error"}, True),
        ({"code": -32603, "message": "Internal JSON-RPC error."}, True),
        ({"code": -32603, "message": "VM Exception: revert not yours"}, False),
        ({"code": -32603, "message": "internal error", "data": "0x08c379a0"}, False),
        ({"code": 3, "message": "execution reverted"}, False),
    ],
)
def test_an_error_without_a_reason_is_asked_about_again(error: dict[str, object], again: bool) -> None:
    assert is_busy("eth_call", {"jsonrpc": "2.0", "id": 1, "error": error}) is again
