"""A connection to one chain through one HTTP node.

A node is somebody else's computer: it may be down, slow, busy, or serve another chain than one believes. A
:class:`Connection` is therefore opened with a timeout, asks the node which chain it serves before anything else, asks
again where that may help (see :mod:`fedblocks.chain.retries`), and turns every failure to get an answer into
:class:`NodeUnreachable`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import RPCEndpoint, RPCResponse

from fedblocks.chain.events import ChainEvent, EventRegistry
from fedblocks.chain.retries import Retries, is_busy, is_harmless, seconds_asked_for
from fedblocks.config import redact
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, BlockNumber, Hash32, Timestamp, Wei

Answer = TypeVar("Answer")

Block = int | bytes | str
"""Which block a read is about: a number, a block hash, or a tag such as ``"latest"`` or ``"finalized"``."""


class NodeUnreachable(FedBlocksError, ConnectionError):
    """The node at a URL gave no usable answer in time."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = redact(url), reason
        super().__init__(f"no answer from the node at {self.url}: {reason}")


class WrongChain(FedBlocksError, ValueError):
    """The node serves another chain than the one that was asked for."""

    def __init__(self, expected: int, actual: int) -> None:
        self.expected, self.actual = expected, actual
        super().__init__(f"the node serves chain {actual}, but chain {expected} was asked for")


class UnknownBlock(FedBlocksError, LookupError):
    """The node has no such block: it is not mined yet, or was reorganised away."""

    def __init__(self, block: Block) -> None:
        super().__init__(f"the node has no block {block.hex() if isinstance(block, bytes) else block}")


class NodeRefused(FedBlocksError, RuntimeError):
    """The node answered a question with an error: too wide a range of blocks, a state it has dropped, a limit."""

    def __init__(self, url: str, message: str) -> None:
        self.message = message
        super().__init__(f"the node at {redact(url)} refused: {message}")


class NoCodeAtAddress(FedBlocksError, LookupError):
    """There is no contract at an address on this chain."""

    def __init__(self, contract: str, address: str, chain_id: int) -> None:
        self.contract, self.address, self.chain_id = contract, address, chain_id
        super().__init__(
            f"{contract}: there is no code at {address} on chain {chain_id}; is this the right deployments file?"
        )


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What FedBlocks uses of a block."""

    number: BlockNumber
    hash: Hash32
    parent_hash: Hash32
    timestamp: Timestamp
    base_fee: Wei | None
    """None where the chain has no base fee: transactions there carry one plain gas price."""


def message_of(error: Web3RPCError | ContractLogicError) -> str:
    """What the node itself said, without web3's wrapping."""
    response = getattr(error, "rpc_response", None)
    if response and isinstance(response.get("error"), dict):
        return str(response["error"].get("message", ""))
    return str(getattr(error, "message", None) or error)


