# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title SlashTreasury
@license Apache-2.0
@author The FedBlocks developers
@notice Slashed stakes and slashed bonds end here.
"""

from .modules import treasury


initializes: treasury

exports: treasury.__interface__


@deploy
def __init__(admin: address):
    """
    @param admin Who may withdraw
    """
    treasury.__init__("SlashTreasury", admin)
