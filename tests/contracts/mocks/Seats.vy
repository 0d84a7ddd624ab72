# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title Seats
@notice The module's functions, for a test to call.
"""

from ....contracts.modules import seats


@external
@pure
def count(bitmap: uint256) -> uint256:
    return seats._count(bitmap)


@external
@pure
def toNibbles(bitmap: uint256) -> uint256:
    return seats._to_nibbles(bitmap)


@external
@pure
def toLanes(bitmap: uint256) -> uint256:
    return seats._to_lanes(bitmap)


@external
@pure
def reasoned(reasons: uint256) -> uint256:
    return seats._reasoned(reasons)


@external
@pure
def unknown(reasons: uint256) -> uint256:
    return seats._unknown(reasons)
