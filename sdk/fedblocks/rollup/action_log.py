"""The log of actions and of what has happened: numbered rows, appended under the lock on their instance."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, select

from fedblocks.rollup.conflicts import ActionConflict
from fedblocks.rollup.progress import Happened
from fedblocks.rollup.records import ActionRecord, InstanceKey
from fedblocks.rollup.rows import action_record, columns_of
from fedblocks.rollup.tables import actions, progress


def stored_action(
    connection: Connection, reference: int, key: InstanceKey, record: ActionRecord
) -> ActionRecord | None:
    """The same action, if it is in the log already.

    Raises:
        ActionConflict: if the seat has sent another action of this kind for this epoch and attempt.
    """
    row = connection.execute(select(actions).where(_same(reference, record))).one_or_none()
    if row is None:
        return None
    known = action_record(row)
    if _content(known) != _content(record):
        raise ActionConflict(key, known, record)
    return known


def append_action(connection: Connection, reference: int, record: ActionRecord) -> ActionRecord:
    """Append an action that is not in the log; returns it with its number."""
    appended = replace(record, sequence=_last(connection, reference, actions, "sequence") + 1)
    connection.execute(insert(actions).values(instance=reference, **columns_of(appended)))
    return appended


def note(
    connection: Connection,
    reference: int,
    what: Happened,
    epoch: int,
    attempt: int,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down that something has happened, in the transaction that makes it so."""
    connection.execute(
        insert(progress).values(
            instance=reference,
            number=_last(connection, reference, progress, "number") + 1,
            what=what.value,
            epoch=int(epoch),
            attempt=int(attempt),
            at=time.time(),
            details=dict(details or {}),
        )
    )


def _last(connection: Connection, reference: int, table: Table, column: str) -> int:
    return connection.scalar(select(func.max(table.c[column])).where(table.c.instance == reference)) or 0


def _same(reference: int, record: ActionRecord) -> ColumnElement[bool]:
    return and_(
        actions.c.instance == reference,
        actions.c.epoch == int(record.epoch),
        actions.c.attempt == int(record.attempt),
        actions.c.kind == record.kind.value,
        actions.c.seat == int(record.seat),
    )


def _content(record: ActionRecord) -> ActionRecord:
    """What makes two actions the same: a wallet may sign one action in many ways."""
    return replace(record, sequence=None, acknowledgement=None, signature=None)
