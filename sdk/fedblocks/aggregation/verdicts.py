"""Verdicts: who is slashable, who is left out of an epoch, and with what weight the others count.

There are two kinds of judgement, and they are kept apart.

*Hard evidence* is something that an honest client does not do, whatever its data: it sends nothing, another's update,
an old one, the last global step, noise, or it keeps growing in the direction in which the model has just moved. It
costs the stake. *Suspicion* is something that attackers do more often than others (a Krum score far out, directions
against everybody). It costs this epoch's pay and the place in the aggregate, never the stake, and never more clients
than a third of the cohort.

Every rule compares integers: cosines and lengths are compared by their squares. The thresholds and how often they
failed honest clients were measured; "score above twice the mean", the rule that comes to mind first, takes the stake
of honest clients with unusual data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isqrt

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.krum import median_is_below, tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import (
    NO_SEAT,
    ClientStats,
    CohortStats,
    carried_products,
    client_stats,
    cohort_stats,
)
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons, seats_of, unpack_reasons
from fedblocks.types import MIN_COHORT, Bitmap

CLIP_SCALE = 1024
"""The weight of an update of median length or below, for each sample that counts."""


class Suspicion(Enum):
    """A reason to leave an update out of one epoch."""

    EVIDENCE = "hard evidence, but against more clients than can be malicious"
    RESPONSE = "grew along the model's last step"
    SHRINKING = "shrinks the model against the others"
    OPPOSING = "points against most of the others"
    OUTLYING = "far out and against the others, repeatedly"
    CENTRAL = "nearer to the centre than any client's own data would put it, repeatedly"
    LIKE_GLOBAL = "hardly more than the model's last step"
    AGAINST_GLOBAL = "undoes the model's last step"
    NEARLY_DUPLICATE = "nearly another's update"
    NEARLY_REPLAY = "nearly another's last update"
    LITTLE = "hardly anything"


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
        badness: how bad, for choosing whom to leave out when too many are suspicious.
    """

    excluded: bool
    slashed: SlashReason
    evidence: SlashReason
    suspicions: tuple[Suspicion, ...]
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


def _cosine_above(product: int, norms: int, threshold: int, scale: int) -> bool:
    """Whether a cosine exceeds ``threshold / scale``, both positive; `norms` is the product of the squared lengths."""
    return product > 0 and scale**2 * product**2 > threshold**2 * norms


