# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title SlashingManager
@license Apache-2.0
@author The FedBlocks developers
@notice Executes verdicts. Anyone may call it, nobody decides here: a stake is taken exactly when ModelParameterChain holds the
        client finally slashable. It is deployed last and checks that the contracts before it belong together.
"""

from .interfaces import IDataDemands
from .interfaces import IModelParameterChain
from .interfaces import IRewardManager
from .interfaces import IStakingRegistry
from .interfaces import IVerifier
from .modules import limits


# How many challenge windows and answer periods an epoch can be held at the most, before it is final.
HELD: constant(uint256) = 2


MODEL_PARAMETER_CHAIN: public(immutable(address))
STAKING_REGISTRY: public(immutable(address))
SLASH_MARGIN: public(immutable(uint256))
# Version 1's name for where verdicts come from.
SLASHER_ADDRESS: public(immutable(address))


# At least one stake was taken for an instance, as version 1 says it.
event SlashClients:
    instanceId: indexed(uint256)


# A stake of `amount` wei was taken for the verdict of an epoch; `reason` is the header's number of it.
event ClientSlashed:
    client: indexed(address)
    instanceId: indexed(uint256)
    epoch: uint256
    reason: uint256
    amount: uint256


@deploy
def __init__(modelParameterChain: address, stakingRegistry: address, slashMargin: uint256):
    """
    @param modelParameterChain Where verdicts come from
    @param stakingRegistry Where the stakes are
    @param slashMargin How long a verdict can be executed at the least, after it has become final, in seconds
    """
    assert modelParameterChain.is_contract, "SlashingManager: model parameter chain is not a contract"
    assert stakingRegistry.is_contract, "SlashingManager: staking registry is not a contract"
    assert slashMargin != 0, "SlashingManager: slash margin is zero"
    mps_chain: IModelParameterChain = IModelParameterChain(modelParameterChain)
    registry: IStakingRegistry = IStakingRegistry(stakingRegistry)
    reward_manager: IRewardManager = IRewardManager(staticcall mps_chain.REWARD_MANAGER())
    assert (
        staticcall registry.SLASHING_MANAGER() == self
    ), "SlashingManager: registry names another slashing manager"
    assert (
        staticcall reward_manager.MODEL_PARAMETER_CHAIN() == modelParameterChain
    ), "SlashingManager: reward manager names another chain"
    assert (
        staticcall reward_manager.STAKING_REGISTRY() == stakingRegistry
    ), "SlashingManager: reward manager names another registry"
    assert (
        staticcall registry.SLASH_TREASURY_ADDRESS() == staticcall mps_chain.SLASH_TREASURY_ADDRESS()
    ), "SlashingManager: slash treasuries differ"
    demands: address = staticcall mps_chain.DATA_DEMANDS()
    for verifier: address in [
        staticcall mps_chain.SUBMISSION_VERIFIER(),
        staticcall mps_chain.VECTOR_VERIFIER(),
        staticcall mps_chain.VERDICT_VERIFIER(),
        demands,
    ]:
        assert verifier.is_contract, "SlashingManager: verifier is not a contract"
        assert (
            staticcall IVerifier(verifier).MODEL_PARAMETER_CHAIN() == modelParameterChain
        ), "SlashingManager: verifier names another chain"
    # Who leaves in the very second in which commits are closed is still within reach: its epoch is posted within one
    # liveness period, final when it has been held for as long as it can be, and anyone then has the margin to slash.
    held: uint256 = HELD * (
        staticcall mps_chain.CHALLENGE_WINDOW() + staticcall IDataDemands(demands).ANSWER_PERIOD()
    )
    assert (
        staticcall registry.STAKING_PERIOD()
        >= staticcall mps_chain.LIVENESS_PERIOD() + held + slashMargin
    ), "SlashingManager: staking period is too short"
    MODEL_PARAMETER_CHAIN = modelParameterChain
    STAKING_REGISTRY = stakingRegistry
    SLASH_MARGIN = slashMargin
    SLASHER_ADDRESS = modelParameterChain


@external
def slash(clients: DynArray[address, limits.MAX_COHORT], instanceId: uint256, stakingRegistry: address):
    """
    @notice Take the stakes of clients that are finally slashable in an instance.
    @dev A client that has nothing at stake is passed over: otherwise slashing one member of a list first, or one member's
         leaving, would block the list.
    @param clients Who is slashed
    @param instanceId The instance whose verdicts are executed
    @param stakingRegistry Where the stakes are: the one registry of this deployment
    """
    assert stakingRegistry == STAKING_REGISTRY, "SlashingManager: not the registry of this deployment"
    mps_chain: IModelParameterChain = IModelParameterChain(MODEL_PARAMETER_CHAIN)
    registry: IStakingRegistry = IStakingRegistry(stakingRegistry)
    total: uint256 = 0
    for client: address in clients:
        epoch: uint256 = 0
        reason: uint256 = 0
        epoch, reason = staticcall mps_chain.getVerdict(instanceId, client)
        assert reason != 0, "SlashingManager: client is not finally slashable"
        if staticcall registry.clientStakes(client) == 0:
            continue
        amount: uint256 = extcall registry.slashStake(client)
        total += amount
        log ClientSlashed(client=client, instanceId=instanceId, epoch=epoch, reason=reason, amount=amount)
    assert total != 0, "SlashingManager: nothing is left to slash"
    log SlashClients(instanceId=instanceId)


@external
@view
def getSlasherAddress() -> address:
    """
    @notice Where verdicts come from.
    @return The ModelParameterChain
    """
    return SLASHER_ADDRESS
