"""Opening a database so that it keeps its promises: whole transactions, one schema version, clear errors.

SQLite is run with a write-ahead log, so that readers don't wait for the writer, with foreign keys, and with write
transactions that take the write lock when they begin: one that had begun by reading could fail at its first write,
because another process wrote in between. PostgreSQL needs none of this.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, insert, inspect, make_url, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import StaticPool

from fedblocks.exceptions import FedBlocksError
from fedblocks.storage.errors import StorageError, StorageFull, StorageReadOnly, write_error

BUSY_SECONDS = 30
"""How long a writer waits for another one before it gives up."""

POOL = 8
"""Connections to a server that a process keeps open; twice as many when much is going on."""


@dataclass(frozen=True)
class Schema:
    """The tables that a database is expected to have.

    Attributes:
        tables: all of them, `version_table` included.
        version_table: its one column ``version`` says which version the tables are of.
        version: raised with every change of a table; a database of another version is refused.
        what: how an error calls such a database.
        made_by: who makes it, and
        remade: how to get a new one, for people who have the wrong one.
    """

    tables: MetaData
    version_table: Table
    version: int
    what: str
    made_by: str
    remade: str


class StoreNotFound(FedBlocksError, FileNotFoundError):
    """There is no database to read where one was expected."""

    def __init__(self, path: str, schema: Schema) -> None:
        super().__init__(f"no {schema.what} at {path}; it is made by {schema.made_by}, check the path")
        self.path = path


class SchemaMismatch(FedBlocksError, RuntimeError):
    """The database was made by another version of FedBlocks, or by another program."""

    def __init__(self, path: str, found: int | None, schema: Schema) -> None:
        made = f"has schema version {found}" if found is not None else "has tables of these names but no schema version"
        super().__init__(
            f"{path} {made}; this FedBlocks reads version {schema.version}: use the FedBlocks that made it, or "
            f"{schema.remade}"
        )
        self.path, self.found, self.expected = path, found, schema.version


class StorageBusy(StorageError):
    """Another process has been writing to the database for too long."""

    def __init__(self, path: str) -> None:
        super().__init__(path, f"another process held the write lock for more than {BUSY_SECONDS} s; try again")


class StorageGone(StorageError):
    """The database server does not answer; what was under way has not happened."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "the database server does not answer, or was stopped; nothing was written: try again")


class Database:
    """An engine, its schema checked, and the transaction of each thread.

    Args:
        url: a SQLAlchemy URL: ``sqlite:////var/lib/fedblocks/rollup.db``, ``postgresql+psycopg://host/fedblocks``.
        schema: what is in it, or is made in it.
        read_only: never write, nor make the database.

    Raises:
        StoreNotFound: if read_only and there is no store.
        SchemaMismatch: if it was made by another version.
        StorageReadOnly, StorageFull, StorageError: if it cannot be opened or made.
    """

    def __init__(self, url: str, schema: Schema, *, read_only: bool = False) -> None:
        self._url = _with_driver(make_url(url))
        self.schema = schema
        self.read_only = read_only
        file = _sqlite_file(self._url)
        self.path = str(file) if file else self._url.render_as_string(hide_password=True)
        if file and not file.exists():
            if read_only:
                raise StoreNotFound(self.path, self.schema)
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(error, str(file.parent)) from error
        self._engine = self._make_engine(file)
        self._local = threading.local()
        try:
            self._check_schema()
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The thread's transaction: all of it is kept or, after an error, nothing. An inner one joins the outer.

        Raises:
            StorageReadOnly: if the database was opened for reading.
        """
        if self.read_only:
            raise StorageReadOnly(self.path)
        if self._current is not None:
            yield self._current
            return
        with self._engine.connect().execution_options(fedblocks_write=True) as connection, connection.begin():
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; the thread's own transaction when there is one."""
        if self._current is not None:
            yield self._current
            return
        with self._engine.connect() as connection:
            if self._engine.dialect.name != "sqlite":
                # SQLite always reads one snapshot; others have to be asked.
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @property
    def _current(self) -> Connection | None:
        return getattr(self._local, "connection", None)

    def _make_engine(self, file: Path | None) -> Engine:
        if self._url.get_backend_name() != "sqlite":
            # A server may have been restarted since a connection was last used.
            engine = create_engine(self._url, pool_pre_ping=True, pool_size=POOL, max_overflow=POOL)
        elif file is None:
            engine = create_engine(self._url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            mode = "ro" if self.read_only else "rwc"
            url = self._url.set(database=f"file:{quote(str(file))}").update_query_dict({"mode": mode, "uri": "true"})
            engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", self._set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", self._name_error, retval=True)
        return engine

    def _set_up_sqlite(self, connection: Any, _: object) -> None:
        # Transactions are begun by _begin_sqlite; the driver's own way begins them too late.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if not self.read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    def _name_error(self, context: ExceptionContext) -> StorageError | None:
        """In place of an error that comes from the disk, one that says what to do; the others stay SQLAlchemy's."""
        original = context.original_exception
        # sqlite3 and psycopg name their errors like this; https://www.sqlite.org/rescode.html,
        # https://www.postgresql.org/docs/current/errcodes-appendix.html
        code: str = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None) or ""
        if context.is_disconnect or (not code and type(original).__name__ == "OperationalError"):
            return StorageGone(self.path)
        if code in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "53100"):
            return StorageFull(self.path)
        if code.startswith("SQLITE_READONLY") or code in ("25006", "42501"):
            return StorageReadOnly(self.path)
        if code.startswith("SQLITE_BUSY") or code == "55P03":
            return StorageBusy(self.path)
        if code.startswith(("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR", "58", "XX")):
            return StorageError(self.path, f"the database cannot be used: {original}")
        return None

    def _check_schema(self) -> None:
        """Refuse another version; make the tables where there are none, all of them or none."""
        with self.read() as connection:
            found = self._found_version(connection)
        if found is None and self.read_only:
            raise StoreNotFound(self.path, self.schema)
        if found is None:
            with self.write() as connection:
                # Another process may have made them since.
                found = self._found_version(connection)
                if found is None:
                    self.schema.tables.create_all(connection)
                    connection.execute(insert(self.schema.version_table).values(version=self.schema.version))
                    found = self.schema.version
        if found != self.schema.version:
            raise SchemaMismatch(self.path, found, self.schema)

    def _found_version(self, connection: Connection) -> int | None:
        """The version of the tables in this database; None when there are none."""
        present = set(inspect(connection).get_table_names())
        table = self.schema.version_table
        if table.name in present:
            version = connection.scalar(select(table.c.version))
            if version is not None:
                return int(version)
        if present & set(self.schema.tables.tables):
            raise SchemaMismatch(self.path, None, self.schema)
        return None


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("fedblocks_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _with_driver(url: URL) -> URL:
    """``postgresql://`` and ``postgres://`` mean psycopg, the driver that FedBlocks comes with."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _sqlite_file(url: URL) -> Path | None:
    """Where a SQLite database is; None for one in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))
