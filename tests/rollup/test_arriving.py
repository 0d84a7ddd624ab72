"""Updates that arrive in pieces: the same hashes as in one piece, and nothing kept of what is not whole."""

import os
import time

import numpy as np
import pytest

from fedblocks.rollup.arriving import WINDOW_VALUES, ArrivingVector, sweep_spool
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.vectors import VectorKind, WrongVectorSize, encode_vector, vector_root


@pytest.fixture(params=["file", "memory"])
def blobs(request, tmp_path):
    return BlobStore(f"file://{tmp_path}/blobs" if request.param == "file" else f"memory://{tmp_path.name}")


@pytest.mark.parametrize("d", [1, 700, WINDOW_VALUES, WINDOW_VALUES + 1, 2 * WINDOW_VALUES + 4097])
@pytest.mark.parametrize("piece", [65_537, 1 << 20])
def test_pieces_have_the_hashes_of_the_whole(blobs, d, piece):
    update = np.random.default_rng(d).integers(-(2**15), 2**15, d, dtype=np.int16)
    wire = encode_vector(update)
    arriving = ArrivingVector(blobs, VectorKind.UPDATE, d)
    for start in range(0, len(wire), piece):
        arriving.write(wire[start : start + piece])
    assert arriving.finish() == vector_root(update)
    assert arriving.keep() == keccak256(wire)
    assert blobs.get(keccak256(wire)) == wire
    assert list(blobs.spool.glob(".new-*")) == []


def test_what_is_too_long_or_too_short_is_not_taken(blobs):
    arriving = ArrivingVector(blobs, VectorKind.UPDATE, 3)
    arriving.write(b"12345")
    with pytest.raises(WrongVectorSize, match="must be 6 bytes"):
        arriving.finish()
    with pytest.raises(WrongVectorSize, match="got 7"):
        arriving.write(b"67")
    arriving.discard()
    assert list(blobs.spool.glob(".new-*")) == []


def test_a_blob_that_is_there_already_is_left_alone(blobs):
    wire = encode_vector(np.arange(5, dtype=np.int16))
    address = blobs.put(wire)
    arriving = ArrivingVector(blobs, VectorKind.UPDATE, 5)
    arriving.write(wire)
    arriving.finish()
    assert arriving.keep() == address
    assert list(blobs.spool.glob(".new-*")) == []


def test_only_what_nobody_writes_to_any_more_is_swept(tmp_path):
    blobs = BlobStore(f"file://{tmp_path}/blobs")
    old, young = ArrivingVector(blobs, VectorKind.UPDATE, 3), ArrivingVector(blobs, VectorKind.UPDATE, 3)
    os.utime(old._path, (time.time() - 4000,) * 2)
    assert sweep_spool(blobs) == [old._path]
    young.write(b"123456")
    assert young.finish()
