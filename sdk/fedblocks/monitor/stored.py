"""Events as the index keeps them: their arguments as JSON, and back again.

The same event is always the same text: keys sorted, bytes and addresses in hex, integers as they are.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from fedblocks.chain.events import ChainEvent, hints_of, own_fields
from fedblocks.storage.columns import canonical_json
from fedblocks.types import Address, BlockNumber, Hash32


def arguments_to_json(event: ChainEvent) -> str:
    """The arguments of an event."""
    cls: Any = type(event)
    return canonical_json({name: write(getattr(event, name)) for name, write in _writers(cls)})


def arguments_from_json(cls: type[ChainEvent], text: str) -> dict[str, Any]:
    """The inverse of :func:`arguments_to_json`."""
    content = json.loads(text)
    hashable: Any = cls
    return {name: read(content[name]) for name, read in _readers(hashable)}


def event_from_row(
    cls: type[ChainEvent],
    address: Address,
    block: int,
    block_hash: bytes,
    transaction_hash: bytes,
    log_index: int,
    arguments: str,
) -> ChainEvent:
    """An event as it was decoded from its log."""
    return cls(
        address=address,
        block=BlockNumber(block),
        block_hash=Hash32(bytes(block_hash)),
        transaction_hash=Hash32(bytes(transaction_hash)),
        log_index=log_index,
        **arguments_from_json(cls, arguments),
    )


@cache
def _writers(cls: type) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    hints = hints_of(cls)
    return [(name, _writer(_bare(hints[name]))) for name in own_fields(cls)]


@cache
def _readers(cls: type) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    hints = hints_of(cls)
    return [(name, _reader(_bare(hints[name]))) for name in own_fields(cls)]


def _bare(hint: Any) -> Any:
    """The type beneath a NewType."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def _same(value: Any) -> Any:
    return value


def _writer(hint: Any) -> Callable[[Any], Any]:
    if hint is bytes:
        return bytes.hex
    if typing.get_origin(hint) is tuple:
        one = _writer(_bare(typing.get_args(hint)[0]))
        return lambda values: [one(value) for value in values]
    if isinstance(hint, type) and is_dataclass(hint):
        parts = _writers(hint)
        return lambda value: {name: write(getattr(value, name)) for name, write in parts}
    return int if isinstance(hint, type) and issubclass(hint, IntEnum) else _same


def _reader(hint: Any) -> Callable[[Any], Any]:
    if hint is bytes:
        return bytes.fromhex
    if typing.get_origin(hint) is tuple:
        one = _reader(_bare(typing.get_args(hint)[0]))
        return lambda values: tuple(one(value) for value in values)
    if isinstance(hint, type) and is_dataclass(hint):
        parts = _readers(hint)
        return lambda content: hint(**{name: read(content[name]) for name, read in parts})
    return hint if isinstance(hint, type) and issubclass(hint, IntEnum) else _same
