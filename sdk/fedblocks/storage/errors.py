"""What can go wrong with the disk beneath a process, for blobs and databases alike.

A process that cannot write must stop with a sentence that says which path and what to do, and must find everything
that it had confirmed when it is started again.
"""

from __future__ import annotations

import errno

from fedblocks.exceptions import FedBlocksError


class StorageError(FedBlocksError, OSError):
    """Something on the disk, or behind a storage URL, cannot be read or written."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class StorageFull(StorageError):
    """There is no room left to write."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            "no space left (disk, quota or file size limit); nothing was written: free some space and start again",
        )


class StorageReadOnly(StorageError):
    """What should be written may only be read."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            "cannot be written, it is read-only or belongs to someone else: change its permissions or choose another "
            "place",
        )


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def write_error(error: OSError, path: str) -> StorageError:
    """The storage error that an operating system's error means while writing."""
    if error.errno in _FULL:
        return StorageFull(path)
    if error.errno in _READ_ONLY:
        return StorageReadOnly(path)
    return StorageError(path, f"cannot be written: {error.strerror or error}")
