"""A node that misbehaves: a JSON-RPC proxy in front of a good one.

Real sockets, so that what breaks is what breaks in life: the connection, in the middle of an answer. A *plan* decides
for each request which fault it gets; :class:`Script` by method and count, :class:`Dice` by a seed. Run as a program, it
is a process of its own that may be killed::

    python -m tests.faults.proxy --upstream http://127.0.0.1:8545 --seed 7 --rate 0.2
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from fedblocks.rollup.keccak import keccak256


class Fault(StrEnum):
    """What may happen to a request."""

    TIME_OUT = "time-out"
    """The node has it, and doesn't answer."""
    TIME_OUT_UNSEEN = "time-out, unseen"
    """The node never gets it, and nobody answers."""
    BUSY = "429"
    BUSY_FOR = "429 with Retry-After"
    BUSY_IN_JSON = "limit exceeded, in JSON"
    ERROR_500 = "HTTP 500"
    ERROR_502 = "HTTP 502 with a page"
    RESET_BEFORE = "reset before it is forwarded"
    RESET_AFTER = "reset after it is forwarded"
    TWICE = "forwarded twice"
    """The node gets it twice; the second answer comes back."""
    GARBLED = "no JSON"
    CUT_OFF = "cut off"
    SLOW_DRIP = "slow drip"
    STALE = "stale"
    """Answered as some blocks ago."""
    NONCE_TOO_LOW = "nonce too low"
    NONCE_TOO_HIGH = "nonce too high"
    UNDERPRICED = "replacement underpriced"
    ALREADY_KNOWN = "already known"
    """Said, although the node never gets it."""
    INTERNAL = "internal error"
    """A JSON-RPC error, although the node has it."""


SAID = {
    Fault.NONCE_TOO_LOW: (-32000, "nonce too low"),
    Fault.NONCE_TOO_HIGH: (-32000, "nonce too high"),
    Fault.UNDERPRICED: (-32000, "replacement transaction underpriced"),
    Fault.ALREADY_KNOWN: (-32000, "already known"),
    Fault.BUSY_IN_JSON: (-32005, "limit exceeded"),
    Fault.INTERNAL: (-32603, "internal error"),
}
OF_SENDING = frozenset({Fault.NONCE_TOO_LOW, Fault.NONCE_TOO_HIGH, Fault.UNDERPRICED, Fault.ALREADY_KNOWN})
"""Faults that only the sending of a transaction can have."""

READING = {
    "eth_getTransactionCount": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getBlockByNumber": 0,
}
"""Methods that name a block, and which of their arguments it is."""


class Plan(Protocol):
    """Which fault a request gets."""

    def fault(self, method: str, params: list[Any]) -> Fault | None:
        """The fault, or None."""
        ...


class Script:
    """Faults in the order in which they are given, for some methods.

    Args:
        faults: one for each request of these methods; None lets it through. Afterwards all are let through.
        methods: which; all, when left out.
    """

    def __init__(self, faults: Iterable[Fault | None] = (), methods: Iterable[str] | None = None) -> None:
        self._faults, self._methods = list(faults), None if methods is None else set(methods)
        self._lock = threading.Lock()

    def fault(self, method: str, params: list[Any]) -> Fault | None:
        with self._lock:
            if self._faults and (self._methods is None or method in self._methods):
                return self._faults.pop(0)
            return None

    @property
    def left(self) -> int:
        """How many are still to come."""
        return len(self._faults)


class OfFunction(Script):
    """Faults in the order in which they are given, for calls that read one function of a contract.

    Args:
        signature: of the function, as the ABI spells it: ``isStaked(address)``.
        faults: one for each call of it; None lets it through. Afterwards all are let through.
    """

    def __init__(self, signature: str, faults: Iterable[Fault | None]) -> None:
        super().__init__(faults, ["eth_call"])
        self._selector = "0x" + keccak256(signature.encode())[:4].hex()

    def fault(self, method: str, params: list[Any]) -> Fault | None:
        if method == "eth_call" and str(params[0].get("data", params[0].get("input"))).startswith(self._selector):
            return super().fault(method, params)
        return None


class Dice:
    """A fault in some of all requests, by a seed."""

    def __init__(self, seed: int, rate: float, faults: Iterable[Fault] = tuple(Fault)) -> None:
        self._random, self._rate, self._faults = random.Random(seed), rate, list(faults)
        self._lock = threading.Lock()

    def fault(self, method: str, params: list[Any]) -> Fault | None:
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            fault = self._random.choice(self._faults)
        return None if fault in OF_SENDING and method != "eth_sendRawTransaction" else fault


