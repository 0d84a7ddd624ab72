"""The right to work on something: one process at a time, and whoever lost the right notices before it writes.

The right is a row with the owner's name, a token and an end. Every write checks the token in its own transaction and
puts the end off. A process that says nothing for that long loses the right to whoever wants it; one that is known to be
dead loses it at once. Every handing over raises the token: a process that was cut off, and believes that the right is
still its own, writes nothing any more.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, MetaData, String, Table, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from fedblocks.exceptions import FedBlocksError
from fedblocks.storage.database import Database


class LeaseTaken(FedBlocksError, RuntimeError):
    """Another process works on this, or has taken it over from this one."""

    def __init__(self, name: str, owner: str | None, seconds: float) -> None:
        self.name, self.owner, self.seconds = name, owner, seconds
        who = "nobody has" if owner is None else f"{owner} has"
        super().__init__(
            f"{who} the right to work on {name}, not this process; stop the other one, or wait: the right ends after "
            f"{seconds:.0f} s without a word from it"
        )


def lease_table(name: str, metadata: MetaData) -> Table:
    """The table that leases are kept in."""
    return Table(
        name,
        metadata,
        Column("name", String(200), primary_key=True),
        Column("owner", String(200), nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("lease_seconds", Float, nullable=False),
        Column("expires_at", Float, nullable=False),
    )


class Lease:
    """One right, as one process sees it.

    Args:
        database: where the right is kept,
        table: in which table.
        name: the right to what.
        owner: the process; :func:`process_owner` names this one.
        seconds: how long the others wait after the owner's last word.
    """

    def __init__(self, database: Database, table: Table, name: str, owner: str, seconds: float) -> None:
        self._database, self._table, self._name = database, table, name
        self.owner, self._seconds = owner, seconds
        self._token: int | None = None
        self._renewed = 0.0

    def acquire(self) -> None:
        """Take the right, or renew it in good time when this process has it.

        Raises:
            LeaseTaken: if another process has it.
        """
        now = time.monotonic()
        if self._token is not None and now - self._renewed < self._seconds / 3:
            return
        try:
            with self._database.write() as connection:
                self._acquire(connection)
        except IntegrityError:
            # Two processes found no row; the other one was faster.
            with self._database.write() as connection:
                self._acquire(connection)
        self._renewed = now

    def release(self) -> None:
        """Give the right back, so that others needn't wait; nothing happens when it is gone already."""
        if self._token is None:
            return
        with self._database.write() as connection:
            connection.execute(update(self._table).where(self._held()).values(expires_at=0.0))
        self._token = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which this process holds, and renews, the right.

        Raises:
            LeaseTaken: if it has lost it.
        """
        with self._database.write() as connection:
            renewal = update(self._table).where(self._held()).values(expires_at=time.time() + self._seconds)
            if self._token is None or connection.execute(renewal).rowcount != 1:
                self._token = None
                row = connection.execute(select(self._table).where(self._table.c.name == self._name)).one_or_none()
                raise LeaseTaken(
                    self._name, row.owner if row else None, max(0.0, row.expires_at - time.time()) if row else 0.0
                )
            yield connection
        self._renewed = time.monotonic()

    def _held(self) -> Any:
        return and_(self._table.c.name == self._name, self._table.c.token == self._token)

    def _acquire(self, connection: Connection) -> None:
        now = time.time()
        mine = self._table.c.name == self._name
        row = connection.execute(select(self._table).where(mine).with_for_update()).one_or_none()
        values: dict[str, Any] = {
            "owner": self.owner,
            "lease_seconds": self._seconds,
            "expires_at": now + self._seconds,
        }
        if row is None:
            connection.execute(insert(self._table).values(name=self._name, token=1, **values))
            self._token = 1
            return
        if row.token == self._token:
            connection.execute(update(self._table).where(mine).values(expires_at=now + self._seconds))
            return
        if row.owner != self.owner and row.expires_at > now and not is_gone(row.owner):
            raise LeaseTaken(self._name, row.owner, row.expires_at - now)
        connection.execute(update(self._table).where(mine).values(token=row.token + 1, **values))
        self._token = row.token + 1


_COUNT = itertools.count(1)
_OURS: set[str] = set()


def process_owner() -> str:
    """A name for an owner of leases in this process: its machine, its number, when it started, and a count."""
    name = f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{next(_COUNT)}"
    _OURS.add(name)
    return name


def is_gone(owner: str) -> bool:
    """Whether an owner that :func:`process_owner` named is a dead process of this machine; False when in doubt."""
    host, _, rest = owner.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    if host != socket.gethostname() or not pid.isdecimal() or owner in _OURS:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # alive, and somebody else's
    # In a container every start has the same few numbers: another start means another process.
    return started != _started(int(pid))


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where the system doesn't say so, and for a dead one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *numbers = stat.rpartition(")")[2].split()
    # Dead, but its parent has not asked how it ended.
    return "" if state in "ZX" else numbers[18]
