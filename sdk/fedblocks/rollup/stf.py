"""The state transition function: submissions in, verdicts and the next model out.

It is pure. Its result is a function of the state before and of the revealed updates, in integers throughout; it reads
no clock, no storage and no environment, and the order in which updates arrived is of no consequence. Whoever has the
published data gets the same header to the last bit, which is what makes a header worth posting:

    submissions -> Gram matrix -> stats -> verdicts -> next model -> header

The one number in a header that is not computed here is the metric, which the aggregator reports and nobody is paid
by; the data locator names where the epoch's data are published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fedblocks.aggregation.fixed_point import Int16Array, check_vector
from fedblocks.aggregation.gram import Gram, running_gram
from fedblocks.aggregation.mean import NothingToAverage, apply_delta, weighted_delta
from fedblocks.aggregation.verdicts import Judgement, judge
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.entries import (
    SIGNATURE_SIZE,
    SubmissionEntry,
    carried_bytes,
    cohort_entry,
    commit_entry,
    stats_entry,
)
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.header import Header
from fedblocks.rollup.lists import SeatList, list_root
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.vectors import (
    LEAF_HEIGHT,
    LEAF_VALUES,
    VectorKind,
    roots_of_subtrees,
    rows_of_one,
    zero_subtree,
)
from fedblocks.types import ZERO_HASH, Address, EpochNumber, Hash32, Seat


class InvalidSubmission(FedBlocksError, ValueError):
    """A submission cannot be part of an epoch."""

    def __init__(self, seat: int, client: str, why: str) -> None:
        super().__init__(f"the submission of seat {seat} ({client}) {why}")
        self.seat, self.client, self.why = seat, client, why


@dataclass(frozen=True)
class Commit:
    """A client's commitment to an update that nobody has seen yet.

    Attributes:
        commitment: keccak over update root, samples, salt and client.
        signature: 65 bytes, the client's over CommitUpdate.
    """

    commitment: Hash32
    signature: bytes


@dataclass(frozen=True, eq=False)
class Submission:
    """A revealed update together with what it was committed by.

    Attributes:
        seat, client: who; `client` is the cohort's address at `seat`.
        commit: what was signed before anyone revealed.
        update: int16[d].
        subtrees: uint8[leaves, 32], the roots of its leaf subtrees.
        samples: how many the client says it trained on, above zero.
        salt: what kept the commitment from being guessed.
    """

    seat: Seat
    client: Address
    commit: Commit
    update: Int16Array
    subtrees: NDArray[np.uint8]
    samples: int
    salt: Hash32

    @cached_property
    def update_root(self) -> Hash32:
        """The root of the update."""
        return roots_of_subtrees(self.subtrees[np.newaxis], VectorKind.UPDATE)[0]


@dataclass(frozen=True, eq=False)
class Transition:
    """An executed epoch, before its header is sealed with the metric and the data locator.

    Attributes:
        epoch, attempt: which.
        judgement: figures, verdicts and what is carried over.
        data: everything that the header commits to.
        last_updates, last_roots: each seat's last revealed update from now on.
    """

    epoch: EpochNumber
    attempt: int
    judgement: Judgement
    data: EpochData
    last_updates: Int16Array
    last_roots: tuple[Hash32, ...]

    @cached_property
    def roots(self) -> dict[str, Hash32]:
        """Everything of the header that follows from the data."""
        return self.data.roots()

    def seal(self, context: InstanceContext, before: RollupState, metric: int, data_locator: Hash32) -> Header:
        """The header of this epoch.

        Args:
            context: the instance.
            before: the state that the epoch started from.
            metric: what the aggregator measured, in parts per million.
            data_locator: the content address of the epoch's manifest.
        """
        return Header(
            instance_id=context.instance_id,
            epoch=self.epoch,
            attempt=self.attempt,
            previous_header_hash=before.head,
            participants=self.judgement.participants,
            excluded=self.judgement.excluded,
            slash_reasons=self.judgement.carried.slash_reasons,
            base_model_root=before.model_root,
            metric=metric,
            data_locator=data_locator,
            **self.roots,
        )

    def after(self, header: Header) -> RollupState:
        """The state after this epoch, given its sealed header."""
        return RollupState(
            epoch=self.epoch,
            head=header.hash(),
            model=self.data.next_model,
            model_root=self.roots["next_model_root"],
            last_updates=self.last_updates,
            last_roots=self.last_roots,
            last_delta=self.data.delta,
            carried=self.judgement.carried,
        )


def commit_entries(context: InstanceContext, commits: Mapping[Seat, Commit]) -> tuple[bytes | None, ...]:
    """The entries of the commits list."""
    return tuple(
        commit_entry(seat, client, own.commitment, own.signature) if (own := commits.get(Seat(seat))) else None
        for seat, client in enumerate(context.cohort)
    )


def commits_root(context: InstanceContext, commits: Mapping[Seat, Commit]) -> Hash32:
    """The root over all commitments, posted before anyone reveals."""
    return list_root(commit_entries(context, commits), SeatList.COMMITS)


def _submission_entry(seat: int, client: Address, own: Submission | None, last_root: Hash32) -> bytes:
    if own is None:
        entry = SubmissionEntry(
            seat, client, ZERO_HASH, bytes(SIGNATURE_SIZE), ZERO_HASH, last_root, samples=0, salt=ZERO_HASH
        )
    else:
        entry = SubmissionEntry(
            seat,
            client,
            own.commit.commitment,
            own.commit.signature,
            own.update_root,
            last_root,
            own.samples,
            own.salt,
        )
    return entry.encode()


def _subtrees(context: InstanceContext, submissions: Mapping[Seat, Submission]) -> NDArray[np.uint8]:
    """uint8[n, leaves, 32]: the leaf subtrees' roots of all updates, those of zeros for the absent."""
    nothing = np.frombuffer(zero_subtree(LEAF_HEIGHT, VectorKind.UPDATE), dtype=np.uint8)
    subtrees = np.empty((len(context.cohort), -(-context.d // LEAF_VALUES), len(nothing)), dtype=np.uint8)
    subtrees[:] = nothing
    for seat, own in submissions.items():
        subtrees[seat] = own.subtrees
    return subtrees


def _stacked(context: InstanceContext, before: RollupState, submissions: Mapping[Seat, Submission]) -> Int16Array:
    """The updates as one matrix, zeros for the absent, after a check of each.

    Where all lie side by side already, as the rows of one matrix, that is what is returned; nothing is copied.
    """
    for seat, own in submissions.items():
        if own.seat != seat or not 0 <= seat < len(context.cohort) or context.cohort[seat] != own.client:
            raise InvalidSubmission(seat, own.client, "is not for the seat of this client")
        if seat in before.slashable:
            raise InvalidSubmission(seat, own.client, "comes from a client that has been found guilty")
        if own.samples <= 0:
            raise InvalidSubmission(seat, own.client, f"declares {own.samples} samples")
        check_vector(own.update, np.int16, context.d, f"the update of seat {seat} ({own.client})")
    n, d = len(context.cohort), context.d
    together = rows_of_one([submissions[Seat(seat)].update for seat in range(n)]) if len(submissions) == n else None
    if together is not None:
        return together
    updates = np.zeros((n, d), dtype=np.int16)
    for seat, own in submissions.items():
        updates[seat] = own.update
    return updates


@dataclass(frozen=True, eq=False)
class Worked:
    """An epoch as far as it follows from its updates alone: before anybody knows whether there is a mean.

    Attributes:
        updates: int16[n, d], zeros for the absent.
        products: the whole inner products.
        gram: columns and rows.
        judgement: figures and verdicts.
    """

    updates: Int16Array
    products: Gram
    gram: GramTrace
    judgement: Judgement

    def stats(self) -> tuple[bytes | None, ...]:
        """The entries of the stats list, without the cohort's."""
        stats, verdicts = self.judgement.stats, self.judgement.verdicts
        return tuple(
            stats_entry(stats[seat], verdicts[seat]) if seat in stats else None for seat in range(len(self.updates))
        )


def work_out(context: InstanceContext, before: RollupState, submissions: Mapping[Seat, Submission]) -> Worked:
    """Inner products, figures and verdicts of the epoch after `before`.

    Raises:
        InvalidSubmission: if one cannot be part of this epoch.
        WrongVector: if an update has another size.
    """
    updates = _stacked(context, before, submissions)
    absent = [seat for seat in range(len(context.cohort)) if Seat(seat) not in submissions]
    running = running_gram(updates, before.last_updates, before.last_delta, before.model, absent)
    products = running.total()
    samples = {int(seat): own.samples for seat, own in submissions.items()}
    judgement = judge(products, samples, before.carried, context.rules)
    return Worked(updates, products, GramTrace.of(running, _subtrees(context, submissions)), judgement)


def last_revealed(
    before: RollupState, updates: Int16Array, submissions: Mapping[Seat, Submission]
) -> tuple[Int16Array, tuple[Hash32, ...]]:
    """Each seat's last revealed update and its root, after this epoch. Nothing is copied where everybody took part."""
    absent = [seat for seat in range(len(updates)) if Seat(seat) not in submissions]
    if absent:
        updates = updates.copy()
        updates[absent] = before.last_updates[absent]
    roots = list(before.last_roots)
    for seat, own in submissions.items():
        roots[seat] = own.update_root
    return updates, tuple(roots)


def execute(
    context: InstanceContext,
    before: RollupState,
    attempt: int,
    commits: Mapping[Seat, Commit],
    submissions: Mapping[Seat, Submission],
) -> Transition:
    """Execute the epoch after `before`.

    Signatures and openings are not looked at here: whoever calls has checked them (see
    :mod:`fedblocks.rollup.sequencer` and :mod:`fedblocks.rollup.replay`).

    Args:
        context: the instance.
        before: the state that the cohort trained from.
        attempt: how often commitments were made void.
        commits: all commitments that were closed, by seat.
        submissions: those that were revealed, by seat.

    Raises:
        InvalidSubmission: if one cannot be part of this epoch.
        NothingToAverage: if no update is accepted.
        WrongVector: if an update has another size.
    """
    if not submissions:
        raise NothingToAverage([])
    return complete(context, before, attempt, commits, submissions, work_out(context, before, submissions))


def complete(
    context: InstanceContext,
    before: RollupState,
    attempt: int,
    commits: Mapping[Seat, Commit],
    submissions: Mapping[Seat, Submission],
    worked: Worked,
) -> Transition:
    """The rest of :func:`execute`: the step, the next model, and all that is committed to.

    Raises:
        NothingToAverage: if no update is accepted.
    """
    delta = weighted_delta(worked.updates, worked.judgement.carried.weights)
    last_updates, last_roots = last_revealed(before, worked.updates, submissions)
    return Transition(
        epoch=EpochNumber(before.epoch + 1),
        attempt=attempt,
        judgement=worked.judgement,
        data=EpochData(
            commits=commit_entries(context, commits),
            submissions=tuple(
                _submission_entry(seat, client, submissions.get(Seat(seat)), before.last_roots[seat])
                for seat, client in enumerate(context.cohort)
            ),
            updates={int(seat): own.update for seat, own in submissions.items()},
            gram=worked.gram,
            stats=worked.stats(),
            cohort=cohort_entry(worked.judgement.cohort),
            carried=carried_bytes(worked.judgement.carried),
            delta=delta,
            next_model=apply_delta(before.model, delta),
        ),
        last_updates=last_updates,
        last_roots=last_roots,
    )