@dataclass
class FaultyNode:
    """The proxy, as a context manager.

    Attributes:
        upstream: the good node's URL.
        plan: decides about faults.
        lag: how many blocks a stale answer is behind.
        always_stale: every answer is.
        hang: seconds that a time-out lasts at most.
        seen: how often each fault was made.
    """

    upstream: str
    plan: Plan = field(default_factory=Script)
    lag: int = 3
    always_stale: bool = False
    hang: float = 5.0
    retry_after: str = "0.05"
    seen: Counter[Fault] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> FaultyNode:
        self.start(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int) -> None:
        """Serve on a port; 0 is any that is free."""
        node = self
        self._stopping = threading.Event()

        class Handler(_Handler):
            faulty = node

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Do nothing for some time, or until the proxy stops."""
        self._stopping.wait(seconds)

    def ask(self, body: bytes) -> bytes:
        """What the good node answers."""
        parts = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def call(self, method: str, *params: Any) -> Any:
        """One call of the good node; its result."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = json.loads(self.ask(json.dumps(question).encode()))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def ask_stale(self, request: dict[str, Any]) -> bytes:
        """What a node answers that hasn't heard of the last blocks."""
        head = max(0, int(self.call("eth_blockNumber"), 16) - self.lag)
        method, params = request["method"], list(request.get("params", []))
        if method == "eth_blockNumber":
            return _answer(request, result=hex(head))
        at = READING.get(method)
        if at is not None:
            params += ["latest"] * (at + 1 - len(params))
            if params[at] in ("latest", "pending", "safe", "finalized"):
                params[at] = hex(head)
            elif isinstance(params[at], str) and params[at].startswith("0x") and int(params[at], 16) > head:
                if method == "eth_getBlockByNumber":
                    return _answer(request, result=None)
                return _answer(request, error=(-32000, "header not found"))
            return self.ask(json.dumps(request | {"params": params}).encode())
        if method == "eth_getLogs":
            # Of a range that ends beyond its newest block, a node gives what it has.
            first, last = (params[0].get(name, "latest") for name in ("fromBlock", "toBlock"))
            if isinstance(first, str) and first.startswith("0x") and int(first, 16) > head:
                return _answer(request, result=[])
            if isinstance(last, str) and (not last.startswith("0x") or int(last, 16) > head):
                params = [params[0] | {"toBlock": hex(head)}]
            return self.ask(json.dumps(request | {"params": params}).encode())
        answer = self.ask(json.dumps(request).encode())
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            found = json.loads(answer).get("result")
            if found and found.get("blockNumber") and int(found["blockNumber"], 16) > head:
                return _answer(request, result=None)
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyNode

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        node = self.faulty
        single = isinstance(request, dict)
        method = request["method"] if single else "batch"
        fault = node.plan.fault(method, request.get("params", []) if single else [])
        node.asked[method] += 1
        if fault is not None:
            node.seen[fault] += 1
        if fault in SAID:
            if fault is Fault.INTERNAL:
                node.ask(body)
            self._send(200, _answer(request if single else {}, error=SAID[fault]))
        elif fault in (Fault.BUSY, Fault.BUSY_FOR):
            self._send(429, b"slow down", {"Retry-After": node.retry_after} if fault is Fault.BUSY_FOR else {})
        elif fault is Fault.ERROR_500:
            self._send(500, b"oops")
        elif fault is Fault.ERROR_502:
            self._send(502, b"<html><h1>502 Bad Gateway</h1></html>")
        elif fault is Fault.RESET_BEFORE:
            self._reset()
        elif fault is Fault.RESET_AFTER:
            node.ask(body)
            self._reset()
        elif fault is Fault.TIME_OUT:
            node.ask(body)
            self._hang()
        elif fault is Fault.TIME_OUT_UNSEEN:
            self._hang()
        elif fault is Fault.GARBLED:
            node.ask(body)
            self._send(200, b'{"jsonrpc": "2.0", "id": 1, "resu')
        elif fault is Fault.CUT_OFF:
            self._send(200, node.ask(body), cut=True)
        elif fault is Fault.SLOW_DRIP:
            self._send(200, node.ask(body), drip=0.002)
        elif fault is Fault.TWICE:
            node.ask(body)
            self._send(200, node.ask(body))
        elif single and (fault is Fault.STALE or node.always_stale):
            self._send(200, node.ask_stale(request))
        else:
            self._send(200, node.ask(body))

    def _hang(self) -> None:
        self.faulty.wait(self.faulty.hang)
        self._reset()

    def _reset(self) -> None:
        # Without lingering, closing a socket resets the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False, drip: float = 0.0
    ) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if cut:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self._reset()
                return
            if not drip:
                self.wfile.write(body)
                return
            for start in range(0, len(body), 64):
                self.wfile.write(body[start : start + 64])
                self.wfile.flush()
                time.sleep(drip)
        except OSError:
            self.close_connection = True  # the client has gone

    def handle(self) -> None:
        # A reset socket has no end that could be closed in order.
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *args: object) -> None:
        pass


def _answer(request: dict[str, Any], *, result: Any = None, error: tuple[int, str] | None = None) -> bytes:
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id", 0)}
    if error is None:
        answer["result"] = result
    else:
        answer["error"] = {"code": error[0], "message": error[1]}
    return json.dumps(answer).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--hang", type=float, default=5.0)
    parser.add_argument("--faults", nargs="*", type=Fault, default=list(Fault))
    given = parser.parse_args()
    node = FaultyNode(given.upstream, Dice(given.seed, given.rate, given.faults), hang=given.hang)
    node.start(given.port)
    print(node.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
