"""The store: what a node must not forget when it is killed.

For each instance it holds the log of actions in the order in which they were accepted, the epochs that were executed
and how far they have come, and the transactions that the submitter means to send. Records come out as they went in;
nothing is changed but levels and states. Doing the same thing twice is doing it once, so that whoever was interrupted
can simply begin again; doing it differently is an error, because two truths about one epoch would cost the aggregator
its bond. Writing needs the right to write, see :mod:`fedblocks.rollup.leases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any

from sqlalchemy import and_, func, insert, select, update

from fedblocks.rollup.action_log import append_action, note, stored_action
from fedblocks.rollup.conflicts import (
    EpochConflict,
    InstanceConflict,
    IntentConflict,
    LevelConflict,
    UnknownRecord,
)
from fedblocks.rollup.leases import LEASE_SECONDS, WriterLeases
from fedblocks.rollup.profiles import Profiles
from fedblocks.rollup.progress import Happened
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
    WriterLease,
)
from fedblocks.rollup.rounds import Rounds, void_round
from fedblocks.rollup.rows import (
    action_record,
    columns_of,
    epoch_record,
    instance_record,
    intent_record,
    is_instance,
    is_intent,
    reference_of,
)
from fedblocks.rollup.tables import ROLLUP, actions, epochs, instances, intents
from fedblocks.storage.database import Database
from fedblocks.types import Address, Hash32

_NEXT_LEVELS = {
    Level.EXECUTED: {Level.POSTED, Level.FINAL, Level.REVERTED},
    # Back to executed: the chain forgot the transaction in a reorganisation.
    Level.POSTED: {Level.EXECUTED, Level.FINAL, Level.REVERTED},
    Level.FINAL: set[Level](),
    Level.REVERTED: set[Level](),
}

_HAPPENED = {
    Level.EXECUTED: Happened.UNPOSTED,
    Level.POSTED: Happened.POSTED,
    Level.FINAL: Happened.FINAL,
    Level.REVERTED: Happened.OVERTURNED,
}


class RollupStore:
    """The rollup's memory, in one database; safe to share between threads.

    Attributes:
        rounds: what is under way, and the door for actions.
        profiles: what clients say about their data.

    Args:
        url: a SQLAlchemy URL, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or PostgreSQL's. A SQLite file is
            made when it isn't there.
        read_only: only look at a store, never make or change one.

    Raises:
        StoreNotFound: if read_only and there is no store.
        SchemaMismatch: if the database was made by another version of FedBlocks.
        StorageReadOnly, StorageFull, StorageBusy, StorageError: from any method, when the disk or the server refuses.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._database = Database(url, ROLLUP, read_only=read_only)
        self._leases = WriterLeases(self._database)
        self.rounds = Rounds(self._database, self._leases)
        self.profiles = Profiles(self._database)

    def __enter__(self) -> RollupStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. Leases stay until they run out, or the same owner comes back."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What this thread writes inside is kept as a whole, or after an error not at all; may be nested."""
        with self._database.write():
            yield

    def ping(self) -> None:
        """Make sure that the database answers.

        Raises:
            StorageError: if it does not.
        """
        with self._database.read() as connection:
            connection.execute(select(func.count()).select_from(instances))

    # The writer

    def acquire_writer(self, key: InstanceKey, owner: str, *, lease_seconds: float = LEASE_SECONDS) -> WriterLease:
        """Take the right to write to an instance; every write renews it for lease_seconds.

        Args:
            key: the instance.
            owner: the node's name, the same after a restart, another one for every other node.
            lease_seconds: how long others have to wait when this node says nothing more.

        Raises:
            WriterConflict: if another owner's lease is still running.
            UnknownRecord: if the instance isn't in the store.
        """
        return self._leases.acquire(key, owner, lease_seconds=lease_seconds)

    def renew_writer(self, key: InstanceKey) -> None:
        """Say that the writer is still there, when it has had nothing to write.

        Raises:
            WriterConflict: if another one has taken over.
        """
        with self._leases.writing(key):
            pass

    def release_writer(self, key: InstanceKey) -> None:
        """Give the right to write back, so that others needn't wait; no error when it is gone already."""
        self._leases.release(key)

    # Instances

    def add_instance(self, record: InstanceRecord) -> None:
        """Remember an instance; anyone may do this, no writer is needed.

        Raises:
            InstanceConflict: if it is known with other values (its aggregator aside, see :meth:`set_aggregator`).
        """
        with self._database.write() as connection:
            row = connection.execute(select(instances).where(is_instance(record.key))).one_or_none()
            if row is None:
                values = columns_of(record, skip=("key",)) | asdict(record.key)
                connection.execute(
                    insert(instances).values(
                        values | {"cohort": list(record.cohort), "former_aggregators": list(record.former_aggregators)}
                    )
                )
                return
            known = instance_record(row)
            aside = {"aggregator": record.aggregator, "former_aggregators": record.former_aggregators}
            if replace(known, **aside) != record:  # type: ignore[arg-type]
                raise InstanceConflict(record.key, known, record)

    def get_instance(self, key: InstanceKey) -> InstanceRecord | None:
        """An instance, None when it isn't known."""
        with self._database.read() as connection:
            row = connection.execute(select(instances).where(is_instance(key))).one_or_none()
        return None if row is None else instance_record(row)

    def list_instances(self) -> list[InstanceRecord]:
        """All instances, in the order in which they were added."""
        with self._database.read() as connection:
            rows = connection.execute(select(instances).order_by(instances.c.ref)).all()
        return [instance_record(row) for row in rows]

    def set_aggregator(self, key: InstanceKey, aggregator: Address) -> None:
        """Remember that the user has named another aggregator.

        Raises:
            UnknownRecord: if the instance isn't in the store.
        """
        with self._database.write() as connection:
            reference_of(connection, key)
            known = instance_record(connection.execute(select(instances).where(is_instance(key))).one())
            if known.aggregator == aggregator:
                return
            former = [*known.former_aggregators, known.aggregator]
            connection.execute(
                update(instances).where(is_instance(key)).values(aggregator=aggregator, former_aggregators=former)
            )

    # Actions

    def add_action(self, key: InstanceKey, record: ActionRecord) -> ActionRecord:
        """Append an action to the instance's log, see :meth:`add_actions`."""
        return self.add_actions(key, [record])[0]

    def add_actions(self, key: InstanceKey, records: Iterable[ActionRecord]) -> list[ActionRecord]:
        """Append actions to the instance's log, all or none, and return them as stored, with their sequence numbers.

        An action that is stored already is not appended again, though it was signed anew; what was stored is returned,
        with its acknowledgement.

        Raises:
            ActionConflict: if the seat has sent another action of this kind for this epoch and attempt.
            WriterConflict: if this store isn't the instance's writer.
        """
        stored = []
        with self._leases.writing(key) as (connection, reference):
            for record in records:
                known = stored_action(connection, reference, key, record)
                stored.append(append_action(connection, reference, record) if known is None else known)
        return stored

    def actions(self, key: InstanceKey, epoch: int, attempt: int, kind: ActionKind | None = None) -> list[ActionRecord]:
        """The actions of an attempt at an epoch, in the order in which they were accepted."""
        query = select(actions).where(actions.c.epoch == epoch, actions.c.attempt == attempt)
        if kind is not None:
            query = query.where(actions.c.kind == kind.value)
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            rows = connection.execute(query.where(actions.c.instance == reference).order_by(actions.c.sequence)).all()
        return [action_record(row) for row in rows]

    def find_actions(self, action_hash: Hash32) -> list[ActionRecord]:
        """The commit with this EIP-712 hash and the reveal that opens it, as far as they are there."""
        query = select(actions).where(actions.c.action_hash == action_hash).order_by(actions.c.sequence)
        with self._database.read() as connection:
            return [action_record(row) for row in connection.execute(query)]

    def action_level(self, action_hash: Hash32) -> Level:
        """How certain it is that an action counts: its epoch's level, or what has become of its attempt.

        Raises:
            UnknownRecord: if no such action was stored.
        """
        with self._database.read() as connection:
            row = connection.execute(
                select(actions.c.instance, actions.c.epoch, actions.c.attempt)
                .where(actions.c.action_hash == action_hash)
                .limit(1)
            ).one_or_none()
            if row is None:
                raise UnknownRecord(f"action 0x{action_hash.hex()}")
            level = connection.scalar(
                select(epochs.c.level).where(
                    epochs.c.instance == row.instance,
                    epochs.c.epoch == row.epoch,
                    epochs.c.attempt == row.attempt,
                )
            )
            if level is not None:
                return Level(level)
            # Attempts only grow: once a later one is known, what was sent for this one and not executed is void.
            for table in (actions, epochs, intents):
                latest = connection.scalar(select(func.max(table.c.attempt)).where(table.c.instance == row.instance))
                if latest is not None and latest > row.attempt:
                    return Level.REVERTED
        return Level.RECEIVED

    # Epochs

    def put_epoch(self, key: InstanceKey, record: EpochRecord) -> None:
        """Remember an executed epoch. The same one again changes nothing; its level is moved by :meth:`set_level`.

        Raises:
            EpochConflict: if another header is stored for the epoch and attempt, another attempt at the epoch is not
                reverted, or the header is another instance's.
            WriterConflict: if this store isn't the instance's writer.
        """
        if record.header.instance_id != key.instance_id:
            raise EpochConflict(key, record.epoch, f"the header is of instance {record.header.instance_id}")
        with self._leases.writing(key) as (connection, reference):
            rows = connection.execute(
                select(epochs).where(epochs.c.instance == reference, epochs.c.epoch == record.epoch)
            ).all()
            for known in map(epoch_record, rows):
                if known.attempt == record.attempt:
                    if (known.header, known.manifest_blob) != (record.header, record.manifest_blob):
                        raise EpochConflict(
                            key,
                            record.epoch,
                            f"attempt {record.attempt} has header 0x{known.header_hash.hex()} already, now "
                            f"0x{record.header_hash.hex()} was computed",
                        )
                    return
                if Level.REVERTED not in (known.level, record.level):
                    raise EpochConflict(
                        key,
                        record.epoch,
                        f"attempt {known.attempt} is {known.level}; revert it before attempt {record.attempt} counts",
                    )
            values = columns_of(record, skip=("header",)) | {
                "epoch": record.epoch,
                "attempt": record.attempt,
                "header": record.header.encode(),
                "header_hash": record.header_hash,
            }
            connection.execute(insert(epochs).values(instance=reference, **values))
            details = {"headerHash": "0x" + record.header_hash.hex(), "metric": int(record.header.metric)}
            note(connection, reference, Happened.EXECUTED, record.epoch, record.attempt, details)

    def get_epoch(self, key: InstanceKey, epoch: int, attempt: int | None = None) -> EpochRecord | None:
        """An attempt at an epoch; without an attempt, the one that is not reverted. None when there is none."""
        which = epochs.c.attempt == attempt if attempt is not None else epochs.c.level != Level.REVERTED.value
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            row = connection.execute(
                select(epochs).where(epochs.c.instance == reference, epochs.c.epoch == epoch, which)
            ).one_or_none()
        return None if row is None else epoch_record(row)

    def epochs(self, key: InstanceKey, *, include_reverted: bool = False) -> list[EpochRecord]:
        """The epochs in order; the reverted attempts too if asked for."""
        query = select(epochs).order_by(epochs.c.epoch, epochs.c.attempt)
        if not include_reverted:
            query = query.where(epochs.c.level != Level.REVERTED.value)
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            rows = connection.execute(query.where(epochs.c.instance == reference)).all()
        return [epoch_record(row) for row in rows]

    def set_level(
        self,
        key: InstanceKey,
        epoch: int,
        attempt: int,
        level: Level,
        *,
        transaction_hash: Hash32 | None = None,
        block_number: int | None = None,
    ) -> None:
        """Move an epoch to a level, with the transaction and block that did it; the level that it has is no error.

        Raises:
            UnknownRecord: if the epoch isn't stored.
            LevelConflict: if the step doesn't exist: final and reverted epochs stay as they are.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            this = and_(epochs.c.instance == reference, epochs.c.epoch == epoch, epochs.c.attempt == attempt)
            known = connection.scalar(select(epochs.c.level).where(this))
            if known is None:
                raise UnknownRecord(f"attempt {attempt} at epoch {epoch} of {key}")
            if level != known and level not in _NEXT_LEVELS[Level(known)]:
                raise LevelConflict(key, epoch, attempt, Level(known), level)
            values: dict[str, Any] = {"level": level.value}
            if level is Level.EXECUTED:
                values |= {"transaction_hash": None, "block_number": None}
            if transaction_hash is not None:
                values["transaction_hash"] = transaction_hash
            if block_number is not None:
                values["block_number"] = block_number
            connection.execute(update(epochs).where(this).values(**values))
            if level.value != known:
                details = {} if transaction_hash is None else {"transaction": "0x" + transaction_hash.hex()}
                note(connection, reference, _HAPPENED[level], epoch, attempt, details)

    def revert_from(self, key: InstanceKey, epoch: int) -> list[EpochRecord]:
        """A fault was proved: mark an epoch and all after it as reverted, and return what they were.

        The round that was under way is void with them.

        Raises:
            LevelConflict: if one of them is final.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self.transaction():
            fallen = [record for record in self.epochs(key) if record.epoch >= epoch]
            for record in fallen:
                self.set_level(key, record.epoch, record.attempt, Level.REVERTED)
            if fallen:
                with self._leases.writing(key) as (connection, reference):
                    void_round(connection, reference)
        return fallen

    # Intents

    def add_intent(self, key: InstanceKey, record: IntentRecord) -> IntentRecord:
        """Write down a transaction before it is sent; returns what is stored, which may have been sent long ago.

        Raises:
            IntentConflict: if the same step was planned with another payload and has not failed.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            this = is_intent(reference, record.kind, record.epoch, record.attempt)
            row = connection.execute(select(intents).where(this)).one_or_none()
            if row is None:
                connection.execute(insert(intents).values(instance=reference, **columns_of(record)))
                return record
            known = intent_record(row)
            if known.state is IntentState.FAILED:
                connection.execute(update(intents).where(this).values(**columns_of(record)))
                return record
            if known.payload_hash != record.payload_hash:
                raise IntentConflict(key, known, record)
            return known

    def set_intent(
        self,
        key: InstanceKey,
        kind: IntentKind,
        epoch: int,
        attempt: int,
        state: IntentState,
        *,
        transaction_hash: Hash32 | None = None,
    ) -> None:
        """Note how far a transaction has come; its hash, once known, stays.

        Raises:
            UnknownRecord: if there is no such intent.
            WriterConflict: if this store isn't the instance's writer.
        """
        values: dict[str, Any] = {"state": state.value}
        if transaction_hash is not None:
            values["transaction_hash"] = transaction_hash
        with self._leases.writing(key) as (connection, reference):
            this = is_intent(reference, kind, epoch, attempt)
            if connection.execute(update(intents).where(this).values(**values)).rowcount == 0:
                raise UnknownRecord(f"intent {kind} of attempt {attempt} at epoch {epoch} of {key}")

    def get_intent(self, key: InstanceKey, kind: IntentKind, epoch: int, attempt: int) -> IntentRecord | None:
        """What was planned for a step; None when nothing was."""
        with self._database.read() as connection:
            this = is_intent(reference_of(connection, key), kind, epoch, attempt)
            row = connection.execute(select(intents).where(this)).one_or_none()
        return None if row is None else intent_record(row)

    def open_intents(self, key: InstanceKey) -> list[IntentRecord]:
        """What was planned or sent and is not settled, by epoch, attempt and kind: where a submitter takes up."""
        is_open = intents.c.state.in_([IntentState.PLANNED.value, IntentState.SENT.value])
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            rows = connection.execute(
                select(intents)
                .where(intents.c.instance == reference, is_open)
                .order_by(intents.c.epoch, intents.c.attempt, intents.c.kind)
            ).all()
        return [intent_record(row) for row in rows]
