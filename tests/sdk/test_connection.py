"""Connecting: a node that is down, slow, wrong or odd is named as such, and no API key is ever shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fedblocks.chain.connection import Connection, NodeUnreachable, UnknownBlock, WrongChain, redact
from fedblocks.chain.node import LOCAL_CHAIN_ID, Anvil
from fedblocks.exceptions import FedBlocksError


@contextmanager
def answering(status: int, body: bytes, delay: threading.Event | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if delay is not None:
                delay.wait(5)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if delay is not None:
            delay.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_connection_knows_its_chain(anvil: Anvil) -> None:
    assert Connection.open(anvil.url).chain_id == LOCAL_CHAIN_ID
    assert Connection.open(anvil.url, chain_id=LOCAL_CHAIN_ID).chain_id == LOCAL_CHAIN_ID


def test_another_chain_than_expected_is_refused(anvil: Anvil) -> None:
    with pytest.raises(WrongChain, match="serves chain 31337, but chain 42161") as caught:
        Connection.open(anvil.url, chain_id=42161)
    assert (caught.value.expected, caught.value.actual) == (42161, 31337)
    assert isinstance(caught.value, ValueError)


def test_a_node_that_is_down_is_unreachable() -> None:
    with pytest.raises(NodeUnreachable, match=r"http://127\.0\.0\.1:1: the connection failed") as caught:
        Connection.open("http://127.0.0.1:1")
    assert isinstance(caught.value, FedBlocksError)
    assert isinstance(caught.value, ConnectionError)


def test_a_node_that_does_not_answer_in_time_is_unreachable() -> None:
    with (
        answering(200, b"{}", threading.Event()) as url,
        pytest.raises(NodeUnreachable, match="eth_chainId timed out"),
    ):
        Connection.open(url, timeout=0.2)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, b"busy", "HTTP 503"),
        (200, b"<html>login</html>", "was not answered with JSON"),
        (200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no such method"}}', "which chain it serves"),
    ],
)
def test_an_answer_that_is_none_makes_the_node_unreachable(status: int, body: bytes, reason: str) -> None:
    with answering(status, body) as url, pytest.raises(NodeUnreachable, match=reason):
        Connection.open(url)


def test_only_http_nodes_are_supported() -> None:
    with pytest.raises(NodeUnreachable, match="only http"):
        Connection.open("ws://127.0.0.1:8546")


def test_a_node_that_goes_away_later_is_unreachable_too() -> None:
    with Anvil(accounts=1) as node:
        connection = node.connection
        assert connection.block_number() == 0
    with pytest.raises(NodeUnreachable):
        connection.block_number()


@pytest.mark.parametrize(
    "url",
    [
        "https://arb-mainnet.example.com/v2/s3cret",
        "https://example.com/?key=s3cret",
        "https://me:s3cret@example.com:8545",
    ],
)
def test_an_api_key_is_not_shown(url: str) -> None:
    assert "s3cret" not in redact(url)
    assert "s3cret" not in str(NodeUnreachable(url, "the connection failed"))
    assert "example.com" in redact(url)


def test_a_block_that_is_not_there_is_unknown(anvil: Anvil) -> None:
    with pytest.raises(UnknownBlock, match="10000000"):
        anvil.connection.block(10_000_000)
    with pytest.raises(UnknownBlock):
        anvil.connection.block(b"\x11" * 32)


def test_a_block_has_what_is_needed_of_it(anvil: Anvil) -> None:
    genesis = anvil.connection.block(0)
    anvil.mine()
    first = anvil.connection.block(1)
    assert first.parent_hash == genesis.hash
    assert anvil.connection.block(first.hash) == first
    assert first.base_fee is not None
