"""StakingRegistry: who has staked, and what a slash would take.

A client's stake is *active* until it unregisters, then *unbonding* until the staking period has passed, and can be
slashed until it is withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.chain.connection import Block, Connection
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Receipt, TransactionSender
from fedblocks.contracts.base import Contract
from fedblocks.contracts.guard import StakingGuard, require_safe
from fedblocks.types import Address, Timestamp, Wei


@dataclass(frozen=True, kw_only=True)
class Stake(ChainEvent):
    """A client has staked (as v1 says it)."""

    client: Address


@dataclass(frozen=True, kw_only=True)
class StakeLocked(ChainEvent):
    """A client has staked, and how much."""

    client: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class Unregister(ChainEvent):
    """A client has unregistered (as v1 says it)."""

    client: Address


@dataclass(frozen=True, kw_only=True)
class UnbondingStarted(ChainEvent):
    """A client has unregistered: what it will get back, and when."""

    client: Address
    amount: Wei
    withdrawable_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class WithdrawStake(ChainEvent):
    """A client has withdrawn its stake (as v1 says it)."""

    client: Address


@dataclass(frozen=True, kw_only=True)
class StakeReturned(ChainEvent):
    """A client has withdrawn its stake, and how much."""

    client: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class SlashStake(ChainEvent):
    """A client's stake was taken (as v1 says it)."""

    client: Address


@dataclass(frozen=True, kw_only=True)
class StakeSlashed(ChainEvent):
    """A client's stake was taken, and how much."""

    client: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class ClientStatus:
    """Everything the registry knows of a client, read of one block."""

    client: Address
    is_staked: bool
    is_slashed: bool
    active: Wei
    unbonding: Wei
    withdrawable_at: Timestamp | None
    """When the unbonding amount can be withdrawn; None when there is none."""

    @property
    def at_stake(self) -> Wei:
        """What a slash would take."""
        return Wei(self.active + self.unbonding)


class AnyStakingRegistry(Contract):
    """What the registries of both versions have in common: the getters, and the guard before a stake."""

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
        """What a client stakes, exactly."""
        return Wei(self._read("STAKE_AMOUNT", block=block))

    def staking_period(self, block: Block = "latest") -> int:
        """Seconds from unregistering to withdrawing."""
        return int(self._read("STAKING_PERIOD", block=block))

    def slashing_manager(self, block: Block = "latest") -> Address:
        """The only contract that may take stakes."""
        return Address(self._read("SLASHING_MANAGER", block=block))

    def slash_treasury(self, block: Block = "latest") -> Address:
        """Where slashed stakes go."""
        return Address(self._read("SLASH_TREASURY_ADDRESS", block=block))

    def client_stake(self, client: Address, block: Block = "latest") -> Wei:
        """The client's stake: active and unbonding, all that a slash would take. (In version 1 a mere credit, V1-1.)"""
        return Wei(self._read("clientStakes", client, block=block))

    def is_staked(self, client: Address, block: Block = "latest") -> bool:
        """Whether the client has an active stake and may join a cohort."""
        return bool(self._read("isStaked", client, block=block))

    def is_slashed(self, client: Address, block: Block = "latest") -> bool:
        """Whether the client was slashed, and is barred for good."""
        return bool(self._read("isSlashed", client, block=block))

    def withdrawal_timelock(self, client: Address, block: Block = "latest") -> Timestamp:
        """When the client's staking period ends; 0 when it never unregistered."""
        return Timestamp(self._read("withdrawlTimelock", client, block=block))

    def stake(self, value: Wei | None = None, *, accept_defects: bool = False) -> Receipt:
        """Stake as the sender.

        Args:
            value: What to send; the registry's stake amount when left out, and anything else is refused.
            accept_defects: Stake although the probes find defects, or although nobody probes.

        Raises:
            UnsafeDeployment: if the registry fails the probes.
            UncheckedDeployment: if the class was made without a guard.
        """
        if not accept_defects:
            require_safe(self._guard, self.connection, self.address)
        return self._send("stake", value=self.stake_amount() if value is None else value)

    def unregister(self) -> Receipt:
        """Take the sender's stake out of service, and start its staking period."""
        return self._send("unRegister")


class StakingRegistry(AnyStakingRegistry):
    """The stakes of all clients."""

    NAME = "StakingRegistry"
    EVENTS = (
        Stake,
        StakeLocked,
        Unregister,
        UnbondingStarted,
        WithdrawStake,
        StakeReturned,
        SlashStake,
        StakeSlashed,
    )

    def unbonding_stake(self, client: Address, block: Block = "latest") -> Wei:
        """The part of a client's stake that is on its way out."""
        return Wei(self._read("unbondingStakes", client, block=block))

    def client_status(self, client: Address, block: Block = "latest") -> ClientStatus:
        """Everything the registry knows of a client, read of one block."""
        at = self.connection.block(block).number
        unbonding = self.unbonding_stake(client, at)
        return ClientStatus(
            client=client,
            is_staked=self.is_staked(client, at),
            is_slashed=self.is_slashed(client, at),
            active=Wei(self.client_stake(client, at) - unbonding),
            unbonding=unbonding,
            withdrawable_at=self.withdrawal_timelock(client, at) if unbonding else None,
        )

    def withdraw_stake(self, receiver: Address | None = None) -> Receipt:
        """Pay the sender its unbonding stake, to `receiver` if one is given."""
        return self._send("withdrawStake", *(() if receiver is None else (receiver,)))
