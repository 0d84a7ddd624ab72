"""Version 1's StakingRegistry: read it, and get a stake out of it if it still pays."""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.chain.connection import Block, Connection
from fedblocks.chain.transactions import Receipt, TransactionSender
from fedblocks.contracts.guard import StakingGuard, require_safe
from fedblocks.contracts.staking_registry import SlashStake, Stake, Unregister, WithdrawStake
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


class StakingRegistryV1(V1Contract):
    """The stakes of version 1's clients."""

    NAME = "StakingRegistry"
    EVENTS = (Stake, Unregister, WithdrawStake, SlashStake)

    def __init__(
        self,
        connection: Connection,
        address: Address,
        sender: TransactionSender | None = None,
        *,
        guard: StakingGuard | None = None,
    ) -> None:
        """Bind the class to an address; `guard` looks at the registry before ether is staked in it."""
        super().__init__(connection, address, sender)
        self._guard = guard

    def stake_amount(self, block: Block = "latest") -> Wei:
        """What a client is credited."""
        return Wei(self._read("STAKE_AMOUNT", block=block))

    def staking_period(self, block: Block = "latest") -> int:
        """Seconds from unregistering to the timelock's end."""
        return int(self._read("STAKING_PERIOD", block=block))

    def slashing_manager(self, block: Block = "latest") -> Address:
        """The only contract that may take stakes."""
        return Address(self._read("SLASHING_MANAGER", block=block))

    def slash_treasury(self, block: Block = "latest") -> Address:
        """Where slashed stakes go."""
        return Address(self._read("SLASH_TREASURY_ADDRESS", block=block))

    def client_stake(self, client: Address, block: Block = "latest") -> Wei:
        """What the client is credited."""
        return Wei(self._read("clientStakes", client, block=block))

    def is_staked(self, client: Address, block: Block = "latest") -> bool:
        """Whether the client is registered."""
        return bool(self._read("isStaked", client, block=block))

    def is_slashed(self, client: Address, block: Block = "latest") -> bool:
        """Whether the client was slashed."""
        return bool(self._read("isSlashed", client, block=block))

    def withdrawal_timelock(self, client: Address, block: Block = "latest") -> Timestamp:
        """When the client's staking period ends; 0 when it never unregistered."""
        return Timestamp(self._read("withdrawlTimelock", client, block=block))

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

    def stake(self, value: Wei | None = None, *, accept_defects: bool = False) -> Receipt:
        """Stake as the sender. Version 1 refuses the honest amount and may never pay it back: stake in version 2.

        Args:
            value: What to send; the stake amount when left out.
            accept_defects: Stake although the probes find defects, or although nobody probes.

        Raises:
            UnsafeDeployment: if the registry fails the probes.
            UncheckedDeployment: if the class was made without a guard.
        """
        if not accept_defects:
            require_safe(self._guard, self.connection, self.address)
        return self._send("stake", value=self.stake_amount() if value is None else value)

    def unregister(self) -> Receipt:
        """Start the sender's staking period. Withdraw *before* it ends: version 1 does not pay afterwards (V1-2)."""
        return self._send("unRegister")

    def withdraw_stake(self) -> Receipt:
        """Pay the sender its credit."""
        return self._send("withdrawStake")
