"""Fetching a blob: piece by piece, taken up where a connection broke, and checked against its address."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import keccak_stream
from fedblocks.types import Hash32

PIECE_BYTES = 1 << 18


class WrongBlob(FedBlocksError, ValueError):
    """The bytes that a node sent are not those of the address."""

    def __init__(self, address: Hash32, actual: Hash32, url: str) -> None:
        super().__init__(f"{url} sent bytes that hash to 0x{actual.hex()} for blob 0x{address.hex()}; ask another node")
        self.address, self.actual, self.url = address, actual, url


def fetch_to(http: httpx.Client, path: str, address: Hash32, target: Path, *, tries: int, pause: float) -> None:
    """Fetch a blob into a file, which is there when it is whole and right, and not before.

    What a fetch that was broken off has left beside the file is taken up, also by another process.

    Args:
        http, path: where the blob is.
        address: what it must hash to.
        target: the file.
        tries: how often to take it up again without having got anything.
        pause: seconds before the second try; they double with each.

    Raises:
        WrongBlob: if it is not what its address says.
        httpx.HTTPError: if the node cannot be reached, or refuses.
    """
    partial = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        have = partial.stat().st_size if partial.exists() else 0
        try:
            _append(http, path, partial, have)
            break
        except httpx.TransportError:
            got_more = partial.exists() and partial.stat().st_size > have
            failures = 1 if got_more else failures + 1
            if failures >= tries:
                raise
            time.sleep(pause * 2 ** (failures - 1))
    actual = hash_file(partial)
    if actual != address:
        partial.unlink()
        raise WrongBlob(address, actual, str(http.base_url))
    partial.replace(target)


def hash_file(path: Path) -> Hash32:
    """The keccak-256 of a file, which is read piece by piece."""
    stream = keccak_stream()
    for piece in pieces_of(path):
        stream.update(piece)
    return Hash32(stream.digest())


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _append(http: httpx.Client, path: str, partial: Path, have: int) -> None:
    headers = {"range": f"bytes={have}-"} if have else {}
    with http.stream("GET", path, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there already
        if response.is_error:
            response.read()
            response.raise_for_status()
        mode = "ab" if response.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
        with partial.open(mode) as file:
            for piece in response.iter_bytes(PIECE_BYTES):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
