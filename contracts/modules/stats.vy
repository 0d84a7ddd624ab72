# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Entries of the stats list
@license Apache-2.0
@author The FedBlocks developers
@notice The figures of a client and of a whole cohort, as they are committed.
"""

# The length of a client's entry, and of the cohort's.
CLIENT_SIZE: constant(uint256) = 143
COHORT_SIZE: constant(uint256) = 114

# Stands for no seat where a figure names one.
NO_SEAT: constant(int256) = 64

# The positions of a client's figures: those of `ClientStats` in fedblocks.aggregation.stats, then what they amount to.
NORM: constant(uint256) = 0
LAST_NORM: constant(uint256) = 1
OWN_LAST: constant(uint256) = 2
DELTA: constant(uint256) = 3
BASE: constant(uint256) = 4
BASE_COSINE: constant(uint256) = 5
KRUM: constant(uint256) = 6
NORMALISED_KRUM: constant(uint256) = 7
NEAREST: constant(uint256) = 8
NEAREST_DISTANCE: constant(uint256) = 9
TYPICAL_DISTANCE: constant(uint256) = 10
PEER_DISTANCE: constant(uint256) = 11
RELATED: constant(uint256) = 12
EARLIER_DISTANCE: constant(uint256) = 13
REPLAYED: constant(uint256) = 14
REPLAYED_PRODUCT: constant(uint256) = 15
REPLAYED_NORM: constant(uint256) = 16
OPPOSED: constant(uint256) = 17
OPPOSED_OUTLYING: constant(uint256) = 18
RESPONSE: constant(uint256) = 19
EVIDENCE: constant(uint256) = 20
BADNESS: constant(uint256) = 21

# The positions of the cohort's figures, those of `CohortStats`.
PARTICIPANTS: constant(uint256) = 0
MEDIAN_NORM: constant(uint256) = 1
MEDIAN_KRUM: constant(uint256) = 2
MEDIAN_NORMALISED_KRUM: constant(uint256) = 3
MEDIAN_BASE_COSINE: constant(uint256) = 4
DELTA_NORM: constant(uint256) = 5
BASE_NORM: constant(uint256) = 6
WEIGHT: constant(uint256) = 7
STEP_NORM: constant(uint256) = 8
UNRELATED_NORM: constant(uint256) = 9
MONOTONE: constant(uint256) = 10

# One byte for each figure: its width in bytes, and 0x80 where it is stored with an offset.
_CLIENT_LAYOUT: constant(bytes32) = 0x888888888c888c88018888880188018888010190010100000000000000000000
_COHORT_LAYOUT: constant(bytes32) = 0x01888c8888888c08989801000000000000000000000000000000000000000000
_OFFSET_FLAG: constant(uint256) = 128


@internal
@pure
def _client(content: Bytes[192]) -> int256[22]:
    """
    @notice The figures of a client.
    @param content Its entry, of the right length
    @return The figures, each within the bytes that it is stored in
    """
    return self._decoded(content, _CLIENT_LAYOUT)


@internal
@pure
def _cohort(content: Bytes[192]) -> int256[22]:
    """
    @notice The figures of a cohort.
    @param content Its entry, of the right length
    @return The figures, eleven of them
    """
    return self._decoded(content, _COHORT_LAYOUT)


@internal
@pure
def _decoded(content: Bytes[192], layout: bytes32) -> int256[22]:
    """
    @notice Take an entry apart.
    @param content The entry, of the length that the layout adds up to
    @param layout The forms of its figures
    @return The figures, zeros where there are no more
    """
    # So that a word can end where the first figure does.
    padded: Bytes[224] = concat(empty(bytes32), content)
    figures: int256[22] = empty(int256[22])
    end: uint256 = 0
    forms: uint256 = convert(layout, uint256)
    for i: uint256 in range(22):
        form: uint256 = forms >> 248
        if form == 0:
            break
        forms <<= 8
        width: uint256 = form & (_OFFSET_FLAG - 1)
        end += width
        stored: uint256 = extract32(padded, end, output_type=uint256) & ((1 << (8 * width)) - 1)
        offset: uint256 = (1 << (8 * width - 1)) if form > _OFFSET_FLAG else 0
        figures[i] = convert(stored, int256) - convert(offset, int256)
    return figures
