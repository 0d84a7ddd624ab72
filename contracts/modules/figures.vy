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


# A row is named by its entries, as in `Gram` in fedblocks.aggregation.gram. Of a seat's row, with n seats, entry j is its product
# with the update of seat j, n + j that with its last one, 2 n that with the last global delta, 2 n + 1 that with the base model.
# Of the common row, entry j is the squared length of seat j's update, n + j that of its last one, 2 n + j the product of its
# update and the last global delta, 3 n the squared length of that delta, and 3 n + 1 that of the base model.

# How many of some values are below one, and how many are not above it.
struct Order:
    below: uint256
    notAbove: uint256


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
def _entries(content: Bytes[1600], count: uint256) -> int256[194]:
    """
    @notice Take a row apart.
    @param content The row, of the right length
    @param count How many of its entries have eight bytes; there is one more, of twelve
    @return Its entries
    """
    entries: int256[194] = empty(int256[194])
    # So that a word can end where the first entry does.
    padded: Bytes[1624] = concat(empty(bytes24), content)
    position: uint256 = 0
    for i: uint256 in range(count, bound=3 * limits.MAX_COHORT + 1):
        word: uint256 = extract32(padded, position, output_type=uint256) & (2**64 - 1)
        entries[i] = unsafe_sub(convert(word, int256), _OFFSET_64)
        position = unsafe_add(position, 8)
    entries[count] = self._long(extract32(padded, position + 4, output_type=uint256))
    return entries


