"""A chain that says what it is told to: for stories, benchmarks and tests.

A :class:`ScriptedChain` takes events as a writer thinks of them, names and arguments, and encodes them as the contracts
would, by their ABI. What comes out is a recording like that of a node, so that all that reads one is put to the test,
the decoding too. It enforces no rule of the protocol: who writes a story sees to it that it could have happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, is_dataclass, replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain.connection import BlockHeader
from fedblocks.chain.events import ChainEvent, own_fields, snake_case
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.v1.base import load_v1_artifact
from fedblocks.deployments import CONTRACTS, ProtocolParameters
from fedblocks.monitor.recording import RecordedSource, Recording
from fedblocks.monitor.sources import RawLog
from fedblocks.monitor.subject import Subject
from fedblocks.types import Address, BlockNumber, Hash32, Timestamp

GENESIS_TIME = 1_700_000_000


def address_of(name: str) -> Address:
    """An address that nobody has, always the same for a name."""
    return to_checksum_address(keccak(text=name)[-20:])


def hash_of(*parts: object) -> Hash32:
    """A hash that is always the same for the same parts."""
    return Hash32(keccak(text="/".join(map(str, parts))))


def scripted_subject(chain_id: int = 31337, parameters: ProtocolParameters | None = None) -> Subject:
    """A deployment that is nowhere, at addresses made of the contracts' names."""
    terms = ProtocolParameters() if parameters is None else parameters
    return Subject(
        chain_id=chain_id,
        version=2,
        addresses={name: address_of(name) for name in CONTRACTS if not name.endswith("Verifier")},
        first_block=BlockNumber(1),
        stake_amount=terms.stake_amount,
        parameters=terms,
    )


class ScriptedChain:
    """Collects events into blocks and transactions.

    Args:
        subject: whose contracts speak.
        seed: enters the hashes, so that two chains with the same events can differ in them.
    """

    def __init__(self, subject: Subject, seed: str = "") -> None:
        self.subject = subject
        self.logs: list[RawLog] = []
        self.number = BlockNumber(subject.first_block)
        self.timestamp = Timestamp(GENESIS_TIME)
        self._seed = seed
        self._parent = hash_of("genesis", seed)
        self._transactions = 0
        self._in_block: list[RawLog] = []
        self._encoders: dict[type[ChainEvent], tuple[Address, bytes, list[Any], list[Any]]] = {}
        for name, address in subject.addresses.items():
            self._learn(name, address)

    def transaction(self, *said: tuple[str, ChainEvent]) -> Hash32:
        """One transaction in the block that is being made: its events, each with the name of the contract."""
        self._transactions += 1
        transaction_hash = hash_of("transaction", self._transactions, self._seed)
        for contract, event in said:
            self._in_block.append(self._encode(contract, event, transaction_hash))
        return transaction_hash

    def block(self, seconds: int = 12, blocks: int = 1) -> BlockHeader:
        """End the block that is being made; the next comes so many seconds and blocks after it."""
        made_of = b"".join(log.transaction_hash for log in self._in_block)
        block_hash = hash_of(self.number, self._parent.hex(), self.timestamp, made_of.hex())
        self.logs += [replace(log, block_hash=block_hash) for log in self._in_block]
        header = BlockHeader(self.number, block_hash, self._parent, self.timestamp, None)
        self._in_block = []
        self._parent = block_hash
        self.number = BlockNumber(self.number + blocks)
        self.timestamp = Timestamp(self.timestamp + seconds)
        self._last = header
        return header

    def recording(self, blobs: Mapping[Hash32, bytes] | None = None) -> Recording:
        """All blocks that were ended."""
        return Recording(self.subject, self._last, list(self.logs), dict(blobs or {}))

    def source(self) -> RecordedSource:
        """The same, to be read."""
        return RecordedSource(self.recording())

    def _learn(self, contract: str, address: Address) -> None:
        artifact = load_artifact(contract) if self.subject.version == 2 else load_v1_artifact(contract)
        for entry in (entry for entry in artifact.abi if entry["type"] == "event"):
            topic = bytes(event_abi_to_log_topic(entry))  # type: ignore[arg-type]
            self._encoders[self.subject.event_class(contract, entry["name"])] = (
                address,
                topic,
                [item for item in entry["inputs"] if item["indexed"]],
                [item for item in entry["inputs"] if not item["indexed"]],
            )

    def _encode(self, contract: str, event: ChainEvent, transaction_hash: Hash32) -> RawLog:
        _, topic, indexed, rest = self._encoders[type(event)]
        values = {name: getattr(event, name) for name in own_fields(type(event))}
        topics = [topic, *(encode([item["type"]], [values[snake_case(item["name"])]]) for item in indexed)]
        data = encode([_type(item) for item in rest], [_plain(values[snake_case(item["name"])]) for item in rest])
        return RawLog(
            self.number,
            Hash32(bytes(32)),
            self.timestamp,
            transaction_hash,
            len(self._in_block),
            self.subject.addresses[contract],
            tuple(topics),
            data,
        )


def _type(item: Mapping[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return f"({','.join(map(_type, item['components']))})"


def _plain(value: Any) -> Any:
    return astuple(value) if is_dataclass(value) and not isinstance(value, type) else value


NOWHERE: dict[str, Any] = {
    "address": address_of("nobody"),
    "block": BlockNumber(0),
    "block_hash": Hash32(bytes(32)),
    "transaction_hash": Hash32(bytes(32)),
    "log_index": 0,
}
"""The place of an event that a writer makes: the chain gives it another."""
