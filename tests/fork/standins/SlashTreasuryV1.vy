# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title SlashTreasuryV1
@license Apache-2.0
@author The FedBlocks developers
@notice A stand-in for version 1's SlashTreasury.
@dev Written from a table of behaviour, not from version 1's source.
"""


ADMIN_ADDRESS: public(immutable(address))


event Withdraw:
    amount: uint256


event Recieved:  # as version 1 spells it
    amount: uint256


@deploy
def __init__(admin: address):
    ADMIN_ADDRESS = admin


@external
@payable
def __default__():
    # Version 1 takes plain ether only; here every unknown function would come by.
    assert len(msg.data) == 0
    log Recieved(amount=msg.value)


@external
def withdraw(amount: uint256):
    """
    @notice Pay the admin.
    @param amount How much, in wei
    """
    if msg.sender != ADMIN_ADDRESS:
        raw_revert(method_id("NotAdmin()"))
    if amount > self.balance:
        raw_revert(method_id("NotEnoughBalance()"))
    raw_call(msg.sender, b"", value=amount)
    log Withdraw(amount=amount)


@external
@view
def getAdminAddress() -> address:
    return ADMIN_ADDRESS
