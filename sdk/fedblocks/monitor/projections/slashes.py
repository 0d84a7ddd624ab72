"""Slashes, by the transaction that made them: what was taken, what arrived, and for which verdict.

The registry says what it takes, the treasury what arrives, the SlashingManager why, all in one transaction. They are
put together here as they were logged, so that an amount that was taken and did not arrive shows.
"""

from __future__ import annotations

from typing import Any

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.slashing_manager import ClientSlashed, SlashClients
from fedblocks.contracts.staking_registry import SlashStake, StakeSlashed
from fedblocks.contracts.treasury import Recieved
from fedblocks.monitor.projections.projection import Entry, Keys, State
from fedblocks.types import Wei


def _transaction(event: StakeSlashed) -> tuple[str]:
    return (event.transaction_hash.hex(),)


class Slashes:
    """Version 2's slashes."""

    kind = "slash"

    def __init__(self) -> None:
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys((StakeSlashed, Recieved, ClientSlashed), _transaction)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The slashes of a transaction after one more event of it."""
        event = entry.event
        if isinstance(event, StakeSlashed):
            state = state if state is not None else {"slashes": []}
            state["slashes"].append(_slash(event.client, event.amount, entry))
        elif state is None:
            return None  # ether that came for another reason
        elif isinstance(event, Recieved) and entry.contract == "SlashTreasury":
            last = state["slashes"][-1]
            last["received"] = event.amount if last["received"] is None else last["received"] + event.amount
        elif isinstance(event, ClientSlashed):
            for slash in state["slashes"]:
                if slash["client"] == event.client and slash["instance"] is None:
                    slash |= {"instance": event.instance_id, "epoch": event.epoch, "reason": int(event.reason)}
        return state


class SlashesV1:
    """Version 1's slashes: whoever was named by one key, for no reason that an event says."""

    kind = "slash"

    def __init__(self, stake_amount: Wei) -> None:
        """`stake_amount` is what the registry says a client stakes."""
        self._amount = stake_amount
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys((SlashStake, Recieved, SlashClients), _transaction)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The slashes of a transaction after one more event of it."""
        event = entry.event
        if isinstance(event, SlashStake):
            state = state if state is not None else {"slashes": []}
            state["slashes"].append(_slash(event.client, self._amount, entry))
        elif state is None:
            return None
        elif isinstance(event, Recieved) and entry.contract == "SlashTreasury":
            waiting = next((slash for slash in state["slashes"] if slash["received"] is None), state["slashes"][-1])
            waiting["received"] = (waiting["received"] or 0) + event.amount
        elif isinstance(event, SlashClients):
            for slash in state["slashes"]:
                slash["instance"] = event.instance_id
        return state


def _slash(client: str, amount: int, entry: Entry) -> dict[str, Any]:
    return {
        "client": client,
        "amount": amount,
        "received": None,
        "instance": None,
        "epoch": None,
        "reason": None,
        "slashed": entry.place,
    }
