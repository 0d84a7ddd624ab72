"""Asking a node again: what may be asked twice, and after which pause.

A public node answers many questions at a time for many people. When it is busy it says so, with HTTP 429 or an error
of its own, sometimes with the seconds to wait; when it restarts, connections break in the middle of an answer. Whatever
only reads may simply be asked again. What changes something is asked once here, because only its sender knows what a
second time would mean.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_READS = ("eth_", "net_", "web3_", "debug_trace", "trace_", "arb_")
_NOT_HARMLESS = ("eth_send", "eth_sign", "eth_submit", "eth_new", "eth_uninstall", "eth_getFilterChanges")
_BUSY = (429, -32005)
_INTERNAL = -32603
_BEHIND = ("header not found", "unknown block", "block not found")


@dataclass(frozen=True)
class Retries:
    """How long to go on asking.

    Attributes:
        attempts: how often to ask at most, the first time included.
        first_pause: seconds before the second time; each further pause is twice as long.
        longest_pause: the most seconds for one pause, whatever the node asks for.
    """

    attempts: int = 4
    first_pause: float = 0.05
    longest_pause: float = 10.0

    def pause(self, tried: int, asked_for: float = 0.0) -> float:
        """Seconds to wait after asking `tried` times; `asked_for` by the node itself."""
        # Many processes that lost the same node would otherwise all come back in the same instant.
        backoff = self.first_pause * 2 ** (tried - 1) * random.uniform(0.75, 1.25)
        return float(min(self.longest_pause, max(backoff, asked_for)))


def is_harmless(method: str) -> bool:
    """Whether a JSON-RPC method only reads, so that asking twice is like asking once."""
    if method.startswith("a batch"):
        return True  # named like this when all of it is harmless
    return method.startswith(_READS) and not method.startswith(_NOT_HARMLESS)


def is_busy(method: str, answer: Any) -> bool:
    """Whether a node's answer says that there were too many questions, or only that something went wrong in it."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return False
    # With a reason of its own the same code is an answer: some nodes say so that a contract has refused.
    bare = error.get("code") == _INTERNAL and not error.get("data") and "internal" in str(error.get("message")).lower()
    if error.get("code") not in _BUSY and not bare:
        return False
    # Some nodes use the same code for a range of blocks with too many events, which stays too wide.
    return method != "eth_getLogs"


def is_behind(answer: Any) -> bool:
    """Whether a node's answer says that it does not have a block: the next node behind its address may."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return isinstance(error, dict) and any(each in str(error.get("message")).lower() for each in _BEHIND)


def seconds_asked_for(header: str | None) -> float:
    """The seconds in a Retry-After header: a number or a date (RFC 9110, 10.2.3); 0 when there are none."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