@internal
@pure
def _follow(
    own: int256[22],
    row: int256[194],
    common: int256[194],
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
    @param row The entries of its row
    @param common The entries of the common row
    @param seat Its seat
    @param n The number of seats
    @param participants The seats that took part
    @param rules The thresholds
    @param krum_bound The largest distance that its Krum score adds up
    @param normalised_bound The same on normalised updates
    @return Whether they do
    """
    norm: int256 = common[seat]
    base: int256 = row[2 * n + 1]
    base_norm: int256 = common[3 * n + 1]
    return (
        own[stats.NORM] == norm
        and own[stats.LAST_NORM] == common[n + seat]
        and own[stats.OWN_LAST] == row[n + seat]
        and own[stats.DELTA] == row[2 * n]
        and own[stats.BASE] == base
        and own[stats.BASE_COSINE] == self._cosine(base, norm, base_norm)
        and self._earlier_follow(own, row, common, n)
        and self._peers_follow(own, row, common, seat, n, participants, rules, krum_bound, normalised_bound)
    )


@internal
@pure
def _earlier_follow(own: int256[22], row: int256[194], common: int256[194], n: uint256) -> bool:
    """
    @notice Whether the figures follow that compare an update with the seats' last ones and with the last global delta.
    @param own The figures, of which the squared length is known to be right
    @param row The entries of the seat's row
    @param common The entries of the common row
    @param n The number of seats
    @return Whether they do
    """
    norm: int256 = own[stats.NORM]
    nearest: int256 = norm + common[3 * n] - 2 * row[2 * n]
    replayed: int256 = stats.NO_SEAT
    replayed_product: int256 = 0
    replayed_norm: int256 = 0
    for other: uint256 in range(n, bound=limits.MAX_COHORT):
        product: int256 = row[unsafe_add(n, other)]
        other_norm: int256 = common[unsafe_add(n, other)]
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
    own: int256[22],
    row: int256[194],
    common: int256[194],
    seat: uint256,
    n: uint256,
    participants: uint256,
    rules: int256[27],
    krum_bound: int256,
    normalised_bound: int256,
) -> bool:
    """
    @notice Whether the figures follow that compare an update with the others'; arguments as for _follow.
    @dev Nothing is sorted: how many distances are below a value, and how many are not above it, tells its place among them.
    @param own The figures
    @param row The entries of the seat's row
    @param common The entries of the common row
    @param seat The seat
    @param n The number of seats
    @param participants The seats that took part
    @param rules The thresholds
    @param krum_bound The largest distance that its Krum score adds up
    @param normalised_bound The same on normalised updates
    @return Whether they do
    """
    norm: int256 = own[stats.NORM]
    typical: int256 = own[stats.TYPICAL_DISTANCE]
    peer: int256 = own[stats.PEER_DISTANCE]
    delta_norm: int256 = common[3 * n]
    own_along: int256 = common[2 * n + seat]
    outlying_bound: int256 = norm * rules[thresholds.OUTLYING_OPPOSED_PERCENT] ** 2
    own_left: int256 = norm * delta_norm - own_along * own_along
    related_bound: int256 = own_left * rules[thresholds.GLOBAL_RELATED_PERCENT] ** 2

    count: uint256 = 0
    nearest: int256 = stats.NO_SEAT
    nearest_distance: int256 = 0
    typical_order: Order = empty(Order)
    peer_order: Order = empty(Order)
    krum_order: Order = empty(Order)
    normalised_order: Order = empty(Order)
    krum: int256 = 0
    normalised_krum: int256 = 0
    related: int256 = 0
    opposed: int256 = 0
    outlying: int256 = 0
    for other: uint256 in range(n, bound=limits.MAX_COHORT):
        if other == seat or (participants >> other) & 1 == 0:
            continue
        count = unsafe_add(count, 1)
        product: int256 = row[other]
        other_norm: int256 = common[other]
        distance: int256 = unsafe_sub(unsafe_add(norm, other_norm), unsafe_mul(2, product))
        if nearest == stats.NO_SEAT or distance < nearest_distance:
            nearest = convert(other, int256)
            nearest_distance = distance
        if distance <= typical:
            typical_order.notAbove = unsafe_add(typical_order.notAbove, 1)
            if distance < typical:
                typical_order.below = unsafe_add(typical_order.below, 1)
        if distance <= peer:
            peer_order.notAbove = unsafe_add(peer_order.notAbove, 1)
            if distance < peer:
                peer_order.below = unsafe_add(peer_order.below, 1)
        if distance <= krum_bound:
            krum_order.notAbove = unsafe_add(krum_order.notAbove, 1)
            if distance < krum_bound:
                krum_order.below = unsafe_add(krum_order.below, 1)
                krum = unsafe_add(krum, distance)
        distance = unsafe_mul(2, unsafe_sub(_COSINE_SCALE, self._cosine(product, norm, other_norm)))
        if distance <= normalised_bound:
            normalised_order.notAbove = unsafe_add(normalised_order.notAbove, 1)
            if distance < normalised_bound:
                normalised_order.below = unsafe_add(normalised_order.below, 1)
                normalised_krum = unsafe_add(normalised_krum, distance)
        if product < 0:
            opposed = unsafe_add(opposed, 1)
            square: int256 = unsafe_mul(10_000, unsafe_mul(product, product))
            if square > unsafe_mul(outlying_bound, other_norm):
                outlying = unsafe_add(outlying, 1)
        if own_left > 0:
            # What is left of either without its part along the last global delta, times |g|**2.
            along: int256 = common[unsafe_add(unsafe_mul(2, n), other)]
            other_left: int256 = unsafe_sub(unsafe_mul(other_norm, delta_norm), unsafe_mul(along, along))
            left: int256 = unsafe_sub(unsafe_mul(product, delta_norm), unsafe_mul(own_along, along))
            if other_left > 0 and wide._compared(unsafe_mul(100, left), related_bound, other_left) >= 0:
                related = unsafe_add(related, 1)

    if not (
        own[stats.NEAREST] == nearest
        and own[stats.NEAREST_DISTANCE] == nearest_distance
        and own[stats.RELATED] == related
        and own[stats.OPPOSED] == opposed
        and own[stats.OPPOSED_OUTLYING] == outlying
    ):
        return False
    if count == 0:
        return (
            typical == 0 and peer == 0 and own[stats.KRUM] == 0 and own[stats.NORMALISED_KRUM] == 0
        )
    neighbours: uint256 = self._neighbours(count + 1)
    if neighbours == 0:
        krum = 0
        normalised_krum = 0
    else:
        # The order of equals does not matter: the rest of what is added up is as large as the bound.
        krum += self._rest(neighbours, krum_order) * krum_bound
        normalised_krum += self._rest(neighbours, normalised_order) * normalised_bound
    return (
        self._is_number((count - 1) // 2, typical_order)
        and self._is_number(max(self._tolerated(count + 1), 1) - 1, peer_order)
        and own[stats.KRUM] == krum
        and own[stats.NORMALISED_KRUM] == normalised_krum
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
def _is_number(rank: uint256, order: Order) -> bool:
    """
    @notice Whether a value has a certain place among some values.
    @param rank The place, from 0, ascending
    @param order How many are below it, and how many not above
    @return Whether it has
    """
    return order.below <= rank and rank < order.notAbove


@internal
@pure
def _rest(count: uint256, order: Order) -> int256:
    """
    @notice How many of the smallest distances are as large as their bound.
    @param count How many distances are added up, not none
    @param order How many are below the bound, and how many not above
    @return Their number
    """
    assert self._is_number(count - 1, order), "VerdictVerifier: bound is not the largest distance that is added up"
    return convert(count - order.below, int256)


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
