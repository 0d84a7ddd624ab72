# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Lists of seats
@license Apache-2.0
@author The FedBlocks developers
@notice What has one entry for each seat is committed to by one hash over the entries' hashes, 32 zero bytes standing for none.
        The number of entries follows from the chain, so that there is no padding in which something could be hidden.
"""

MAX_ENTRIES: constant(uint256) = 65

COMMIT: constant(bytes1) = 0x05
COMMITS: constant(bytes1) = 0x06
SUBMISSION: constant(bytes1) = 0x07
SUBMISSIONS: constant(bytes1) = 0x08
FIGURES: constant(bytes1) = 0x09
STATS: constant(bytes1) = 0x0a
ROW: constant(bytes1) = 0x0b
ROWS: constant(bytes1) = 0x0c
COLUMN: constant(bytes1) = 0x0d
CARRIED: constant(bytes1) = 0x11

# The length of a submission: eight words and a signature.
SUBMISSION_SIZE: constant(uint256) = 289


@internal
@pure
def _root(entries: Bytes[2112], tag: bytes1) -> bytes32:
    """
    @notice The root of a list.
    @param entries The hashes of its entries, joined
    @param tag The tag of the list
    @return Its root
    """
    return keccak256(concat(tag, entries))


@internal
@pure
def _entry(entries: Bytes[2112], index: uint256) -> bytes32:
    """
    @notice The hash of an entry.
    @param entries The hashes of all entries, joined; long enough for the index
    @param index Which entry
    @return Its hash
    """
    return extract32(entries, 32 * index)
