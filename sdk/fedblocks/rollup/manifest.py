"""The manifest of an epoch: what was published, and where each piece lies.

A header commits to an epoch in a few hashes; the manifest holds what those hashes are of, or says where to find it. Its
own content address is the header's data locator, so that whoever holds a header can ask any store of blobs for the
manifest, and then for the rest.

It is canonical JSON: sorted keys, no spaces, bytes in hexadecimal. One epoch has one manifest, to the byte. The entries
of the lists are the very bytes that are hashed (:mod:`fedblocks.rollup.entries`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.state import InstanceContext
from fedblocks.types import EpochNumber, Hash32, Seat

FORMAT = "fedblocks-epoch/2"


class MalformedManifest(FedBlocksError, ValueError):
    """The bytes are no manifest of an epoch of this cohort."""

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no manifest of an epoch: {why}")


@dataclass(frozen=True)
class BlobAddresses:
    """Where the large pieces of an epoch lie.

    Attributes:
        genesis_model: the model that the first epoch started from.
        updates: by seat, the update as it goes over the wire.
        gram: columns and rows of the Gram tree.
        delta: the global step.
        next_model: the model after the epoch.
    """

    genesis_model: Hash32
    updates: Mapping[Seat, Hash32]
    gram: Hash32
    delta: Hash32
    next_model: Hash32


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the small pieces, and where the large ones lie.

    Attributes:
        rules: the words of the instance's rules.
        others: as in EpochData.
    """

    rules: tuple[int, ...]
    commits: tuple[bytes | None, ...]
    submissions: tuple[bytes, ...]
    stats: tuple[bytes | None, ...]
    cohort: bytes
    carried: bytes
    blobs: BlobAddresses


def write_manifest(
    context: InstanceContext, epoch: EpochNumber, attempt: int, data: EpochData, blobs: BlobAddresses
) -> bytes:
    """The manifest of an executed epoch."""
    document = {
        "format": FORMAT,
        "chainId": context.chain_id,
        "settlement": context.settlement,
        "instanceId": context.instance_id,
        "epoch": epoch,
        "attempt": attempt,
        "rules": list(context.rules.words()),
        "commits": [_hex(entry) for entry in data.commits],
        "submissions": [_hex(entry) for entry in data.submissions],
        "stats": [_hex(entry) for entry in data.stats],
        "cohort": _hex(data.cohort),
        "carried": _hex(data.carried),
        "genesisModel": blobs.genesis_model.hex(),
        "updates": {str(seat): address.hex() for seat, address in blobs.updates.items()},
        "gram": blobs.gram.hex(),
        "delta": blobs.delta.hex(),
        "nextModel": blobs.next_model.hex(),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_manifest(data: bytes, n: int) -> Manifest:
    """Read a manifest that anybody may have written.

    Args:
        data: the bytes.
        n: size of the cohort.

    Raises:
        MalformedManifest: if it is none, has another format, or not one entry for each seat.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise MalformedManifest(f"its format is not {FORMAT}")
        submissions, stats, commits = (document[name] for name in ("submissions", "stats", "commits"))
        if not len(submissions) == len(stats) == len(commits) == n:
            raise MalformedManifest(f"its lists do not have {n} entries, one for each seat")
        return Manifest(
            rules=tuple(int(word) for word in document["rules"]),
            commits=tuple(_bytes_or_none(entry) for entry in commits),
            submissions=tuple(bytes.fromhex(entry) for entry in submissions),
            stats=tuple(_bytes_or_none(entry) for entry in stats),
            cohort=bytes.fromhex(document["cohort"]),
            carried=bytes.fromhex(document["carried"]),
            blobs=BlobAddresses(
                genesis_model=_address(document["genesisModel"]),
                updates={Seat(int(seat)): _address(address) for seat, address in document["updates"].items()},
                gram=_address(document["gram"]),
                delta=_address(document["delta"]),
                next_model=_address(document["nextModel"]),
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, MalformedManifest):
            raise
        raise MalformedManifest(f"{type(error).__name__}: {error}") from error


def _hex(entry: bytes | None) -> str | None:
    return None if entry is None else entry.hex()


def _bytes_or_none(entry: Any) -> bytes | None:
    return None if entry is None else bytes.fromhex(entry)


def _address(text: str) -> Hash32:
    address = bytes.fromhex(text)
    if len(address) != 32:
        raise MalformedManifest(f"{text!r} is no content address")
    return Hash32(address)
