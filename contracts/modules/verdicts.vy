# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Verdicts
@license Apache-2.0
@author The FedBlocks developers
@notice What follows from a participant's figures: evidence, badness, counters and weight, as in fedblocks.aggregation.evidence,
        .suspicion and .verdicts.
@dev Figures are within the bytes that they are stored in, thresholds at most 2**29. So all products fit a word, but those of the
     response, which are compared in two.
"""

from . import limits
from . import stats
from . import thresholds
from . import wide


# What is said of a participant.
struct Verdict:
    counters: uint256
    evidence: int256
    badness: int256


# Hard evidence, as the chain numbers it.
_EVIDENCE_ZERO: constant(int256) = 1
_EVIDENCE_DUPLICATE: constant(int256) = 2
_EVIDENCE_REPLAY: constant(int256) = 3
_EVIDENCE_GLOBAL: constant(int256) = 4
_EVIDENCE_NOISE: constant(int256) = 5
_EVIDENCE_RESPONSE: constant(int256) = 6

# How near an update is to the one nearest to it.
_OWN_WORK: constant(int256) = 0
_NEARLY_DUPLICATE: constant(int256) = 1
_IS_DUPLICATE: constant(int256) = 2

_CLIP_SCALE: constant(int256) = 1024


@internal
@pure
def _compares(own: int256[22], cohort: int256[22]) -> bool:
    """
    @notice Whether an update is compared with the one nearest to it.
    @param own The client's figures
    @param cohort The cohort's
    @return Whether the cohort is large enough and has had a last step, and there is another update
    """
    return (
        cohort[stats.PARTICIPANTS] >= convert(limits.MIN_COHORT, int256)
        and cohort[stats.WEIGHT] > 0
        and own[stats.NEAREST] != stats.NO_SEAT
    )


@internal
@pure
def _judge(
    seat: uint256,
    own: int256[22],
    nearest: int256[22],
    cohort: int256[22],
    before: uint256,
    took_part_before: bool,
    rules: int256[27],
) -> Verdict:
    """
    @notice Judge a participant.
    @param seat Its seat
    @param own Its figures
    @param nearest The figures of the seat that is nearest to it; not looked at when nothing is compared
    @param cohort The cohort's figures
    @param before Its counters before this epoch
    @param took_part_before Whether it took part in the epoch before
    @param rules The thresholds
    @return The verdict
    """
    compared: bool = cohort[stats.PARTICIPANTS] >= convert(limits.MIN_COHORT, int256)
    tested: bool = took_part_before and cohort[stats.WEIGHT] > 0
    moved: bool = cohort[stats.DELTA_NORM] > 0
    others: int256 = cohort[stats.PARTICIPANTS] - 1
    few_related: bool = own[stats.RELATED] < max(1, others // 3)
    may_copy: bool = few_related and self._may_copy_global(own, cohort, rules)
    global_norms: int256 = own[stats.NORM] * cohort[stats.DELTA_NORM]
    replayed_norms: int256 = own[stats.NORM] * own[stats.REPLAYED_NORM]
    replays: bool = own[stats.REPLAYED] != stats.NO_SEAT
    likeness: int256 = _OWN_WORK
    if self._compares(own, cohort):
        likeness = self._likeness(own, nearest, rules)

    monotone: bool = tested and cohort[stats.MONOTONE] != 0
    responds: bool = monotone and self._fails_response(own, cohort, rules)
    clearly: bool = responds and self._fails_response_clearly(own, cohort, rules)
    strange: bool = compared and not self._builds(own, cohort, rules)
    against: bool = strange and self._median_is_below(own[stats.OPPOSED_OUTLYING], others)
    outlying: bool = against or (strange and self._is_outlying(own, cohort, others, rules))
    central: bool = (
        compared
        and 100 * own[stats.NORMALISED_KRUM]
        < rules[thresholds.CENTRAL_KRUM_PERCENT] * cohort[stats.MEDIAN_NORMALISED_KRUM]
    )
    like_global: bool = may_copy and self._cosine_above(
        own[stats.DELTA], global_norms, rules[thresholds.GLOBAL_NOW_PERCENT], 100
    )

    # Epochs running of the first three, strikes of the rest; three, two, two and three times three bits.
    response_run: uint256 = before & 7
    similar_run: uint256 = (before >> 3) & 3
    noise_run: uint256 = (before >> 5) & 3
    if tested:
        response_run = self._next_run(response_run, clearly, 7)
    if moved:
        similar: bool = may_copy and self._cosine_above(
            own[stats.DELTA], global_norms, rules[thresholds.GLOBAL_RUN_PERCENT], 100
        )
        similar_run = self._next_run(similar_run, similar, 3)
        if own[stats.LAST_NORM] != 0:
            noise: bool = few_related and self._is_unlike_earlier(own, cohort, rules)
            noise_run = self._next_run(noise_run, noise, 3)
    most: uint256 = convert(min(rules[thresholds.STRIKES_MAX], 7), uint256)
    # Who was left out as outlying or central is heard again in the next epoch; not so who is outlying and shrinks the model.
    strikes: uint256 = convert(rules[thresholds.STRIKES], uint256)
    outlying_strikes: uint256 = (before >> 7) & 7
    if outlying_strikes >= strikes and own[stats.BASE] >= 0:
        outlying_strikes = 0
    else:
        outlying_strikes = self._next_strikes(outlying_strikes, outlying, most)
    central_strikes: uint256 = (before >> 10) & 7
    central_strikes = 0 if central_strikes >= strikes else self._next_strikes(central_strikes, central, most)
    # Growth along the last step at all, however little: no honest loss gives it epoch after epoch.
    growing_strikes: uint256 = (before >> 13) & 7
    if tested:
        growing_strikes = self._next_strikes(growing_strikes, monotone and own[stats.RESPONSE] > 0, most)

    verdict: Verdict = empty(Verdict)
    verdict.counters = (
        response_run
        | (similar_run << 3)
        | (noise_run << 5)
        | (outlying_strikes << 7)
        | (central_strikes << 10)
        | (growing_strikes << 13)
    )

    run: uint256 = convert(rules[thresholds.RUN], uint256)
    if compared and self._is_zero(own, cohort, rules):
        verdict.evidence = _EVIDENCE_ZERO
    elif replays and self._cosine_above(
        own[stats.REPLAYED_PRODUCT], replayed_norms, rules[thresholds.COPY_MILLIONTHS], 1_000_000
    ):
        verdict.evidence = _EVIDENCE_REPLAY
    elif may_copy and self._cosine_above(
        own[stats.DELTA], global_norms, rules[thresholds.COPY_MILLIONTHS], 1_000_000
    ):
        verdict.evidence = _EVIDENCE_GLOBAL
    elif likeness == _IS_DUPLICATE:
        verdict.evidence = _EVIDENCE_DUPLICATE
    elif noise_run >= run:
        verdict.evidence = _EVIDENCE_NOISE
    elif clearly and response_run >= run:
        verdict.evidence = _EVIDENCE_RESPONSE

    badness: uint256 = self._with_strikes(central_strikes, strikes)
    if against and own[stats.BASE] < 0:
        badness += outlying_strikes + 1
    else:
        badness += self._with_strikes(outlying_strikes, strikes)
    badness += self._with_strikes(growing_strikes, strikes)
    badness += 4 if like_global else self._with_strikes(similar_run, run)
    if responds:
        badness += 4 + response_run
    if self._cosine_above(-own[stats.DELTA], global_norms, rules[thresholds.AGAINST_GLOBAL_PERCENT], 100):
        badness += 2
    if likeness == _NEARLY_DUPLICATE:
        badness += 1
    if (
        replays
        and own[stats.REPLAYED] != convert(seat, int256)
        and self._cosine_above(own[stats.REPLAYED_PRODUCT], replayed_norms, rules[thresholds.REPLAY_PERMILLE], 1000)
    ):
        badness += 4
    if compared and self._is_shorter(
        own[stats.NORM], cohort[stats.MEDIAN_NORM], rules[thresholds.LITTLE_PERCENT], 100
    ):
        badness += 2
    verdict.badness = convert(badness, int256)
    return verdict


@internal
@pure
def _clip_weight(norm: int256, median_norm: int256, samples: uint256, rules: int256[27]) -> int256:
    """
    @notice The weight of an accepted update: its samples up to a cap, less where it is longer than 3/2 of the median.
    @param norm Its squared length
    @param median_norm The median of the squared lengths
    @param samples How many samples its client has declared
    @param rules The thresholds
    @return min(samples, cap) * floor(1024 * min(1, sqrt(c / norm))), c = floor(9/4 median); 0 where the update is longer and
            the median not positive
    """
    longest: int256 = 9 * median_norm // 4
    clip: int256 = _CLIP_SCALE
    if norm > longest:
        clip = 0
        if longest > 0:
            # The root of the floor is the floor of the root.
            clip = wide._root(_CLIP_SCALE**2 * longest // norm)
    counted: uint256 = min(samples, convert(rules[thresholds.SAMPLE_CAP], uint256))
    return convert(counted, int256) * clip


@internal
@pure
def _cosine_above(product: int256, norms: int256, threshold: int256, scale: int256) -> bool:
    """
    @notice Whether a cosine exceeds threshold / scale, both positive.
    @param product The inner product
    @param norms The product of the squared lengths
    @param threshold The threshold
    @param scale What it is a fraction of
    @return Whether it does
    """
    return product > 0 and self._is_shorter(norms, product * product, scale, threshold)


@internal
@pure
def _is_shorter(square: int256, other_square: int256, threshold: int256, scale: int256) -> bool:
    """
    @notice Whether one length is less than threshold / scale of another one.
    @param square The square of the length, within 2**192
    @param other_square The square of the other one
    @param threshold The threshold, at most 2**29
    @param scale What it is a fraction of, likewise
    @return Whether it is
    """
    return unsafe_mul(unsafe_mul(scale, scale), square) < unsafe_mul(unsafe_mul(threshold, threshold), other_square)


@internal
@pure
def _median_is_below(count_below: int256, count: int256) -> bool:
    """
    @notice Whether the lower median of some values is below a bound.
    @param count_below How many of them are
    @param count How many there are
    @return Whether it is
    """
    return count > 0 and count_below > (count - 1) // 2


@internal
@pure
def _is_zero(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether a client sends nothing, and did not send anything before.
    @param own Its figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it does
    """
    longest: int256 = max(own[stats.NORM], own[stats.LAST_NORM])
    return self._is_shorter(longest, cohort[stats.MEDIAN_NORM], rules[thresholds.ZERO_PERMILLE], 1000)


