# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title Babbler
@notice Refuses ether with 64 KB that nobody asked for.
"""


@external
@payable
def __default__():
    answer: Bytes[65536] = b""
    raw_revert(concat(answer, empty(bytes32)))
