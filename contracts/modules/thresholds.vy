# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Thresholds
@license Apache-2.0
@author The FedBlocks developers
@notice The rules of an instance, words in a fixed order whose hash is on chain before anyone trains.
"""

# The positions of the words, in the order of `Rules` in fedblocks.aggregation.rules, where each is explained.
ZERO_PERMILLE: constant(uint256) = 0
LITTLE_PERCENT: constant(uint256) = 1
DUPLICATE_PERMILLE: constant(uint256) = 2
DUPLICATE_OTHER_PERCENT: constant(uint256) = 3
DUPLICATE_NEAR_PERCENT: constant(uint256) = 4
COPY_MILLIONTHS: constant(uint256) = 5
REPLAY_PERMILLE: constant(uint256) = 6
GLOBAL_NEAR_PERCENT: constant(uint256) = 7
GLOBAL_RELATED_PERCENT: constant(uint256) = 8
GLOBAL_NOW_PERCENT: constant(uint256) = 9
GLOBAL_RUN_PERCENT: constant(uint256) = 10
NOISE_PERCENT: constant(uint256) = 11
RESPONSE_PERCENT: constant(uint256) = 12
RESPONSE_COSINE_PERCENT: constant(uint256) = 13
RESPONSE_CAP_TIMES: constant(uint256) = 14
RESPONSE_SLASH_COSINE_PERCENT: constant(uint256) = 15
RESPONSE_SIGNAL_TIMES: constant(uint256) = 16
RUN: constant(uint256) = 17
OUTLYING_KRUM_PERCENT: constant(uint256) = 18
OUTLYING_BASE_PERCENT: constant(uint256) = 19
OUTLYING_OPPOSED_PERCENT: constant(uint256) = 20
OUTLYING_NORMALISED_PERCENT: constant(uint256) = 21
CENTRAL_KRUM_PERCENT: constant(uint256) = 22
AGAINST_GLOBAL_PERCENT: constant(uint256) = 23
STRIKES: constant(uint256) = 24
STRIKES_MAX: constant(uint256) = 25
SAMPLE_CAP: constant(uint256) = 26

RULES_DOMAIN: constant(bytes32) = keccak256("FedBlocks.Rules.v2")

# The highest value that any rule may have. Nobody checks on chain what a user has fixed; what is above counts as this, so that
# no product with a threshold can overflow.
HIGHEST: constant(uint256) = 2**29


@internal
@pure
def _hash(words: uint256[27]) -> bytes32:
    """
    @notice The hash by which rules are known.
    @param words The rules
    @return Their hash
    """
    return keccak256(concat(RULES_DOMAIN, abi_encode(words)))


@internal
@pure
def _bounded(words: uint256[27]) -> int256[27]:
    """
    @notice Rules as numbers that can be calculated with.
    @param words The rules
    @return Each of them, from 0 to 2**29
    """
    bounded: int256[27] = empty(int256[27])
    for i: uint256 in range(27):
        bounded[i] = convert(min(words[i], HIGHEST), int256)
    return bounded
