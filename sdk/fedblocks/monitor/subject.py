"""What is monitored: one deployment of the protocol, of version 2 or of version 1.

Everything that an index needs to know beforehand is here: where the contracts are, at which block they begin, and the
terms that no event repeats, such as the fee of an epoch. It goes into a recording too, so that one can be indexed
without a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fedblocks.chain.events import ChainEvent, EventRegistry
from fedblocks.contracts.base import Contract
from fedblocks.contracts.data_demands import DataDemands
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury
from fedblocks.contracts.v1 import (
    RewardManagerV1,
    RewardTreasuryV1,
    SlashingManagerV1,
    SlashTreasuryV1,
    StakingRegistryV1,
    V1Deployment,
)
from fedblocks.deployments import Deployment, ProtocolParameters
from fedblocks.types import Address, BlockNumber, Wei
from fedblocks.units import PROTOCOL_FEE_SCALE

_SPEAKING: dict[int, tuple[type[Contract], ...]] = {
    1: (SlashTreasuryV1, RewardTreasuryV1, StakingRegistryV1, RewardManagerV1, SlashingManagerV1),
    2: (
        SlashTreasury,
        RewardTreasury,
        StakingRegistry,
        RewardManager,
        ModelParameterChain,
        DataDemands,
        SlashingManager,
    ),
}
"""The contracts that log events, by version."""

_EVENTS = {
    version: {(cls.NAME, event.__name__): event for cls in classes for event in cls.EVENTS}
    for version, classes in _SPEAKING.items()
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A deployment, as an index needs to know it.

    Attributes:
        version: 1 or 2.
        addresses: by the contracts' names.
        first_block: before which there is nothing to read.
        stake_amount: what a client stakes.
        parameters: the others; None for version 1, whose events need none of them.
    """

    chain_id: int
    version: int
    addresses: Mapping[str, Address]
    first_block: BlockNumber
    stake_amount: Wei
    parameters: ProtocolParameters | None

    @classmethod
    def of(cls, deployment: Deployment) -> Subject:
        """Version 2, as its deployments file says."""
        names = [each.NAME for each in _SPEAKING[2]]
        return cls(
            chain_id=deployment.chain_id,
            version=2,
            addresses={name: deployment.address(name) for name in names},
            first_block=deployment.first_block,
            stake_amount=deployment.parameters.stake_amount,
            parameters=deployment.parameters,
        )

    @classmethod
    def of_v1(cls, deployment: V1Deployment, *, first_block: BlockNumber, stake_amount: Wei) -> Subject:
        """Version 1; its events name no amounts, so that the stake amount is to be read from the contract."""
        return cls(
            chain_id=deployment.chain_id,
            version=1,
            addresses=dict(deployment.contracts),
            first_block=first_block,
            stake_amount=stake_amount,
            parameters=None,
        )

    @property
    def registry(self) -> Address:
        """The StakingRegistry, by which a deployment is told from others on the same chain."""
        return self.addresses["StakingRegistry"]

    @property
    def clients_fee(self) -> Wei:
        """What the clients of a finalised epoch share; the formula is RewardManager's."""
        if self.parameters is None:
            return Wei(0)
        kept = PROTOCOL_FEE_SCALE - self.parameters.protocol_fee_percentage
        return Wei(self.parameters.fee_per_epoch * kept // PROTOCOL_FEE_SCALE)

    @property
    def names(self) -> dict[Address, str]:
        """The contracts' names by their addresses."""
        return {address: name for name, address in self.addresses.items()}

    def event_class(self, contract: str, event: str) -> type[ChainEvent]:
        """The class of an event, by the names of its contract and of itself."""
        return _EVENTS[self.version][contract, event]

    def event_registry(self) -> EventRegistry:
        """What decodes this deployment's logs."""
        registry = EventRegistry()
        for cls in _SPEAKING[self.version]:
            registry.register(self.addresses[cls.NAME], cls.artifact(), cls.EVENTS)
        return registry

    def to_json(self) -> dict[str, Any]:
        """As a recording keeps it."""
        return {
            "chainId": self.chain_id,
            "version": self.version,
            "addresses": dict(self.addresses),
            "firstBlock": self.first_block,
            "stakeAmount": self.stake_amount,
            "parameters": None if self.parameters is None else asdict(self.parameters),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Subject:
        """The inverse of :meth:`to_json`."""
        parameters = content["parameters"]
        return cls(
            chain_id=content["chainId"],
            version=content["version"],
            addresses=content["addresses"],
            first_block=BlockNumber(content["firstBlock"]),
            stake_amount=Wei(content["stakeAmount"]),
            parameters=None if parameters is None else ProtocolParameters(**parameters),
        )
