"""What can be had of an epoch's data.

An aggregator publishes the manifest and the blobs of an epoch, or garbage, or nothing. Each piece counts as published
only if it hashes to what the header commits to, and a challenge could bring it along: a list that does not have one
entry for each seat, or a content that is longer than any call takes, counts as missing. What is missing can be demanded
on chain, position by position; the answers are filed here too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int16Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.entries import SubmissionEntry
from fedblocks.rollup.epoch_data import EpochData, carried_root
from fedblocks.rollup.fraud.cases import Answer, DemandKind
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.header import Header
from fedblocks.rollup.lists import SeatList, entries, entry_hash, list_root
from fedblocks.rollup.manifest import Manifest, read_manifest
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import (
    LEAF_VALUES,
    Values,
    VectorKind,
    decode_vector,
    roots_of_subtrees,
    subtree_roots,
    vector_root,
)
from fedblocks.types import Hash32

Position = tuple[DemandKind, int, int]
T = TypeVar("T")

MAX_SUBMISSION, MAX_STATS, MAX_CARRIED = 320, 192, 1536
"""The longest contents that the verifiers' functions take."""


@dataclass(frozen=True)
class Sources:
    """Where the pieces of an epoch come from that a replay works out again anyway: looked at only where it differs."""

    gram: Callable[[], GramTrace | None]
    delta: Callable[[], Values | None]
    next_model: Callable[[], Values | None]


def _nothing() -> None:
    return None


