"""The rounds of an instance in the store: what is admitted now, and the door through which actions come in.

Whoever executes an instance, the holder of its writer's lease, opens and closes its rounds. Any number of others may
admit actions meanwhile, without a lease: an action is appended in the transaction that looks at the round's phase, so
that none slips in once the root over the commitments is fixed, or once the updates are being judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from fedblocks.rollup.action_log import append_action, note, stored_action
from fedblocks.rollup.admission import NothingUnderWay, SeatLeftOut, WrongPhase, WrongRound
from fedblocks.rollup.conflicts import RoundConflict, UnknownRecord
from fedblocks.rollup.leases import WriterLeases
from fedblocks.rollup.progress import Happened, Phase, ProgressRecord, RoundRecord
from fedblocks.rollup.records import ActionKind, ActionRecord, InstanceKey
from fedblocks.rollup.rows import columns_of, progress_record, reference_of, round_record
from fedblocks.rollup.tables import actions, progress, rounds
from fedblocks.storage.database import Database
from fedblocks.types import Hash32, Seat

_UNDER_WAY = [phase.value for phase in Phase if phase.is_live]

_NEXT_PHASES = {
    Phase.OPEN: {Phase.CLOSED},
    # Back from executing: it failed, or the executor was killed, and nothing of it was stored.
    Phase.CLOSED: {Phase.EXECUTING},
    Phase.EXECUTING: {Phase.CLOSED, Phase.EXECUTED},
    Phase.EXECUTED: set[Phase](),
    Phase.VOID: set[Phase](),
}


class Rounds:
    """The rounds of all instances in a database."""

    def __init__(self, database: Database, leases: WriterLeases) -> None:
        self._database, self._leases = database, leases

    def current(self, key: InstanceKey) -> RoundRecord | None:
        """The round under way; None when there is none."""
        with self._database.read() as connection:
            return _under_way(connection, reference_of(connection, key))

    def participation(self, key: InstanceKey) -> tuple[RoundRecord | None, dict[ActionKind, list[Seat]]]:
        """The round under way, and which seats have sent what, in order; as one view, and without reading all of it."""
        seats: dict[ActionKind, list[Seat]] = {kind: [] for kind in ActionKind}
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            current = _under_way(connection, reference)
            if current is not None:
                sent = (
                    select(actions.c.kind, actions.c.seat)
                    .where(
                        actions.c.instance == reference,
                        actions.c.epoch == current.epoch,
                        actions.c.attempt == current.attempt,
                    )
                    .order_by(actions.c.seat)
                )
                for kind, seat in connection.execute(sent):
                    seats[ActionKind(kind)].append(Seat(seat))
        return current, seats

    def get(self, key: InstanceKey, epoch: int, attempt: int) -> RoundRecord | None:
        """An attempt at an epoch, whatever has become of it."""
        with self._database.read() as connection:
            this = _is_round(reference_of(connection, key), epoch, attempt)
            row = connection.execute(select(rounds).where(this)).one_or_none()
        return None if row is None else round_record(row)

    def begin(self, key: InstanceKey, record: RoundRecord) -> RoundRecord:
        """Open a round; one under way that is another becomes void. The same one again is returned as it is.

        Raises:
            RoundConflict: if it was begun from another model, or is over already.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            known = connection.execute(
                select(rounds).where(_is_round(reference, record.epoch, record.attempt))
            ).one_or_none()
            if known is not None:
                before = round_record(known)
                if not before.phase.is_live:
                    raise RoundConflict(
                        key, record.epoch, record.attempt, f"it is {before.phase}; a new one needs a higher attempt"
                    )
                if before.base_model_root != record.base_model_root:
                    raise RoundConflict(
                        key,
                        record.epoch,
                        record.attempt,
                        f"it was begun from model 0x{before.base_model_root.hex()}, "
                        f"not 0x{record.base_model_root.hex()}",
                    )
                return before
            void_round(connection, reference)
            lists = {"barred": list(record.barred), "left_out": list(record.left_out)}
            connection.execute(insert(rounds).values(instance=reference, **columns_of(record) | lists))
            note(connection, reference, Happened.OPENED, record.epoch, record.attempt)
        return record

    def move(self, key: InstanceKey, epoch: int, attempt: int, phase: Phase) -> None:
        """Bring a round to its next phase, without the deadline of the last one; the phase that it has is no error.

        Raises:
            RoundConflict: if that phase does not follow.
            UnknownRecord: if there is no such round.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            known = self._known(connection, reference, key, epoch, attempt)
            if known.phase is phase:
                return
            if phase not in _NEXT_PHASES[known.phase]:
                raise RoundConflict(key, epoch, attempt, f"it is {known.phase} and cannot become {phase}")
            this = _is_round(reference, epoch, attempt)
            connection.execute(update(rounds).where(this).values(phase=phase.value, deadline=None))

    def fix_commits(
        self, key: InstanceKey, epoch: int, attempt: int, root: Hash32, left_out: Collection[Seat] = ()
    ) -> None:
        """Write down the root over the closed commitments, and whose do not count.

        Raises:
            RoundConflict: if commitments are not closed, or their root is another one already.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            known = self._known(connection, reference, key, epoch, attempt)
            if known.phase is not Phase.CLOSED:
                raise RoundConflict(key, epoch, attempt, f"it is {known.phase}; the root is of closed commitments")
            if known.commits_root is not None:
                if known.commits_root != root:
                    raise RoundConflict(key, epoch, attempt, f"its root is 0x{known.commits_root.hex()} already")
                return
            values: dict[str, Any] = {"commits_root": bytes(root), "left_out": sorted(map(int, left_out))}
            connection.execute(update(rounds).where(_is_round(reference, epoch, attempt)).values(**values))
            note(
                connection,
                reference,
                Happened.CLOSED,
                epoch,
                attempt,
                {"commitsRoot": "0x" + root.hex(), "leftOut": values["left_out"]},
            )

    def end(self, key: InstanceKey) -> None:
        """Let no round be under way.

        Raises:
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            void_round(connection, reference)

    def announce(self, key: InstanceKey, epoch: int, attempt: int, deadline: float | None) -> None:
        """Say when the phase is meant to end, in seconds since 1970.

        Raises:
            UnknownRecord: if there is no such round.
            WriterConflict: if this store isn't the instance's writer.
        """
        with self._leases.writing(key) as (connection, reference):
            self._known(connection, reference, key, epoch, attempt)
            connection.execute(update(rounds).where(_is_round(reference, epoch, attempt)).values(deadline=deadline))

    def admit(self, key: InstanceKey, record: ActionRecord, *, as_writer: bool = False) -> ActionRecord:
        """Append an action to the log if the round admits it, in one transaction; no lease is needed.

        Args:
            key: the instance.
            record: a commit, or a reveal whose commitment was checked.
            as_writer: whether to insist on the lease all the same, as the one process that does everything does.

        Returns:
            The action as it is stored; one that was stored before comes back, whatever the phase.

        Raises:
            NothingUnderWay, WrongRound, WrongPhase, SeatLeftOut: if it is not admitted.
            ActionConflict: if the seat has sent another action of this kind.
            WriterConflict: if as_writer and this store isn't the instance's writer.
        """
        with self._appending(key, as_writer) as (connection, reference):
            current = _under_way(connection, reference)
            if current is None:
                raise NothingUnderWay(key.instance_id)
            for name, expected, actual in (
                ("epoch", current.epoch, record.epoch),
                ("attempt", current.attempt, record.attempt),
            ):
                if expected != actual:
                    raise WrongRound(name, expected, actual)
            known = stored_action(connection, reference, key, record)
            if known is not None:
                return known
            _check_phase(current, record)
            appended = append_action(connection, reference, record)
            count = connection.scalar(
                select(func.count())
                .select_from(actions)
                .where(
                    actions.c.instance == reference,
                    actions.c.epoch == int(record.epoch),
                    actions.c.attempt == int(record.attempt),
                    actions.c.kind == record.kind.value,
                )
            )
            what = Happened.COMMITTED if record.kind is ActionKind.COMMIT else Happened.REVEALED
            details = {"seat": int(record.seat), "count": count}
            note(connection, reference, what, record.epoch, record.attempt, details)
        return appended

    def progress(self, key: InstanceKey, after: int = 0, limit: int = 1000) -> list[ProgressRecord]:
        """What has happened in an instance after a number, in order."""
        with self._database.read() as connection:
            reference = reference_of(connection, key)
            rows = connection.execute(
                select(progress)
                .where(progress.c.instance == reference, progress.c.number > after)
                .order_by(progress.c.number)
                .limit(limit)
            ).all()
        return [progress_record(row) for row in rows]

    @contextmanager
    def _appending(self, key: InstanceKey, as_writer: bool) -> Iterator[tuple[Connection, int]]:
        if as_writer:
            with self._leases.writing(key) as held:
                yield held
            return
        with self._database.write() as connection:
            yield connection, reference_of(connection, key, lock=True)

    def _known(self, connection: Connection, reference: int, key: InstanceKey, epoch: int, attempt: int) -> RoundRecord:
        row = connection.execute(select(rounds).where(_is_round(reference, epoch, attempt))).one_or_none()
        if row is None:
            raise UnknownRecord(f"the round of attempt {attempt} at epoch {epoch} of {key}")
        return round_record(row)


def void_round(connection: Connection, reference: int) -> None:
    """Whatever round is under way is not any more: its commitments no longer count."""
    live = and_(rounds.c.instance == reference, rounds.c.phase.in_(_UNDER_WAY))
    connection.execute(update(rounds).where(live).values(phase=Phase.VOID.value, deadline=None))


def _check_phase(current: RoundRecord, record: ActionRecord) -> None:
    if record.kind is ActionKind.COMMIT:
        if current.phase is not Phase.OPEN:
            raise WrongPhase("commitment", current.phase.value)
        return
    if current.phase is not Phase.CLOSED:
        raise WrongPhase("reveal", current.phase.value)
    if current.commits_root is None:
        raise WrongPhase("reveal", "being closed")
    if record.seat in current.left_out:
        raise SeatLeftOut(record.client)


def _under_way(connection: Connection, reference: int) -> RoundRecord | None:
    live = and_(rounds.c.instance == reference, rounds.c.phase.in_(_UNDER_WAY))
    row = connection.execute(select(rounds).where(live)).one_or_none()
    return None if row is None else round_record(row)


def _is_round(reference: int, epoch: int, attempt: int) -> ColumnElement[bool]:
    return and_(rounds.c.instance == reference, rounds.c.epoch == int(epoch), rounds.c.attempt == int(attempt))
