# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title RewardManagerV1
@license Apache-2.0
@author The FedBlocks developers
@notice A stand-in for version 1's reward manager, with its defects V1-6 and V1-7 on purpose: never deploy it.
@dev Written from a table of behaviour, not from version 1's source. What version 1's struct held beside these two fields, and
     from which number it counted, the table does not say.
"""


struct UserInstance:
    numberOfEpochs: uint256
    clients: DynArray[address, 64]


FEE_SCALE: constant(uint256) = 10**8
# Version 1 took a list of any length; a stand-in needs no more than version 2.
MAX_CLIENTS: constant(uint256) = 64


REWARD_TREASURY_ADDRESS: public(immutable(address))
FEE_PER_EPOCH: public(immutable(uint256))
PROTOCOL_FEE_PERCENTAGE: public(immutable(uint256))


nonce: public(uint256)
_instances: HashMap[uint256, UserInstance]


event NewUserInstance:
    instanceId: indexed(uint256)
    numberOfEpochs: uint256


event CollectTrainingFees:
    instanceId: indexed(uint256)
    numberOfEpochs: uint256


@deploy
def __init__(rewardTreasury: address, feePerEpoch: uint256, protocolFeePercentage: uint256):
    REWARD_TREASURY_ADDRESS = rewardTreasury
    FEE_PER_EPOCH = feePerEpoch
    PROTOCOL_FEE_PERCENTAGE = protocolFeePercentage


@external
def newUserInstance(clients: DynArray[address, MAX_CLIENTS], numberOfEpochs: uint256) -> uint256:
    """
    @notice V1-6: anyone, with any list, for nothing.
    @param clients The cohort
    @param numberOfEpochs How many epochs
    @return The instance's number
    """
    self.nonce += 1
    self._instances[self.nonce] = UserInstance(numberOfEpochs=numberOfEpochs, clients=clients)
    log NewUserInstance(instanceId=self.nonce, numberOfEpochs=numberOfEpochs)
    return self.nonce


@external
@payable
def collectTrainingFees(instanceId: uint256):
    """
    @notice V1-7: anyone, as often as it likes; pushes ether to every client, keeps what was paid too much, and divides by the
            number of clients, zero included.
    @param instanceId An instance
    """
    instance: UserInstance = self._instances[instanceId]
    fees: uint256 = instance.numberOfEpochs * FEE_PER_EPOCH
    if msg.value < fees:
        raw_revert(method_id("NotEnoughFunds()"))
    protocol_fee: uint256 = fees * PROTOCOL_FEE_PERCENTAGE // FEE_SCALE
    share: uint256 = (fees - protocol_fee) // len(instance.clients)
    for client: address in instance.clients:
        raw_call(client, b"", value=share)
    raw_call(REWARD_TREASURY_ADDRESS, b"", value=protocol_fee)
    log CollectTrainingFees(instanceId=instanceId, numberOfEpochs=instance.numberOfEpochs)


@external
@view
def idToUserInstance(instanceId: uint256) -> uint256:
    return self._instances[instanceId].numberOfEpochs


@external
@view
def getUserInstance(instanceId: uint256) -> UserInstance:
    return self._instances[instanceId]


@external
@view
def getRewardTreasuryAddress() -> address:
    return REWARD_TREASURY_ADDRESS


@external
@view
def getFeePerEpoch() -> uint256:
    return FEE_PER_EPOCH


@external
@view
def getProtocolFeePercentage() -> uint256:
    return PROTOCOL_FEE_PERCENTAGE
