"""Small files that are whole or not there, after a kill, a full disk and a power failure too.

A file is written beside its place under a name that begins with :data:`UNFINISHED_PREFIX`, forced to the disk, and then
given its name; the folder is forced to the disk as well, for otherwise a power cut may take the new name back. What a
killed process leaves is an unfinished file, which anybody may delete.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Content = bytes | memoryview

UNFINISHED_PREFIX = ".new-"
OWN_FILE, OWN_FOLDER = 0o600, 0o700
"""For what only this account is to read."""


def replace_file(path: Path, content: Content, *, private: bool = False) -> None:
    """Write a file; one that is there already stays as it is until the new one is whole.

    Args:
        path: which; folders that are not there are made.
        content: its bytes.
        private: whether the file, and folders that are made, are for this account alone.

    Raises:
        OSError: if the disk refuses; what was there is unchanged.
    """
    with _written(path, content, private) as unfinished:
        unfinished.replace(path)


def create_file(path: Path, content: Content, *, private: bool = False) -> bool:
    """Write a file unless there is one of this name: of two processes, one succeeds. Whether it was this one.

    Args and errors as of :func:`replace_file`.
    """
    with _written(path, content, private) as unfinished:
        try:
            path.hardlink_to(unfinished)
        except FileExistsError:
            return False
    return True


def append_to_file(path: Path, line: bytes) -> None:
    """Append a line to a file, all of it or nothing, and force it to the disk.

    A piece of a line at the end, which a power failure may leave, is cut off first: whoever wrote it was never told
    that it is there.

    Args:
        path: which; made if it is not there.
        line: with its newline.

    Raises:
        OSError: if the disk refuses; the file is as it was.
    """
    with path.open("a+b", buffering=0) as file:
        file.seek(0)
        end = file.read().rfind(b"\n") + 1
        file.truncate(end)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) or 0 :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where folders cannot be opened, the system does it by itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path, content: Content, private: bool) -> Iterator[Path]:
    """A file beside `path` that is on the disk; it is gone afterwards, and what was done with it is durable."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER if private else 0o777)
    unfinished = path.with_name(UNFINISHED_PREFIX + secrets.token_hex(8))
    try:
        with unfinished.open("xb") as file:
            if private:
                unfinished.chmod(OWN_FILE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
