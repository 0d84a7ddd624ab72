"""Demands that an aggregator open what it has committed to, and what became of them."""

from __future__ import annotations

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.data_demands import DataDemanded, DemandAnswered, DemandFailed, DepositReturned
from fedblocks.monitor.projections.projection import Entry, Keys, State
from fedblocks.monitor.views import DemandState


def _demand(event: DataDemanded) -> tuple[str]:
    return (str(event.demand_id),)


class Demands:
    """The demands of version 2."""

    kind = "demand"

    def __init__(self) -> None:
        kinds = (DataDemanded, DemandAnswered, DemandFailed, DepositReturned)
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(kinds, _demand)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The demand after an event."""
        event = entry.event
        if isinstance(event, DataDemanded):
            return {
                "instance": event.instance_id,
                "epoch": event.epoch,
                "header_hash": event.header_hash.hex(),
                "state": DemandState.OPEN.value,
                "demander": event.demander,
                "answerer": None,
                "answered_at": None,
                "kind": event.kind,
                "seat": event.seat,
                "index": event.index,
                "deadline": event.deadline,
                "demanded": entry.place,
            }
        if state is None:
            return None
        if isinstance(event, DemandAnswered):
            state |= {
                "state": DemandState.ANSWERED.value,
                "answerer": event.answerer,
                "answered_at": entry.timestamp,
            }
        elif isinstance(event, DemandFailed):
            state["state"] = DemandState.FAILED.value
        elif state["state"] == DemandState.OPEN:
            # A failed demand gives its deposit back too.
            state["state"] = DemandState.RETURNED.value
        return state
