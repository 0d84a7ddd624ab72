"""One process, one folder of state: a lock that the kernel takes back however the process ends."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from fedblocks.exceptions import FedBlocksError


class FolderHeld(FedBlocksError, RuntimeError):
    """Another process works with the folder of state."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another process works with {folder}; stop it, or give this one a folder of its own")
        self.folder = folder


def hold_folder(folder: Path) -> IO[bytes]:
    """Make the folder if it is not there, and hold it until what is returned is closed or the process ends.

    Raises:
        FolderHeld: if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderHeld(folder) from None
    return file
