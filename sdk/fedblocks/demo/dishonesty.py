"""Dishonest aggregators, for the demo: what one could gain, and why it does not.

Each lies in one epoch and is consistent otherwise: what follows from the lie follows from it here too, so that only
somebody who works the epoch out again can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.entries import carried_bytes
from fedblocks.rollup.gram_tree import PRODUCT_WIDTH, GramTrace
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.sequencer import Sequencer
from fedblocks.rollup.state import RollupState
from fedblocks.rollup.stf import Submission, Transition
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons, seats_of
from fedblocks.types import Bitmap, EpochNumber, Hash32, Seat

LYING_EPOCH = EpochNumber(2)
"""The epoch in which the demo's aggregator lies."""


class UnknownDishonesty(FedBlocksError, ValueError):
    """No dishonest aggregator has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no aggregator is dishonest by {name!r}; known are {', '.join(DISHONESTY)}")


@dataclass(frozen=True)
class Dishonesty:
    """A way to lie.

    Attributes:
        name, description: for people.
        lie: from the state before, the honest outcome and a victim's seat to what is posted; None where the outcome is
            honest.
        publishes: whether the epoch's data are published.
    """

    name: str
    description: str
    lie: Callable[[RollupState, Transition, Seat], Transition] | None
    publishes: bool = True


def _products(trace: GramTrace, weights: tuple[int, ...]) -> tuple[int, ...]:
    """M of every seat with other weights, from the rows of the last leaf."""
    last = len(trace.leaves) - 1
    half = 1 << (8 * PRODUCT_WIDTH - 1)
    rows = [trace.row(last, seat) for seat in range(trace.n)]
    return tuple(
        sum(
            weight * (int.from_bytes(row[trace.layout.entry(seat, other)], "big") - half)
            for other, weight in enumerate(weights)
        )
        for seat, row in enumerate(rows)
    )


def _with_weights(before: RollupState, honest: Transition, weights: tuple[int, ...], excluded: Bitmap) -> Transition:
    """An epoch with other weights, and all that follows from them."""
    updates = np.zeros((len(weights), len(honest.data.delta)), dtype=np.int16)
    for seat, update in honest.data.updates.items():
        updates[seat] = update
    carried = replace(honest.judgement.carried, weights=weights, products=_products(honest.data.gram, weights))
    delta = weighted_delta(updates, weights)
    data = replace(
        honest.data, carried=carried_bytes(carried), delta=delta, next_model=apply_delta(before.model, delta)
    )
    return replace(honest, judgement=replace(honest.judgement, carried=carried, excluded=excluded), data=data)


def _frame(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Say that an honest client sent noise: the stake would go to the treasury."""
    weights = tuple(0 if seat == victim else weight for seat, weight in enumerate(honest.judgement.carried.weights))
    lied = _with_weights(before, honest, weights, Bitmap(honest.judgement.excluded | bitmap_of([victim])))
    entry = lied.data.stats[victim]
    assert entry is not None, "the victim took part"
    stats = tuple(
        entry[:-2] + bytes([SlashReason.NOISE, entry[-1]]) if seat == victim else own
        for seat, own in enumerate(lied.data.stats)
    )
    carried = replace(
        lied.judgement.carried,
        slash_reasons=lied.judgement.carried.slash_reasons | pack_reasons({victim: SlashReason.NOISE}),
    )
    return replace(lied, judgement=replace(lied.judgement, carried=carried), data=replace(lied.data, stats=stats))


def _starve(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Leave an honest client out: it would not be paid."""
    weights = tuple(0 if seat == victim else weight for seat, weight in enumerate(honest.judgement.carried.weights))
    return _with_weights(before, honest, weights, Bitmap(honest.judgement.excluded | bitmap_of([victim])))


def _favour(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Give one client's update the weight of all others together."""
    weights = honest.judgement.carried.weights
    favoured = tuple(sum(weights) if seat == victim else weight for seat, weight in enumerate(weights))
    return _with_weights(before, honest, favoured, honest.judgement.excluded)


def _backdoor(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Put a step of its own in the place of the mean: the model would do what the aggregator wants."""
    delta = honest.data.delta.copy()
    delta[: len(delta) // 100 + 1] += 500
    return replace(honest, data=replace(honest.data, delta=delta, next_model=apply_delta(before.model, delta)))


def _product(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Falsify one inner product, from the middle of the model on: figures and verdicts could follow from it."""
    trace = honest.data.gram
    leaves = trace.leaves.copy()
    place = trace.layout.row(victim).start + trace.layout.entry(victim, 0).start + 3
    leaves[len(leaves) // 2 :, place] ^= 1
    return replace(honest, data=replace(honest.data, gram=GramTrace(trace.n, leaves)))


def _steal(before: RollupState, honest: Transition, victim: Seat) -> Transition:
    """Say that a client committed to another update than it did."""
    submissions = list(honest.data.submissions)
    entry = bytearray(submissions[victim])
    entry[161:193] = keccak256(b"another update")
    submissions[victim] = bytes(entry)
    return replace(honest, data=replace(honest.data, submissions=tuple(submissions)))


DISHONESTY: Mapping[str, Dishonesty] = {
    each.name: each
    for each in (
        Dishonesty("frame", "says that an honest client sent noise, to have it slashed", _frame),
        Dishonesty("starve", "leaves an honest client out of the mean and of the pay", _starve),
        Dishonesty("favour", "gives one client's update the weight of all others", _favour),
        Dishonesty("backdoor", "puts a step of its own in the place of the mean", _backdoor),
        Dishonesty("product", "falsifies one inner product", _product),
        Dishonesty("steal", "puts another update in a client's name", _steal),
        Dishonesty("withhold", "posts an epoch and publishes nothing of it", None, publishes=False),
    )
}
"""Dishonest aggregators by name."""


def find_dishonesty(name: str) -> Dishonesty:
    """The dishonest aggregator of a name.

    Raises:
        UnknownDishonesty: if there is none.
    """
    try:
        return DISHONESTY[name]
    except KeyError:
        raise UnknownDishonesty(name) from None


def sequencer_class(name: str | None) -> type[Sequencer]:
    """The class of an aggregator's sequencer: an honest one, or one that lies in LYING_EPOCH.

    Raises:
        UnknownDishonesty: if there is no such lie.
    """
    if name is None:
        return Sequencer
    dishonesty = find_dishonesty(name)

    class DishonestSequencer(Sequencer):
        def _transition(self, submissions: Mapping[Seat, Submission]) -> Transition:
            honest = super()._transition(submissions)
            if self.next_epoch != LYING_EPOCH or dishonesty.lie is None:
                return honest
            accepted = honest.judgement.participants & ~honest.judgement.excluded
            return dishonesty.lie(self.state, honest, Seat(seats_of(Bitmap(accepted))[0]))

        def _publish(self, transition: Transition) -> Hash32:
            if dishonesty.publishes or transition.epoch != LYING_EPOCH:
                return super()._publish(transition)
            return keccak256(b"nothing")

    return DishonestSequencer
