"""Version 1's treasuries: ether that an admin withdraws."""

from __future__ import annotations

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Call, Receipt
from fedblocks.contracts.treasury import Recieved, Withdraw
from fedblocks.contracts.v1.base import V1Contract
from fedblocks.types import Address, Wei


class TreasuryV1(V1Contract):
    """What both treasuries can do."""

    EVENTS = (Withdraw, Recieved)

    def admin(self, block: Block = "latest") -> Address:
        """Who may withdraw."""
        return Address(self._read("ADMIN_ADDRESS", block=block))

    def withdraw(self, amount: Wei) -> Receipt:
        """Pay an amount to the admin, who sends this."""
        return self._send("withdraw", amount)

    def deposit(self, amount: Wei) -> Receipt:
        """Give ether to the treasury."""
        return self.sender.send(Call(self.NAME, "", self.address, value=amount))


class SlashTreasuryV1(TreasuryV1):
    """Slashed stakes."""

    NAME = "SlashTreasury"


class RewardTreasuryV1(TreasuryV1):
    """The protocol's income."""

    NAME = "RewardTreasury"
