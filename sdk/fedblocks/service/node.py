"""A node's view of its store: which instance is meant, and who may take actions for it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from fedblocks.chain.signers import Signer
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.intake import Intake
from fedblocks.rollup.lists import SeatList, entries
from fedblocks.rollup.manifest import Manifest, read_manifest
from fedblocks.rollup.records import EpochRecord, InstanceKey, InstanceRecord
from fedblocks.rollup.store import RollupStore
from fedblocks.service.problems import (
    AmbiguousInstance,
    ForeignDeployment,
    NotActing,
    UnknownInstance,
    UnknownThing,
)
from fedblocks.types import Address

INSTANCE_PATTERN = r"^([1-9][0-9]{0,17}-0x[0-9a-fA-F]{40}-)?[1-9][0-9]{0,17}$"
"""How an instance is named in a path: its number, or chain-contract-number where several deployments are served."""

_INSTANCE = re.compile(INSTANCE_PATTERN)

REMEMBERED_SECONDS = 1.0
"""How long an instance's record is remembered; nothing in it changes but who the aggregator is."""


def name_of(key: InstanceKey) -> str:
    """An instance's name in full."""
    return f"{key.chain_id}-{key.contract}-{key.instance_id}"


class Node:
    """What the routes ask; every method may wait for the database.

    Args:
        store, blobs: what is served.
        signer: signs acknowledgements; None for a node that only answers.
    """

    def __init__(self, store: RollupStore, blobs: BlobStore, signer: Signer | None) -> None:
        self.store, self.blobs, self.signer = store, blobs, signer
        self._found: dict[str, tuple[InstanceRecord, float]] = {}

    def find(self, name: str) -> InstanceRecord:
        """The instance of a name.

        Raises:
            UnknownInstance: if there is none.
            AmbiguousInstance: if the name is a number, and several have it.
        """
        remembered = self._found.get(name)
        if remembered is not None and time.monotonic() - remembered[1] < REMEMBERED_SECONDS:
            return remembered[0]
        found = [record for record in self.store.list_instances() if _is_called(record.key, name)]
        if not found:
            raise UnknownInstance(name)
        if len(found) > 1:
            raise AmbiguousInstance(int(name), [name_of(record.key) for record in found])
        # Only what exists is remembered: what people ask for has no end.
        self._found[name] = (found[0], time.monotonic())
        return found[0]

    def intake(self, record: InstanceRecord) -> Intake:
        """What takes actions of an instance.

        Raises:
            NotActing: if this node does not hold its aggregator's key: what it acknowledged would count for nothing.
        """
        if self.signer is None or self.signer.address != record.aggregator:
            raise NotActing("nobody" if self.signer is None else self.signer.address, record.aggregator)
        return Intake(self.store, self.blobs, self.signer, record)

    def deployment(self, chain_id: int, settlement: str) -> Address:
        """The ModelParameterChain of a deployment that is served.

        Raises:
            ForeignDeployment: if it is not.
        """
        for record in self.store.list_instances():
            if record.key.chain_id == chain_id and record.key.contract.lower() == settlement.lower():
                return record.key.contract
        raise ForeignDeployment(chain_id, settlement)

    def epoch(self, record: InstanceRecord, number: int, attempt: int | None) -> EpochRecord:
        """An executed epoch.

        Raises:
            UnknownThing: if it isn't stored.
        """
        epoch = self.store.get_epoch(record.key, number, attempt)
        if epoch is None:
            which = f"epoch {number}" + ("" if attempt is None else f", attempt {attempt},")
            raise UnknownThing(f"{which} of instance {record.key.instance_id}")
        return epoch

    def manifest(self, record: InstanceRecord, epoch: EpochRecord) -> Manifest:
        """What was published of an epoch.

        Raises:
            BlobMissing: if nothing was.
        """
        return read_manifest(self.blobs.get(epoch.manifest_blob), len(record.cohort))


def opening(contents: Sequence[bytes | None], which: SeatList, seat: int) -> tuple[bytes | None, bytes]:
    """What opens a list for one seat: its entry, and the hashes of all entries."""
    return contents[seat], entries(contents, which)


def _is_called(key: InstanceKey, name: str) -> bool:
    if not _INSTANCE.fullmatch(name):
        return False
    return (name.isdigit() and int(name) == key.instance_id) or name.lower() == name_of(key).lower()
