"""Events: what contracts say has happened, as typed objects.

A log on the chain is an address, a few topics and some bytes. A contract's class declares one frozen dataclass per
event of its ABI, under the event's name and with the arguments' names in snake_case; an :class:`EventRegistry` knows
which contract lives at which address and turns logs into those objects. A log of an unknown contract is left out.

An index reads hundreds of thousands of logs. So what the ABI says of an event is worked out once, when its class is
registered, and not for every log; nearly all events are words of 32 bytes, which are cut out of the data as they lie.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from eth_abi.abi import decode as abi_decode
from eth_utils.abi import event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, BlockNumber, Hash32

if typing.TYPE_CHECKING:
    from web3.types import LogReceipt


class LogsIncomplete(FedBlocksError, LookupError):
    """A node has left out events without which the others, or the contracts' state, cannot be.

    Behind one address there may be several nodes. One that is behind gives what it has of a range of logs, and does not
    say that it has not all of it; a state that it does not have it refuses.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the node's logs do not fit together: {what}; it may be behind, all is read again")


@dataclass(frozen=True, kw_only=True)
class ChainEvent:
    """An event, and where on the chain it is.

    (block_hash, log_index) names it for good: a reorganisation gives the same transaction another block hash.
    """

    address: Address
    block: BlockNumber
    block_hash: Hash32
    transaction_hash: Hash32
    log_index: int


E = TypeVar("E", bound=ChainEvent)
T = TypeVar("T")

WORD = 32


class HasAbi(Protocol):
    """Whatever knows a contract's ABI: web3's contract object, or an artefact."""

    @property
    def abi(self) -> Any:
        """The ABI, as JSON gives it."""
        ...


def snake_case(name: str) -> str:
    """An ABI name as a Python name: ``withdrawableAt`` becomes ``withdrawable_at``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def own_fields(cls: type) -> list[str]:
    """The fields of a dataclass that stand for arguments of the ABI, in the ABI's order."""
    place = {field.name for field in fields(ChainEvent)}
    return [field.name for field in fields(cls) if not (issubclass(cls, ChainEvent) and field.name in place)]


def to_type(hint: Any, value: Any) -> Any:
    """Give a decoded ABI value the type that a field declares: an enum, a nested dataclass, a tuple for an array."""
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        # web3 gives a struct as a mapping within an event and as a tuple elsewhere.
        return from_words(hint, list(value.values()) if isinstance(value, Mapping) else value)
    if typing.get_origin(hint) is tuple:
        return tuple(value)
    return bytes(value) if isinstance(value, bytes) else value


def from_words(cls: type[T], values: Sequence[Any]) -> T:
    """Make a dataclass of the values of an ABI struct, which stand in the same order as its fields."""
    hints = hints_of(cls)
    names = own_fields(cls)
    return cls(**{name: to_type(hints[name], value) for name, value in zip(names, values, strict=True)})


_HINTS: dict[type, dict[str, Any]] = {}


def hints_of(cls: type) -> dict[str, Any]:
    """The resolved annotations of a dataclass."""
    # Resolving annotations takes longer than decoding a log.
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]


@lru_cache(maxsize=1 << 16)
def _address(word: bytes) -> Address:
    # A checksum is a hash; the same few thousand addresses come again and again.
    return to_checksum_address(word[-20:])


_WORDS: dict[str, Callable[[bytes], Any]] = {
    "uint256": lambda word: int.from_bytes(word, "big"),
    "bytes32": bytes,
    "address": _address,
    "bool": lambda word: word[-1] == 1,
}
"""How the types that fill one word are read."""


def _abi_type(item: Mapping[str, Any]) -> str:
    """The type of an argument, with that of a struct's parts written out."""
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return f"({','.join(map(_abi_type, item['components']))}){item['type'].removeprefix('tuple')}"


def _checksummed(item: Mapping[str, Any], value: Any) -> Any:
    """A value of eth_abi's, which writes addresses in small letters."""
    kind = str(item["type"])
    if kind.endswith("]"):
        inner = {**item, "type": kind[: kind.rindex("[")]}
        return tuple(_checksummed(inner, each) for each in value)
    if kind == "tuple":
        return tuple(_checksummed(part, each) for part, each in zip(item["components"], value, strict=True))
    return to_checksum_address(value) if kind == "address" else value