@dataclass
class Published:
    """What is known of an epoch; everything in it hashes to the header's roots. None: not to be had.

    Attributes:
        context, header: of what.
        commits, submissions, stats: the entries' hashes, joined, of the lists.
        submission_contents: by seat, the entries of the submissions list that are known.
        stats_contents: by seat (n: the cohort), those of the stats list that are known; None for an entry that is not
            there.
        updates, subtrees: by seat, the updates and the roots of their leaf subtrees.
        carried: as in EpochData.
        answers: what was opened on chain.
        sources: where the large pieces come from that are only needed when they are wrong.
        lost: the addresses of blobs that were looked for, and are not there, or not what the header commits to.
    """

    context: InstanceContext
    header: Header
    commits: bytes | None = None
    submissions: bytes | None = None
    stats: bytes | None = None
    submission_contents: dict[int, bytes] = field(default_factory=dict)
    stats_contents: dict[int, bytes | None] = field(default_factory=dict)
    updates: dict[int, Int16Array] = field(default_factory=dict)
    subtrees: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    carried: bytes | None = None
    answers: dict[Position, Answer] = field(default_factory=dict)
    sources: Sources = field(default_factory=lambda: Sources(_nothing, _nothing, _nothing), repr=False)
    lost: list[Hash32] = field(default_factory=list)

    @property
    def n(self) -> int:
        return len(self.context.cohort)

    @property
    def leaves(self) -> int:
        return -(-self.context.d // LEAF_VALUES)

    @classmethod
    def of(cls, context: InstanceContext, header: Header, data: EpochData) -> Published:
        """What is known when all data are at hand; pieces that are not the header's are left out."""
        published = cls(context, header)
        published._lists(data.commits, data.submissions, data.stats, data.cohort)
        published._carried(data.carried)
        for seat, update in data.updates.items():
            published._update(seat, update)
        published.sources = Sources(lambda: data.gram, lambda: data.delta, lambda: data.next_model)
        return published

    @classmethod
    def load(cls, context: InstanceContext, header: Header, blobs: BlobStore) -> Published:
        """What a store of blobs has of an epoch. What is missing, garbled or not the header's is left out."""
        published = cls(context, header)
        manifest: Manifest | None = _tried(lambda: read_manifest(blobs.get(header.data_locator), len(context.cohort)))
        if manifest is None:
            published.lost.append(header.data_locator)
            return published
        where, d, n = manifest.blobs, context.d, published.n

        def vector(address: Hash32, kind: VectorKind) -> Values:
            return decode_vector(blobs.get_unchecked(address), kind, d)

        published._lists(manifest.commits, manifest.submissions, manifest.stats, manifest.cohort)
        published._carried(manifest.carried)
        for seat, address in where.updates.items():
            update = _tried_vector(lambda address=address: vector(address, VectorKind.UPDATE))  # type: ignore[misc]
            if update is not None:
                published._update(int(seat), update)
            if int(seat) not in published.updates:
                published.lost.append(address)
        published.sources = Sources(
            lambda: GramTrace.decode(blobs.get_unchecked(where.gram), n, published.leaves),
            lambda: vector(where.delta, VectorKind.UPDATE),
            lambda: vector(where.next_model, VectorKind.MODEL),
        )
        return published

    @cached_property
    def gram(self) -> GramTrace | None:
        """Columns and rows."""
        gram = _tried(self.sources.gram)
        if gram is None or gram.n != self.n or gram.leaves.shape != (self.leaves, gram.layout.leaf_size):
            return None
        return gram if gram.tree().root() == self.header.gram_root else None

    @cached_property
    def delta(self) -> Values | None:
        """int16[d], the global step."""
        values = _tried_vector(self.sources.delta)
        return self._vector(values, VectorKind.UPDATE, self.header.delta_root)

    @cached_property
    def next_model(self) -> Values | None:
        """int32[d]."""
        values = _tried_vector(self.sources.next_model)
        return self._vector(values, VectorKind.MODEL, self.header.next_model_root)

    def learn(self, position: Position, answer: Answer) -> None:
        """File what was opened on chain; the contract has checked that it is what the header commits to."""
        self.answers[position] = answer
        kind, seat, _ = position
        if kind is DemandKind.COMMITS:
            self.commits = answer.content
        elif kind is DemandKind.SUBMISSION:
            self.submissions = answer.entries
            self.submission_contents[seat] = answer.content
        elif kind is DemandKind.STATS:
            self.stats = answer.entries
            self.stats_contents[seat] = answer.content or None
        elif kind is DemandKind.CARRIED:
            self.carried = answer.content
        elif kind is DemandKind.UPDATE:
            self.submissions = answer.entries
            self.submission_contents[seat] = answer.submission
            self._complete_update(seat)

    def submission(self, seat: int) -> SubmissionEntry | None:
        """A seat's submission, if its content is known and has the right length."""
        content = self.submission_contents.get(seat)
        return _tried(lambda: SubmissionEntry.decode(content)) if content is not None else None

    def _lists(
        self,
        commits: tuple[bytes | None, ...],
        submissions: tuple[bytes, ...],
        stats: tuple[bytes | None, ...],
        cohort: bytes,
    ) -> None:
        if len(commits) == self.n and list_root(commits, SeatList.COMMITS) == self.header.commits_root:
            self.commits = entries(commits, SeatList.COMMITS)
        if len(submissions) == self.n and list_root(submissions, SeatList.SUBMISSIONS) == self.header.submissions_root:
            self.submissions = entries(submissions, SeatList.SUBMISSIONS)
            self.submission_contents = {
                seat: content for seat, content in enumerate(submissions) if len(content) <= MAX_SUBMISSION
            }
        contents = [*stats, cohort]
        if len(contents) == self.n + 1 and list_root(contents, SeatList.STATS) == self.header.stats_root:
            self.stats = entries(contents, SeatList.STATS)
            self.stats_contents = {
                seat: content for seat, content in enumerate(contents) if len(content or b"") <= MAX_STATS
            }

    def _carried(self, carried: bytes) -> None:
        if len(carried) <= MAX_CARRIED and carried_root(carried) == self.header.carried_root:
            self.carried = carried

    def _update(self, seat: int, update: Values) -> None:
        own = self.submission(seat)
        if own is None or update.dtype != np.int16 or update.shape != (self.context.d,):
            return
        subtrees = subtree_roots(update[np.newaxis])
        if roots_of_subtrees(subtrees, VectorKind.UPDATE)[0] == own.update_root:
            self.updates[seat], self.subtrees[seat] = update, subtrees[0]  # type: ignore[assignment]

    def _complete_update(self, seat: int) -> None:
        """Put an update together when all its leaves have been opened."""
        parts = [self.answers.get((DemandKind.UPDATE, seat, leaf)) for leaf in range(self.leaves)]
        if all(part is not None for part in parts):
            data = b"".join(part.content for part in parts if part is not None)
            values = decode_vector(data[: 2 * self.context.d], VectorKind.UPDATE, self.context.d)
            self._update(seat, values)

    def _vector(self, values: Values | None, kind: VectorKind, root: Hash32) -> Values | None:
        if values is None or values.dtype != kind.dtype or values.shape != (self.context.d,):
            return None
        return values if vector_root(values) == root else None


def opens(content: bytes | None, index: int, listed: bytes, which: SeatList) -> bool:
    """Whether a content is the entry of a list."""
    return listed[32 * index : 32 * index + 32] == entry_hash(content, which)


def _tried_vector(get: Callable[[], Values | None]) -> Values | None:
    try:
        return get()
    except FedBlocksError:
        return None


def _tried(get: Callable[[], T | None]) -> T | None:
    """What can be had, or None. Only our own errors mean that something is missing or garbled."""
    try:
        return get()
    except FedBlocksError:
        return None
