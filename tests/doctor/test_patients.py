"""What the doctor says where there is no contract, not only one, or a node that cannot pretend."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fedblocks.chain.connection import Connection
from fedblocks.chain.node import Anvil
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.doctor import Defect, Verdict, examine
from fedblocks.doctor.simulation import scratch_address

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
BEACON_SLOT = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"


@contextmanager
def node_before(url: str, *, refuses: bool) -> Iterator[str]:
    """A node that refuses the state overrides of `eth_call`, or does as if it had not seen them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if question["method"] == "eth_call" and len(question["params"]) > 2:
                if refuses:
                    error = {"code": -32602, "message": "too many arguments, want at most 2"}
                    self.answer(json.dumps({"jsonrpc": "2.0", "id": question["id"], "error": error}).encode())
                    return
                question["params"] = question["params"][:2]
            request = urllib.request.Request(
                url, json.dumps(question).encode(), {"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request) as answer:
                self.answer(answer.read())

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("refuses", "why"),
    [
        (True, "the node does not take state overrides: too many arguments, want at most 2"),
        (False, "the node ignores state overrides: it takes them, and answers as if there were none"),
    ],
)
def test_a_node_that_cannot_pretend_makes_everything_unknown(v1_node: Anvil, refuses: bool, why: str) -> None:
    with node_before(v1_node.url, refuses=refuses) as url:
        report = examine(Connection.open(url), V1_ARBITRUM.contracts)
    assert [(each.verdict, each.why) for each in report.findings] == [(Verdict.UNKNOWN, why)] * len(Defect)
    assert all(each.code_size for each in report.contracts)


def test_an_address_without_code_is_named(v1_node: Anvil) -> None:
    nowhere = scratch_address("nowhere")
    report = examine(v1_node.connection, {**V1_ARBITRUM.contracts, "StakingRegistry": nowhere})
    assert [each.name for each in report.without_code] == ["StakingRegistry"]
    for each in report.findings:
        if each.defect.contract == "RewardManager":
            assert each.verdict is Verdict.PRESENT
        else:
            assert (each.verdict, each.why) == (Verdict.UNKNOWN, f"there is no code at {nowhere}")


def test_of_a_contract_that_is_not_named_nothing_is_said(v1_node: Anvil) -> None:
    only = {"RewardManager": V1_ARBITRUM.address("RewardManager")}
    report = examine(v1_node.connection, only)
    assert report.verdict(Defect.V1_6) is Verdict.PRESENT
    assert report.findings[0].why == "no address was given for StakingRegistry"


def test_code_that_is_something_else_is_unknown(v1_node: Anvil) -> None:
    treasury = V1_ARBITRUM.address("RewardTreasury")
    report = examine(v1_node.connection, {"StakingRegistry": treasury, "RewardManager": treasury})
    assert {each.verdict for each in report.findings} == {Verdict.UNKNOWN}


def test_a_clone_is_probed_through_and_named(v1_node: Anvil) -> None:
    registry, clone = V1_ARBITRUM.address("StakingRegistry"), scratch_address("clone")
    code = f"0x363d3d373d3d3d363d73{registry[2:]}5af43d82803e903d91602b57fd5bf3"
    v1_node.connection.rpc("anvil_setCode", clone, code)
    report = examine(v1_node.connection, {**V1_ARBITRUM.contracts, "StakingRegistry": clone})
    assert [each.proxy for each in report.contracts if each.proxy] == [f"EIP-1167 to {registry}"]
    assert report.verdict(Defect.V1_1) is Verdict.PRESENT
    assert "its code may be another tomorrow" in report.notes[0]


@pytest.mark.parametrize(("slot", "said"), [(IMPLEMENTATION_SLOT, "EIP-1967 to"), (BEACON_SLOT, "EIP-1967 beacon at")])
def test_an_upgradeable_proxy_is_named(v1_node: Anvil, slot: str, said: str) -> None:
    registry, other = V1_ARBITRUM.address("StakingRegistry"), scratch_address("implementation")
    v1_node.connection.rpc("anvil_setStorageAt", registry, slot, "0x" + other[2:].rjust(64, "0"))
    report = examine(v1_node.connection, V1_ARBITRUM.contracts)
    assert [each.proxy for each in report.contracts if each.proxy] == [f"{said} {other}"]


def test_a_registry_that_names_another_manager_than_was_given_is_noted(v1_node: Anvil) -> None:
    other = scratch_address("other")
    report = examine(v1_node.connection, {**V1_ARBITRUM.contracts, "SlashingManager": other})
    assert report.verdict(Defect.V1_5) is Verdict.PRESENT
    assert any(f"not {other}: that one was probed" in note for note in report.notes)


def test_an_earlier_block_can_be_looked_at(v1_node: Anvil) -> None:
    before = v1_node.connection.block_number()
    registry = V1_ARBITRUM.address("StakingRegistry")
    v1_node.mine()
    v1_node.connection.rpc("anvil_setCode", registry, "0x")
    assert examine(v1_node.connection, V1_ARBITRUM.contracts).verdict(Defect.V1_1) is Verdict.UNKNOWN
    assert examine(v1_node.connection, V1_ARBITRUM.contracts, before).verdict(Defect.V1_1) is Verdict.PRESENT
