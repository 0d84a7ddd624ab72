"""Hard evidence: what an honest client does not do, whatever its data.

Each function compares integers: cosines and lengths by their squares, without a root or a division. Where honest
clients come near to a threshold, its docstring says how near, as it was measured; the numbers and how to measure them
again are in docs/detection.md.
"""

from __future__ import annotations

from enum import Enum

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import NO_SEAT, ClientStats, CohortStats
from fedblocks.seats import SlashReason
from fedblocks.types import MIN_COHORT


def cosine_above(product: int, norms: int, threshold: int, scale: int) -> bool:
    """Whether a cosine exceeds ``threshold / scale``, both positive; `norms` is the product of the squared lengths."""
    return product > 0 and scale**2 * product**2 > threshold**2 * norms


def is_zero(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether the client sends nothing, and did not send anything before.

    Once is not enough: a client of one class has nothing to learn, for an epoch, when the model has just been thrown
    to its class; 2.3 per cent of the median length was measured.
    """
    longest = max(own.norm, own.last_norm)
    return 1_000_000 * longest < rules.zero_permille**2 * cohort.median_norm


def is_little(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    return 10_000 * own.norm < rules.little_percent**2 * cohort.median_norm


def is_replay(own: ClientStats, rules: Rules) -> bool:
    """Whether the update is somebody's last one again.

    Nearly is not enough: a client with few data comes near to its own last update (a cosine of 0.99998 was measured),
    and to the last one of a client with the same data (0.9997).
    """
    norms = own.norm * own.replayed_norm
    return own.replayed != NO_SEAT and cosine_above(own.replayed_product, norms, rules.copy_millionths, 1_000_000)


def nearly_replays(seat: int, own: ClientStats, rules: Rules) -> bool:
    """Whether the update is hardly more than another's last one; to repeat oneself nearly is nothing to hold against
    anybody."""
    norms = own.norm * own.replayed_norm
    other = own.replayed not in (NO_SEAT, seat)
    return other and cosine_above(own.replayed_product, norms, rules.replay_permille, 1_000)


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


def is_like_global(own: ClientStats, cohort: CohortStats, threshold: int, scale: int, rules: Rules) -> bool:
    alike = cosine_above(own.delta, own.norm * cohort.delta_norm, threshold, scale)
    return alike and _may_copy_global(own, cohort, rules)


def is_noise(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether the update has nothing to do with anything: its own last one, the last global delta, its peers.

    An honest client whose training has nearly converged sends little more than the noise of its batches, which is
    unlike its last update and the last delta. But that noise is made of samples like everybody's, and is related to
    what its peers send; noise that was drawn is related to nothing.
    """
    bound = rules.noise_percent**2 * own.norm
    unlike_own = 10_000 * own.own_last**2 < bound * own.last_norm
    unlike_global = 10_000 * own.delta**2 < bound * cohort.delta_norm
    return unlike_own and unlike_global and own.related < max(1, tolerated(cohort.participants))


def is_growing(own: ClientStats) -> bool:
    """Whether the update has grown along the model's last step at all.

    It needs no threshold: that it does not is what a convex loss promises of every honest client, whatever its data.
    An accepted client whose training has converged does not either, for its last update is a part of the step.
    """
    return own.response > 0


def fails_response(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    change = own.norm + own.last_norm - 2 * own.own_last
    grew = 100 * cohort.weight * own.response > rules.response_percent * cohort.step_norm
    clearly = 10_000 * own.response**2 > rules.response_cosine_percent**2 * cohort.step_norm * change
    longest = max(own.norm, own.last_norm)
    comparable = rules.response_cap_times**2 * cohort.step_norm >= cohort.weight**2 * longest
    return grew and clearly and comparable


def fails_response_clearly(own: ClientStats, cohort: CohortStats, rules: Rules) -> bool:
    """Whether a failed response test is evidence, and not the noise of a model that has nearly converged.

    Then the step is the mean of unrelated updates, and honest clients grow along it by chance, three and four epochs
    running.
    """
    change = own.norm + own.last_norm - 2 * own.own_last
    clearly = 10_000 * own.response**2 > rules.response_slash_cosine_percent**2 * cohort.step_norm * change
    signal = cohort.step_norm > rules.response_signal_times * cohort.unrelated_norm
    return clearly and signal


class Likeness(Enum):
    """How near an update is to the one nearest to it."""

    OWN_WORK = 0
    NEARLY_DUPLICATE = 1
    """Nearly the other's, or both may have copied an earlier one."""
    DUPLICATE = 2


def likeness(own: ClientStats, nearest: ClientStats, rules: Rules) -> Likeness:
    """Whether a client sent another's update: the one of the seat that is nearest to it.

    Two honest clients with the same data come as near as 0.85 per cent of their length, by the order of their batches;
    so only what rounding could have made of one update is another's.

    Where all updates are alike, nearness means nothing: so the distance is also held against the median of each one's
    distances to its peers, which a third of the cohort cannot bring down by sending one update.
    """
    distance = own.nearest_distance
    length = min(own.norm, nearest.norm, own.typical_distance, nearest.typical_distance)
    earlier = min(own.earlier_distance, nearest.earlier_distance)
    own_work = 10_000 * distance < rules.duplicate_other_percent**2 * earlier
    if own_work and 1_000_000 * distance < rules.duplicate_permille**2 * length:
        return Likeness.DUPLICATE
    if 10_000 * distance < rules.duplicate_near_percent**2 * length:
        return Likeness.NEARLY_DUPLICATE
    return Likeness.OWN_WORK


def evidence_against(
    own: ClientStats,
    cohort: CohortStats,
    counters: Counters,
    *,
    duplicate: bool,
    unresponsive: bool,
    rules: Rules,
) -> SlashReason:
    """The hard evidence against one client."""
    if cohort.participants >= MIN_COHORT and is_zero(own, cohort, rules):
        return SlashReason.ZERO
    if is_replay(own, rules):
        return SlashReason.REPLAY
    if is_like_global(own, cohort, rules.copy_millionths, 1_000_000, rules):
        return SlashReason.GLOBAL
    if duplicate:
        return SlashReason.DUPLICATE
    if counters.noise >= rules.run:
        return SlashReason.NOISE
    if unresponsive and counters.response >= rules.run:
        return SlashReason.RESPONSE
    return SlashReason.NONE
