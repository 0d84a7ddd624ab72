"""Version 1 as it was deployed in 2023: five contracts, one typed class each, for reading and for getting out.

Its ABI and behaviour are as public sources tell them, and were not compared with the live chain: `fedblocks doctor
--deployment v1` asks the contracts themselves. Version 1 has the defects V1-1 to V1-7 (docs/doctor.md); use version 2
for anything new.
"""

from fedblocks.contracts.v1.deployment import V1_ARBITRUM, V1_CONTRACTS, V1Deployment
from fedblocks.contracts.v1.reward_manager import RewardManagerV1
from fedblocks.contracts.v1.slashing_manager import SlashingManagerV1
from fedblocks.contracts.v1.staking_registry import StakingRegistryV1
from fedblocks.contracts.v1.treasury import RewardTreasuryV1, SlashTreasuryV1

__all__ = [
    "V1_ARBITRUM",
    "V1_CONTRACTS",
    "RewardManagerV1",
    "RewardTreasuryV1",
    "SlashTreasuryV1",
    "SlashingManagerV1",
    "StakingRegistryV1",
    "V1Deployment",
]
