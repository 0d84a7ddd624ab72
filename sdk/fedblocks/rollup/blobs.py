"""Blobs: updates, models and manifests, found by what they contain.

A blob's address is the keccak-256 of its bytes. Whoever has the address from a header can therefore fetch the blob from
anyone and check it; a blob can't be changed, only be there or not; storing it twice is storing it once. Where the blobs
are is a URL of fsspec: ``file:///var/lib/fedblocks/blobs``, ``memory://test``, or an object store.

On a disk a blob is written beside its place, forced to the disk and renamed into it, so that a node killed at any
instant leaves a whole blob or none. (An unfinished file begins with ``.new-`` and may be deleted.)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import keccak256, keccak_stream
from fedblocks.storage.errors import StorageError, write_error
from fedblocks.storage.files import replace_file, sync_folder
from fedblocks.types import Hash32

_PIECE_BYTES = 1 << 20


class BlobMissing(FedBlocksError, KeyError):
    """No blob with this address is in the store."""

    def __init__(self, address: Hash32, path: str) -> None:
        super().__init__(f"no blob 0x{address.hex()} in {path}; it has to be fetched from whoever published it")
        self.address, self.path = address, path

    def __str__(self) -> str:
        # KeyError would show the sentence in quotes.
        return str(self.args[0])


class BlobCorrupt(FedBlocksError, ValueError):
    """The bytes found under an address have another hash."""

    def __init__(self, address: Hash32, actual: Hash32, path: str) -> None:
        super().__init__(
            f"{path} should hash to 0x{address.hex()} but hashes to 0x{actual.hex()}; "
            "discard it and fetch the blob again"
        )
        self.address, self.actual, self.path = address, actual, path


class BlobStore:
    """Content-addressed blobs under one fsspec URL."""

    def __init__(self, url: str) -> None:
        """Use the blobs at a URL, whose folder is made by the first :meth:`put`.

        Raises:
            ValueError: if fsspec knows no such protocol.
        """
        self.url = url
        self._fs, self._root = url_to_fs(url)
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def path_of(self, address: Hash32) -> str:
        """Where a blob is, within the URL's file system; 256 folders keep each of them short."""
        name = address.hex()
        return f"{self._root}/{name[:2]}/{name}"

    def put(self, data: bytes | bytearray | memoryview) -> Hash32:
        """Store a blob, which is not copied, and return its address. One that is there already is left alone, unless
        its bytes have changed since: then it is written anew.

        Raises:
            StorageFull: if there is no room.
            StorageReadOnly: if the place may not be written.
            StorageError: if writing fails for another reason.
        """
        view = memoryview(data).cast("B")
        address = keccak256(view)
        path = self.path_of(address)
        with self._writing(path):
            if not (self._fs.exists(path) and self._fs.size(path) == len(view) and self.is_whole(address)):
                if self._is_local:
                    replace_file(Path(path), view)
                else:
                    # The others show a blob when it is complete, and have no cheap rename.
                    self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                    self._fs.pipe_file(path, data if isinstance(data, bytes) else bytes(view))
        return address

    def get(self, address: Hash32) -> bytes:
        """The blob with this address, checked against it.

        Raises:
            BlobMissing: if there is none.
            BlobCorrupt: if its bytes hash to something else.
            StorageError: if it cannot be read.
        """
        data = self.get_unchecked(address)
        actual = keccak256(data)
        if actual != address:
            raise BlobCorrupt(address, actual, self.path_of(address))
        return data

    def get_unchecked(self, address: Hash32) -> bytes:
        """What lies under an address, for whoever checks it against a root that it knows: hashing a vector is half of
        the work.

        Raises:
            BlobMissing: if there is nothing.
            StorageError: if it cannot be read.
        """
        path = self.path_of(address)
        try:
            return Path(path).read_bytes() if self._is_local else bytes(self._fs.cat_file(path))
        except FileNotFoundError as error:
            raise BlobMissing(address, self.url) from error
        except OSError as error:
            raise StorageError(path, f"cannot be read: {error.strerror or error}") from error

    def has(self, address: Hash32) -> bool:
        """Whether there is a blob with this address; its bytes are only checked by :meth:`get` and :meth:`is_whole`."""
        return bool(self._fs.exists(self.path_of(address)))

    def is_whole(self, address: Hash32) -> bool:
        """Whether there is a blob with this address that can be read and hashes to it; it is read piece by piece."""
        digest = keccak_stream()
        try:
            with self.open(address) as file:
                while piece := file.read(_PIECE_BYTES):
                    digest.update(piece)
        except (BlobMissing, OSError):
            return False
        return digest.digest() == address

    def size(self, address: Hash32) -> int:
        """How many bytes a blob has.

        Raises:
            BlobMissing: if there is none.
            StorageError: if it cannot be read.
        """
        path = self.path_of(address)
        try:
            return int(self._fs.size(path))
        except FileNotFoundError as error:
            raise BlobMissing(address, self.url) from error
        except OSError as error:
            raise StorageError(path, f"cannot be read: {error.strerror or error}") from error

    def open(self, address: Hash32) -> BinaryIO:
        """A blob as a file, for whoever reads it piece by piece; its bytes are not checked.

        Raises:
            BlobMissing: if there is none.
            StorageError: if it cannot be read.
        """
        path = self.path_of(address)
        try:
            return Path(path).open("rb") if self._is_local else self._fs.open(path, "rb")
        except FileNotFoundError as error:
            raise BlobMissing(address, self.url) from error
        except OSError as error:
            raise StorageError(path, f"cannot be read: {error.strerror or error}") from error

    @property
    def spool(self) -> Path:
        """A folder of this machine for what is not yet a blob; on a disk it is beside the blobs, in their file system.

        Raises:
            StorageReadOnly: if it cannot be made.
        """
        folder = Path(self._root, ".spool") if self._is_local else Path(tempfile.gettempdir(), "fedblocks-spool")
        with self._writing(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def adopt(self, file: Path, address: Hash32) -> None:
        """Make a blob of a finished file of the spool, which is gone then.

        Args:
            file: which; it has been forced to the disk.
            address: the keccak-256 of its bytes, computed by whoever wrote it.

        Raises:
            StorageFull, StorageReadOnly, StorageError: as :meth:`put`.
        """
        path = self.path_of(address)
        with self._writing(path):
            if self._fs.exists(path) and self._fs.size(path) == file.stat().st_size and self.is_whole(address):
                file.unlink()
            elif self._is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                file.replace(path)
                sync_folder(Path(path).parent)
            else:
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._fs.put_file(str(file), path)
                file.unlink()

    def discard(self, address: Hash32) -> None:
        """Delete a blob, for example one that is corrupt; no error when it isn't there.

        Raises:
            StorageReadOnly: if the place may not be written.
        """
        path = self.path_of(address)
        with self._writing(path):
            if self._fs.exists(path):
                self._fs.rm_file(path)

    def discard_if_damaged(self, address: Hash32) -> bool:
        """Delete a blob whose bytes hash to something else, so that all can see that it is gone; whether it was.

        One that cannot be read for another reason is left alone.

        Raises:
            StorageReadOnly: if the place may not be written.
        """
        try:
            self.get(address)
        except BlobCorrupt:
            self.discard(address)
            return True
        except (BlobMissing, StorageError):
            return False
        return False

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            raise write_error(error, path) from error
