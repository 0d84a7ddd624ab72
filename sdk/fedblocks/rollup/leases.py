"""The right to write to an instance: one writer at a time, and whoever lost the right notices before it writes.

The right is a row with the owner's name, a token and an end. A node that comes back under its own name takes over from
its former self at once; a node with another name has to wait until the lease has run out. Every handing over raises the
token, and every write checks it in its own transaction: a node that was cut off, and believes that it is still the
writer, writes nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from fedblocks.rollup.conflicts import WriterConflict
from fedblocks.rollup.records import InstanceKey, WriterLease
from fedblocks.rollup.rows import reference_of
from fedblocks.rollup.tables import writers
from fedblocks.storage.database import Database

LEASE_SECONDS = 60.0


class WriterLeases:
    """The leases that this process holds in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[InstanceKey, WriterLease] = {}

    def acquire(self, key: InstanceKey, owner: str, *, lease_seconds: float = LEASE_SECONDS) -> WriterLease:
        """Take the right to write to an instance; every write renews it for lease_seconds.

        Args:
            key: the instance.
            owner: the node's name, the same after a restart, another one for every other node.
            lease_seconds: how long others have to wait when this node says nothing more.

        Raises:
            WriterConflict: if another owner's lease is still running.
            UnknownRecord: if the instance isn't in the store.
        """
        now = time.time()
        with self._database.write() as connection:
            # The lock keeps two nodes on PostgreSQL from both finding no writer.
            reference = reference_of(connection, key, lock=True)
            row = connection.execute(select(writers).where(writers.c.instance == reference)).one_or_none()
            if row is not None and row.owner != owner and row.expires_at > now:
                raise WriterConflict(key, owner, row.owner, row.expires_at - now)
            values: dict[str, Any] = {
                "owner": owner,
                "token": 1 if row is None else row.token + 1,
                "lease_seconds": lease_seconds,
                "expires_at": now + lease_seconds,
            }
            if row is None:
                connection.execute(insert(writers).values(instance=reference, **values))
            else:
                connection.execute(update(writers).where(writers.c.instance == reference).values(**values))
        lease = WriterLease(key, owner, values["token"])
        self._held[key] = lease
        return lease

    def release(self, key: InstanceKey) -> None:
        """Give the right to write back, so that others needn't wait; no error when it is gone already."""
        lease = self._held.pop(key, None)
        if lease is None:
            return
        with self._database.write() as connection:
            reference = reference_of(connection, key, lock=True)
            held = and_(writers.c.instance == reference, writers.c.token == lease.token)
            connection.execute(update(writers).where(held).values(expires_at=0.0))

    @contextmanager
    def writing(self, key: InstanceKey) -> Iterator[tuple[Connection, int]]:
        """A transaction in which this store holds, and renews, the right to write."""
        lease = self._held.get(key)
        with self._database.write() as connection:
            reference = reference_of(connection, key, lock=True)
            if lease is not None:
                held = and_(writers.c.instance == reference, writers.c.token == lease.token)
                renewal = update(writers).where(held).values(expires_at=time.time() + writers.c.lease_seconds)
                if connection.execute(renewal).rowcount == 1:
                    yield connection, reference
                    return
            row = connection.execute(select(writers).where(writers.c.instance == reference)).one_or_none()
            raise WriterConflict(
                key,
                lease.owner if lease else None,
                row.owner if row else None,
                max(0.0, row.expires_at - time.time()) if row else 0.0,
            )
