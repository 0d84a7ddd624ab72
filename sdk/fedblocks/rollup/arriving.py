"""An update that is arriving: written to the disk and hashed as it comes, never whole in memory.

Two hashes are taken on the way: the Merkle root that was committed to, and the content address under which the bytes
will be found. When all bytes are there the file becomes a blob by being renamed; a process that is killed before that
leaves a file in the spool, which :func:`sweep_spool` removes some time later.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.keccak import keccak_stream
from fedblocks.rollup.vectors import (
    LEAF_VALUES,
    VectorKind,
    WrongVectorSize,
    decode_vector,
    roots_of_subtrees,
    subtree_roots,
)
from fedblocks.storage.errors import write_error
from fedblocks.storage.files import UNFINISHED_PREFIX
from fedblocks.types import Hash32

WINDOW_VALUES = 64 * LEAF_VALUES
"""Values that are hashed at a time: whole leaf subtrees, and too few to be worth a second thread."""

SWEEP_SECONDS = 3600.0


class ArrivingVector:
    """A vector of d values in its wire form, piece by piece. Not safe to share between threads.

    Args:
        blobs: where it is to lie.
        kind, d: what is expected.

    Raises:
        StorageFull, StorageReadOnly, StorageError: from any method, when the disk refuses.
    """

    def __init__(self, blobs: BlobStore, kind: VectorKind, d: int) -> None:
        self.expected = d * kind.value_bytes
        self.received = 0
        self._blobs, self._kind, self._d = blobs, kind, d
        self._content = keccak_stream()
        self._subtrees: list[NDArray[np.uint8]] = []
        self._window = bytearray()
        self._path = blobs.spool / f"{UNFINISHED_PREFIX}{secrets.token_hex(8)}"
        try:
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise write_error(error, str(self._path)) from error

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Take in what has come.

        Raises:
            WrongVectorSize: if that is more than d values.
        """
        self.received += len(piece)
        if self.received > self.expected:
            raise WrongVectorSize(self._kind, self._d, self.received)
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            raise write_error(error, str(self._path)) from error
        self._content.update(bytes(piece))
        self._window += piece
        size = WINDOW_VALUES * self._kind.value_bytes
        while len(self._window) >= size:
            self._hash(self._window[:size])
            del self._window[:size]

    def finish(self) -> Hash32:
        """The vector's root, now that everything is there.

        Raises:
            WrongVectorSize: if it is less than d values.
        """
        if self.received != self.expected:
            raise WrongVectorSize(self._kind, self._d, self.received)
        if self._window:
            self._hash(self._window)
            self._window = bytearray()
        return roots_of_subtrees(np.concatenate(self._subtrees)[np.newaxis], self._kind)[0]

    def keep(self) -> Hash32:
        """Make a blob of it, once it is finished: its address."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise write_error(error, str(self._path)) from error
        address = Hash32(self._content.digest())
        self._blobs.adopt(self._path, address)
        return address

    def discard(self) -> None:
        """Forget it; no error when it was kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _hash(self, window: bytearray) -> None:
        values = decode_vector(window, self._kind, len(window) // self._kind.value_bytes)
        self._subtrees.append(subtree_roots(values[np.newaxis])[0])


def sweep_spool(blobs: BlobStore, older_than: float = SWEEP_SECONDS) -> list[Path]:
    """Remove what killed processes have left in the spool, if nobody has written to it for so many seconds."""
    removed = []
    for path in blobs.spool.glob(f"{UNFINISHED_PREFIX}*"):
        try:
            if path.stat().st_mtime < time.time() - older_than:
                path.unlink()
                removed.append(path)
        except FileNotFoundError:  # another process swept at the same time
            continue
    return removed
