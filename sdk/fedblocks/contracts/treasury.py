"""SlashTreasury and RewardTreasury: where slashed stakes and the protocol's income are kept for an admin."""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.chain.connection import Block
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Call, Receipt
from fedblocks.contracts.base import Contract
from fedblocks.types import ZERO_ADDRESS, Address, Wei


@dataclass(frozen=True, kw_only=True)
class Withdraw(ChainEvent):
    """The admin has withdrawn."""

    amount: Wei


@dataclass(frozen=True, kw_only=True)
class Recieved(ChainEvent):
    """Ether came in (the event is misspelt since v1)."""

    amount: Wei


@dataclass(frozen=True, kw_only=True)
class AdminTransferStarted(ChainEvent):
    """The admin has offered the treasury to another."""

    admin: Address
    pending_admin: Address


@dataclass(frozen=True, kw_only=True)
class AdminTransferred(ChainEvent):
    """The one to whom the treasury was offered has accepted it."""

    previous_admin: Address
    new_admin: Address


class Treasury(Contract):
    """What both treasuries can do."""

    EVENTS = (Withdraw, Recieved, AdminTransferStarted, AdminTransferred)

    def admin(self, block: Block = "latest") -> Address:
        """Who may withdraw."""
        return Address(self._read("ADMIN_ADDRESS", block=block))

    def pending_admin(self, block: Block = "latest") -> Address | None:
        """To whom the treasury is offered, if to anyone."""
        pending = Address(self._read("pendingAdmin", block=block))
        return None if pending == ZERO_ADDRESS else pending

    def withdraw(self, amount: Wei) -> Receipt:
        """Pay an amount to the admin, who sends this."""
        return self._send("withdraw", amount)

    def transfer_admin(self, new_admin: Address) -> Receipt:
        """Offer the treasury to another admin, as the present one."""
        return self._send("transferAdmin", new_admin)

    def accept_admin(self) -> Receipt:
        """Become admin, as the one to whom the treasury was offered."""
        return self._send("acceptAdmin")

    def deposit(self, amount: Wei) -> Receipt:
        """Give ether to the treasury."""
        return self.sender.send(Call(self.NAME, "", self.address, value=amount))


class SlashTreasury(Treasury):
    """Slashed stakes and slashed bonds."""

    NAME = "SlashTreasury"


class RewardTreasury(Treasury):
    """The protocol's income: base fees and its part of the epochs' fees."""

    NAME = "RewardTreasury"
