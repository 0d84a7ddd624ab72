# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title Wide
@notice The module's functions, for a test to call.
"""

from ....contracts.modules import wide


@external
@pure
def compared(root: int256, left: int256, right: int256) -> int256:
    return wide._compared(root, left, right)


@external
@pure
def product(left: int256, right: int256) -> uint256[2]:
    return wide._product(left, right)


@external
@pure
def root(square: int256) -> int256:
    return wide._root(square)