class _Failure(Exception):
    """One question without an answer: what to say if it stays the last, and whether asking again may help."""

    def __init__(self, reason: str, *, tries: int, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.tries, self.wait = reason, tries, wait


class _Provider(HTTPProvider):
    """web3's HTTP provider: it asks again what may be asked again, and names every failure NodeUnreachable."""

    def __init__(self, url: str, *, timeout: float = 10.0, retries: Retries = Retries()) -> None:  # noqa: B008
        # web3's own retries know neither Retry-After nor a damaged body.
        super().__init__(url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)
        self._retries = retries

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._persist(str(method), lambda: super(_Provider, self).make_request(method, params))

    def make_batch_request(self, batch_requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse] | RPCResponse:
        methods = {str(method) for method, _ in batch_requests}
        method = next((method for method in methods if not is_harmless(method)), f"a batch of {len(batch_requests)}")
        return self._persist(method, lambda: super(_Provider, self).make_batch_request(batch_requests))

    def _persist(self, method: str, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer, or asking again is of no use."""
        tried = 0
        while True:
            tried += 1
            last = tried >= self._retries.attempts or not is_harmless(method)
            try:
                answer = self._once(method, ask)
            except _Failure as failure:
                if last or tried >= failure.tries:
                    raise NodeUnreachable(str(self.endpoint_uri), failure.reason) from failure.__cause__
                time.sleep(self._retries.pause(tried, failure.wait))
                continue
            if last or not is_busy(method, answer):
                return answer
            time.sleep(self._retries.pause(tried))

    def _once(self, method: str, ask: Callable[[], Answer]) -> Answer:
        many = self._retries.attempts
        try:
            answer = ask()
        except requests.Timeout as error:
            # Each costs the whole timeout: a node that is as slow twice is called slow.
            raise _Failure(f"{method} timed out", tries=2) from error
        except requests.HTTPError as error:
            response = error.response
            status = response.status_code if response is not None else 0
            again = many if status in (408, 425, 429) or status >= 500 else 1
            wait = seconds_asked_for(response.headers.get("Retry-After") if response is not None else None)
            reason = f"{method} was answered with HTTP {status or 'error'}"
            raise _Failure(reason, tries=again, wait=wait) from error
        except requests.RequestException as error:
            # requests repeats the whole URL in its message, with the API key in it.
            raise _Failure("the connection failed", tries=many) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise _Failure(f"{method} was not answered with JSON", tries=many) from error
        if not isinstance(answer, dict | list):
            raise _Failure(f"{method} was answered with JSON that is no answer", tries=many)
        return answer


class Connection:
    """One chain, seen through one node.

    Every object that shares a connection shares its :attr:`events`, so that a receipt is decoded in full although
    several contracts have a part in it.
    """

    def __init__(self, web3: Web3, url: str, chain_id: int) -> None:
        self.web3 = web3
        self.chain_id = chain_id
        self.url = redact(url)
        self.events = EventRegistry()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        chain_id: int | None = None,
        timeout: float = 10.0,
        retries: Retries = Retries(),  # noqa: B008
    ) -> Connection:
        """Connect to a node.

        Args:
            url: The node's HTTP endpoint.
            chain_id: The chain that is expected; whatever the node serves is accepted when it is left out.
            timeout: Seconds to wait for each answer.
            retries: How often to ask again, and after which pauses.

        Raises:
            NodeUnreachable: if there is no answer.
            WrongChain: if the node serves another chain.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise NodeUnreachable(url, "only http and https nodes are supported")
        provider = _Provider(url, timeout=timeout, retries=retries)
        web3 = Web3(provider)
        try:
            actual = int(web3.eth.chain_id)
        except Web3RPCError as error:
            raise NodeUnreachable(url, f"it does not say which chain it serves ({error})") from error
        if chain_id is not None and actual != chain_id:
            raise WrongChain(chain_id, actual)
        return cls(web3, url, actual)

    def block(self, block: Block = "latest") -> BlockHeader:
        """The header of a block."""
        try:
            with self.asking():
                found = self.web3.eth.get_block(block)  # type: ignore[arg-type]
        except BlockNotFound as error:
            raise UnknownBlock(block) from error
        base_fee = found.get("baseFeePerGas")
        return BlockHeader(
            number=BlockNumber(int(found["number"])),
            hash=Hash32(bytes(found["hash"])),
            parent_hash=Hash32(bytes(found["parentHash"])),
            timestamp=Timestamp(int(found["timestamp"])),
            base_fee=None if base_fee is None else Wei(int(base_fee)),
        )

    def block_number(self) -> BlockNumber:
        """The number of the newest block."""
        with self.asking():
            return BlockNumber(int(self.web3.eth.block_number))

    def balance(self, address: Address, block: Block = "latest") -> Wei:
        """The ether that an address holds."""
        with self.asking():
            return Wei(int(self.web3.eth.get_balance(address, block)))  # type: ignore[arg-type]

    def code(self, address: Address, block: Block = "latest") -> bytes:
        """The code at an address; empty where there is no contract."""
        with self.asking():
            return bytes(self.web3.eth.get_code(address, block))  # type: ignore[arg-type]

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a JSON-RPC method that has no name here, and return its bare result."""
        with self.asking():
            return self.web3.manager.request_blocking(RPCEndpoint(method), list(params))

    def fetch_events(
        self, from_block: int = 0, to_block: int | str = "latest", addresses: Sequence[Address] | None = None
    ) -> tuple[ChainEvent, ...]:
        """All events of the known contracts (or of some) in a range of blocks, both ends included."""
        wanted = list(self.events.addresses if addresses is None else addresses)
        if not wanted:
            return ()  # an empty list would ask the node for everybody's logs
        with self.asking():
            logs = self.web3.eth.get_logs(
                {"address": wanted, "fromBlock": from_block, "toBlock": to_block}  # type: ignore[typeddict-item]
            )
        return self.events.decode(logs)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn the node's errors within the block into NodeRefused; what has a class of its own in web3 stays."""
        try:
            yield
        except (BlockNotFound, TransactionNotFound):
            raise
        except Web3RPCError as error:
            raise NodeRefused(self.url, message_of(error)) from error

    def __repr__(self) -> str:
        return f"<Connection chain={self.chain_id} url={self.url}>"
