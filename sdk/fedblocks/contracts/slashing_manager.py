"""SlashingManager: carries out final verdicts. Anyone may ask it to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedblocks.chain.connection import Block
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.seats import SlashReason
from fedblocks.types import Address, EpochNumber, InstanceId, Wei


@dataclass(frozen=True, kw_only=True)
class SlashClients(ChainEvent):
    """Clients of an instance were slashed (as v1 says it)."""

    instance_id: InstanceId


@dataclass(frozen=True, kw_only=True)
class ClientSlashed(ChainEvent):
    """A client lost its stake: where, why, and how much."""

    client: Address
    instance_id: InstanceId
    epoch: EpochNumber
    reason: SlashReason
    amount: Wei


class SlashingManager(Contract):
    """Executes final verdicts on stakes."""

    NAME = "SlashingManager"
    EVENTS = (SlashClients, ClientSlashed)

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose verdicts are executed."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def staking_registry(self, block: Block = "latest") -> Address:
        """The only registry whose stakes are taken."""
        return Address(self._read("STAKING_REGISTRY", block=block))

    def slash_margin(self, block: Block = "latest") -> int:
        """Seconds that are left at least between a final verdict and the end of the client's staking period."""
        return int(self._read("SLASH_MARGIN", block=block))

    def slash(
        self, clients: Sequence[Address], instance_id: InstanceId, staking_registry: Address | None = None
    ) -> Receipt:
        """Take the stakes of clients that are finally slashable in an instance.

        Args:
            clients: Whom; one whose stake is gone already is passed over.
            instance_id: Where the verdict was given.
            staking_registry: The registry that is meant; the manager's own when left out, and no other is accepted.
        """
        registry = self.staking_registry() if staking_registry is None else staking_registry
        return self._send("slash", list(clients), instance_id, registry)
