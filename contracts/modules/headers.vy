# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Headers
@license Apache-2.0
@author The FedBlocks developers
@notice What an aggregator says of an epoch, in seventeen words, and its hash. Only hashes are stored: whoever disputes an epoch
        brings its header along.
"""


struct Header:
    instanceId: uint256
    epoch: uint256
    attempt: uint256
    previousHeaderHash: bytes32
    commitsRoot: bytes32
    submissionsRoot: bytes32
    gramRoot: bytes32
    statsRoot: bytes32
    baseModelRoot: bytes32
    deltaRoot: bytes32
    nextModelRoot: bytes32
    participants: uint256
    excluded: uint256
    slashReasons: uint256
    carriedRoot: bytes32
    metric: uint256
    dataLocator: bytes32


HEADER_DOMAIN: constant(bytes32) = keccak256("FedBlocks.Header.v2")


@internal
@pure
def _hash(header: Header) -> bytes32:
    """
    @notice The hash by which an epoch is known.
    @param header An epoch's header
    @return Its hash
    """
    return keccak256(concat(HEADER_DOMAIN, abi_encode(header)))
