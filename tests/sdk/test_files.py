"""Files that are whole or not there."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fedblocks.storage.files import append_to_file, create_file, replace_file


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_as_a_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "made" / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace_file(path, b"before")
    monkeypatch.setattr(os, "fsync", full)
    for write in (replace_file, create_file, append_to_file):
        with pytest.raises(OSError, match="No space"):
            write(path, b"after\n")
        assert path.read_bytes() == (b"before" if write is not append_to_file else b"")
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_is_killed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"before")
    script = f"""
        import os, pathlib, signal
        from fedblocks.storage.files import replace_file
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        replace_file(pathlib.Path({str(path)!r}), b"after")
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"before"


def test_what_is_private_is_for_this_account_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for name, private in (("own", True), ("shared", False)):
            replace_file(tmp_path / name / "file", b"", private=private)
            create_file(tmp_path / name / "other", b"", private=private)
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {
        "own": 0o700,
        "own/file": 0o600,
        "own/other": 0o600,
        "shared": 0o755,
        "shared/file": 0o644,
        "shared/other": 0o644,
    }


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_file(path, b"one")
    assert not create_file(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def _create(path: Path, name: bytes) -> bool:
    return create_file(path, name * 100_000)


def test_of_many_processes_one_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    names = [bytes([65 + number]) for number in range(8)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        did = pool.starmap(_create, [(path, name) for name in names])
    assert sum(did) == 1
    assert path.read_bytes() == names[did.index(True)] * 100_000


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append_to_file(path, b"one\n")
    append_to_file(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_was_cut_off_is_taken_away_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    append_to_file(path, b"three\n")
    assert path.read_bytes() == b"one\nthree\n"
