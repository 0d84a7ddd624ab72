"""Which entities an event changes, which accounts it concerns, and how an entity's events are found again."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from sqlalchemy import ColumnElement, Select, and_, select, tuple_

from fedblocks.chain.events import ChainEvent, hints_of, own_fields
from fedblocks.monitor.projections import Entry, Projection, State, projections_of
from fedblocks.monitor.projections.projection import Keys
from fedblocks.monitor.stored import event_from_row
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.tables import blocks, events, links
from fedblocks.types import ZERO_ADDRESS, Address, Timestamp

PARTY = "party"
BY_ACCOUNT = ("client", "challenger")
"""The kinds whose events are among those that concern an account; ``demand`` and ``treasury`` have links of their own,
a slash's events are those of its transaction, and"""

BY_INSTANCE = ("instance", "epochs")
"""... those of these kinds name the instance."""

Entity = tuple[str, str]
"""Kind and key."""


class Router:
    """Routes the events of one deployment."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.projections = {each.kind: each for each in projections_of(subject)}
        self._routes: dict[type[ChainEvent], list[tuple[Projection, Keys]]] = {}
        for projection in self.projections.values():
            for cls, keys in projection.routes.items():
                self._routes.setdefault(cls, []).append((projection, keys))

    def entities(self, event: ChainEvent) -> Iterator[tuple[Projection, str]]:
        """What an event changes."""
        for projection, keys in self._routes.get(type(event), ()):
            for key in keys(event):
                yield projection, key

    def links(self, event: ChainEvent) -> set[Entity]:
        """What leads to an event."""
        found: set[Entity] = {(PARTY, account) for account in accounts_of(event)}
        for projection, key in self.entities(event):
            if projection.kind in ("demand", "treasury"):
                found.add((projection.kind, key))
        return found

    def changed_by(self, link: Entity) -> Iterable[Entity]:
        """The entities that may follow from an event to which a link leads."""
        kind, key = link
        return [(each, key) for each in BY_ACCOUNT if each in self.projections] if kind == PARTY else [link]

    def events_of(self, deployment: int, entity: Entity) -> Select[typing.Any]:
        """The query for an entity's events, in the chain's order; there may be others among them."""
        kind, key = entity
        query = select_events(deployment)
        if kind in BY_INSTANCE:
            query = query.where(of_instance(deployment, int(key)))
        elif kind == "slash":
            query = query.where(events.c.transaction_hash == bytes.fromhex(key))
        else:
            query = query.where(linked_from(deployment, PARTY if kind in BY_ACCOUNT else kind, [key]))
        return query.order_by(events.c.block, events.c.log_index)

    def entry(self, row: typing.Any) -> Entry:
        """What a row of :func:`select_events` says."""
        cls = self.subject.event_class(row.contract, row.event)
        event = event_from_row(
            cls,
            self.subject.addresses[row.contract],
            row.block,
            row.hash,
            row.transaction_hash,
            row.log_index,
            row.arguments,
        )
        return Entry(event, row.contract, Timestamp(row.timestamp))

    def refold(self, entity: Entity, rows: Iterable[typing.Any]) -> State | None:
        """An entity's state from its events alone."""
        projection = self.projections[entity[0]]
        state: State | None = None
        for row in rows:
            entry = self.entry(row)
            keys = projection.routes.get(type(entry.event))
            if keys is not None and entity[1] in keys(entry.event):
                state = projection.apply(state, entry)
        return state


def select_events(deployment: int) -> Select[typing.Any]:
    """Events with the hash and the time of their block."""
    of_block = and_(blocks.c.deployment == events.c.deployment, blocks.c.number == events.c.block)
    columns = (
        events.c.block,
        events.c.log_index,
        events.c.transaction_hash,
        events.c.contract,
        events.c.event,
        events.c.instance_id,
        events.c.arguments,
        blocks.c.hash,
        blocks.c.timestamp,
    )
    return select(*columns).join(blocks, of_block).where(events.c.deployment == deployment)


def of_instance(deployment: int, instance_id: int) -> ColumnElement[bool]:
    """The condition that an event names an instance."""
    # Compared directly, SQLite would go through all events for the sake of their order.
    same = events.alias()
    found = select(same.c.block, same.c.log_index).where(
        same.c.deployment == deployment, same.c.instance_id == instance_id
    )
    return tuple_(events.c.block, events.c.log_index).in_(found)


def linked_from(deployment: int, kind: str, keys: Sequence[str]) -> ColumnElement[bool]:
    """The condition that one of some links leads to an event."""
    # As a join, SQLite would go through all events and look for the link of each.
    found = select(links.c.block, links.c.log_index).where(
        links.c.deployment == deployment, links.c.kind == kind, links.c.key.in_(keys)
    )
    return tuple_(events.c.block, events.c.log_index).in_(found)


def accounts_of(event: ChainEvent) -> set[Address]:
    """Whom an event names; an address that is only paid to counts too."""
    cls: typing.Any = type(event)
    singles, several = _address_fields(cls)
    found = {getattr(event, name) for name in singles}
    for name in several:
        found.update(getattr(event, name))
    found.discard(ZERO_ADDRESS)
    return found


@cache
def _address_fields(cls: type) -> tuple[Sequence[str], Sequence[str]]:
    hints: Mapping[str, typing.Any] = hints_of(cls)
    singles = [name for name in own_fields(cls) if hints[name] is Address]
    several = [name for name in own_fields(cls) if typing.get_args(hints[name])[:1] == (Address,)]
    return singles, several
