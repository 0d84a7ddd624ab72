"""In a browser there are no keys, and strangers' pages get no answer."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from fedblocks.cli.tui import tui
from fedblocks_tui.serve import KeyInBrowser, OwnPagesOnly, is_loopback


def test_an_account_is_refused():
    result = CliRunner().invoke(tui, ["--serve", "--demo", "--account", "someone"])
    assert isinstance(result.exception, KeyInBrowser)
    assert "read-only" in str(result.exception)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8123"}, 200),
        ({"Host": "localhost:8123", "Origin": "http://localhost:8123"}, 200),
        ({"Host": "127.0.0.1:8123", "Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example:8123"}, 403),
    ],
)
def test_only_its_own_pages_are_answered(headers, status):
    async def ask() -> int:
        server = OwnPagesOnly("true", host="127.0.0.1", port=8123)
        async with TestClient(TestServer(await server._make_app())) as client:
            return (await client.get("/", headers=headers)).status

    assert asyncio.run(ask()) == status


@pytest.mark.parametrize(
    ("host", "is_one"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)]
)
def test_a_loopback_address_is_known(host, is_one):
    assert is_loopback(host) is is_one
