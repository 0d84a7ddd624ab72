"""What a projection is: a pure fold of events into the state of one entity.

An *entity* is a client, an instance, a slash. Each event is routed to the entities that it changes, and folded into
their states, one after the other, in the chain's order. Nothing else enters: no clock, no other entity, no question to
a node. So a state follows from its events alone, and folding the remaining events anew is all that a reorganisation
takes.

States are JSON: numbers, text, lists, dictionaries. Addresses are checksummed, hashes in hex. What needs several
entities or a time is worked out when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fedblocks.chain.events import ChainEvent
from fedblocks.monitor.views import Place
from fedblocks.types import BlockNumber, Hash32, Timestamp

State = dict[str, Any]
Keys = Callable[[Any], Iterable[str]]

PlaceJson = list[Any]
"""A place within a state: block, timestamp, transaction hash in hex, log index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, who said it, and when."""

    event: ChainEvent
    contract: str
    timestamp: Timestamp

    @property
    def place(self) -> PlaceJson:
        """Where it is, as a state keeps it."""
        event = self.event
        return [event.block, self.timestamp, event.transaction_hash.hex(), event.log_index]


class Projection(Protocol):
    """One kind of entity."""

    @property
    def kind(self) -> str:
        """Its name in the database."""
        ...

    @property
    def routes(self) -> Mapping[type[ChainEvent], Keys]:
        """Which events change it, and for each how to tell the entities' keys from the event."""
        ...

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The state after an event; `state` is used up. None is the state of what does not exist."""
        ...


def place_from(json: PlaceJson) -> Place:
    """A place as people see it."""
    block, timestamp, transaction_hash, log_index = json
    return Place(
        block=BlockNumber(block),
        timestamp=Timestamp(timestamp),
        transaction_hash=Hash32(bytes.fromhex(transaction_hash)),
        log_index=log_index,
    )
