"""False products, figures, verdicts and weights from which all the rest follows: only their beginning can be shown."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from unittest.mock import patch

import numpy as np

from fedblocks.aggregation import verdicts
from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.mean import MAX_WEIGHT, NothingToAverage, apply_delta, weighted_delta
from fedblocks.aggregation.stats import carried_products
from fedblocks.aggregation.verdicts import Judgement, judge
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.entries import COHORT_FIGURES, FIGURES, carried_bytes, cohort_entry, stats_entry
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.seats import SlashReason
from tests.adversary.committed import Committed, Vector
from tests.adversary.lies import Told, lie, overwritten, put, tell
from tests.adversary.truth import Truth


def followed(truth: Truth, judgement: Judgement, committed: Committed | None = None) -> Told | None:
    """What an aggregator posts that judges so and is honest in everything else."""
    weights = judgement.carried.weights
    try:
        delta = weighted_delta(truth.worked.updates, weights)
    except NothingToAverage:
        delta = np.zeros(truth.d, dtype=np.int16)
    try:
        stats = tuple(
            stats_entry(judgement.stats[seat], judgement.verdicts[seat]) if seat in judgement.stats else None
            for seat in range(truth.n)
        )
        pieces = {"stats": (*stats, cohort_entry(judgement.cohort)), "carried": carried_bytes(judgement.carried)}
    except FedBlocksError:
        return None
    following = replace(
        committed or truth.committed,
        delta=Vector(delta),
        next_model=Vector(apply_delta(truth.before.model, delta)),
        **pieces,
    )
    words = {"excluded": judgement.excluded, "slash_reasons": judgement.carried.slash_reasons}
    retold = tell(truth, following, **words)
    return None if retold.words == tell(truth).words else retold


def _samples(truth: Truth) -> dict[int, int]:
    return {int(seat): reveal.samples for seat, reveal in truth.reveals.items()}


def _judged(truth: Truth, products: Gram | None = None) -> Judgement:
    return judge(products or truth.worked.products, _samples(truth), truth.before.carried, truth.context.rules)


def _moved(value: int, rng: Random) -> int:
    return rng.choice([value + 1, value - 1, 2 * value + 1, value // 2, 0, abs(value) + 10**6])


@lie("a false product from which everything follows", FraudCase.PRODUCT)
def product_followed(truth: Truth, rng: Random) -> Told | None:
    i, j = rng.choice(truth.present), rng.choice(truth.present)
    own = truth.worked.products
    value = _moved(own.updates[i][j], rng)
    lied = replace(own, updates=put(own.updates, i, put(own.updates[i], j, value)))
    leaves = truth.committed.products.leaves
    column, rows = leaves[-1]
    row = rows[i]
    assert row is not None
    changed = overwritten(row, 8 * j, (value + 2**63).to_bytes(8, "big"))
    products = replace(truth.committed.products, leaves=put(leaves, len(leaves) - 1, (column, put(rows, i, changed))))
    try:
        judgement = _judged(truth, lied)
    except (ValueError, ZeroDivisionError):
        return None
    return followed(truth, judgement, replace(truth.committed, products=products))


@lie("a false figure from which everything follows", FraudCase.FIGURES)
def figure_followed(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    name = rng.choice([name for name, _, offset in FIGURES if offset])
    right = verdicts.client_stats

    def lied(*arguments: object) -> dict[int, object]:
        stats = dict(right(*arguments))
        stats[seat] = replace(stats[seat], **{name: _moved(getattr(stats[seat], name), rng)})
        return stats

    return _judged_with(truth, "client_stats", lied)


@lie("a false figure of the cohort from which everything follows", FraudCase.COHORT)
def cohort_followed(truth: Truth, rng: Random) -> Told | None:
    name = rng.choice([name for name, _, offset in COHORT_FIGURES if offset])
    right = verdicts.cohort_stats

    def lied(*arguments: object) -> object:
        cohort = right(*arguments)
        return replace(cohort, **{name: _moved(getattr(cohort, name), rng)})

    return _judged_with(truth, "cohort_stats", lied)


def _judged_with(truth: Truth, name: str, lied: object) -> Told | None:
    try:
        with patch.object(verdicts, name, lied):
            judgement = _judged(truth)
    except (ValueError, ZeroDivisionError):
        return None
    return followed(truth, judgement)


@lie("evidence out of nothing, or none where there is some", FraudCase.VERDICT)
def evidence_followed(truth: Truth, rng: Random) -> Told | None:
    target = truth.worked.judgement.stats[rng.choice(truth.present)]
    right, reason = verdicts.evidence_against, rng.choice(list(SlashReason))

    def lied(own: object, *arguments: object, **named: object) -> SlashReason:
        return reason if own is target or own == target else right(own, *arguments, **named)

    return _judged_with(truth, "evidence_against", lied)


def _weighed(truth: Truth, weights: tuple[int, ...]) -> Told | None:
    own = truth.worked.judgement
    if weights == own.carried.weights:
        return None
    products = carried_products(truth.worked.products, weights)
    return followed(truth, replace(own, carried=replace(own.carried, weights=weights, products=products)))


@lie("a client that counts more than it should, and all that follows", FraudCase.VERDICT)
def favoured(truth: Truth, rng: Random) -> Told | None:
    weights = truth.worked.judgement.carried.weights
    seat = rng.choice(truth.present)
    return _weighed(truth, put(weights, seat, rng.choice([0, 1, weights[seat] + 1, MAX_WEIGHT - 1])))


@lie("an absent client that counts", FraudCase.VERDICT)
def absent_counts(truth: Truth, rng: Random) -> Told | None:
    if not truth.absent:
        return None
    weights = truth.worked.judgement.carried.weights
    return _weighed(truth, put(weights, rng.choice(truth.absent), rng.choice([1, MAX_WEIGHT - 1])))


@lie("nobody counts", FraudCase.VERDICT)
def weightless(truth: Truth, rng: Random) -> Told | None:
    return _weighed(truth, (0,) * truth.n)


@lie("everybody counts as much as can be written down", FraudCase.VERDICT)
def heaviest(truth: Truth, rng: Random) -> Told | None:
    return _weighed(truth, (MAX_WEIGHT - 1,) * truth.n)


@lie("somebody else is left out, and all that follows", FraudCase.COHORT, FraudCase.VERDICT)
def selection_followed(truth: Truth, rng: Random) -> Told | None:
    own = truth.worked.judgement
    excluded = own.excluded ^ 1 << rng.choice(truth.present)
    weights = tuple(
        verdicts.clip_weight(own.stats[seat].norm, own.cohort.median_norm, samples, truth.context.rules)
        if (samples := _samples(truth).get(seat, 0)) and not excluded >> seat & 1
        else 0
        for seat in range(truth.n)
    )
    if not any(weights):
        return None
    carried = replace(own.carried, weights=weights, products=carried_products(truth.worked.products, weights))
    return followed(truth, replace(own, excluded=excluded, carried=carried))
