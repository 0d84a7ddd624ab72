"""What an aggregator does about a blob that its disk has damaged: it takes it away, so that all see that it is gone.

What it can compute it publishes again when it opens the instance. An update comes from the client that sent it, which
looks whether it is still there for as long as it has it itself.
"""

from __future__ import annotations

from contextlib import suppress

from fedblocks.operating.talking import Talk
from fedblocks.rollup.blobs import BlobCorrupt, BlobStore
from fedblocks.storage.errors import StorageError
from fedblocks.types import InstanceId


def discard_damaged(error: Exception, blobs: BlobStore, number: InstanceId, talk: Talk) -> None:
    """Discard the blob that an error is about, if that is what is wrong."""
    cause = error if isinstance(error, BlobCorrupt) else error.__cause__
    if isinstance(cause, BlobCorrupt):
        with suppress(StorageError):
            if blobs.discard_if_damaged(cause.address):
                talk("damaged blob discarded", "warning", instance=number, blob=cause.address)
