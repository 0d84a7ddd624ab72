"""Publishing an epoch's data, and reading them back."""

from __future__ import annotations

from collections.abc import Mapping

from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.manifest import BlobAddresses, read_manifest, write_manifest
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import LEAF_VALUES, Values, VectorKind, decode_vector, encode_vector
from fedblocks.types import EpochNumber, Hash32, Seat


def publish_epoch(
    blobs: BlobStore,
    context: InstanceContext,
    epoch: EpochNumber,
    attempt: int,
    data: EpochData,
    genesis_model: Hash32,
    updates: Mapping[Seat, Hash32],
) -> Hash32:
    """Put everything that an epoch's header commits to where anyone can read it.

    Args:
        blobs: where.
        context, epoch, attempt: which.
        data: what.
        genesis_model: where the model lies that the training started from.
        updates: by seat, where the updates lie, which were stored when they were revealed.

    Returns:
        The manifest's address, the header's data locator.

    Raises:
        StorageError: if the disk refuses.
    """
    addresses = BlobAddresses(
        genesis_model=genesis_model,
        updates=updates,
        gram=blobs.put(data.gram.encode()),
        delta=blobs.put(encode_vector(data.delta)),
        next_model=blobs.put(encode_vector(data.next_model)),
    )
    return blobs.put(write_manifest(context, epoch, attempt, data, addresses))


def read_epoch(blobs: BlobStore, locator: Hash32, n: int, d: int) -> EpochData:
    """Everything that was published of an epoch.

    Args:
        blobs: where.
        locator: the manifest's address.
        n, d: size of the cohort and of the model.

    Raises:
        BlobMissing, BlobCorrupt: if a piece is not to be had.
        MalformedManifest, WrongTraceSize, WrongVectorSize: if a piece is not what it should be.
    """
    manifest = read_manifest(blobs.get(locator), n)

    def vector(address: Hash32, kind: VectorKind) -> Values:
        return decode_vector(blobs.get(address), kind, d)

    return EpochData(
        commits=manifest.commits,
        submissions=manifest.submissions,
        updates={
            int(seat): vector(address, VectorKind.UPDATE)  # type: ignore[misc]
            for seat, address in manifest.blobs.updates.items()
        },
        gram=GramTrace.decode(blobs.get(manifest.blobs.gram), n, -(-d // LEAF_VALUES)),
        stats=manifest.stats,
        cohort=manifest.cohort,
        carried=manifest.carried,
        delta=vector(manifest.blobs.delta, VectorKind.UPDATE),  # type: ignore[arg-type]
        next_model=vector(manifest.blobs.next_model, VectorKind.MODEL),  # type: ignore[arg-type]
    )