class EventDecoder:
    """Turns the topics and data of one event's logs into its arguments."""

    def __init__(self, abi: Mapping[str, Any], cls: type[ChainEvent]) -> None:
        """Work out what the ABI says.

        Args:
            abi: The event's entry in the ABI.
            cls: The class that stands for it.
        """
        self.cls = cls
        self.topic = bytes(event_abi_to_log_topic(abi))  # type: ignore[arg-type]
        hints = hints_of(cls)
        inputs = [(snake_case(item["name"]), item) for item in abi["inputs"]]
        self._topics = [(name, item["type"]) for name, item in inputs if item["indexed"]]
        self._data = [(name, item) for name, item in inputs if not item["indexed"]]
        self._converters = {name: converter for name, _ in inputs if (converter := _converter(hints[name]))}
        self._readers = [_reader(item) for _, item in self._data]
        self._types = [_abi_type(item) for _, item in self._data]

    def arguments(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """The arguments of one log, by their names in Python and of the types that the class declares."""
        values = {
            name: _WORDS[kind](topic) if kind in _WORDS else abi_decode([kind], topic)[0]
            for (name, kind), topic in zip(self._topics, topics[1:], strict=True)
        }
        if all(self._readers):
            at = 0
            for (name, _), read in zip(self._data, self._readers, strict=True):
                values[name], at = read(data, at)  # type: ignore[misc]  # all of them are there
        else:
            for (name, item), value in zip(self._data, abi_decode(self._types, data), strict=True):
                values[name] = _checksummed(item, value)
        for name, convert in self._converters.items():
            values[name] = convert(values[name])
        return values


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    """What gives a decoded value its declared type; None where it has it already."""
    if isinstance(hint, type) and (issubclass(hint, IntEnum) or is_dataclass(hint)):
        return lambda value: to_type(hint, value)
    return tuple if typing.get_origin(hint) is tuple else None


def _reader(item: Mapping[str, Any]) -> Callable[[bytes, int], tuple[Any, int]] | None:
    """Reads a value that is one word, or a struct of such; None for every other type."""
    if (read := _WORDS.get(item["type"])) is not None:
        return lambda data, at: (read(_word(data, at)), at + WORD)
    if item["type"] == "tuple" and all(part["type"] in _WORDS for part in item["components"]):
        reads = [_WORDS[part["type"]] for part in item["components"]]

        def struct(data: bytes, at: int) -> tuple[Any, int]:
            values = tuple(each(_word(data, at + WORD * index)) for index, each in enumerate(reads))
            return values, at + WORD * len(reads)

        return struct
    return None


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD]
    if len(word) != WORD:
        raise ValueError(f"a log's data end after {len(data)} bytes, within the word at {at}")
    return word


class EventRegistry:
    """Which contract lives at which address, and the classes of its events."""

    def __init__(self) -> None:
        self._decoders: dict[Address, dict[bytes, EventDecoder]] = {}

    def register(self, address: Address, contract: HasAbi, classes: Iterable[type[ChainEvent]]) -> None:
        """Decode logs of `address` from now on.

        Args:
            address: Where the contract lives.
            contract: What knows the ABI: web3's contract object, or an artefact.
            classes: One class per event, each named as the event is.
        """
        entries = {entry["name"]: entry for entry in contract.abi if entry["type"] == "event"}
        decoders = [EventDecoder(entries[cls.__name__], cls) for cls in classes]
        self._decoders[address] = {decoder.topic: decoder for decoder in decoders}

    @property
    def addresses(self) -> list[Address]:
        """Every address whose logs can be decoded."""
        return list(self._decoders)

    def decoder(self, address: Address, topics: Sequence[bytes]) -> EventDecoder | None:
        """What decodes a log; None if nobody knows it."""
        known = self._decoders.get(address)
        return None if known is None or not topics else known.get(bytes(topics[0]))

    def decode(self, logs: Iterable[LogReceipt]) -> tuple[ChainEvent, ...]:
        """The logs as events, in the chain's order."""
        decoded = []
        for log in logs:
            decoder = self.decoder(log["address"], log["topics"])
            if decoder is None:
                continue
            decoded.append(
                decoder.cls(
                    address=log["address"],
                    block=BlockNumber(int(log["blockNumber"])),
                    block_hash=Hash32(bytes(log["blockHash"])),
                    transaction_hash=Hash32(bytes(log["transactionHash"])),
                    log_index=int(log["logIndex"]),
                    **decoder.arguments([bytes(topic) for topic in log["topics"]], bytes(log["data"])),
                )
            )
        return tuple(decoded)
