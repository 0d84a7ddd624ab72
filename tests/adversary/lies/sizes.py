"""Epochs worked out for another cohort, another model or another state, and posted as this one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import Reveal
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.state import RollupState
from fedblocks.rollup.vectors import vector_root
from fedblocks.types import Seat
from tests.adversary.lies import Told, lie, tell
from tests.adversary.stage import client_signer
from tests.adversary.truth import Truth, told


def _resized(values: np.ndarray, d: int) -> np.ndarray:
    """With a one in the place of every value that is not there."""
    more = np.ones((*values.shape[:-1], max(0, d - values.shape[-1])), dtype=values.dtype)
    return np.concatenate([values[..., :d], more], axis=-1)


def _elsewhere(truth: Truth, n: int, d: int) -> Told | None:
    """The same epoch of an instance of other sizes; its clients are accomplices, who sign whatever is asked."""
    cohort = tuple(client_signer(seat).address for seat in range(n))
    context = replace(truth.context, cohort=cohort, d=d)
    seats = min(n, truth.n)
    before = truth.before
    last = np.ones((n, d), dtype=np.int16)
    last[:seats] = _resized(before.last_updates[:seats], d)
    carried = before.carried

    def filled(values: tuple, nothing: object) -> tuple:
        return (*values[:n], *[nothing] * (n - truth.n))

    state = RollupState(
        epoch=before.epoch,
        head=before.head,
        model=_resized(before.model, d),
        model_root=before.model_root,
        last_updates=last,
        last_roots=tuple(vector_root(update) for update in last),
        last_delta=_resized(before.last_delta, d),
        carried=replace(
            carried,
            participants=carried.participants & ((1 << n) - 1),
            weights=filled(carried.weights, 0),
            products=filled(carried.products, 0),
            counters=filled(carried.counters, carried.counters[0]),
        ),
    )
    reveals = {
        seat: Reveal(seat, _resized(reveal.update, d), reveal.samples, reveal.salt)
        for seat, reveal in truth.reveals.items()
        if seat < n
    }
    if n > truth.n:
        reveals[Seat(n - 1)] = replace(reveals[min(reveals)], seat=Seat(n - 1))
    try:
        lied = told(replace(truth, context=context, before=state), reveals, truth.attempt)
    except FedBlocksError:
        return None
    words = {name: getattr(lied.header, name) for name in ("participants", "excluded", "slash_reasons")}
    return tell(truth, lied.committed, **words)


@lie("an epoch of a larger cohort", FraudCase.WITHHELD, FraudCase.SUBMISSION)
def more_seats(truth: Truth, rng: Random) -> Told | None:
    return _elsewhere(truth, truth.n + 1, truth.d) if truth.n < 64 else None


@lie("an epoch of a smaller cohort", FraudCase.WITHHELD, FraudCase.SUBMISSION)
def fewer_seats(truth: Truth, rng: Random) -> Told | None:
    return _elsewhere(truth, truth.n - 1, truth.d) if truth.n > 4 and len(truth.present) > 4 else None


@lie("an epoch of a larger model", FraudCase.WITHHELD, FraudCase.PADDING, FraudCase.LAST_UPDATE)
def more_values(truth: Truth, rng: Random) -> Told | None:
    return _elsewhere(truth, truth.n, truth.d + rng.choice([1, 256, 4096, 3 * 4096]))


@lie(
    "an epoch of a smaller model",
    FraudCase.WITHHELD,
    FraudCase.PRODUCT,
    FraudCase.LAST_UPDATE,
    FraudCase.NEXT_MODEL,
)
def fewer_values(truth: Truth, rng: Random) -> Told | None:
    by = rng.choice([1, 256, 4096])
    return _elsewhere(truth, truth.n, truth.d - by) if truth.d > by else None


@lie("an epoch worked out from a stale base model", FraudCase.PRODUCT)
def stale_model(truth: Truth, rng: Random) -> Told | None:
    if not truth.past:
        return None
    old = rng.choice(truth.past).before.model
    if np.array_equal(old, truth.before.model):
        return None
    return _from_state(truth, replace(truth.before, model=old))


@lie("an epoch worked out from a stale step", FraudCase.PRODUCT)
def stale_delta(truth: Truth, rng: Random) -> Told | None:
    if not truth.past:
        return None
    return _from_state(truth, replace(truth.before, last_delta=np.roll(truth.before.last_delta, 1)))


@lie("an epoch worked out from stale last updates", FraudCase.PRODUCT)
def stale_last(truth: Truth, rng: Random) -> Told | None:
    """The submissions name the right ones all the same."""
    if not truth.past:
        return None
    return _from_state(truth, replace(truth.before, last_updates=np.roll(truth.before.last_updates, 1, axis=0)))


@lie("an epoch worked out from stale verdicts", FraudCase.FIGURES, FraudCase.VERDICT, FraudCase.COHORT)
def stale_carried(truth: Truth, rng: Random) -> Told | None:
    if not truth.past:
        return None
    old = truth.past[-1].before.carried
    return _from_state(truth, replace(truth.before, carried=replace(old, slash_reasons=truth.header.slash_reasons)))


def _from_state(truth: Truth, state: RollupState) -> Told | None:
    try:
        lied = told(replace(truth, before=state), truth.reveals, truth.attempt)
    except (FedBlocksError, ValueError):
        return None
    words = {name: getattr(lied.header, name) for name in ("participants", "excluded", "slash_reasons")}
    retold = tell(truth, lied.committed, **words)
    return None if retold.words == tell(truth).words else retold
