"""Leases: one owner at a time, the dead make room at once, and who has lost the right writes nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from fedblocks.storage.database import Database, Schema
from fedblocks.storage.leases import Lease, LeaseTaken, is_gone, lease_table, process_owner

metadata = MetaData()
SCHEMA = Schema(
    tables=metadata,
    version_table=Table("leases_schema", metadata, Column("version", Integer, primary_key=True)),
    version=1,
    what="test",
    made_by="a test",
    remade="run it again",
)
TABLE = lease_table("leases", metadata)

Taker = Callable[..., Lease]


@pytest.fixture
def lease(any_database: str) -> Iterator[Taker]:
    databases = []

    def made(owner: str, name: str = "the work", seconds: float = 60.0) -> Lease:
        databases.append(Database(any_database, SCHEMA))
        return Lease(databases[-1], TABLE, name, owner, seconds)

    yield made
    for database in databases:
        database.close()


def test_one_has_the_right_and_the_other_is_told_who(lease: Taker) -> None:
    lease("first").acquire()
    with pytest.raises(LeaseTaken, match="first has the right to work on the work") as caught:
        lease("second").acquire()
    assert caught.value.owner == "first"
    assert 0 < caught.value.seconds <= 60
    lease("second", name="other work").acquire()


def test_what_is_given_back_or_has_run_out_is_free(lease: Taker) -> None:
    first = lease("first")
    first.acquire()
    first.release()
    lease("second", seconds=0.0).acquire()
    lease("third").acquire()


def test_the_same_name_takes_over_at_once_and_the_former_one_writes_nothing(lease: Taker) -> None:
    former, latter = lease("node"), lease("node")
    former.acquire()
    with former.writing():
        pass
    latter.acquire()
    with pytest.raises(LeaseTaken), former.writing():
        pytest.fail("it has lost the right")
    with latter.writing():
        pass
    former.release()
    with latter.writing():
        pass


def test_who_never_had_the_right_writes_nothing(lease: Taker) -> None:
    with pytest.raises(LeaseTaken, match="nobody has the right"), lease("first").writing():
        pytest.fail("it has no right")


def test_every_write_puts_the_end_off(lease: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("fedblocks.storage.leases.time.time", lambda: now[0])
    first = lease("first")
    first.acquire()
    now[0] += 50
    with first.writing():
        pass
    now[0] += 50
    with pytest.raises(LeaseTaken):
        lease("second").acquire()
    now[0] += 11
    lease("second").acquire()


def test_a_process_that_is_dead_makes_room_at_once(lease: Taker) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lease(f"{socket.gethostname()}/{ended.pid}/12345/1").acquire()
    lease(process_owner()).acquire()


def test_who_is_alive_or_elsewhere_is_not_gone() -> None:
    here = socket.gethostname()
    mine = process_owner()
    assert not is_gone(mine)
    assert not is_gone(f"another-machine/{os.getpid()}/0/1")
    assert not is_gone("a name that somebody gave")
    # The number of a process is used again: another start is another process.
    assert is_gone(f"{here}/{os.getpid()}/0/1")


def test_a_process_that_was_killed_and_that_nobody_asked_after_is_gone() -> None:
    named = "from fedblocks.storage.leases import process_owner; print(process_owner(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", named], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().decode().strip()
        assert not is_gone(owner)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(owner)
