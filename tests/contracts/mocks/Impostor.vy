# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title Impostor
@notice Answers the questions that the protocol's constructors ask of each other, as it is told.
"""

REWARD_MANAGER: public(address)
MODEL_PARAMETER_CHAIN: public(address)
STAKING_REGISTRY: public(address)
SLASHING_MANAGER: public(address)
SLASH_TREASURY_ADDRESS: public(address)
STAKING_PERIOD: public(uint256)
LIVENESS_PERIOD: public(uint256)
CHALLENGE_WINDOW: public(uint256)


@deploy
def __init__(
    rewardManager: address, modelParameterChain: address, stakingRegistry: address, slashTreasury: address
):
    self.REWARD_MANAGER = rewardManager
    self.MODEL_PARAMETER_CHAIN = modelParameterChain
    self.STAKING_REGISTRY = stakingRegistry
    self.SLASH_TREASURY_ADDRESS = slashTreasury