@internal
@pure
def _may_copy_global(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether an update differs from the direction of the last global delta by less than from its peers.
    @param own The client's figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it does
    """
    delta_norm: int256 = cohort[stats.DELTA_NORM]
    off_direction: int256 = own[stats.NORM] * delta_norm - own[stats.DELTA] * own[stats.DELTA]
    return self._is_shorter(
        off_direction, own[stats.PEER_DISTANCE] * delta_norm, rules[thresholds.GLOBAL_NEAR_PERCENT], 100
    )


@internal
@pure
def _is_unlike_earlier(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether an update has nothing to do with its client's last one, nor with the last global delta.
    @param own The client's figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it has not
    """
    norm: int256 = own[stats.NORM]
    noise: int256 = rules[thresholds.NOISE_PERCENT]
    return self._is_shorter(
        own[stats.OWN_LAST] * own[stats.OWN_LAST], norm * own[stats.LAST_NORM], noise, 100
    ) and self._is_shorter(own[stats.DELTA] * own[stats.DELTA], norm * cohort[stats.DELTA_NORM], noise, 100)


@internal
@pure
def _builds(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether an update lies along the base model about as much as is usual in its cohort.
    @param own The client's figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it does; nobody's where not even the median update does
    """
    usual: int256 = cohort[stats.MEDIAN_BASE_COSINE]
    return usual > 0 and 100 * own[stats.BASE_COSINE] >= rules[thresholds.OUTLYING_BASE_PERCENT] * usual


@internal
@pure
def _is_outlying(own: int256[22], cohort: int256[22], others: int256, rules: int256[27]) -> bool:
    """
    @notice Whether an update is far out, and away from the model or astray from the directions of most of the others.
    @param own The client's figures
    @param cohort The cohort's
    @param others How many others take part
    @param rules The thresholds
    @return Whether it is
    """
    if 100 * own[stats.KRUM] <= rules[thresholds.OUTLYING_KRUM_PERCENT] * cohort[stats.MEDIAN_KRUM]:
        return False
    astray: bool = (
        100 * own[stats.NORMALISED_KRUM]
        > rules[thresholds.OUTLYING_NORMALISED_PERCENT] * cohort[stats.MEDIAN_NORMALISED_KRUM]
    )
    return self._median_is_below(own[stats.OPPOSED], others) and (own[stats.BASE] < 0 or astray)


@internal
@pure
def _grows(own: int256[22], cohort: int256[22], percent: int256) -> bool:
    """
    @notice Whether an update's change has more than a certain cosine with the last step, in either direction.
    @param own The client's figures
    @param cohort The cohort's
    @param percent The cosine
    @return Whether it has
    """
    change: int256 = own[stats.NORM] + own[stats.LAST_NORM] - 2 * own[stats.OWN_LAST]
    return wide._compared(100 * own[stats.RESPONSE], percent * percent * cohort[stats.STEP_NORM], change) > 0


@internal
@pure
def _fails_response(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether an update has grown along the last step of the model.
    @param own The client's figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it has
    """
    weight: int256 = cohort[stats.WEIGHT]
    step: int256 = cohort[stats.STEP_NORM]
    longest: int256 = max(own[stats.NORM], own[stats.LAST_NORM])
    # Not below: the step is at least as long as the longer update, the cap times over.
    comparable: bool = not self._is_shorter(step, weight * weight * longest, 1, rules[thresholds.RESPONSE_CAP_TIMES])
    return (
        comparable
        and 100 * weight * own[stats.RESPONSE] > rules[thresholds.RESPONSE_PERCENT] * step
        and self._grows(own, cohort, rules[thresholds.RESPONSE_COSINE_PERCENT])
    )


@internal
@pure
def _fails_response_clearly(own: int256[22], cohort: int256[22], rules: int256[27]) -> bool:
    """
    @notice Whether growth along the last step is evidence, and not the noise of a model that has nearly converged.
    @param own The client's figures
    @param cohort The cohort's
    @param rules The thresholds
    @return Whether it is
    """
    return cohort[stats.STEP_NORM] > rules[thresholds.RESPONSE_SIGNAL_TIMES] * cohort[
        stats.UNRELATED_NORM
    ] and self._grows(own, cohort, rules[thresholds.RESPONSE_SLASH_COSINE_PERCENT])


@internal
@pure
def _likeness(own: int256[22], nearest: int256[22], rules: int256[27]) -> int256:
    """
    @notice How near an update is to the one nearest to it.
    @param own The client's figures
    @param nearest The figures of who sent that one
    @param rules The thresholds
    @return Own work, nearly a duplicate or a duplicate
    """
    distance: int256 = own[stats.NEAREST_DISTANCE]
    length: int256 = min(
        min(own[stats.NORM], nearest[stats.NORM]),
        min(own[stats.TYPICAL_DISTANCE], nearest[stats.TYPICAL_DISTANCE]),
    )
    earlier: int256 = min(own[stats.EARLIER_DISTANCE], nearest[stats.EARLIER_DISTANCE])
    if self._is_shorter(distance, earlier, rules[thresholds.DUPLICATE_OTHER_PERCENT], 100) and self._is_shorter(
        distance, length, rules[thresholds.DUPLICATE_PERMILLE], 1000
    ):
        return _IS_DUPLICATE
    if self._is_shorter(distance, length, rules[thresholds.DUPLICATE_NEAR_PERCENT], 100):
        return _NEARLY_DUPLICATE
    return _OWN_WORK


@internal
@pure
def _next_run(run: uint256, shown: bool, limit: uint256) -> uint256:
    """
    @notice For how many epochs running something was shown.
    @param run For how many before
    @param shown Whether it was now
    @param limit Where counting stops
    @return For how many now
    """
    return min(run + 1, limit) if shown else 0


@internal
@pure
def _next_strikes(strikes: uint256, shown: bool, limit: uint256) -> uint256:
    """
    @notice One strike more when something is shown, one less when it is not.
    @param strikes How many before
    @param shown Whether it is shown
    @param limit Where counting stops
    @return How many now
    """
    return min(strikes + 1, limit) if shown else max(strikes, 1) - 1


@internal
@pure
def _with_strikes(strikes: uint256, first: uint256) -> uint256:
    """
    @notice What strikes count for.
    @param strikes How many
    @param first From how many on they count
    @return As much as they are, or nothing
    """
    return strikes if strikes >= first else 0
