# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Figures
@license Apache-2.0
@author The FedBlocks developers
@notice Whether a client's figures follow from its row of inner products and the common row: fedblocks.aggregation.stats and
        fedblocks.aggregation.krum, on chain.
@dev Products are within 64 bits and those with the base model within 96, because that is how they are stored; thresholds are at
     most 2**29. From this alone it follows that nothing here overflows, also where no vectors have such products. Unchecked
     arithmetic is used where it is done for every seat.
"""

from . import limits
from . import stats
from . import thresholds
from . import wide


# The inner products of one epoch that concern one seat, named as in `Gram` in fedblocks.aggregation.gram.
struct Products:
    updates: int256[64]
    last: int256[64]
    delta: int256
    base: int256
    norms: int256[64]
    lastNorms: int256[64]
    along: int256[64]
    deltaNorm: int256
    baseNorm: int256


_OFFSET_64: constant(int256) = 2**63
_OFFSET_96: constant(int256) = 2**95
# Cosines are in units of 2**-30.
_COSINE_SCALE: constant(int256) = 2**30


@internal
@pure
def _row_size(n: uint256) -> uint256:
    """
    @notice The length of a seat's row.
    @param n The number of seats
    @return Its length
    """
    return 8 * (2 * n + 1) + 12


@internal
@pure
def _common_size(n: uint256) -> uint256:
    """
    @notice The length of the common row.
    @param n The number of seats
    @return Its length
    """
    return 8 * (3 * n + 1) + 12


@internal
@pure
def _products(n: uint256, row: Bytes[1600], common: Bytes[1600]) -> Products:
    """
    @notice Take a seat's row and the common row apart.
    @param n The number of seats
    @param row The seat's row, of the right length
    @param common The common row, of the right length
    @return The products in them
    """
    products: Products = empty(Products)
    # So that a word can end where the first entry does.
    padded: Bytes[1624] = concat(empty(bytes24), row)
    position: uint256 = 0
    for j: uint256 in range(n, bound=limits.MAX_COHORT):
        products.updates[j] = self._short(extract32(padded, position, output_type=uint256))
        products.last[j] = self._short(extract32(padded, unsafe_add(position, 8 * n), output_type=uint256))
        position = unsafe_add(position, 8)
    products.delta = self._short(extract32(padded, 16 * n, output_type=uint256))
    products.base = self._long(extract32(padded, 16 * n + 12, output_type=uint256))

    padded = concat(empty(bytes24), common)
    position = 0
    for j: uint256 in range(n, bound=limits.MAX_COHORT):
        products.norms[j] = self._short(extract32(padded, position, output_type=uint256))
        products.lastNorms[j] = self._short(extract32(padded, unsafe_add(position, 8 * n), output_type=uint256))
        products.along[j] = self._short(extract32(padded, unsafe_add(position, 16 * n), output_type=uint256))
        position = unsafe_add(position, 8)
    products.deltaNorm = self._short(extract32(padded, 24 * n, output_type=uint256))
    products.baseNorm = self._long(extract32(padded, 24 * n + 12, output_type=uint256))
    return products


@internal
@pure
def _follow(
    own: int256[23],
    products: Products,
    seat: uint256,
    n: uint256,
    participants: uint256,
    rules: int256[27],
    krum_bound: int256,
    normalised_bound: int256,
) -> bool:
    """
    @notice Whether a participant's figures follow from inner products: all but the response.
    @param own Its figures
    @param products The inner products
    @param seat Its seat
    @param n The number of seats
    @param participants The seats that took part
    @param rules The thresholds
    @param krum_bound The largest distance that its Krum score adds up
    @param normalised_bound The same on normalised updates
    @return Whether they do
    """
    norm: int256 = products.norms[seat]
    base_norm: int256 = products.baseNorm
    return (
        own[stats.NORM] == norm
        and own[stats.LAST_NORM] == products.lastNorms[seat]
        and own[stats.OWN_LAST] == products.last[seat]
        and own[stats.DELTA] == products.delta
        and own[stats.BASE] == products.base
        and own[stats.CORRELATION]
        == self._cosine(base_norm + products.base, base_norm, base_norm + 2 * products.base + norm)
        and self._earlier_follow(own, products, seat, n)
        and self._peers_follow(own, products, seat, n, participants, rules, krum_bound, normalised_bound)
    )


@internal
@pure
def _earlier_follow(own: int256[23], products: Products, seat: uint256, n: uint256) -> bool:
    """
    @notice Whether the figures follow that compare an update with the seats' last ones and with the last global delta.
    @param own The figures
    @param products The inner products
    @param seat The seat
    @param n The number of seats
    @return Whether they do
    """
    norm: int256 = products.norms[seat]
    nearest: int256 = norm + products.deltaNorm - 2 * products.delta
    replayed: int256 = stats.NO_SEAT
    replayed_product: int256 = 0
    replayed_norm: int256 = 0
    for other: uint256 in range(n, bound=limits.MAX_COHORT):
        product: int256 = products.last[other]
        other_norm: int256 = products.lastNorms[other]
        distance: int256 = unsafe_sub(unsafe_add(norm, other_norm), unsafe_mul(2, product))
        if distance < nearest:
            nearest = distance
        # The squared cosine grows with product**2 / other_norm: compared without a division, the first of equals stays.
        if product > 0 and (
            replayed == stats.NO_SEAT
            or unsafe_mul(unsafe_mul(product, product), replayed_norm)
            > unsafe_mul(unsafe_mul(replayed_product, replayed_product), other_norm)
        ):
            replayed = convert(other, int256)
            replayed_product = product
            replayed_norm = other_norm
    return (
        own[stats.EARLIER_DISTANCE] == nearest
        and own[stats.REPLAYED] == replayed
        and own[stats.REPLAYED_PRODUCT] == replayed_product
        and own[stats.REPLAYED_NORM] == replayed_norm
    )


@internal
@pure
def _peers_follow(
    own: int256[23],
    products: Products,
    seat: uint256,
    n: uint256,
    participants: uint256,
    rules: int256[27],
    krum_bound: int256,
    normalised_bound: int256,
) -> bool:
    """
    @notice Whether the figures follow that compare an update with the others'; arguments as for _follow.
    @param own The figures
    @param products The inner products
    @param seat The seat
    @param n The number of seats
    @param participants The seats that took part
    @param rules The thresholds
    @param krum_bound The largest distance that its Krum score adds up
    @param normalised_bound The same on normalised updates
    @return Whether they do
    """
    norm: int256 = products.norms[seat]
    outlying_bound: int256 = norm * rules[thresholds.OUTLYING_OPPOSED_PERCENT] ** 2
    strong_bound: int256 = norm * rules[thresholds.OPPOSED_PERCENT] ** 2
    own_left: int256 = norm * products.deltaNorm - products.along[seat] ** 2
    related_bound: int256 = own_left * rules[thresholds.GLOBAL_RELATED_PERCENT] ** 2

    distances: DynArray[int256, 64] = []
    normalised: DynArray[int256, 64] = []
    nearest: int256 = stats.NO_SEAT
    nearest_distance: int256 = 0
    related: int256 = 0
    opposed: int256 = 0
    outlying: int256 = 0
    strongly: int256 = 0
    for other: uint256 in range(n, bound=limits.MAX_COHORT):
        if other == seat or (participants >> other) & 1 == 0:
            continue
        product: int256 = products.updates[other]
        other_norm: int256 = products.norms[other]
        distance: int256 = unsafe_sub(unsafe_add(norm, other_norm), unsafe_mul(2, product))
        if nearest == stats.NO_SEAT or distance < nearest_distance:
            nearest = convert(other, int256)
            nearest_distance = distance
        distances.append(distance)
        normalised.append(unsafe_mul(2, unsafe_sub(_COSINE_SCALE, self._cosine(product, norm, other_norm))))
        if product < 0:
            opposed = unsafe_add(opposed, 1)
            square: int256 = unsafe_mul(10_000, unsafe_mul(product, product))
            if square > unsafe_mul(outlying_bound, other_norm):
                outlying = unsafe_add(outlying, 1)
            if square > unsafe_mul(strong_bound, other_norm):
                strongly = unsafe_add(strongly, 1)
        if own_left > 0:
            # What is left of either without its part along the last global delta, times |g|**2.
            along: int256 = products.along[other]
            other_left: int256 = unsafe_sub(unsafe_mul(other_norm, products.deltaNorm), unsafe_mul(along, along))
            left: int256 = unsafe_sub(
                unsafe_mul(product, products.deltaNorm), unsafe_mul(products.along[seat], along)
            )
            if other_left > 0 and wide._compared(unsafe_mul(100, left), related_bound, other_left) >= 0:
                related = unsafe_add(related, 1)

    count: uint256 = len(distances)
    borne: uint256 = self._tolerated(count + 1)
    neighbours: uint256 = self._neighbours(count + 1)
    return (
        own[stats.NEAREST] == nearest
        and own[stats.NEAREST_DISTANCE] == nearest_distance
        and own[stats.RELATED] == related
        and own[stats.OPPOSED] == opposed
        and own[stats.OPPOSED_OUTLYING] == outlying
        and own[stats.OPPOSED_STRONGLY] == strongly
        and self._is_number(max(count, 1) - 1 >> 1, own[stats.TYPICAL_DISTANCE], distances)
        and self._is_number(max(borne, 1) - 1, own[stats.PEER_DISTANCE], distances)
        and own[stats.KRUM] == self._sum_of_nearest(neighbours, krum_bound, distances)
        and own[stats.NORMALISED_KRUM] == self._sum_of_nearest(neighbours, normalised_bound, normalised)
    )


@internal
@pure
def _tolerated(participants: uint256) -> uint256:
    """
    @notice How many attackers a cohort bears: the largest f with 3 f < n.
    @param participants How many take part
    @return f
    """
    return (max(participants, 1) - 1) // 3


@internal
@pure
def _neighbours(participants: uint256) -> uint256:
    """
    @notice How many distances a Krum score adds up: n - f - 2.
    @param participants How many take part
    @return Their number
    """
    return max(participants, self._tolerated(participants) + 2) - self._tolerated(participants) - 2


@internal
@pure
def _is_number(rank: uint256, number: int256, values: DynArray[int256, 64]) -> bool:
    """
    @notice Whether a value has a certain place in the order of some values.
    @param rank The place, from 0, ascending
    @param number The value
    @param values The values; where there are none, it is to be zero
    @return Whether it does: then no more than its place are below it, and more are not above it
    """
    if len(values) == 0:
        return number == 0
    below: uint256 = 0
    not_above: uint256 = 0
    for each: int256 in values:
        if each <= number:
            not_above = unsafe_add(not_above, 1)
            if each < number:
                below = unsafe_add(below, 1)
    return below <= rank and rank < not_above


@internal
@pure
def _sum_of_nearest(count: uint256, bound: int256, distances: DynArray[int256, 64]) -> int256:
    """
    @notice The sum of the smallest of some distances.
    @param count How many to add up
    @param bound The largest of these; not looked at when there are none
    @param distances The distances
    @return Their sum
    """
    if count == 0:
        return 0
    assert self._is_number(
        count - 1, bound, distances
    ), "VerdictVerifier: bound is not the largest distance that is added up"
    total: int256 = 0
    below: uint256 = 0
    for distance: int256 in distances:
        if distance < bound:
            total = unsafe_add(total, distance)
            below = unsafe_add(below, 1)
    # The order of equals does not matter: the rest of them are as large as the bound.
    return total + convert(count - below, int256) * bound


@internal
@pure
def _cosine(product: int256, norm: int256, other_norm: int256) -> int256:
    """
    @notice The cosine of two vectors, cut off towards zero; 0 if either is zero.
    @param product Their product
    @param norm The squared length of one
    @param other_norm The squared length of the other
    @return The cosine, in units of 2**-30
    """
    norms: int256 = unsafe_mul(norm, other_norm)
    if norms <= 0:
        return 0
    square: int256 = unsafe_mul(_COSINE_SCALE**2, unsafe_mul(product, product))
    magnitude: int256 = wide._root(square // norms)
    return magnitude if product > 0 else -magnitude


@internal
@pure
def _short(word: uint256) -> int256:
    """
    @notice An entry of eight bytes.
    @param word A word that ends with it
    @return Its value
    """
    return unsafe_sub(convert(word & (2**64 - 1), int256), _OFFSET_64)


@internal
@pure
def _long(word: uint256) -> int256:
    """
    @notice An entry of twelve bytes.
    @param word A word that ends with it
    @return Its value
    """
    return unsafe_sub(convert(word & (2**96 - 1), int256), _OFFSET_96)
