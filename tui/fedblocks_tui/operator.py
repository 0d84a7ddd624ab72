"""The account that acts from the terminal interface.

Simulating, signing and sending are the SDK's; what is added is that nothing is ever sent which costs more than what was
confirmed, and that every transaction is in the index's journal before any node has it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import Receipt, TransactionPlan, TransactionSender
from fedblocks.client import FedBlocks
from fedblocks.contracts.base import Contract
from fedblocks.doctor.guard import refuse_unsafe
from fedblocks.types import Address, Hash32, Wei
from fedblocks_tui.actions import REGISTRY, Action

NoteSent = Callable[[Hash32, Address, str, Wei], None]


class LiveOperator:
    """Acts through a node.

    Args:
        connect: opens the deployment with a signer.
        signer: who signs.
        note_sent: writes a transaction into the journal.
    """

    def __init__(self, connect: Callable[[], FedBlocks], signer: Signer, note_sent: NoteSent) -> None:
        self.address = signer.address
        self._open, self._signer, self._note_sent = connect, signer, note_sent
        self._fedblocks: FedBlocks | None = None
        self._allowed = Wei(0)
        self._acting = threading.Lock()

    def _connected(self) -> FedBlocks:
        if self._fedblocks is None:
            seen = self._open()
            sender = TransactionSender(seen.connection, self._signer, confirm=self._within)
            self._fedblocks = FedBlocks(seen.connection, seen.deployment, sender)
        return self._fedblocks

    def _within(self, plan: TransactionPlan) -> bool:
        """Whether a plan costs no more than the one that was confirmed."""
        return plan.cost <= self._allowed

    def _call(self, action: Action) -> tuple[Contract, tuple[Any, ...], Wei]:
        fedblocks = self._connected()
        contract = next(each for each in fedblocks.contracts if action.contract == each.NAME)
        registry = fedblocks.staking.address
        arguments = tuple(registry if each is REGISTRY else each for each in action.arguments)
        value = Wei(0)
        if action.function == "stake":
            refuse_unsafe(fedblocks.connection, registry)
            value = fedblocks.staking.stake_amount()
        return contract, arguments, value

    def plan(self, action: Action) -> TransactionPlan:
        """Simulate and price an action."""
        with self._acting:
            contract, arguments, value = self._call(action)
            return contract.plan(action.function, *arguments, value=value)

    def send(self, action: Action, plan: TransactionPlan, on_signed: Callable[[Hash32], None]) -> Receipt:
        """Carry an action out; declined if it has become dearer than the plan, or is no longer the same call."""

        def signed(transaction_hash: Hash32) -> None:
            self._note_sent(transaction_hash, self.address, str(plan.call), plan.call.value)
            on_signed(transaction_hash)

        with self._acting:
            contract, arguments, value = self._call(action)
            self._allowed = plan.cost
            try:
                return contract.execute(action.function, *arguments, value=value, on_signed=signed)
            finally:
                self._allowed = Wei(0)
