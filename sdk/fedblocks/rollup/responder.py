"""The responder: answers every demand for data of the epochs that this aggregator has posted.

Anyone may demand any position of a pending epoch, and an epoch whose data are not opened in time falls, with the bond
of its aggregator. So every aggregator runs one of these. Each answer earns the deposit of the demand.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.chain.events import LogsIncomplete
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.data_demands import HELD_WITHOUT_END, DataDemanded, DataDemands
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.fraud.answers import answer_for
from fedblocks.rollup.fraud.cases import Demand, DemandKind
from fedblocks.rollup.header import Header
from fedblocks.rollup.publication import read_epoch
from fedblocks.rollup.records import InstanceKey, Level
from fedblocks.rollup.store import RollupStore
from fedblocks.types import BlockNumber, Hash32


@dataclass(frozen=True)
class Answered:
    """A demand that was answered."""

    demand: DataDemanded
    receipt: Receipt


class Responder:
    """Answers demands for one instance.

    Args:
        demands: the contract, connected with an account that signs; anyone may answer.
        store, blobs: where the epochs are.
        key: the instance.
        first_block: where to begin looking for demands.
    """

    def __init__(
        self, demands: DataDemands, store: RollupStore, blobs: BlobStore, key: InstanceKey, first_block: int
    ) -> None:
        self._demands, self._store, self._blobs, self._key = demands, store, blobs, key
        self._first_block = self._next_block = first_block
        self._open: dict[int, DataDemanded] = {}

    def poll(self) -> list[Answered]:
        """Answer what has been demanded and is still open.

        Raises:
            NodeUnreachable, NodeRefused: if the node does not answer, or is behind another one; the next poll goes on
                from there.
            LogsIncomplete: if it left demands out; the next poll reads all of them again.
            BlobMissing, BlobCorrupt: if this aggregator has lost what it must open.
        """
        head = self._head()
        if self._next_block <= head:
            for event in self._demands.events(self._next_block, head):
                if isinstance(event, DataDemanded) and event.instance_id == self._key.instance_id:
                    self._open[event.demand_id] = event
            self._next_block = BlockNumber(head + 1)
        asked = [
            (demand_id, event, header)
            for demand_id, event in self._open.items()
            if (header := self._header(event)) is not None and self._demands.demand_of(demand_id, head).open
        ]
        self._open = {demand_id: event for demand_id, event, _ in asked}
        missing = self._left_out(head)
        if missing is not None:
            self._next_block = BlockNumber(self._first_block)
        answered = []
        read: dict[Hash32, EpochData] = {}  # an epoch is demanded piece by piece, and read once
        for demand_id, event, header in asked:
            if event.header_hash not in read:
                read[event.header_hash] = self._data(header)
            receipt = self._answer(event, header, read[event.header_hash])
            del self._open[demand_id]
            if receipt is not None:
                answered.append(Answered(event, receipt))
        if missing is not None and not answered:
            raise LogsIncomplete(
                f"a demand holds epoch {missing.epoch} of instance {missing.instance_id}, it shows none"
            )
        return answered

    def _head(self) -> BlockNumber:
        """The newest block that was heard of. What is read there is no older than the demands: a node that is behind
        refuses instead of knowing of none."""
        return max(self._demands.connection.block_number(), BlockNumber(self._next_block - 1))

    def _left_out(self, head: BlockNumber) -> Header | None:
        """An epoch of ours that is held by a demand that no event was seen of; None if there is none.

        If only some of its demands were left out, it is noticed when the others are answered.
        """
        known = {event.header_hash for event in self._open.values()}
        for stored in self._store.epochs(self._key):
            if stored.level is Level.FINAL or stored.header_hash in known:
                continue
            if self._demands.held_until(stored.header_hash, head) == HELD_WITHOUT_END:
                return stored.header
        return None

    def _header(self, event: DataDemanded) -> Header | None:
        """The header that is asked about, if it is one of ours."""
        stored = self._store.get_epoch(self._key, event.epoch)
        return stored.header if stored is not None and stored.header_hash == event.header_hash else None

    def _data(self, header: Header) -> EpochData:
        record = self._store.get_instance(self._key)
        assert record is not None, "an epoch of it is stored"
        return read_epoch(self._blobs, header.data_locator, len(record.cohort), record.d)

    def _answer(self, event: DataDemanded, header: Header, data: EpochData) -> Receipt | None:
        position = Demand(DemandKind(event.kind), event.seat, event.index, "")
        answer = answer_for(position, data)
        try:
            return self._demands.answer(event.demand_id, header, event.index, answer)
        except ContractReverted:
            if self._demands.demand_of(event.demand_id, self._head()).open:
                raise
            return None  # somebody else has answered it
