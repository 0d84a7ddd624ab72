"""Payments that are to happen once each, and the count of how often each has happened.

Every payment goes to an address of its own, with an amount of its own: the balance at that address says exactly how
often it was paid. Nothing on chain forbids to pay twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain.connection import NodeRefused, NodeUnreachable
from fedblocks.chain.node import Anvil
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import IntentState, NotDoneYet
from fedblocks.chain.transactions import Call, TransactionRejected
from fedblocks.types import Address
from tests.faults.mempool import pay

AGAIN = (NodeUnreachable, NodeRefused, TransactionRejected, NotDoneYet)
"""What a caller answers by asking again."""


@dataclass(frozen=True)
class Payments:
    """Some payments.

    Attributes:
        name: tells them from others.
        count: how many.
    """

    name: str
    count: int

    @property
    def all(self) -> dict[str, Call]:
        """Each payment by its meaning."""
        return {f"pay/{self.name}/{index}": pay(self.receiver(index), self.value(index)) for index in range(self.count)}

    def receiver(self, index: int) -> Address:
        return to_checksum_address(keccak(text=f"{self.name}/{index}")[:20])

    def value(self, index: int) -> int:
        return 1_000 + index

    def times(self, node: Anvil) -> list[float]:
        """How often each was made, as the chain says."""
        return [node.connection.balance(self.receiver(index)) / self.value(index) for index in range(self.count)]

    def make(self, box: Outbox, *, seconds: float = 20.0, patience: float = 0.5) -> None:
        """Make all of them, asking again after every error that may pass."""
        deadline = time.monotonic() + seconds
        for one in (self._submit, self._wait):
            for meaning, call in self.all.items():
                while True:
                    try:
                        one(box, meaning, call, patience)
                        break
                    except AGAIN:
                        if time.monotonic() > deadline:
                            raise

    @staticmethod
    def _submit(box: Outbox, meaning: str, call: Call, patience: float) -> None:
        box.submit(meaning, call)

    @staticmethod
    def _wait(box: Outbox, meaning: str, call: Call, patience: float) -> None:
        box.send(meaning, call, timeout=patience)


def check(node: Anvil, payments: Payments, box: Outbox) -> None:
    """Everything was done exactly once, and the outbox knows it and waits for nothing."""
    assert payments.times(node) == [1.0] * payments.count
    states = {intent.meaning: intent.state for intent in box.intents() if intent.meaning in payments.all}
    assert states == dict.fromkeys(payments.all, IntentState.CONFIRMED)
    assert all(intent.is_final for intent in box.intents())
