"""Lies in figures, verdicts, weights and selection, alone or with all that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from unittest.mock import patch

import numpy as np

from fedblocks.aggregation import verdicts
from fedblocks.aggregation.fixed_point import apply_delta
from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.mean import MAX_WEIGHT, NothingToAverage, weighted_delta
from fedblocks.aggregation.stats import carried_products
from fedblocks.aggregation.verdicts import Judgement, judge
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.entries import (
    CARRIED_SIZE,
    COHORT_FIGURES,
    COUNTERS_WIDTH,
    FIGURES,
    FIGURES_SIZE,
    WEIGHT_WIDTH,
    carried_bytes,
    cohort_entry,
    stats_entry,
)
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.seats import SlashReason
from tests.adversary.committed import Committed, Vector
from tests.adversary.lies import Told, extreme, flipped, lie, overwritten, put, tell
from tests.adversary.truth import Truth

Fields = Sequence[tuple[str, int, bool]]


def _stats(truth: Truth, seat: int, content: bytes | None) -> Told | None:
    """With another entry of a seat; n: the cohort's."""
    own = truth.committed.stats
    return None if own[seat] == content else tell(truth, replace(truth.committed, stats=put(own, seat, content)))


def _own(truth: Truth, seat: int) -> bytes:
    content = truth.committed.stats[seat]
    assert content is not None
    return content


def _field(fields: Fields, rng: Random) -> tuple[int, int]:
    """Where a field begins, and its width."""
    chosen = rng.randrange(len(fields))
    return sum(width for _, width, _ in fields[:chosen]), fields[chosen][1]


def _carried(truth: Truth, carried: bytes) -> Told | None:
    return None if carried == truth.data.carried else tell(truth, replace(truth.committed, carried=carried))


