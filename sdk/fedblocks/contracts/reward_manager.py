"""RewardManager: instances, their fees in escrow, and what is credited to clients and users.

A user pays a base fee and a fee for every epoch when it opens an instance. When the instance is closed, each finalised
epoch is billed and shared among the clients that took part; the rest is credited back to the user. Everything is
pulled: nobody's refusal to receive ether blocks anyone else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedblocks.chain.connection import Block
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.types import Address, Hash32, InstanceId, Seat, Wei


@dataclass(frozen=True, kw_only=True)
class NewUserInstance(ChainEvent):
    """A user has opened an instance (as v1 says it)."""

    instance_id: InstanceId
    number_of_epochs: int


@dataclass(frozen=True, kw_only=True)
class InstanceFunded(ChainEvent):
    """A user has opened an instance: what it has paid, and for whom."""

    instance_id: InstanceId
    user: Address
    base_fee: Wei
    escrow: Wei
    clients: tuple[Address, ...]


@dataclass(frozen=True, kw_only=True)
class CollectTrainingFees(ChainEvent):
    """An instance's fees were settled (as v1 says it); the number is of the epochs that were billed."""

    instance_id: InstanceId
    number_of_epochs: int


@dataclass(frozen=True, kw_only=True)
class FeesSettled(ChainEvent):
    """An instance's fees were settled: what went where."""

    instance_id: InstanceId
    billed_epochs: int
    clients_total: Wei
    protocol_total: Wei
    refund: Wei


@dataclass(frozen=True, kw_only=True)
class RewardCredited(ChainEvent):
    """A client was credited its pay for some epochs of an instance."""

    instance_id: InstanceId
    client: Address
    epochs: int
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class RewardClaimed(ChainEvent):
    """A client was paid."""

    instance_id: InstanceId
    client: Address
    receiver: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class RewardForfeited(ChainEvent):
    """A slashed client's credit went to the RewardTreasury."""

    instance_id: InstanceId
    client: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class RefundWithdrawn(ChainEvent):
    """A user got back what was not billed."""

    instance_id: InstanceId
    user: Address
    receiver: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class UserInstance:
    """An instance as RewardManager keeps it."""

    user: Address
    number_of_epochs: int
    escrow: Wei
    """What the instance still holds."""
    settled: bool
    clients: tuple[Address, ...]
    """The cohort; a client's index is its seat."""


class RewardManager(Contract):
    """Instances and their money."""

    NAME = "RewardManager"
    EVENTS = (
        NewUserInstance,
        InstanceFunded,
        CollectTrainingFees,
        FeesSettled,
        RewardCredited,
        RewardClaimed,
        RewardForfeited,
        RefundWithdrawn,
    )

    def reward_treasury(self, block: Block = "latest") -> Address:
        """Where the protocol's income goes."""
        return Address(self._read("REWARD_TREASURY_ADDRESS", block=block))

    def fee_per_epoch(self, block: Block = "latest") -> Wei:
        """What a finalised epoch costs."""
        return Wei(self._read("FEE_PER_EPOCH", block=block))

    def protocol_fee_percentage(self, block: Block = "latest") -> int:
        """The protocol's part of an epoch's fee, scaled by 1e8."""
        return int(self._read("PROTOCOL_FEE_PERCENTAGE", block=block))

    def base_fee(self, block: Block = "latest") -> Wei:
        """What opening an instance costs."""
        return Wei(self._read("BASE_FEE", block=block))

    def staking_registry(self, block: Block = "latest") -> Address:
        """Where a cohort's clients must be staked."""
        return Address(self._read("STAKING_REGISTRY", block=block))

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """Where instances are trained and settled."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def instance_count(self, block: Block = "latest") -> int:
        """How many instances there are; the newest has this number."""
        return int(self._read("nonce", block=block))

    def user_instance(self, instance_id: InstanceId, block: Block = "latest") -> UserInstance:
        """An instance's user, epochs, escrow and cohort."""
        return self._read_as(UserInstance, "getUserInstance", instance_id, block=block)

    def cohort(self, instance_id: InstanceId, block: Block = "latest") -> tuple[Address, ...]:
        """An instance's clients; a client's index is its seat."""
        return tuple(self._read("getCohort", instance_id, block=block))

    def client(self, instance_id: InstanceId, seat: Seat, block: Block = "latest") -> Address:
        """The client in a seat."""
        return Address(self._read("getClient", instance_id, seat, block=block))

    def reward(self, instance_id: InstanceId, client: Address, block: Block = "latest") -> Wei:
        """What a client can claim from an instance."""
        return Wei(self._read("rewards", instance_id, client, block=block))

    def refund(self, instance_id: InstanceId, block: Block = "latest") -> Wei:
        """What an instance's user can withdraw."""
        return Wei(self._read("refunds", instance_id, block=block))

    def price(self, number_of_epochs: int, block: Block = "latest") -> Wei:
        """What an instance costs when it is opened."""
        return Wei(self.base_fee(block) + number_of_epochs * self.fee_per_epoch(block))

    def new_user_instance(self, clients: Sequence[Address], number_of_epochs: int, value: Wei | None = None) -> Receipt:
        """Open an instance; its training is configured later, on ModelParameterChain.

        Args:
            clients: The cohort: distinct, staked, 4 to 64.
            number_of_epochs: How many epochs at most, 1 to 1024.
            value: What to send; the exact price when left out, and anything else is refused.
        """
        return self._send(
            "newUserInstance", list(clients), number_of_epochs, value=self._value(number_of_epochs, value)
        )

    def new_configured_instance(
        self,
        clients: Sequence[Address],
        number_of_epochs: int,
        *,
        aggregator: Address,
        genesis_model_root: Hash32,
        d: int,
        rules_hash: Hash32,
        value: Wei | None = None,
    ) -> Receipt:
        """Open an instance and configure its training in one transaction.

        Args:
            clients: The cohort: distinct, staked, 4 to 64.
            number_of_epochs: How many epochs at most, 1 to 1024.
            aggregator: Who is asked to run the epochs; it accepts by depositing its bond.
            genesis_model_root: The Merkle root of the model that the first epoch starts from.
            d: How many values the model has.
            rules_hash: The hash of the rules by which clients are judged.
            value: What to send; the exact price when left out, and anything else is refused.
        """
        return self._send(
            "newUserInstance",
            list(clients),
            number_of_epochs,
            aggregator,
            genesis_model_root,
            d,
            rules_hash,
            value=self._value(number_of_epochs, value),
        )

    def collect_training_fees(self, instance_id: InstanceId) -> Receipt:
        """Settle a closed instance: credit its clients, the protocol and the user. Anyone may, once."""
        return self._send("collectTrainingFees", instance_id)

    def claim_reward(self, instance_id: InstanceId, receiver: Address | None = None) -> Receipt:
        """Pay what is credited to the sender as a client, to `receiver` if one is given."""
        return self._send("claimReward", instance_id, *(() if receiver is None else (receiver,)))

    def withdraw_refund(self, instance_id: InstanceId, receiver: Address | None = None) -> Receipt:
        """Pay what is credited to the sender as the user, to `receiver` if one is given."""
        return self._send("withdrawRefund", instance_id, *(() if receiver is None else (receiver,)))

    def forfeit_reward(self, instance_id: InstanceId, client: Address) -> Receipt:
        """Send a slashed client's credit to the RewardTreasury. Anyone may."""
        return self._send("forfeitReward", instance_id, client)

    def _value(self, number_of_epochs: int, value: Wei | None) -> Wei:
        return self.price(number_of_epochs) if value is None else value
