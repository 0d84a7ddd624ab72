"""Verdicts: who is slashable, who is left out of an epoch, and with what weight the others count.

There are two kinds of judgement, and they are kept apart.

*Hard evidence* (:mod:`~fedblocks.aggregation.evidence`) is something that an honest client does not do, whatever its
data: it sends nothing, another's update, an old one, the last global step, noise, or it keeps growing in the direction
in which the model has just moved. It costs the stake. *Suspicion* (:mod:`~fedblocks.aggregation.suspicion`) is
something that attackers do more often than others (a Krum score far out, directions against everybody). It costs this
epoch's pay and the place in the aggregate, never the stake, and never more clients than a third of the cohort.

Every rule compares integers: cosines and lengths are compared by their squares. The thresholds and how often they
failed honest clients were measured; "score above twice the mean", the rule that comes to mind first, takes the stake
of honest clients with unusual data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.evidence import Likeness, evidence_against, likeness
from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import (
    ClientStats,
    CohortStats,
    carried_products,
    client_stats,
    cohort_stats,
)
from fedblocks.aggregation.suspicion import EVIDENCE_BADNESS, Signs, Suspicion, count, signs_of, suspicions_of
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons, seats_of, unpack_reasons
from fedblocks.types import MIN_COHORT, Bitmap

CLIP_SCALE = 1024
"""The weight of an update that is not too long, for each sample that counts."""

CLIP_LENGTH = 3, 2
"""An update counts in full up to this multiple of the median length, 3 / 2."""


@dataclass(frozen=True)
class Carried:
    """What an epoch takes over from the one before it; tuples have one entry for each of the n seats.

    Attributes:
        participants: who took part in the last epoch.
        weights: its weights omega, 0 for who was not accepted.
        products: its M, see :mod:`fedblocks.aggregation.stats`.
        counters: the counters after it.
        slash_reasons: four bits a seat, for all epochs so far.
    """

    participants: Bitmap
    weights: tuple[int, ...]
    products: tuple[int, ...]
    counters: tuple[Counters, ...]
    slash_reasons: int

    @classmethod
    def genesis(cls, seats: int) -> Carried:
        """Before the first epoch of a cohort with this many seats."""
        return cls(Bitmap(0), (0,) * seats, (0,) * seats, (Counters(),) * seats, 0)


@dataclass(frozen=True)
class SeatVerdict:
    """What an epoch says of one participant, for people to read.

    Attributes:
        excluded: its update is not in the aggregate and it is not paid for this epoch.
        slashed: the hard evidence for which it loses its stake, NONE if it keeps it.
        evidence: the hard evidence against it, also where so many are due that nobody is slashed.
        suspicions: what speaks against it.
        own_badness: how bad by its own figures, and
        badness: ... with the evidence that is not slashed, for choosing whom to leave out when too many are suspicious.
    """

    excluded: bool
    slashed: SlashReason
    evidence: SlashReason
    suspicions: tuple[Suspicion, ...]
    own_badness: int
    badness: int


@dataclass(frozen=True)
class Judgement:
    """The outcome of an epoch.

    Attributes:
        participants: who took part.
        excluded: who of them is neither in the aggregate nor paid.
        carried: what the next epoch takes over, slash reasons and weights of this one included.
        stats: the figures of every participant, by seat.
        cohort: the figures that they were compared with.
        verdicts: by seat, for people.
    """

    participants: Bitmap
    excluded: Bitmap
    carried: Carried
    stats: Mapping[int, ClientStats]
    cohort: CohortStats
    verdicts: Mapping[int, SeatVerdict]


def clip_weight(norm: int, median_norm: int, samples: int, rules: Rules) -> int:
    """The weight of an accepted update: ``min(samples, cap) * floor(1024 min(1, sqrt(c / |u|^2)))``.

    c is ``floor(9/4 median |u|^2)``: an update longer than one and a half times the median is scaled down to that, so
    that no client moves the model much further than its peers. At the median itself, honest clients with unusual data
    would lose their part of the model: at a label skew of alpha 0.1 that cost 1.3 points of accuracy in cohorts without
    an attacker (docs/decisions/0014).
    """
    times, parts = CLIP_LENGTH
    longest = times**2 * median_norm // parts**2
    clip = CLIP_SCALE
    if norm > longest:
        # The root of the floor is the floor of the root.
        clip = isqrt(CLIP_SCALE**2 * longest // norm)
    return min(samples, rules.sample_cap) * clip


def verdicts_of(
    stats: Mapping[int, ClientStats],
    cohort: CohortStats,
    signs: Mapping[int, Signs],
    counters: Sequence[Counters],
    *,
    n: int,
    gone: Collection[int],
    rules: Rules,
) -> dict[int, SeatVerdict]:
    """What follows from an epoch's figures, for every participant.

    Args:
        stats: the figures of each participant, by seat.
        cohort: the figures that they are compared with.
        signs: what each participant's figures show, by seat.
        counters: of all seats, this epoch counted.
        n: the cohort's size.
        gone: the seats that were slashable before this epoch.
        rules: the thresholds.
    """
    seats = sorted(stats)
    compared = cohort.participants >= MIN_COHORT and cohort.weight > 0
    likenesses = {
        seat: likeness(own, stats[own.nearest], rules) if compared else Likeness.OWN_WORK for seat, own in stats.items()
    }
    due = {
        seat: reason
        for seat in seats
        if (
            reason := evidence_against(
                stats[seat],
                cohort,
                counters[seat],
                duplicate=likenesses[seat] is Likeness.DUPLICATE,
                unresponsive=signs[seat].clear_response,
                rules=rules,
            )
        )
    }
    # More than a third cannot be malicious where any of this means anything: then the premises have failed (a collapsed
    # model, data that leave nothing to learn), and the evidence with them.
    cap = max(0, tolerated(n) - len(gone))
    slashed = due if len(due) <= cap else {}

    suspicions = {
        seat: suspicions_of(
            signs[seat],
            counters[seat],
            nearly=likenesses[seat] is Likeness.NEARLY_DUPLICATE,
            rules=rules,
        )
        for seat in seats
    }
    room = max(0, min(cap - len(slashed), tolerated(len(seats))))
    unpunished = {seat for seat in due if seat not in slashed}
    badness = {seat: suspicions[seat][1] + (EVIDENCE_BADNESS if seat in unpunished else 0) for seat in seats}
    suspects = sorted(
        (seat for seat in seats if seat not in slashed and badness[seat]), key=lambda seat: (-badness[seat], seat)
    )
    excluded = bitmap_of([*slashed, *suspects[:room]])
    return {
        seat: SeatVerdict(
            excluded=bool(excluded >> seat & 1),
            slashed=slashed.get(seat, SlashReason.NONE),
            evidence=due.get(seat, SlashReason.NONE),
            suspicions=((Suspicion.EVIDENCE,) if seat in unpunished else ()) + suspicions[seat][0],
            own_badness=suspicions[seat][1],
            badness=badness[seat],
        )
        for seat in seats
    }


def judge(gram: Gram, samples: Mapping[int, int], carried: Carried, rules: Rules) -> Judgement:
    """Judge an epoch.

    Args:
        gram: the inner products of the epoch; its n is the cohort's size.
        samples: by seat, what each participant declared, above zero.
        carried: what the last epoch left.
        rules: the thresholds.

    Raises:
        ValueError: if nobody took part, a seat is outside the cohort or is slashable already, or samples are not
            above zero.
    """
    n = gram.seats
    seats = sorted(samples)
    gone = unpack_reasons(carried.slash_reasons)
    for seat in seats:
        if not 0 <= seat < n or seat in gone or samples[seat] <= 0:
            raise ValueError(f"seat {seat} with {samples[seat]} samples cannot take part in a cohort of {n}")
    stats = client_stats(gram, seats, carried.weights, carried.products, rules)
    before = set(seats_of(carried.participants))
    bearable = max(0, tolerated(n) - len(gone))
    cohort = cohort_stats(gram, stats, carried.weights, carried.products, before, bearable)

    tested = {seat for seat in seats if seat in before and cohort.weight > 0}
    signs = {seat: signs_of(seat, stats[seat], cohort, seat in tested, rules) for seat in seats}
    counters = list(carried.counters)
    for seat in seats:
        counters[seat] = count(carried.counters[seat], stats[seat], cohort, signs[seat], seat in tested, rules)

    verdicts = verdicts_of(stats, cohort, signs, counters, n=n, gone=gone, rules=rules)
    excluded = bitmap_of(seat for seat, verdict in verdicts.items() if verdict.excluded)
    slashed = {seat: verdict.slashed for seat, verdict in verdicts.items() if verdict.slashed}
    weights = tuple(
        clip_weight(stats[seat].norm, cohort.median_norm, samples[seat], rules)
        if seat in stats and not excluded >> seat & 1
        else 0
        for seat in range(n)
    )
    participants = bitmap_of(seats)
    return Judgement(
        participants=participants,
        excluded=excluded,
        carried=Carried(
            participants=participants,
            weights=weights,
            products=carried_products(gram, weights),
            counters=tuple(counters),
            slash_reasons=carried.slash_reasons | pack_reasons(slashed),
        ),
        stats=stats,
        cohort=cohort,
        verdicts=verdicts,
    )
