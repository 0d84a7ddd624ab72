"""Explaining what a snapshot shows: from a slash to the epoch that condemned it, and to that epoch's figures.

Figures come from the index if it has read them, else from the published data, if their place is given. Why there are
none is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.evidence import COUNTED_BY
from fedblocks.monitor.explain import Explanation, Where, explain_slash
from fedblocks.monitor.money import MoneyCheck
from fedblocks.monitor.published import posted_before, read_scores
from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import EpochScores, EpochView, SlashView
from fedblocks.rollup.blobs import BlobStore
from fedblocks.types import Hash32, InstanceId


@dataclass
class ScoreReader:
    """Gets epochs' figures, each once.

    Attributes:
        snapshot: the index.
        blobs: where epochs' data are published, if that is known.
        unread: why figures could not be had, by header hash.
    """

    snapshot: Snapshot
    blobs: BlobStore | None = None
    unread: dict[Hash32, str] = field(default_factory=dict)
    _known: dict[Hash32, EpochScores | None] = field(default_factory=dict)

    def get(self, epoch: EpochView) -> EpochScores | None:
        """The figures of a posting; None if they cannot be had, which `unread` says why."""
        if epoch.header_hash not in self._known:
            self._known[epoch.header_hash] = self._read(epoch)
        return self._known[epoch.header_hash]

    def all_of(self, instance_id: InstanceId) -> dict[Hash32, EpochScores]:
        """The figures of all postings of an instance that can be had."""
        epochs = self.snapshot.epochs(instance_id)
        return {each.header_hash: found for each in epochs if (found := self.get(each)) is not None}

    def _read(self, epoch: EpochView) -> EpochScores | None:
        indexed = self.snapshot.scores(epoch.instance_id, epoch.epoch, epoch.header_hash)
        instance = self.snapshot.instance(epoch.instance_id)
        if indexed is not None or self.blobs is None or instance is None:
            return indexed
        previous = posted_before(epoch, self.snapshot.epochs(epoch.instance_id))
        try:
            return read_scores(self.blobs, epoch, instance, previous)
        except FedBlocksError as error:
            self.unread[epoch.header_hash] = str(error)
            return None


def explain(
    slash: SlashView, reader: ScoreReader, *, balances: MoneyCheck | None = None, where: Where | None = None
) -> Explanation:
    """Explain a slash of a snapshot, with all that can be had."""
    if slash.instance_id is None or slash.header_hash is None:
        return explain_slash(slash, balances=balances, where=where)
    epochs = reader.snapshot.epochs(slash.instance_id)
    posting = next((each for each in epochs if each.header_hash == slash.header_hash), None)
    scores = reader.get(posting) if posting is not None else None
    needed = scores is not None and slash.reason in COUNTED_BY
    found = reader.all_of(slash.instance_id) if needed else {}
    return explain_slash(
        slash,
        scores,
        history_of(posting, epochs, found),
        epoch=posting,
        balances=balances,
        where=where,
        unread=reader.unread.get(slash.header_hash),
    )


def history_of(
    posting: EpochView | None, epochs: Sequence[EpochView], found: Mapping[Hash32, EpochScores]
) -> tuple[EpochScores, ...]:
    """The scores of the postings that one follows, the oldest first, back to the first that was not read."""
    by_hash = {each.header_hash: each for each in epochs}
    history: list[EpochScores] = []
    while posting is not None:
        posting = by_hash.get(posting.header.previous_header_hash)
        known = found.get(posting.header_hash) if posting is not None else None
        if known is None:
            break
        history.insert(0, known)
    return tuple(history)
