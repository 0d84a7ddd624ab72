# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Seats
@license Apache-2.0
@author The FedBlocks developers
@notice Sets of seats as words. A *bitmap* has one bit a seat (bit k is seat k), *reasons* have four (bits 4k to 4k+3 are
        seat k's slash reason). Everything here costs the same for one seat as for 64.
@dev A bitmap is spread by moving the upper half of every group away and masking, six times from one group of 64 bits to 64
     groups of one. The arguments are taken to be bitmaps of at most 64 bits.
"""

# Bit 0 of every group of so many bits.
_EVERY_2: constant(uint256) = max_value(uint256) // (2**2 - 1)
_EVERY_4: constant(uint256) = max_value(uint256) // (2**4 - 1)
_EVERY_8: constant(uint256) = max_value(uint256) // (2**8 - 1)
_EVERY_16: constant(uint256) = max_value(uint256) // (2**16 - 1)
_EVERY_32: constant(uint256) = max_value(uint256) // (2**32 - 1)
_EVERY_64: constant(uint256) = max_value(uint256) // (2**64 - 1)
_EVERY_128: constant(uint256) = max_value(uint256) // (2**128 - 1)


@internal
@pure
def _count(bitmap: uint256) -> uint256:
    """
    @notice How many seats a bitmap has.
    @param bitmap A set of seats
    @return The number of its members
    """
    pairs: uint256 = (bitmap & _EVERY_2) + ((bitmap >> 1) & _EVERY_2)
    nibbles: uint256 = (pairs & (_EVERY_4 * 3)) + ((pairs >> 2) & (_EVERY_4 * 3))
    octets: uint256 = (nibbles & (_EVERY_8 * 15)) + ((nibbles >> 4) & (_EVERY_8 * 15))
    # 256 leaves the remainder 1, so that this is the sum of the octets.
    return octets % 255


@internal
@pure
def _to_nibbles(bitmap: uint256) -> uint256:
    """
    @notice Move bit k to bit 4k, where seat k's slash reason begins.
    @param bitmap A set of seats
    @return The set, one nibble a seat, each 0 or 1
    """
    word: uint256 = (bitmap | (bitmap << 96)) & (_EVERY_128 * (2**32 - 1))
    word = (word | (word << 48)) & (_EVERY_64 * (2**16 - 1))
    word = (word | (word << 24)) & (_EVERY_32 * (2**8 - 1))
    word = (word | (word << 12)) & (_EVERY_16 * (2**4 - 1))
    word = (word | (word << 6)) & (_EVERY_8 * (2**2 - 1))
    return (word | (word << 3)) & _EVERY_4


@internal
@pure
def _to_lanes(bitmap: uint256) -> uint256:
    """
    @notice Move bit k to bit 16k, for the first 16 seats: a word then adds up 16 seats' counts at once.
    @param bitmap A set of seats 0 to 15
    @return The set, sixteen bits a seat, each 0 or 1
    """
    word: uint256 = (bitmap | (bitmap << 120)) & (_EVERY_128 * (2**8 - 1))
    word = (word | (word << 60)) & (_EVERY_64 * (2**4 - 1))
    word = (word | (word << 30)) & (_EVERY_32 * (2**2 - 1))
    return (word | (word << 15)) & _EVERY_16


@internal
@pure
def _reasoned(reasons: uint256) -> uint256:
    """
    @notice The seats that have a reason.
    @param reasons Four bits a seat
    @return One nibble a seat, 1 where the reason is not zero
    """
    return (reasons | (reasons >> 1) | (reasons >> 2) | (reasons >> 3)) & _EVERY_4


@internal
@pure
def _unknown(reasons: uint256) -> uint256:
    """
    @notice The seats whose reason means nothing: seven and above.
    @param reasons Four bits a seat
    @return One nibble a seat, 1 where the reason is unknown
    """
    return ((reasons >> 3) | (reasons & (reasons >> 1) & (reasons >> 2))) & _EVERY_4
