"""Where logs come from: a node, or a recording.

A source tells three things of a chain: its newest block, the header of any block, and the logs of a range of blocks.
It remembers nothing; whether two of its answers are of the same chain is for the indexer to find out, because a node
may take back a block between two questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eth_utils.address import to_checksum_address

from fedblocks.chain.connection import BlockHeader, Connection
from fedblocks.types import Address, BlockNumber, Hash32, Timestamp

HEADERS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log as the chain holds it, undecoded."""

    block: BlockNumber
    block_hash: Hash32
    timestamp: Timestamp
    transaction_hash: Hash32
    log_index: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


class LogSource(Protocol):
    """A chain, to be read.

    Raises:
        NodeUnreachable: if it gives no answer.
        NodeRefused: if it does not answer this question; the same for fewer blocks may be answered.
        UnknownBlock: if it has no such block.
    """

    def head(self) -> BlockHeader:
        """The newest block."""
        ...

    def header(self, number: BlockNumber) -> BlockHeader:
        """A block's header."""
        ...

    def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
        """The logs of the monitored contracts in a range of blocks, both ends included, in the chain's order."""
        ...


class NodeSource:
    """The chain as a node serves it.

    Args:
        connection: to the node.
        addresses: of the contracts whose logs are wanted.
    """

    def __init__(self, connection: Connection, addresses: Iterable[Address]) -> None:
        self.connection = connection
        self._addresses = list(addresses)

    def head(self) -> BlockHeader:
        """The node's newest block."""
        return self.connection.block()

    def header(self, number: BlockNumber) -> BlockHeader:
        """A block's header."""
        return self.connection.block(number)

    def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
        """The contracts' logs; blocks' times come from the logs where the node puts them there, else from headers."""
        question = {"address": self._addresses, "fromBlock": hex(first), "toBlock": hex(last)}
        found = self.connection.rpc("eth_getLogs", question)
        untimed = {int(log["blockNumber"], 16) for log in found if not log.get("blockTimestamp")}
        times = self._times(sorted(untimed)) if untimed else {}
        logs = [_raw_log(log, times) for log in found]
        return sorted(logs, key=lambda log: (log.block, log.log_index))

    def _times(self, numbers: Sequence[int]) -> dict[int, Timestamp]:
        times: dict[int, Timestamp] = {}
        for start in range(0, len(numbers), HEADERS_AT_ONCE):
            part = numbers[start : start + HEADERS_AT_ONCE]
            web3 = self.connection.web3
            with self.connection.asking(), web3.batch_requests() as batch:
                for number in part:
                    batch.add(web3.eth.get_block(number))
                blocks = batch.execute()
            answers: Sequence[Any] = blocks
            times |= {number: Timestamp(int(each["timestamp"])) for number, each in zip(part, answers, strict=True)}
        return times


def _raw_log(log: Mapping[str, Any], times: Mapping[int, Timestamp]) -> RawLog:
    number = int(log["blockNumber"], 16)
    given = log.get("blockTimestamp")
    return RawLog(
        block=BlockNumber(number),
        block_hash=Hash32(_bytes(log["blockHash"])),
        timestamp=Timestamp(int(given, 16)) if given else times[number],
        transaction_hash=Hash32(_bytes(log["transactionHash"])),
        log_index=int(log["logIndex"], 16),
        address=to_checksum_address(log["address"]),
        topics=tuple(map(_bytes, log["topics"])),
        data=_bytes(log["data"]),
    )


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else bytes.fromhex(text.removeprefix("0x"))
