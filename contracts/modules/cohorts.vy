# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Cohorts
@license Apache-2.0
@author The FedBlocks developers
@notice What follows from the entries of all participants: the cohort's figures, who is slashed and who is left out, as in
        fedblocks.aggregation.stats and .verdicts.
"""

from . import carried
from . import figures
from . import limits
from . import seats
from . import stats


# Where some figures are in a client's entry: the end of both Krum scores, which the cosine with the base model precedes, and
# of evidence and badness, which the response precedes.
_KRUM_END: constant(uint256) = 72
_VERDICT_END: constant(uint256) = 143

# What evidence adds to badness where it is due against so many that nobody is slashed.
_EVIDENCE_BADNESS: constant(uint256) = 8


@internal
@pure
def _medians_follow(cohort: int256[22], participants: uint256, entries: Bytes[12288]) -> bool:
    """
    @notice Whether the medians of a cohort's figures follow from its participants'. A median is checked by counting how many
            are below it and how many are not above it.
    @param cohort The cohort's figures
    @param participants How many took part
    @param entries Their entries, joined
    @return Whether they do
    """
    median_norm: int256 = cohort[stats.MEDIAN_NORM]
    median_krum: int256 = cohort[stats.MEDIAN_KRUM]
    median_normalised: int256 = cohort[stats.MEDIAN_NORMALISED_KRUM]
    median_along: int256 = cohort[stats.MEDIAN_BASE_COSINE]
    norms: figures.Order = empty(figures.Order)
    krums: figures.Order = empty(figures.Order)
    normalised_krums: figures.Order = empty(figures.Order)
    along_base: figures.Order = empty(figures.Order)
    start: uint256 = 0
    for _: uint256 in range(participants, bound=limits.MAX_COHORT):
        norm: int256 = figures._short(extract32(entries, start, output_type=uint256) >> 192)
        scores: uint256 = extract32(entries, unsafe_add(start, _KRUM_END - 32), output_type=uint256)
        start = unsafe_add(start, stats.CLIENT_SIZE)
        krum: int256 = figures._long(scores >> 64)
        normalised: int256 = figures._short(scores)
        along: int256 = figures._short(scores >> 160)
        if norm <= median_norm:
            norms.notAbove = unsafe_add(norms.notAbove, 1)
            if norm < median_norm:
                norms.below = unsafe_add(norms.below, 1)
        if krum <= median_krum:
            krums.notAbove = unsafe_add(krums.notAbove, 1)
            if krum < median_krum:
                krums.below = unsafe_add(krums.below, 1)
        if normalised <= median_normalised:
            normalised_krums.notAbove = unsafe_add(normalised_krums.notAbove, 1)
            if normalised < median_normalised:
                normalised_krums.below = unsafe_add(normalised_krums.below, 1)
        if along <= median_along:
            along_base.notAbove = unsafe_add(along_base.notAbove, 1)
            if along < median_along:
                along_base.below = unsafe_add(along_base.below, 1)
    middle: uint256 = (max(participants, 1) - 1) // 2
    return (
        figures._is_number(middle, norms)
        and figures._is_number(middle, krums)
        and figures._is_number(middle, normalised_krums)
        and figures._is_number(middle, along_base)
    )


@internal
@pure
def _step_follows(cohort: int256[22], n: uint256, common: Bytes[1600], carried_before: Bytes[1536], first: bool) -> bool:
    """
    @notice Whether a cohort's figures of the last step follow from the common row and what the epoch before has left.
    @param cohort The cohort's figures
    @param n The number of seats
    @param common The common row, of the right length
    @param carried_before What the epoch before has left, of the right length
    @param first Whether there is no epoch before
    @return Whether they do
    """
    weights: int256 = 0
    step: int256 = 0
    unrelated: int256 = 0
    if not first:
        # So that a word can end where the first seat does.
        padded: Bytes[1545] = concat(x"000000000000000000", carried_before)
        for seat: uint256 in range(n, bound=limits.MAX_COHORT):
            content: uint256 = extract32(padded, carried.SEAT_SIZE * seat, output_type=uint256) & carried.SEAT_MASK
            weight: int256 = carried._weight(content)
            if weight != 0:
                last_norm: int256 = figures._short(extract32(common, 8 * (n + seat), output_type=uint256) >> 192)
                weights = unsafe_add(weights, weight)
                step = unsafe_add(step, unsafe_mul(weight, carried._product(content)))
                unrelated = unsafe_add(unrelated, unsafe_mul(unsafe_mul(weight, weight), last_norm))
    norms: uint256 = extract32(common, 24 * n + 20 - 32, output_type=uint256)
    return (
        cohort[stats.DELTA_NORM] == figures._short(norms >> 96)
        and cohort[stats.BASE_NORM] == figures._long(norms)
        and cohort[stats.WEIGHT] == weights
        and cohort[stats.STEP_NORM] == step
        and cohort[stats.UNRELATED_NORM] == unrelated
    )


@internal
@pure
def _selection_follows(
    n: uint256,
    participants: uint256,
    before: uint256,
    monotone: int256,
    excluded: uint256,
    reasons: uint256,
    reasons_before: uint256,
    entries: Bytes[12288],
) -> bool:
    """
    @notice Whether those are slashed and left out who must be, and whether gradients are said to be monotone when they are.
    @dev Nothing is sorted: the right ones are left out when they are as many as there is room for, and the least bad of them is
         worse than the worst of those who stay. Of equals the lower seat is worse.
    @param n The number of seats
    @param participants The seats that took part
    @param before The seats that took part in the epoch before
    @param monotone What the cohort's entry says of gradients
    @param excluded The seats that are left out
    @param reasons The slash reasons, with those of this epoch
    @param reasons_before The slash reasons before
    @param entries The participants' entries, joined
    @return Whether they are
    """
    verdicts: uint256[64] = empty(uint256[64])
    count: uint256 = 0
    due: uint256 = 0
    growing: uint256 = 0
    for seat: uint256 in range(n, bound=limits.MAX_COHORT):
        if (participants >> seat) & 1 == 1:
            end: uint256 = stats.CLIENT_SIZE * count + _VERDICT_END
            content: uint256 = extract32(entries, end - 32, output_type=uint256)
            verdicts[seat] = content & 65535
            # The response is stored with an offset, in 16 bytes.
            growing += convert((content >> 16) & (2**128 - 1) > 2**127, uint256) & (before >> seat)
            count += 1
            if verdicts[seat] > 255:
                due += 1

    borne: uint256 = figures._tolerated(n)
    gone: uint256 = seats._count(seats._reasoned(reasons_before))
    cap: uint256 = max(borne, gone) - gone
    # More than a third cannot be malicious: then the premises of the evidence have failed.
    slashes: bool = due <= cap
    room: uint256 = min(cap - due if slashes else cap, figures._tolerated(count))

    must_reasons: uint256 = reasons_before
    must_exclude: uint256 = 0
    suspects: uint256 = 0
    left_out: uint256 = 0
    least_left_out: uint256 = max_value(uint256)
    worst_staying: uint256 = 0
    for seat: uint256 in range(n, bound=limits.MAX_COHORT):
        evidence: uint256 = verdicts[seat] >> 8
        badness: uint256 = verdicts[seat] & 255
        if evidence != 0:
            if slashes:
                must_reasons |= evidence << (4 * seat)
                must_exclude |= 1 << seat
                continue
            badness += _EVIDENCE_BADNESS
        if badness == 0:
            continue
        suspects += 1
        order: uint256 = limits.MAX_COHORT * badness + limits.MAX_COHORT - 1 - seat
        if (excluded >> seat) & 1 == 1:
            must_exclude |= 1 << seat
            left_out += 1
            least_left_out = min(least_left_out, order)
        else:
            worst_staying = max(worst_staying, order)
    return (
        monotone == convert(growing <= cap, int256)
        and reasons == must_reasons
        and excluded == must_exclude
        and left_out == min(room, suspects)
        and least_left_out > worst_staying
    )
