"""Events: what contracts say has happened, as typed objects.

A log on the chain is an address, a few topics and some bytes. A contract's class declares one frozen dataclass per
event of its ABI, under the event's name and with the arguments' names in snake_case; an :class:`EventRegistry` knows
which contract lives at which address and turns logs into those objects. A log of an unknown contract is left out.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from typing import Any, TypeVar

from web3.types import LogReceipt

from fedblocks.types import Address, BlockNumber, Hash32


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
    hints = _hints(cls)
    names = own_fields(cls)
    return cls(**{name: to_type(hints[name], value) for name, value in zip(names, values, strict=True)})


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    # Resolving annotations takes longer than decoding a log.
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]


class EventRegistry:
    """Which contract lives at which address, and the classes of its events."""

    def __init__(self) -> None:
        self._decoders: dict[Address, dict[bytes, tuple[Any, type[ChainEvent]]]] = {}

    def register(self, address: Address, contract: Any, classes: Iterable[type[ChainEvent]]) -> None:
        """Decode logs of `address` from now on.

        Args:
            address: Where the contract lives.
            contract: web3's contract object, which knows the ABI.
            classes: One class per event, each named as the event is.
        """
        decoders = {}
        for cls in classes:
            event = contract.events[cls.__name__]
            decoders[bytes.fromhex(event().topic.removeprefix("0x"))] = (event, cls)
        self._decoders[address] = decoders

    @property
    def addresses(self) -> list[Address]:
        """Every address whose logs can be decoded."""
        return list(self._decoders)

    def decode(self, logs: Iterable[LogReceipt]) -> tuple[ChainEvent, ...]:
        """The logs as events, in the chain's order."""
        decoded = []
        for log in logs:
            topics = log["topics"]
            known = self._decoders.get(log["address"], {}).get(bytes(topics[0]) if topics else b"")
            if known is None:
                continue
            event, cls = known
            hints = _hints(cls)
            arguments = {snake_case(name): value for name, value in event().process_log(log)["args"].items()}
            decoded.append(
                cls(
                    address=log["address"],
                    block=BlockNumber(int(log["blockNumber"])),
                    block_hash=Hash32(bytes(log["blockHash"])),
                    transaction_hash=Hash32(bytes(log["transactionHash"])),
                    log_index=int(log["logIndex"]),
                    **{name: to_type(hints[name], value) for name, value in arguments.items()},
                )
            )
        return tuple(decoded)
