# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Treasury
@license Apache-2.0
@author The FedBlocks developers
@notice Holds ether for an admin. The admin hands over in two steps, so that a mistyped address loses nothing.
@dev SlashTreasury and RewardTreasury are this module under two names, which its reverts carry.
"""

from . import payments


_NAME: immutable(String[16])


# Who may withdraw.
ADMIN_ADDRESS: public(address)
# To whom the treasury is offered; the zero address when it is to nobody.
pendingAdmin: public(address)


# The admin has taken `amount` wei.
event Withdraw:
    amount: uint256


# Somebody has sent `amount` wei.
event Recieved:  # as version 1 spells it
    amount: uint256


# The admin has offered the treasury to another one, or withdrawn an offer.
event AdminTransferStarted:
    admin: indexed(address)
    pendingAdmin: indexed(address)


# The treasury has another admin; before the first it is the zero address.
event AdminTransferred:
    previousAdmin: indexed(address)
    newAdmin: indexed(address)


@deploy
def __init__(name: String[16], admin: address):
    """
    @param name The contract's name, for its reverts
    @param admin Who may withdraw
    """
    assert admin != empty(address), concat(name, ": admin is the zero address")
    _NAME = name
    self.ADMIN_ADDRESS = admin
    log AdminTransferred(previousAdmin=empty(address), newAdmin=admin)


@external
@payable
def __default__():
    """
    @notice Take ether from anybody.
    """
    log Recieved(amount=msg.value)


@external
def withdraw(amount: uint256):
    """
    @notice Pay the admin.
    @param amount How much, in wei
    """
    self._only_admin()
    assert amount <= self.balance, concat(_NAME, ": not enough balance")
    log Withdraw(amount=amount)
    assert payments._send(msg.sender, amount), concat(_NAME, ": admin refused the payment")


@external
def transferAdmin(newAdmin: address):
    """
    @notice Offer the treasury to another admin, who has it only after `acceptAdmin`. The zero address withdraws an offer.
    @param newAdmin Who may accept
    """
    self._only_admin()
    self.pendingAdmin = newAdmin
    log AdminTransferStarted(admin=msg.sender, pendingAdmin=newAdmin)


@external
def acceptAdmin():
    """
    @notice Become the admin, as the one whom the admin has named.
    """
    assert msg.sender == self.pendingAdmin, concat(_NAME, ": caller is not the pending admin")
    log AdminTransferred(previousAdmin=self.ADMIN_ADDRESS, newAdmin=msg.sender)
    self.ADMIN_ADDRESS = msg.sender
    self.pendingAdmin = empty(address)


@external
@view
def getAdminAddress() -> address:
    """
    @notice Who may withdraw.
    @return The admin
    """
    return self.ADMIN_ADDRESS


@external
@view
def getBalance() -> uint256:
    """
    @notice What the treasury holds.
    @return The balance, in wei
    """
    return self.balance


@internal
@view
def _only_admin():
    assert msg.sender == self.ADMIN_ADDRESS, concat(_NAME, ": caller is not the admin")
