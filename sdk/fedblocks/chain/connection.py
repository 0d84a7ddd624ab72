"""A connection to one chain through one HTTP node.

A node is somebody else's computer: it may be down, slow, busy, or serve another chain than one believes. A
:class:`Connection` is therefore opened with a timeout, asks the node which chain it serves before anything else, asks
again where that may help (see :mod:`fedblocks.chain.retries`), and turns every failure to get an answer into
:class:`NodeUnreachable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fedblocks.chain import web3_errors
from fedblocks.chain.events import ChainEvent, EventRegistry
from fedblocks.chain.retries import Retries
from fedblocks.config import redact
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, BlockNumber, Hash32, Timestamp, Wei

if TYPE_CHECKING:
    from web3 import Web3

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


def message_of(error: web3_errors.Web3RPCError | web3_errors.ContractLogicError) -> str:
    """What the node itself said, without web3's wrapping."""
    response = getattr(error, "rpc_response", None)
    if response and isinstance(response.get("error"), dict):
        return str(response["error"].get("message", ""))
    return str(getattr(error, "message", None) or error)


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
        from web3 import Web3  # takes half a second, and who only reads an index needs none of it

        from fedblocks.chain.provider import PatientProvider

        web3 = Web3(PatientProvider(url, timeout=timeout, retries=retries))
        try:
            actual = int(web3.eth.chain_id)
        except web3_errors.Web3RPCError as error:
            raise NodeUnreachable(url, f"it does not say which chain it serves ({error})") from error
        if chain_id is not None and actual != chain_id:
            raise WrongChain(chain_id, actual)
        return cls(web3, url, actual)

    def block(self, block: Block = "latest") -> BlockHeader:
        """The header of a block."""
        try:
            with self.asking():
                found = self.web3.eth.get_block(block)  # type: ignore[arg-type]
        except web3_errors.BlockNotFound as error:
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
            return self.web3.manager.request_blocking(method, list(params))  # type: ignore[arg-type]  # a str by another name

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
        except (web3_errors.BlockNotFound, web3_errors.TransactionNotFound):
            raise
        except web3_errors.Web3RPCError as error:
            raise NodeRefused(self.url, message_of(error)) from error

    def __repr__(self) -> str:
        return f"<Connection chain={self.chain_id} url={self.url}>"
