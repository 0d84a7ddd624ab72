"""The state transition function: submissions in, verdicts and the next model out.

It is pure. Its result is a function of the state before and of the revealed updates, in integers throughout; it reads
no clock, no storage and no environment, and the order in which updates arrived is of no consequence. Whoever has the
published data gets the same header to the last bit, which is what makes a header worth posting:

    submissions -> Gram matrix -> stats -> verdicts -> next model -> header

The one number in a header that is not computed here is the metric, which the aggregator reports and nobody is paid
by; the data locator names where the epoch's data are published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedblocks.aggregation.counters import pack_all
from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, apply_delta, check_vector
from fedblocks.aggregation.gram import Gram, gram
from fedblocks.aggregation.mean import NothingToAverage, weighted_delta
from fedblocks.aggregation.stats import ClientStats
from fedblocks.aggregation.verdicts import Judgement, judge
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.header import Header, carried_root
from fedblocks.rollup.merkle import TreeTags, seat_root
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.vectors import vector_root
from fedblocks.types import MAX_COHORT, Address, EpochNumber, Hash32, Seat

GRAM_WIDTH = 128
NORMS_LEAF = 64
_STATS_WORDS = len(ClientStats.__dataclass_fields__)


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


@dataclass(frozen=True)
class Submission:
    """A revealed update together with what it was committed by.

    Attributes:
        seat, client: who; `client` is the cohort's address at `seat`.
        commit: what was signed before anyone revealed.
        update: int16[d].
        update_root: its root.
        samples: how many the client says it trained on, above zero.
        salt: what kept the commitment from being guessed.
    """

    seat: Seat
    client: Address
    commit: Commit
    update: Int16Array
    update_root: Hash32
    samples: int
    salt: Hash32


@dataclass(frozen=True)
class Transition:
    """An executed epoch, before its header is sealed with the metric and the data locator.

    Attributes:
        epoch, attempt: which.
        gram: all inner products.
        judgement: figures, verdicts and what is carried over.
        delta: int16[d], the global step.
        next_model: int32[d].
        roots: everything of the header that follows from the data.
        last_updates, last_roots: each seat's last revealed update from now on.
    """

    epoch: EpochNumber
    attempt: int
    gram: Gram
    judgement: Judgement
    delta: Int16Array
    next_model: Int32Array
    roots: Mapping[str, Hash32]
    last_updates: Int16Array
    last_roots: tuple[Hash32, ...]

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
            metric=metric,
            data_locator=data_locator,
            **self.roots,
        )

    def after(self, header: Header) -> RollupState:
        """The state after this epoch, given its sealed header."""
        return RollupState(
            epoch=self.epoch,
            head=header.hash(),
            model=self.next_model,
            model_root=self.roots["next_model_root"],
            last_updates=self.last_updates,
            last_roots=self.last_roots,
            last_delta=self.delta,
            carried=self.judgement.carried,
        )


def _word(value: int) -> bytes:
    """A signed or unsigned integer as one 32-byte word, two's complement."""
    return (value % (1 << 256)).to_bytes(32, "big")


def _words(values: Sequence[int]) -> bytes:
    return b"".join(map(_word, values))


def _address(client: Address) -> bytes:
    return bytes.fromhex(client[2:]).rjust(32, b"\0")


def commits_root(context: InstanceContext, commits: Mapping[Seat, Commit]) -> Hash32:
    """The root over all commitments, posted before anyone reveals; a seat without one is the zero leaf."""
    leaves = {
        int(seat): _word(seat) + _address(context.cohort[seat]) + commit.commitment + commit.signature
        for seat, commit in commits.items()
    }
    return seat_root(leaves, TreeTags.COMMITS, MAX_COHORT)


def submissions_root(
    context: InstanceContext, submissions: Mapping[Seat, Submission], last_roots: Sequence[Hash32]
) -> Hash32:
    """The root over what every seat submitted.

    Args:
        context: the instance.
        submissions: by seat.
        last_roots: the roots of every seat's last update before this epoch.
    """
    leaves = {}
    for seat, client in enumerate(context.cohort):
        head = _word(seat) + _address(client)
        last = last_roots[seat]
        own = submissions.get(Seat(seat))
        if own is None:
            leaves[seat] = head + bytes(32 + 65 + 32) + last + bytes(64)
        else:
            leaves[seat] = (
                head
                + own.commit.commitment
                + own.commit.signature
                + own.update_root
                + last
                + _word(own.samples)
                + own.salt
            )
    return seat_root(leaves, TreeTags.SUBMISSIONS, MAX_COHORT)


def gram_root(products: Gram) -> Hash32:
    """The root over the rows of the Gram matrix: row i of seat i, the norms as row 64."""
    leaves = {seat: _words(products.row(seat)) for seat in range(products.seats)}
    leaves[NORMS_LEAF] = _words(products.norms_row())
    return seat_root(leaves, TreeTags.GRAM_ROWS, GRAM_WIDTH)


def stats_root(judgement: Judgement) -> Hash32:
    """The root over every seat's figures, followed by its weight and its M; zeros for the figures of an absent seat."""
    carried = judgement.carried
    leaves = {}
    for seat, (weight, product) in enumerate(zip(carried.weights, carried.products, strict=True)):
        own = judgement.stats.get(seat)
        leaves[seat] = _words([*(own.words() if own else (0,) * _STATS_WORDS), weight, product])
    return seat_root(leaves, TreeTags.STATS, MAX_COHORT)


def _stacked(context: InstanceContext, before: RollupState, submissions: Mapping[Seat, Submission]) -> Int16Array:
    """The updates as one matrix, zeros for the absent, after a check of each."""
    updates = np.zeros((len(context.cohort), context.d), dtype=np.int16)
    for seat, own in submissions.items():
        if own.seat != seat or not 0 <= seat < len(context.cohort) or context.cohort[seat] != own.client:
            raise InvalidSubmission(seat, own.client, "is not for the seat of this client")
        if seat in before.slashable:
            raise InvalidSubmission(seat, own.client, "comes from a client that has been found guilty")
        if own.samples <= 0:
            raise InvalidSubmission(seat, own.client, f"declares {own.samples} samples")
        check_vector(own.update, np.int16, context.d, f"the update of seat {seat} ({own.client})")
        updates[seat] = own.update
    return updates


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
    updates = _stacked(context, before, submissions)
    products = gram(updates, before.last_updates, before.last_delta, before.model)
    samples = {int(seat): own.samples for seat, own in submissions.items()}
    judgement = judge(products, samples, before.carried, context.rules)
    delta = weighted_delta(updates, judgement.carried.weights)
    next_model = apply_delta(before.model, delta)

    packed = pack_all(judgement.carried.counters)
    last_updates = before.last_updates.copy()
    last_roots = list(before.last_roots)
    for seat, own in submissions.items():
        last_updates[seat] = own.update
        last_roots[seat] = own.update_root
    return Transition(
        epoch=EpochNumber(before.epoch + 1),
        attempt=attempt,
        gram=products,
        judgement=judgement,
        delta=delta,
        next_model=next_model,
        roots={
            "commits_root": commits_root(context, commits),
            "submissions_root": submissions_root(context, submissions, before.last_roots),
            "gram_root": gram_root(products),
            "stats_root": stats_root(judgement),
            "base_model_root": before.model_root,
            "delta_root": vector_root(delta),
            "next_model_root": vector_root(next_model),
            "carried_root": carried_root([*packed, *[0] * (MAX_COHORT - len(packed))]),
        },
        last_updates=last_updates,
        last_roots=tuple(last_roots),
    )