def _is_zero(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether the client sends nothing, and did not send anything before.

    Once is not enough: a client of one class has nothing to learn, for an epoch, when the model has just been thrown
    to its class; 2.3 per cent of the median length was measured.
    """
    longest = max(own.norm, own.last_norm)
    return 1_000_000 * longest < rules.zero_permille**2 * cohort.median_norm


def _is_little(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    return 10_000 * own.norm < rules.little_percent**2 * cohort.median_norm


def _is_replay(own: ClientStats, rules: Rules) -> bool:
    """Whether the update is somebody's last one again.

    Nearly is not enough: a client with few data comes near to its own last update (a cosine of 0.99998 was measured),
    and to the last one of a client with the same data (0.9997).
    """
    norms = own.norm * own.replayed_norm
    return own.replayed != NO_SEAT and _cosine_above(own.replayed_product, norms, rules.copy_millionths, 1_000_000)


def _nearly_replays(seat: int, own: ClientStats, rules: Rules) -> bool:
    """Whether the update is hardly more than another's last one; to repeat oneself nearly is nothing to hold against
    anybody."""
    norms = own.norm * own.replayed_norm
    other = own.replayed not in (NO_SEAT, seat)
    return other and _cosine_above(own.replayed_product, norms, rules.replay_permille, 1_000)


def _may_copy_global(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether what the update differs by from the last global delta may be nothing, or noise that was added to it.

    A cosine with the delta alone means little: whenever training is easy, with few steps or alike data, honest clients
    all move in one direction, epoch after epoch (0.95 was measured). Two things tell them from copies.

    An honest update differs from that direction by its own noise, and from its peers by its own and theirs: the ratio
    of the squares is about a half, and 0.3 at least among clients with alike data. A copy differs from the delta by
    nothing, or by the noise that was added, while its peers have moved on.

    A client whose data are everybody's, among clients with one class each, is nearer to the delta than to its peers
    (0.06). But what it differs by is what everybody has just learnt, and is related to its peers' (0.08 and more with
    the f-th of them); added noise is related to nothing.

    Even both together prove nothing as long as the noise could be a client's own. So a likely copy is left out, and
    only one that is near enough to be exact is slashed.
    """
    # |u|^2 - <u, g>^2 / |g|^2, times |g|^2.
    off_direction = own.norm * cohort.delta_norm - own.delta**2
    near = 10_000 * off_direction < rules.global_near_percent**2 * own.peer_distance * cohort.delta_norm
    return near and own.related < max(1, tolerated(cohort.participants))


def _is_like_global(own: ClientStats, cohort: CohortStats, threshold: int, scale: int, rules: Rules) -> bool:
    alike = _cosine_above(own.delta, own.norm * cohort.delta_norm, threshold, scale)
    return alike and _may_copy_global(own, cohort, rules)


def _is_noise(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether the update has nothing to do with anything: its own last one, the last global delta, its peers.

    An honest client whose training has nearly converged sends little more than the noise of its batches, which is
    unlike its last update and the last delta. But that noise is made of samples like everybody's, and is related to
    what its peers send; noise that was drawn is related to nothing.
    """
    bound = rules.noise_percent**2 * own.norm
    unlike_own = 10_000 * own.own_last**2 < bound * own.last_norm
    unlike_global = 10_000 * own.delta**2 < bound * cohort.delta_norm
    return unlike_own and unlike_global and own.related < max(1, tolerated(cohort.participants))


def _fails_response(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    change = own.norm + own.last_norm - 2 * own.own_last
    grew = 100 * cohort.weight * own.response > rules.response_percent * cohort.step_norm
    clearly = 10_000 * own.response**2 > rules.response_cosine_percent**2 * cohort.step_norm * change
    longest = max(own.norm, own.last_norm)
    comparable = rules.response_cap_times**2 * cohort.step_norm >= cohort.weight**2 * longest
    return grew and clearly and comparable


def _fails_response_clearly(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether a failed response test is evidence, and not the noise of a model that has nearly converged.

    Then the step is the mean of unrelated updates, and honest clients grow along it by chance, three and four epochs
    running.
    """
    change = own.norm + own.last_norm - 2 * own.own_last
    clearly = 10_000 * own.response**2 > rules.response_slash_cosine_percent**2 * cohort.step_norm * change
    signal = cohort.step_norm > rules.response_signal_times * cohort.unrelated_norm
    return clearly and signal


def _duplicates(
    gram: Gram, stats: Mapping[int, ClientStats], cohort: CohortStats, rules: Rules
) -> tuple[set[int], set[int]]:
    """The seats that sent another's update, and those that nearly did or may both have copied an earlier one.

    Two honest clients with the same data come as near as 0.85 per cent of their length, by the order of their batches;
    so only what rounding could have made of one update is another's.
    """
    proved: set[int] = set()
    near: set[int] = set()
    seats = sorted(stats)
    for a in seats:
        for b in seats:
            if a >= b:
                continue
            distance = gram.distance(a, b)
            length = min(stats[a].norm, stats[b].norm, cohort.quartile_distance)
            earlier = min(stats[a].earlier_distance, stats[b].earlier_distance)
            own_work = 10_000 * distance < rules.duplicate_other_percent**2 * earlier
            if own_work and 1_000_000 * distance < rules.duplicate_permille**2 * length:
                proved.update((a, b))
            elif 10_000 * distance < rules.duplicate_near_percent**2 * length:
                near.update((a, b))
    return proved, near - proved


def _next_run(run: int, shown: bool, limit: int) -> int:
    return min(run + 1, limit) if shown else 0


def _next_strikes(strikes: int, shown: bool, rules: Rules) -> int:
    return min(strikes + 1, rules.strikes_max) if shown else max(strikes - 1, 0)


@dataclass(frozen=True)
class _Signs:
    """What a client's figures show in this epoch, before runs and strikes are looked at."""

    response: bool
    clear_response: bool
    shrinking: bool
    opposing: bool
    outlying: bool
    central: bool
    like_global: bool
    against_global: bool
    nearly_replayed: bool
    little: bool


def _signs(seat: int, own: ClientStats, cohort: CohortStats, tested: bool, rules: Rules) -> _Signs:
    others = cohort.participants - 1
    compared = cohort.participants >= MIN_COHORT
    outlying = 100 * own.krum > rules.outlying_krum_percent * cohort.median_krum
    response = tested and _fails_response(own, cohort, rules)
    return _Signs(
        response=response,
        clear_response=response and _fails_response_clearly(own, cohort, rules),
        shrinking=compared
        and _cosine_above(-own.base, own.norm * cohort.base_norm, rules.shrink_percent, 100)
        and median_is_below(own.opposed, others),
        opposing=compared and median_is_below(own.opposed_strongly, others),
        outlying=compared and outlying and median_is_below(own.opposed_outlying, others),
        central=compared and 100 * own.normalised_krum < rules.central_krum_percent * cohort.median_normalised_krum,
        like_global=_is_like_global(own, cohort, rules.global_now_percent, 100, rules),
        against_global=_cosine_above(-own.delta, own.norm * cohort.delta_norm, rules.against_global_percent, 100),
        nearly_replayed=_nearly_replays(seat, own, rules),
        little=compared and _is_little(own, cohort, rules),
    )


def _count(old: Counters, own: ClientStats, cohort: CohortStats, signs: _Signs, tested: bool, rules: Rules) -> Counters:
    """The counters after an epoch in which the client took part. What could not be tested is held."""
    moved = cohort.delta_norm > 0
    return Counters(
        response=_next_run(old.response, signs.clear_response, 7) if tested else old.response,
        similar=_next_run(old.similar, _is_like_global(own, cohort, rules.global_run_percent, 100, rules), 3)
        if moved
        else old.similar,
        noise=_next_run(old.noise, _is_noise(own, cohort, rules), 3) if moved and own.last_norm else old.noise,
        shrinking=_next_strikes(old.shrinking, signs.shrinking, rules),
        opposing=_next_strikes(old.opposing, signs.opposing, rules),
        outlying=_next_strikes(old.outlying, signs.outlying, rules),
        central=_next_strikes(old.central, signs.central, rules),
    )


def _evidence(
    own: ClientStats,
    cohort: CohortStats,
    counters: Counters,
    *,
    duplicate: bool,
    unresponsive: bool,
    rules: Rules,
) -> SlashReason:
    """The hard evidence against one client."""
    if cohort.participants >= MIN_COHORT and _is_zero(own, cohort, rules):
        return SlashReason.ZERO
    if _is_replay(own, rules):
        return SlashReason.REPLAY
    if _is_like_global(own, cohort, rules.copy_millionths, 1_000_000, rules):
        return SlashReason.GLOBAL
    if duplicate:
        return SlashReason.DUPLICATE
    if counters.noise >= rules.run:
        return SlashReason.NOISE
    if unresponsive and counters.response >= rules.run:
        return SlashReason.RESPONSE
    return SlashReason.NONE


def _suspicions(
    signs: _Signs, counters: Counters, *, evidence: bool, nearly: bool, rules: Rules
) -> tuple[tuple[Suspicion, ...], int]:
    """What speaks against a client, and how much: the sum over its suspicions."""

    def with_strikes(shown: bool, strikes: int, first: int) -> int:
        return first + strikes if shown else strikes if strikes >= rules.strikes else 0

    weights = {
        Suspicion.EVIDENCE: 8 if evidence else 0,
        Suspicion.RESPONSE: 4 + counters.response if signs.response else 0,
        Suspicion.SHRINKING: with_strikes(signs.shrinking, counters.shrinking, 2),
        Suspicion.OPPOSING: with_strikes(signs.opposing, counters.opposing, 1),
        Suspicion.OUTLYING: counters.outlying if counters.outlying >= rules.strikes else 0,
        Suspicion.CENTRAL: counters.central if counters.central >= rules.strikes else 0,
        Suspicion.LIKE_GLOBAL: 4 if signs.like_global else counters.similar if counters.similar >= rules.run else 0,
        Suspicion.AGAINST_GLOBAL: 2 if signs.against_global else 0,
        Suspicion.NEARLY_DUPLICATE: 1 if nearly else 0,
        Suspicion.NEARLY_REPLAY: 4 if signs.nearly_replayed else 0,
        Suspicion.LITTLE: 2 if signs.little else 0,
    }
    return tuple(each for each, weight in weights.items() if weight), sum(weights.values())


def clip_weight(norm: int, median_norm: int, samples: int, rules: Rules) -> int:
    """The weight of an accepted update: ``min(samples, cap) * floor(1024 min(1, sqrt(median |u|^2 / |u|^2)))``.

    An update longer than the median is scaled down to it, so that no client moves the model further than its peers.
    """
    clip = CLIP_SCALE
    if norm > median_norm:
        # The root of the floor is the floor of the root.
        clip = isqrt(CLIP_SCALE**2 * median_norm // norm)
    return min(samples, rules.sample_cap) * clip


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
    cohort = cohort_stats(gram, stats, carried.weights, carried.products)

    before = set(seats_of(carried.participants))
    tested = {seat for seat in seats if seat in before and cohort.weight > 0}
    signs = {seat: _signs(seat, stats[seat], cohort, seat in tested, rules) for seat in seats}
    counters = list(carried.counters)
    for seat in seats:
        counters[seat] = _count(carried.counters[seat], stats[seat], cohort, signs[seat], seat in tested, rules)

    compared = cohort.participants >= MIN_COHORT and cohort.weight > 0
    duplicates, nearly = _duplicates(gram, stats, cohort, rules) if compared else (set[int](), set[int]())
    due = {
        seat: reason
        for seat in seats
        if (
            reason := _evidence(
                stats[seat],
                cohort,
                counters[seat],
                duplicate=seat in duplicates,
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
        seat: _suspicions(
            signs[seat],
            counters[seat],
            evidence=seat in due and seat not in slashed,
            nearly=seat in nearly,
            rules=rules,
        )
        for seat in seats
    }
    room = max(0, min(cap - len(slashed), tolerated(len(seats))))
    suspects = sorted(
        (seat for seat in seats if seat not in slashed and suspicions[seat][1]),
        key=lambda seat: (-suspicions[seat][1], seat),
    )
    excluded = bitmap_of([*slashed, *suspects[:room]])
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
            products=carried_products(gram, seats, weights),
            counters=tuple(counters),
            slash_reasons=carried.slash_reasons | pack_reasons(slashed),
        ),
        stats=stats,
        cohort=cohort,
        verdicts={
            seat: SeatVerdict(
                excluded=bool(excluded >> seat & 1),
                slashed=slashed.get(seat, SlashReason.NONE),
                evidence=due.get(seat, SlashReason.NONE),
                suspicions=suspicions[seat][0],
                badness=suspicions[seat][1],
            )
            for seat in seats
        },
    )
