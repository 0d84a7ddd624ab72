# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Limits of the protocol
@license Apache-2.0
@author The FedBlocks developers
@notice Bounds that several contracts share. A cohort of at most 64 seats is what makes a set of seats one word, and a
        slash reason of four bits for each seat one word too.
"""

MIN_COHORT: constant(uint256) = 4
MAX_COHORT: constant(uint256) = 64
MAX_EPOCHS: constant(uint256) = 1024

# A model has at most this many parameters: an inner product of two updates then stays below 2**62.
MAX_PARAMETERS: constant(uint256) = 2**30
