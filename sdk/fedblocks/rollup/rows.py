"""Between the store's records and the rows of its tables."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from numbers import Integral
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from fedblocks.rollup.conflicts import CorruptRecord, UnknownRecord
from fedblocks.rollup.header import Header
from fedblocks.rollup.progress import Happened, Phase, ProgressRecord, RoundRecord
from fedblocks.rollup.records import (
    ActionKind,
    ActionRecord,
    EpochRecord,
    InstanceKey,
    InstanceRecord,
    IntentKind,
    IntentRecord,
    IntentState,
    Level,
)
from fedblocks.rollup.tables import instances, intents
from fedblocks.types import EpochNumber, Hash32, Seat


def reference_of(connection: Connection, key: InstanceKey, *, lock: bool = False) -> int:
    """The number of an instance's row. Nobody keeps it: an undone transaction may give it to another instance.

    Args:
        connection, key: whose.
        lock: whether to write to the instance. Whoever does so takes the lock on its row first, so that on PostgreSQL,
            as on SQLite, one transaction at a time writes to it, and none waits for another in a circle.

    Raises:
        UnknownRecord: if the instance isn't in the store.
    """
    query = select(instances.c.ref).where(is_instance(key))
    # Weak enough to let others refer to the row meanwhile.
    reference: int | None = connection.scalar(query.with_for_update(key_share=True) if lock else query)
    if reference is None:
        raise UnknownRecord(str(key))
    return reference


def is_instance(key: InstanceKey) -> ColumnElement[bool]:
    """The condition that a row of instances is the key's."""
    return and_(
        instances.c.chain_id == key.chain_id,
        instances.c.contract == key.contract,
        instances.c.instance_id == key.instance_id,
    )


def is_intent(reference: int, kind: IntentKind, epoch: int, attempt: int) -> ColumnElement[bool]:
    """The condition that a row of intents is this step's."""
    return and_(
        intents.c.instance == reference,
        intents.c.kind == kind.value,
        intents.c.epoch == epoch,
        intents.c.attempt == attempt,
    )


def columns_of(record: object, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """A record's fields as columns of the same names, in the types that every driver knows."""
    return {
        field.name: _plain(getattr(record, field.name))
        for field in fields(record)  # type: ignore[arg-type]  # records are dataclasses
        if field.name not in skip
    }


def _plain(value: Any) -> Any:
    """Without the subclass: an enum's word, HexBytes' bytes, numpy's integers."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return bytes(value)
    return int(value) if isinstance(value, Integral) else value


def instance_record(row: Row[Any]) -> InstanceRecord:
    values = dict(row._mapping)
    del values["ref"]
    key = InstanceKey(values.pop("chain_id"), values.pop("contract"), values.pop("instance_id"))
    lists = {name: tuple(values[name]) for name in ("cohort", "former_aggregators")}
    return InstanceRecord(key=key, **values | lists)


def action_record(row: Row[Any]) -> ActionRecord:
    values = dict(row._mapping)
    del values["instance"]
    try:
        return ActionRecord(**values | {"kind": ActionKind(values["kind"])})
    except ValueError as error:
        raise CorruptRecord(row.epoch, row.client, str(error)) from error


def epoch_record(row: Row[Any]) -> EpochRecord:
    try:
        header = Header.decode(row.header)
        level = Level(row.level)
    except ValueError as error:
        raise CorruptRecord(row.epoch, None, str(error)) from error
    if header.hash() != row.header_hash or header.epoch != row.epoch or header.attempt != row.attempt:
        raise CorruptRecord(row.epoch, None, "the header is not that of the stored hash, epoch and attempt")
    return EpochRecord(
        header=header,
        manifest_blob=Hash32(row.manifest_blob),
        level=level,
        transaction_hash=row.transaction_hash,
        block_number=row.block_number,
    )


def intent_record(row: Row[Any]) -> IntentRecord:
    return IntentRecord(
        kind=IntentKind(row.kind),
        epoch=EpochNumber(row.epoch),
        attempt=row.attempt,
        payload_hash=Hash32(row.payload_hash),
        state=IntentState(row.state),
        transaction_hash=row.transaction_hash,
    )


def round_record(row: Row[Any]) -> RoundRecord:
    values = dict(row._mapping)
    del values["instance"]
    try:
        phase = Phase(values["phase"])
    except ValueError as error:
        raise CorruptRecord(row.epoch, None, str(error)) from error
    seats = {name: tuple(map(Seat, values[name])) for name in ("barred", "left_out")}
    return RoundRecord(**values | seats | {"phase": phase})


def progress_record(row: Row[Any]) -> ProgressRecord:
    values = dict(row._mapping)
    del values["instance"]
    return ProgressRecord(**values | {"what": Happened(values["what"])})
