"""An operator that sends nothing, for tests of what is asked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

from fedblocks.chain.transactions import Call, Receipt, TransactionPlan
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import BlockNumber, Hash32, Wei
from fedblocks.units import ether
from fedblocks_tui.actions import Action
from tests.tui.sample import OWN, address, digest


class SampleOperator:
    """Plans everything at one price, and notes what it should send."""

    address = OWN

    def __init__(self, refusal: FedBlocksError | None = None) -> None:
        self.refusal = refusal
        self.planned: list[Action] = []
        self.sent: list[Action] = []

    def plan(self, action: Action) -> TransactionPlan:
        self.planned.append(action)
        if self.refusal is not None:
            raise self.refusal
        call = Call(
            action.contract,
            action.function,
            address(action.contract),
            value=ether("0.1"),
            arguments=dict(enumerate(action.arguments)),
        )
        return TransactionPlan(call=call, sender=OWN, gas=100_000, gas_price=Wei(2 * 10**9), priority_fee=None)

    def send(self, action: Action, plan: TransactionPlan, on_signed: Callable[[Hash32], None]) -> Receipt:
        self.sent.append(action)
        on_signed(digest("sent"))
        return Receipt(
            transaction_hash=digest("sent"),
            block=BlockNumber(4_202),
            block_hash=digest("block"),
            gas_used=80_000,
            fee=Wei(160_000 * 10**9),
            contract_address=None,
            events=(),
        )
