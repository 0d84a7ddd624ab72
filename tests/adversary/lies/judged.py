"""Lies in figures, verdicts, weights and what is carried over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from fedblocks.rollup.entries import (
    CARRIED_SIZE,
    COHORT_FIGURES,
    COUNTERS_WIDTH,
    FIGURES,
    FIGURES_SIZE,
    WEIGHT_WIDTH,
)
from fedblocks.rollup.fraud.cases import FraudCase
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


@lie("counters that follow from another epoch", FraudCase.VERDICT)
def counters_stale(truth: Truth, rng: Random) -> Told | None:
    # Most counters are zero in most epochs, and most weights the same.
    stale = []
    for past in truth.past:
        for start in range(0, CARRIED_SIZE * truth.n, CARRIED_SIZE):
            old = past.data.carried[start : start + COUNTERS_WIDTH + WEIGHT_WIDTH]
            if old != truth.data.carried[start : start + len(old)]:
                stale.append((start, old))
    return _carried(truth, overwritten(truth.data.carried, *rng.choice(stale))) if stale else None
