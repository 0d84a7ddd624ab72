"""Where version 1 lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eth_utils.address import to_checksum_address

from fedblocks.types import Address

V1_CONTRACTS = ("SlashTreasury", "RewardTreasury", "StakingRegistry", "RewardManager", "SlashingManager")
"""The contracts of version 1; it had no ModelParameterChain."""


@dataclass(frozen=True, kw_only=True)
class V1Deployment:
    """The five contracts of a deployment of version 1. Their parameters are to be read from the chain."""

    chain_id: int
    contracts: Mapping[str, Address]

    def __post_init__(self) -> None:
        """Refuse an incomplete deployment."""
        missing = [name for name in V1_CONTRACTS if name not in self.contracts]
        if missing:
            raise ValueError(f"these contracts are missing: {', '.join(missing)}")
        object.__setattr__(self, "contracts", MappingProxyType({name: self.contracts[name] for name in V1_CONTRACTS}))

    def address(self, contract: str) -> Address:
        """Where a contract lives, by its ABI name."""
        return self.contracts[contract]


V1_ARBITRUM = V1Deployment(
    chain_id=42161,
    contracts={
        "StakingRegistry": to_checksum_address("0x3edc74f276ff9c476a5be63e3a5b20c616e84a43"),
        "SlashingManager": to_checksum_address("0x122195923d6f6d04ba748628c9678401f6c4340f"),
        "SlashTreasury": to_checksum_address("0x8709ea3d5680b0de65d716f87721d07c0fc46ff3"),
        "RewardManager": to_checksum_address("0x1fd53deeeb666f07ce0dd2b905535cb45d4294c3"),
        "RewardTreasury": to_checksum_address("0xd2c5b64acfffa8f1377b79d929f781582d95cbf3"),
    },
)
"""Version 1 on Arbitrum One, as published in 2023."""
