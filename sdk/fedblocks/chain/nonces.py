"""Nonces: which number an account's next transaction has.

The chain counts an account's transactions and takes them in order only, each number once. Within one process, all
senders of an account take turns under one lock. The chain has the last word: nothing is remembered but the
transactions that are on their way, so that a dropped one, or another process with the same key, never leaves a gap.
"""

from __future__ import annotations

import threading
from enum import Enum, auto

from fedblocks.chain.connection import Connection
from fedblocks.types import Address


class Nonces:
    """The nonces of one account on one chain, within this process."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.lock = threading.RLock()
        """Held from the choice of a nonce until a node has the transaction."""
        self._on_their_way: set[int] = set()

    def next(self, connection: Connection) -> int:
        """The next free nonce."""
        with self.lock:
            with connection.asking():
                pending = int(connection.web3.eth.get_transaction_count(self._address, "pending"))
            # A node behind a load balancer may not have heard yet of what this process has just sent.
            return max(pending, *(nonce + 1 for nonce in self._on_their_way), 0)

    def sent(self, nonce: int) -> None:
        """A node has the transaction with this nonce."""
        with self.lock:
            self._on_their_way.add(nonce)

    def settle(self, nonce: int) -> None:
        """The transaction is mined, or nobody waits for it any more: from now on the chain alone knows."""
        with self.lock:
            self._on_their_way.discard(nonce)


_NONCES: dict[tuple[int, Address], Nonces] = {}
_NONCES_LOCK = threading.Lock()


def nonces_of(connection: Connection, address: Address) -> Nonces:
    """The nonces of an account: the same object for every sender in this process."""
    with _NONCES_LOCK:
        return _NONCES.setdefault((connection.chain_id, address), Nonces(address))


class Outcome(Enum):
    """What a node makes of a signed transaction."""

    ACCEPTED = auto()
    NONCE_USED = auto()
    REFUSED = auto()


def outcome_of(error: str) -> Outcome:
    """Read a node's error; every client words it differently."""
    text = error.lower()
    if any(known in text for known in ("already known", "already imported", "same hash", "known transaction")):
        return Outcome.ACCEPTED
    if any(used in text for used in ("nonce too low", "nonce is too low", "invalid nonce", "replacement")):
        # "replacement transaction underpriced": another process has a transaction with this nonce in the pool.
        return Outcome.NONCE_USED
    return Outcome.REFUSED
