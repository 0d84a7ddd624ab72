"""Finding the first thing in a posted epoch that does not follow.

:func:`find_fault` works an epoch out again from its updates and compares every piece that the header commits to with
what it should be. The pieces are looked at in the order in which they follow from one another, so that the first one
that differs can be proved wrong by pieces that are right. What is not to be had is named, to be demanded on chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.aggregation.krum import COSINE_SCALE, cosine, neighbours
from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.aggregation.verdicts import clip_weight
from fedblocks.rollup.actions import CommitUpdate, MalformedSignature, recover_signer, update_commitment
from fedblocks.rollup.entries import (
    CARRIED_SIZE,
    COUNTERS_WIDTH,
    FIGURES_SIZE,
    PRODUCT_WIDTH,
    SIGNATURE_SIZE,
    STATS_SIZE,
    SUBMISSION_SIZE,
    WEIGHT_WIDTH,
    SubmissionEntry,
    carried_bytes,
    cohort_entry,
    commit_entry,
)
from fedblocks.rollup.epoch_data import EpochData, carried_root
from fedblocks.rollup.fraud import challenges, descent
from fedblocks.rollup.fraud.cases import Challenge, Demand, DemandKind
from fedblocks.rollup.fraud.challenges import GramLeaf
from fedblocks.rollup.fraud.published import Published, opens
from fedblocks.rollup.gram_tree import GramTree
from fedblocks.rollup.header import Header
from fedblocks.rollup.lists import SeatList, entries, list_root
from fedblocks.rollup.state import RollupState
from fedblocks.rollup.stf import Commit, Submission, Worked, last_revealed, work_out
from fedblocks.rollup.vectors import vector_root
from fedblocks.seats import seats_of
from fedblocks.types import ZERO_HASH, Seat

Finding = Challenge | Demand


@dataclass(frozen=True, eq=False)
class PreviousEpoch:
    """The epoch before the one that is looked at; it was found right.

    Attributes:
        header: its header.
        submissions: the entries of its submissions list, joined.
        contents: their contents.
        carried: what it left.
    """

    header: Header
    submissions: bytes
    contents: tuple[bytes, ...]
    carried: bytes

    @classmethod
    def of(cls, header: Header, data: EpochData) -> PreviousEpoch:
        return cls(header, entries(data.submissions, SeatList.SUBMISSIONS), data.submissions, data.carried)


@dataclass(frozen=True, eq=False)
class Checked:
    """What came of checking an epoch.

    Attributes:
        finding: as of :func:`find_fault`.
        after: the state after the epoch; None unless it is right.
        epoch: the epoch, as the one before the next; None unless it is right.
    """

    finding: Finding | None
    after: RollupState | None = None
    epoch: PreviousEpoch | None = None


def check_epoch(before: RollupState, previous: PreviousEpoch | None, header: Header, published: Published) -> Checked:
    """:func:`find_fault`, with the state after the epoch when it is right; arguments as there."""
    search = _Search(before, previous, header, published)
    finding = search.run()
    return Checked(finding) if finding else Checked(None, search.after(), search.epoch())


def find_fault(
    before: RollupState, previous: PreviousEpoch | None, header: Header, published: Published
) -> Finding | None:
    """The first thing in a posted epoch that does not follow, with the transaction that proves it.

    Args:
        before: the state after the epoch before, which was found right.
        previous: that epoch; None before epoch 1.
        header: the header, as it is on chain, where it was checked that it follows `before`.
        published: what can be had of its data.

    Returns:
        A Challenge; a Demand where something that is needed is not to be had; None when the epoch is right.
    """
    return check_epoch(before, previous, header, published).finding


class _Search:
    def __init__(
        self, before: RollupState, previous: PreviousEpoch | None, header: Header, published: Published
    ) -> None:
        self.context = published.context
        self.before, self.previous, self.header, self.published = before, previous, header, published
        self.n = len(self.context.cohort)
        self.participants = seats_of(header.participants)
        self.rules = self.context.rules.words()

    def run(self) -> Finding | None:
        return (
            self._submissions()
            or self._updates()
            or self._gram()
            or self._judgement()
            or self._delta()
            or self._next_model()
        )

    def after(self) -> RollupState:
        """The state after the epoch, which was found right."""
        last_updates, last_roots = last_revealed(self.before, self.worked.updates, self.submissions)
        return RollupState(
            epoch=self.header.epoch,
            head=self.header.hash(),
            model=self.next_model,
            model_root=self.header.next_model_root,
            last_updates=last_updates,
            last_roots=last_roots,
            last_delta=self.delta,
            carried=self.worked.judgement.carried,
        )

    def epoch(self) -> PreviousEpoch:
        """The epoch as the next one will need it."""
        contents = tuple(self._content(seat) for seat in range(self.n))
        return PreviousEpoch(self.header, self._listed(), contents, self.expected_carried)

    # Submissions

    @cached_property
    def previous_header(self) -> Header | None:
        return None if self.previous is None else self.previous.header

    def _listed(self) -> bytes:
        assert self.published.submissions is not None
        return self.published.submissions

    def _content(self, seat: int) -> bytes:
        return self.published.submission_contents[seat]

    def _submissions(self) -> Finding | None:
        for seat in range(self.n):
            if self.published.submissions is None or seat not in self.published.submission_contents:
                return Demand(DemandKind.SUBMISSION, seat, 0, f"the submission of seat {seat}")
        for seat in range(self.n):
            found = self._submission_fault(seat)
            if found == "":
                continue
            if found is None:
                return Demand(DemandKind.COMMITS, 0, 0, "the commitments")
            commits = self.published.commits or b""
            return challenges.submission(self.header, seat, self._listed(), self._content(seat), commits, found)
        for seat in range(self.n):
            own = SubmissionEntry.decode(self._content(seat))
            if own.last_update_root != self.before.last_roots[seat]:
                before = (
                    (b"", b"") if self.previous is None else (self.previous.submissions, self.previous.contents[seat])
                )
                return challenges.last_update(
                    self.header, self.previous_header, seat, self._listed(), self._content(seat), *before
                )
        return None

    def _submission_fault(self, seat: int) -> str | None:
        """What is wrong with a seat's submission: nothing (""), or that it cannot be said without the commitments."""
        content, client = self._content(seat), self.context.cohort[seat]
        who = f"the submission of seat {seat}"
        if len(content) != SUBMISSION_SIZE:
            return f"{who} is malformed"
        own = SubmissionEntry.decode(content)
        absent = SubmissionEntry(
            seat, client, ZERO_HASH, bytes(SIGNATURE_SIZE), ZERO_HASH, own.last_update_root, 0, ZERO_HASH
        ).encode()
        if content[:64] != absent[:64]:
            return f"{who} names another seat or client"
        if seat not in self.participants:
            return "" if absent == content else f"{who} is not empty, though it took no part"
        if own.samples == 0:
            return f"{who} has no samples"
        if update_commitment(own.update_root, own.samples, own.salt, client) != own.commitment:
            return f"{who} does not open its commitment"
        action = CommitUpdate(
            self.context.instance_id,
            self.header.epoch,
            self.header.attempt,
            self.header.base_model_root,
            own.commitment,
        )
        try:
            signer = recover_signer(action, self.context.domain, own.signature)
        except MalformedSignature:
            signer = None
        if signer != client:
            return f"{who} is not signed by its client for this epoch and attempt"
        if self.published.commits is None:
            return None
        commit = commit_entry(seat, client, own.commitment, own.signature)
        closed = opens(commit, seat, self.published.commits, SeatList.COMMITS)
        return "" if closed else f"{who} was not among the closed commitments"

    # What the updates lead to

    def _updates(self) -> Finding | None:
        for seat in self.participants:
            if seat in self.published.updates:
                continue
            known = [(DemandKind.UPDATE, seat, leaf) in self.published.answers for leaf in range(self.published.leaves)]
            padded = descent.padded_update(self.header, self.published, seat)
            if padded is not None:
                return padded
            return Demand(DemandKind.UPDATE, seat, known.index(False), f"the update of seat {seat}")
        return None

    @cached_property
    def submissions(self) -> dict[Seat, Submission]:
        """What the participants handed in, found right."""
        submissions = {}
        for seat in self.participants:
            own = SubmissionEntry.decode(self._content(seat))
            submissions[Seat(seat)] = Submission(
                seat=Seat(seat),
                client=self.context.cohort[seat],
                commit=Commit(own.commitment, own.signature),
                update=self.published.updates[seat],
                subtrees=self.published.subtrees[seat],
                samples=own.samples,
                salt=own.salt,
            )
        return submissions

    @cached_property
    def worked(self) -> Worked:
        """The epoch as it should be, as far as it follows from the updates."""
        return work_out(self.context, self.before, self.submissions)

    @cached_property
    def tree(self) -> GramTree:
        return self.worked.gram.tree()

    @cached_property
    def vectors(self) -> descent.GramVectors:
        return descent.GramVectors(
            header=self.header,
            previous=self.previous_header,
            participants=frozenset(self.participants),
            submissions=self._listed(),
            contents=tuple(self._content(seat) for seat in range(self.n)),
            updates=self.worked.updates,
            subtrees=self.published.subtrees,
            last_updates=self.before.last_updates,
            last_delta=self.before.last_delta,
            base=self.before.model,
        )

    def _gram(self) -> Finding | None:
        if self.tree.root() == self.header.gram_root:
            return None
        return descent.gram_fault(self.vectors, self.worked.gram, self.tree, self.published)

    def _last_leaf(self) -> GramLeaf:
        return descent.leaf_of(self.tree, len(self.tree.leaves) - 1)

    # Figures and verdicts

    @cached_property
    def expected_stats(self) -> tuple[bytes | None, ...]:
        return (*self.worked.stats(), cohort_entry(self.worked.judgement.cohort))

    @cached_property
    def expected_carried(self) -> bytes:
        return carried_bytes(self.worked.judgement.carried)

    def _judgement(self) -> Finding | None:
        expected = entries(self.expected_stats, SeatList.STATS)
        if list_root(self.expected_stats, SeatList.STATS) == self.header.stats_root:
            self.published.stats = expected
        if carried_root(self.expected_carried) == self.header.carried_root:
            self.published.carried = self.expected_carried
        if self.published.stats is None:
            return Demand(DemandKind.STATS, 0, 0, "the figures")
        if self.published.carried is None:
            return Demand(DemandKind.CARRIED, 0, 0, "what is carried over")
        for seat in range(self.n + 1):
            same = self.published.stats[32 * seat : 32 * seat + 32] == expected[32 * seat : 32 * seat + 32]
            if same:
                self.published.stats_contents.setdefault(seat, self.expected_stats[seat])
            elif seat not in self.published.stats_contents:
                whose = f"the figures of seat {seat}" if seat < self.n else "the cohort's figures"
                return Demand(DemandKind.STATS, seat, 0, whose)
        return (
            self._figures() or self._cohort_entry() or self._verdicts() or self._carried_products() or self._selection()
        )

    def _own(self, seat: int) -> bytes | None:
        return self.published.stats_contents[seat]

    def _figures(self) -> Finding | None:
        if len(self._carried) != CARRIED_SIZE * self.n:
            return self._challenge_figures(self.participants[0])
        for seat in range(self.n):
            own, expected = self._own(seat), self.expected_stats[seat]
            if expected is None or own is None or len(own) != STATS_SIZE:
                if own != expected:
                    return self._challenge_figures(seat)
            elif own[:FIGURES_SIZE] != expected[:FIGURES_SIZE]:
                return self._challenge_figures(seat)
        return None

    @property
    def _carried(self) -> bytes:
        assert self.published.carried is not None
        return self.published.carried

    @property
    def _stats(self) -> bytes:
        assert self.published.stats is not None
        return self.published.stats

    @property
    def _previous_carried(self) -> bytes:
        return b"" if self.previous is None else self.previous.carried

    def _challenge_figures(self, seat: int) -> Challenge:
        last = len(self.tree.leaves) - 1
        return challenges.figures(
            self.header,
            self.previous_header,
            seat,
            self._last_leaf(),
            self.worked.gram.row(last, seat),
            self.worked.gram.row(last, self.n),
            self._stats,
            self._own(seat) or b"",
            self._carried,
            self._previous_carried,
            self.rules,
            *self._bounds(seat),
        )

    def _bounds(self, seat: int) -> tuple[int, int]:
        """The largest distance that the Krum score adds up, of updates and of normalised ones."""
        products, count = self.worked.products, neighbours(len(self.participants))
        if seat not in self.participants or not count:
            return 0, 0
        others = [other for other in self.participants if other != seat]
        distances = sorted(products.distance(seat, other) for other in others)
        norms = products.norms
        normalised = sorted(
            2 * COSINE_SCALE - 2 * cosine(products.updates[seat][other], norms[seat], norms[other]) for other in others
        )
        return distances[count - 1], normalised[count - 1]

    def _cohort_entry(self) -> Finding | None:
        if self._own(self.n) != self.expected_stats[self.n]:
            return self._challenge_cohort("the cohort's figures do not follow from those of its clients")
        return None

    def _challenge_cohort(self, found: str) -> Challenge:
        contents = b"".join(self._own(seat) or b"" for seat in self.participants)
        return challenges.cohort(
            self.header,
            self.previous_header,
            self._stats,
            contents,
            self._own(self.n) or b"",
            self._last_leaf(),
            self.worked.gram.row(len(self.tree.leaves) - 1, self.n),
            self._previous_carried,
            self.rules,
            found,
        )

    def _carried_of(self, carried: bytes, seat: int) -> tuple[bytes, int, int]:
        """Counters, weight and M of a seat."""
        own = carried[seat * CARRIED_SIZE : (seat + 1) * CARRIED_SIZE]
        weight = int.from_bytes(own[COUNTERS_WIDTH : COUNTERS_WIDTH + WEIGHT_WIDTH], "big")
        product = int.from_bytes(own[-PRODUCT_WIDTH:], "big") - (1 << (8 * PRODUCT_WIDTH - 1))
        return own[:COUNTERS_WIDTH], weight, product

    def _verdicts(self) -> Finding | None:
        judgement = self.worked.judgement
        for seat in range(self.n):
            own, expected = self._own(seat), self.expected_stats[seat]
            counters, weight, _ = self._carried_of(self._carried, seat)
            right, _, _ = self._carried_of(self.expected_carried, seat)
            due = 0
            if seat in self.participants and not self.header.excluded >> seat & 1:
                norm, median = judgement.stats[seat].norm, judgement.cohort.median_norm
                samples = SubmissionEntry.decode(self._content(seat)).samples
                due = clip_weight(norm, median, samples, self.context.rules)
            if own != expected or counters != right or weight != due:
                nearest = judgement.stats[seat].nearest if seat in judgement.stats else self.n + 1
                return challenges.verdict(
                    self.header,
                    self.previous_header,
                    seat,
                    self._stats,
                    own or b"",
                    (self._own(nearest) or b"") if nearest < self.n else b"",
                    self._own(self.n) or b"",
                    self._carried,
                    self._previous_carried,
                    self.rules,
                    self._listed(),
                    self._content(seat),
                )
        return None

    def _carried_products(self) -> Finding | None:
        weights = [self._carried_of(self._carried, seat)[1] for seat in range(self.n)]
        for seat, row in enumerate(self.worked.products.updates):
            expected = sum(weight * product for weight, product in zip(weights, row, strict=True))
            if self._carried_of(self._carried, seat)[2] != expected:
                return self._challenge_figures(seat)
        return None

    def _selection(self) -> Finding | None:
        judgement = self.worked.judgement
        if self.header.excluded != judgement.excluded:
            return self._challenge_cohort("who is left out does not follow from the verdicts")
        if self.header.slash_reasons != judgement.carried.slash_reasons:
            return self._challenge_cohort("who is slashed does not follow from the verdicts")
        return None

    # The step

    @cached_property
    def delta(self) -> Int16Array:
        return weighted_delta(self.worked.updates, self.worked.judgement.carried.weights)

    @cached_property
    def next_model(self) -> Int32Array:
        return apply_delta(self.before.model, self.delta)

    def _delta(self) -> Finding | None:
        weights: Sequence[int] = self.worked.judgement.carried.weights
        if not any(weights):
            # There is no mean: whatever stands in the place of one is wrong, and any chunk of it shows that.
            expected: Int16Array = np.zeros(self.context.d, dtype=np.int16)
            return descent.vector_fault(self._delta_case(expected), self.published, always=True)
        if vector_root(self.delta) == self.header.delta_root:
            return None
        return descent.vector_fault(self._delta_case(self.delta), self.published)

    def _delta_case(self, expected: Int16Array) -> descent.DeltaCase:
        return descent.DeltaCase(
            self.header,
            expected,
            self.published.delta,
            self.header.delta_root,
            gram=self.worked.gram,
            gram_tree=self.tree,
            carried=self._carried,
            updates=self.worked.updates,
        )

    def _next_model(self) -> Finding | None:
        if vector_root(self.next_model) == self.header.next_model_root:
            return None
        case = descent.NextModelCase(
            self.header,
            self.next_model,
            self.published.next_model,
            self.header.next_model_root,
            base=self.before.model,
            delta=self.delta,
        )
        return descent.vector_fault(case, self.published)
