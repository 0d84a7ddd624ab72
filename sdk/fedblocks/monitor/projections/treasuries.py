"""What the treasuries have received and paid out, by their own events."""

from __future__ import annotations

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.treasury import Recieved, Withdraw
from fedblocks.monitor.projections.projection import Entry, Keys, State


def _address(event: Recieved) -> tuple[str]:
    return (event.address,)


class Treasuries:
    """Both treasuries, by their addresses."""

    kind = "treasury"

    def __init__(self) -> None:
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys((Recieved, Withdraw), _address)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """A treasury after an event."""
        event = entry.event
        if state is None:
            state = {"received": 0, "withdrawn": 0}
        if isinstance(event, Recieved):
            state["received"] += event.amount
        elif isinstance(event, Withdraw):
            state["withdrawn"] += event.amount
        return state
