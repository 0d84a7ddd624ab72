# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title What is carried over
@license Apache-2.0
@author The FedBlocks developers
@notice What an epoch leaves to the next one, 23 bytes for each seat: its counters (4), its weight (5) and its product M
        (14, offset).
"""

from . import limits


SEAT_SIZE: constant(uint256) = 23
SEAT_MASK: constant(uint256) = 2**184 - 1

_WEIGHT_MASK: constant(uint256) = 2**40 - 1
_PRODUCT_MASK: constant(uint256) = 2**112 - 1
_PRODUCT_OFFSET: constant(int256) = 2**111


@internal
@pure
def _seat(content: Bytes[1536], seat: uint256) -> uint256:
    """
    @notice What is carried for a seat.
    @param content What is carried for all seats, of the right length
    @param seat The seat
    @return Its 23 bytes, as an integer
    """
    if seat == 0:
        return extract32(content, 0, output_type=uint256) >> 72
    # Read from before the seat: nothing is behind the last one.
    return extract32(content, SEAT_SIZE * seat - 9, output_type=uint256) & SEAT_MASK


@internal
@pure
def _counters(carried_seat: uint256) -> uint256:
    """
    @notice The counters of a seat.
    @param carried_seat What is carried for it
    @return Its counters, packed
    """
    return carried_seat >> 152


@internal
@pure
def _weight(carried_seat: uint256) -> int256:
    """
    @notice The weight of a seat's update.
    @param carried_seat What is carried for it
    @return Its weight
    """
    return convert((carried_seat >> 112) & _WEIGHT_MASK, int256)


@internal
@pure
def _product(carried_seat: uint256) -> int256:
    """
    @notice The product M of a seat.
    @param carried_seat What is carried for it
    @return Its M
    """
    return convert(carried_seat & _PRODUCT_MASK, int256) - _PRODUCT_OFFSET


@internal
@pure
def _weighted_sum(content: Bytes[1536], n: uint256, values: int256[194], first: uint256) -> int256:
    """
    @notice The sum of some values, one for each seat, each times the weight of its seat.
    @param content What is carried for all seats, of the right length
    @param n The number of seats
    @param values Values within 64 bits
    @param first Where those of the seats begin
    @return The sum, below 2**109
    """
    # So that a word can end where the first seat does.
    padded: Bytes[1545] = concat(x"000000000000000000", content)
    total: int256 = 0
    position: uint256 = 0
    for seat: uint256 in range(n, bound=limits.MAX_COHORT):
        weight: uint256 = (extract32(padded, position, output_type=uint256) >> 112) & _WEIGHT_MASK
        position = unsafe_add(position, SEAT_SIZE)
        if weight != 0:
            total = unsafe_add(total, unsafe_mul(convert(weight, int256), values[unsafe_add(first, seat)]))
    return total
