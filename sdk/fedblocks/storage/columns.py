"""Columns that several databases share.

Amounts of ether and other numbers of the chain may need 256 bits, which no SQL integer has: they are kept as words of
32 bytes. What a program only ever reads whole is kept as JSON text, in one spelling, so that equal content is equal
text.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator


class WideInteger(TypeDecorator[int]):
    """One unsigned 256-bit integer, 32 bytes, big-endian."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> bytes | None:
        """The bytes; an OverflowError if it is negative or has more than 256 bits."""
        return None if value is None else value.to_bytes(32, "big")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> int | None:
        """The number."""
        return None if value is None else int.from_bytes(value, "big")


class CanonicalJson(TypeDecorator[Any]):
    """JSON as text: keys sorted, no spaces, integers of any size."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text."""
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """What it says."""
        return None if value is None else json.loads(value)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def canonical_json(value: Any) -> str:
    """The one spelling of a value."""
    return _encode(value)
