"""Version 1's SlashingManager: one key's will (V1-5)."""

from __future__ import annotations

from collections.abc import Sequence

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.slashing_manager import SlashClients
from fedblocks.contracts.v1.base import V1Contract
from fedblocks.types import Address, InstanceId


class SlashingManagerV1(V1Contract):
    """Slashes whom the slasher names."""

    NAME = "SlashingManager"
    EVENTS = (SlashClients,)

    def slasher(self, block: Block = "latest") -> Address:
        """The key that may slash."""
        return Address(self._read("SLASHER_ADDRESS", block=block))

    def slash(self, clients: Sequence[Address], instance_id: InstanceId, staking_registry: Address) -> Receipt:
        """Take the stakes of clients in a registry, as the slasher."""
        return self._send("slash", list(clients), instance_id, staking_registry)
