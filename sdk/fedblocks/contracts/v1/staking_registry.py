"""Version 1's StakingRegistry: read it, and get a stake out of it if it still pays."""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.staking_registry import AnyStakingRegistry, SlashStake, Stake, Unregister, WithdrawStake
from fedblocks.contracts.v1.base import V1Contract
from fedblocks.types import Address, Timestamp, Wei


@dataclass(frozen=True, kw_only=True)
class ClientStatusV1:
    """Everything version 1's registry knows of a client, read of one block."""

    client: Address
    is_staked: bool
    is_slashed: bool
    credit: Wei
    """What the registry says it owes the client: never what was paid in (V1-1)."""
    timelock: Timestamp | None
    """When the staking period ends; None when the client never unregistered. Version 1 pays *before* it only (V1-2)."""


class StakingRegistryV1(V1Contract, AnyStakingRegistry):
    """The stakes of version 1's clients.

    It refuses the honest amount and may never pay it back: stake in version 2. Who has unregistered withdraws *before*
    the timelock's end: version 1 does not pay afterwards (V1-2).
    """

    NAME = "StakingRegistry"
    EVENTS = (Stake, Unregister, WithdrawStake, SlashStake)

    def client_status(self, client: Address, block: Block = "latest") -> ClientStatusV1:
        """Everything the registry knows of a client, read of one block."""
        at = self.connection.block(block).number
        timelock = self.withdrawal_timelock(client, at)
        return ClientStatusV1(
            client=client,
            is_staked=self.is_staked(client, at),
            is_slashed=self.is_slashed(client, at),
            credit=self.client_stake(client, at),
            timelock=timelock if timelock else None,
        )

    def withdraw_stake(self) -> Receipt:
        """Pay the sender its credit."""
        return self._send("withdrawStake")