@lie("a flipped bit in a figure", FraudCase.FIGURES)
def figure_bit(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    return _stats(truth, seat, flipped(_own(truth, seat), rng, 0, FIGURES_SIZE))


@lie("a figure at the end of its range", FraudCase.FIGURES)
def figure_extreme(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    start, width = _field(FIGURES, rng)
    return _stats(truth, seat, overwritten(_own(truth, seat), start, extreme(width, rng)))


@lie("all figures at the end of their range", FraudCase.FIGURES)
def all_extreme(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    return _stats(truth, seat, rng.choice([b"\x00", b"\xff"]) * len(_own(truth, seat)))


@lie("the figures of another client", FraudCase.FIGURES)
def others_figures(truth: Truth, rng: Random) -> Told | None:
    a, b = rng.sample(truth.present, 2)
    return _stats(truth, a, _own(truth, b))


@lie("no figures of a participant, or some of an absent client", FraudCase.FIGURES)
def figures_of_nobody(truth: Truth, rng: Random) -> Told | None:
    seat = rng.randrange(truth.n)
    other = None if seat in truth.present else _own(truth, truth.present[0])
    return _stats(truth, seat, other)


@lie("figures of another length", FraudCase.FIGURES, FraudCase.WITHHELD)
def figures_length(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    own = _own(truth, seat)
    return _stats(truth, seat, rng.choice([b"", own[:-1], own[:-2], own + b"\0", own + bytes(48)]))


@lie("figures that fit no call", FraudCase.WITHHELD)
def figures_huge(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice([*truth.present, truth.n])
    return _stats(truth, seat, _own(truth, seat) + bytes(rng.choice([100, 5000])))


@lie("a list of figures of another length", FraudCase.FIGURES, FraudCase.COHORT, FraudCase.WITHHELD)
def stats_length(truth: Truth, rng: Random) -> Told:
    own = truth.committed.stats
    changed = rng.choice([own[:-1], (*own, own[-1]), (*own, None), (None, *own), own * 2, (own[-1],)])
    return tell(truth, replace(truth.committed, stats=changed))


@lie("a false verdict", FraudCase.VERDICT)
def verdict(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    own = _own(truth, seat)
    at = FIGURES_SIZE + rng.randrange(2)
    return _stats(truth, seat, overwritten(own, at, bytes([rng.choice([0, 1, 6, 7, 255, own[at] ^ 1])])))


@lie("a false figure of the cohort", FraudCase.COHORT)
def cohort_figure(truth: Truth, rng: Random) -> Told | None:
    own = _own(truth, truth.n)
    start, width = _field(COHORT_FIGURES, rng)
    changed = rng.choice([overwritten(own, start, extreme(width, rng)), flipped(own, rng)])
    return _stats(truth, truth.n, changed)


@lie("the cohort's figures in another form", FraudCase.COHORT, FraudCase.WITHHELD)
def cohort_form(truth: Truth, rng: Random) -> Told | None:
    own = _own(truth, truth.n)
    changed = [own[:-1], own + b"\0", own + bytes(39), b"\xff" * len(own), bytes(len(own)), b"", None]
    return _stats(truth, truth.n, rng.choice(changed))


@lie("false counters or a false weight", FraudCase.VERDICT)
def counters(truth: Truth, rng: Random) -> Told | None:
    start = CARRIED_SIZE * rng.randrange(truth.n)
    own = truth.data.carried
    return _carried(truth, flipped(own, rng, start, start + COUNTERS_WIDTH + WEIGHT_WIDTH))


@lie("a weight at the end of its range", FraudCase.VERDICT)
def weight(truth: Truth, rng: Random) -> Told | None:
    start = CARRIED_SIZE * rng.randrange(truth.n) + COUNTERS_WIDTH
    return _carried(truth, overwritten(truth.data.carried, start, extreme(WEIGHT_WIDTH, rng)))


@lie("a false M", FraudCase.FIGURES)
def product(truth: Truth, rng: Random) -> Told | None:
    start = CARRIED_SIZE * rng.randrange(truth.n) + COUNTERS_WIDTH + WEIGHT_WIDTH
    own, width = truth.data.carried, CARRIED_SIZE - COUNTERS_WIDTH - WEIGHT_WIDTH
    changed = [flipped(own, rng, start, start + width), overwritten(own, start, extreme(width, rng))]
    return _carried(truth, rng.choice(changed))


@lie("what is carried over in another length", FraudCase.FIGURES, FraudCase.WITHHELD)
def carried_length(truth: Truth, rng: Random) -> Told | None:
    own = truth.data.carried
    longer = [] if truth.n == 64 else [own + b"\0", own + bytes(CARRIED_SIZE)]
    return _carried(truth, rng.choice([b"", own[:-1], own[:-CARRIED_SIZE], *longer]))


@lie("more carried over than fits a call", FraudCase.WITHHELD)
def carried_huge(truth: Truth, rng: Random) -> Told | None:
    return _carried(truth, truth.data.carried + bytes(2000))


# Lies from which everything else follows


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
        stats = dict(right(*arguments))  # type: ignore[arg-type]
        stats[seat] = replace(stats[seat], **{name: _moved(getattr(stats[seat], name), rng)})
        return stats  # type: ignore[return-value]

    return _judged_with(truth, "client_stats", lied)


@lie("a false figure of the cohort from which everything follows", FraudCase.COHORT)
def cohort_followed(truth: Truth, rng: Random) -> Told | None:
    name = rng.choice([name for name, _, offset in COHORT_FIGURES if offset])
    right = verdicts.cohort_stats

    def lied(*arguments: object) -> object:
        cohort = right(*arguments)  # type: ignore[arg-type]
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
        return reason if own is target or own == target else right(own, *arguments, **named)  # type: ignore[arg-type]

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


@lie("counters that follow from another epoch", FraudCase.VERDICT)
def counters_stale(truth: Truth, rng: Random) -> Told | None:
    if not truth.past:
        return None
    start = CARRIED_SIZE * rng.randrange(truth.n)
    old = rng.choice(truth.past).data.carried[start : start + COUNTERS_WIDTH + WEIGHT_WIDTH]
    return _carried(truth, overwritten(truth.data.carried, start, old))
