# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title RewardManager
@license Apache-2.0
@author The FedBlocks developers
@notice Holds a user's fees in escrow while its model is trained, and divides them when the instance is closed: what was
        finalised is billed and shared among the clients that trained it, everything else is the user's again.
@dev Nobody is pushed ether but RewardTreasury, which takes it: clients and users come for what is theirs. The balance is the
     sum of all escrows, rewards and refunds, and whatever somebody forces in by destroying a contract.
"""

from .interfaces import IModelParameterChain
from .interfaces import IRewardManager
from .interfaces import IStakingRegistry
from .modules import limits
from .modules import payments
from .modules import seats


implements: IRewardManager


struct UserInstance:
    user: address
    numberOfEpochs: uint256
    escrow: uint256
    settled: bool
    clients: DynArray[address, limits.MAX_COHORT]


# PROTOCOL_FEE_PERCENTAGE is a fraction of this.
FEE_SCALE: constant(uint256) = 10**8
# How many seats are counted in one word, and how many words a cohort needs.
LANES: constant(uint256) = 16
LANE_WORDS: constant(uint256) = 4
LANE_MASK: constant(uint256) = 2**16 - 1


REWARD_TREASURY_ADDRESS: public(immutable(address))
FEE_PER_EPOCH: public(immutable(uint256))
PROTOCOL_FEE_PERCENTAGE: public(immutable(uint256))
BASE_FEE: public(immutable(uint256))
STAKING_REGISTRY: public(immutable(address))
MODEL_PARAMETER_CHAIN: public(immutable(address))
# The part of FEE_PER_EPOCH that the clients of an epoch divide.
_CLIENTS_FEE: immutable(uint256)


# How many instances there are; the last one's number.
nonce: public(uint256)
# Of an instance: its user, epochs at most, unsettled escrow in wei, and whether it is settled.
idToUserInstance: public(HashMap[uint256, UserInstance])
# What is credited to a client in an instance and not claimed yet, in wei.
rewards: public(HashMap[uint256, HashMap[address, uint256]])
# What is credited to an instance's user and not withdrawn yet, in wei.
refunds: public(HashMap[uint256, uint256])
_seen: transient(HashMap[uint256, HashMap[address, bool]])


# An instance was paid for, as version 1 says it.
event NewUserInstance:
    instanceId: indexed(uint256)
    numberOfEpochs: uint256


# A user has paid for an instance: the base fee is gone to RewardTreasury, the escrow stays here; both in wei.
event InstanceFunded:
    instanceId: indexed(uint256)
    user: indexed(address)
    baseFee: uint256
    escrow: uint256
    clients: DynArray[address, limits.MAX_COHORT]


# An instance was settled, as version 1 says it; `numberOfEpochs` are those that were billed.
event CollectTrainingFees:
    instanceId: indexed(uint256)
    numberOfEpochs: uint256


# An instance was settled: what its clients, the protocol and the user have of the escrow, in wei.
event FeesSettled:
    instanceId: indexed(uint256)
    billedEpochs: uint256
    clientsTotal: uint256
    protocolTotal: uint256
    refund: uint256


# A client has earned `amount` wei in an instance, by `epochs` accepted updates.
event RewardCredited:
    instanceId: indexed(uint256)
    client: indexed(address)
    epochs: uint256
    amount: uint256


# A client's credit of `amount` wei was paid to `receiver`.
event RewardClaimed:
    instanceId: indexed(uint256)
    client: indexed(address)
    receiver: address
    amount: uint256


# A slashed client's credit of `amount` wei went to RewardTreasury.
event RewardForfeited:
    instanceId: indexed(uint256)
    client: indexed(address)
    amount: uint256


# A user's refund of `amount` wei was paid to `receiver`.
event RefundWithdrawn:
    instanceId: indexed(uint256)
    user: indexed(address)
    receiver: address
    amount: uint256


@deploy
def __init__(
    rewardTreasury: address,
    feePerEpoch: uint256,
    protocolFeePercentage: uint256,
    baseFee: uint256,
    stakingRegistry: address,
    modelParameterChain: address,
):
    """
    @dev ModelParameterChain does not exist yet; its constructor checks that it is the one named here.
    @param rewardTreasury Where the protocol's income goes
    @param feePerEpoch What a finalised epoch costs, in wei
    @param protocolFeePercentage The protocol's part of it, scaled by 1e8
    @param baseFee What opening an instance costs, in wei
    @param stakingRegistry Where the clients' stakes are
    @param modelParameterChain Where ModelParameterChain will be
    """
    assert rewardTreasury.is_contract, "RewardManager: reward treasury is not a contract"
    assert feePerEpoch != 0, "RewardManager: fee per epoch is zero"
    assert protocolFeePercentage <= FEE_SCALE, "RewardManager: protocol fee is more than the whole"
    assert baseFee != 0, "RewardManager: base fee is zero"
    assert stakingRegistry.is_contract, "RewardManager: staking registry is not a contract"
    assert modelParameterChain != empty(address), "RewardManager: model parameter chain is the zero address"
    REWARD_TREASURY_ADDRESS = rewardTreasury
    FEE_PER_EPOCH = feePerEpoch
    PROTOCOL_FEE_PERCENTAGE = protocolFeePercentage
    BASE_FEE = baseFee
    STAKING_REGISTRY = stakingRegistry
    MODEL_PARAMETER_CHAIN = modelParameterChain
    _CLIENTS_FEE = feePerEpoch * (FEE_SCALE - protocolFeePercentage) // FEE_SCALE


@external
@payable
def newUserInstance(
    clients: DynArray[address, limits.MAX_COHORT],
    numberOfEpochs: uint256,
    aggregator: address = empty(address),
    genesisModelRoot: bytes32 = empty(bytes32),
    d: uint256 = 0,
    rulesHash: bytes32 = empty(bytes32),
) -> uint256:
    """
    @notice Order a training. The value is exactly BASE_FEE + numberOfEpochs * FEE_PER_EPOCH.
    @dev What is to be trained is given in full, or not at all: then the user calls `ModelParameterChain.configureInstance`
         later. Half of it is refused there.
    @param clients The cohort; a client's seat is its index
    @param numberOfEpochs How many epochs at the most
    @param aggregator Who is to run the epochs
    @param genesisModelRoot The root of the model that the training starts from
    @param d The number of the model's parameters
    @param rulesHash The hash of the rules by which verdicts are found
    @return The instance's number, counted from 1
    """
    assert numberOfEpochs != 0, "RewardManager: number of epochs is zero"
    assert numberOfEpochs <= limits.MAX_EPOCHS, "RewardManager: too many epochs"
    escrow: uint256 = numberOfEpochs * FEE_PER_EPOCH
    assert msg.value == BASE_FEE + escrow, "RewardManager: incorrect value"
    assert len(clients) >= limits.MIN_COHORT, "RewardManager: cohort is too small"

    instance_id: uint256 = self.nonce + 1
    for client: address in clients:
        assert not self._seen[instance_id][client], "RewardManager: client has two seats"
        self._seen[instance_id][client] = True
        assert staticcall IStakingRegistry(STAKING_REGISTRY).isStaked(client), "RewardManager: client is not staked"

    self.nonce = instance_id
    self.idToUserInstance[instance_id] = UserInstance(
        user=msg.sender, numberOfEpochs=numberOfEpochs, escrow=escrow, settled=False, clients=clients
    )
    log NewUserInstance(instanceId=instance_id, numberOfEpochs=numberOfEpochs)
    log InstanceFunded(instanceId=instance_id, user=msg.sender, baseFee=BASE_FEE, escrow=escrow, clients=clients)

    mps_chain: IModelParameterChain = IModelParameterChain(MODEL_PARAMETER_CHAIN)
    extcall mps_chain.openInstance(instance_id, msg.sender, clients, numberOfEpochs)
    if (
        aggregator != empty(address)
        or genesisModelRoot != empty(bytes32)
        or d != 0
        or rulesHash != empty(bytes32)
    ):
        extcall mps_chain.configureInstance(instance_id, aggregator, genesisModelRoot, d, rulesHash)
    self._pay_treasury(BASE_FEE)
    return instance_id


@external
def collectTrainingFees(instanceId: uint256):
    """
    @notice Divide the escrow of a closed instance. Anyone may do it, once.
    @dev A seat's share of an epoch depends only on how many seats divide it. So the epochs are first counted, 16 seats to a
         word, by that number; the shares are then multiplied out once for every number and not once for every epoch.
    @param instanceId A closed instance
    """
    instance: UserInstance = self.idToUserInstance[instanceId]
    assert instance.user != empty(address), "RewardManager: no such instance"
    assert not instance.settled, "RewardManager: instance is settled already"
    closed: bool = False
    slash_reasons: uint256 = 0
    accepted: DynArray[uint256, limits.MAX_EPOCHS] = []
    closed, slash_reasons, accepted = staticcall IModelParameterChain(MODEL_PARAMETER_CHAIN).getSettlement(instanceId)
    assert closed, "RewardManager: instance is not closed"

    epochs: uint256[limits.MAX_COHORT] = empty(uint256[limits.MAX_COHORT])
    amounts: uint256[limits.MAX_COHORT] = empty(uint256[limits.MAX_COHORT])
    epochs, amounts = self._share_out(accepted, len(instance.clients))

    clients_total: uint256 = 0
    seat: uint256 = 0
    for client: address in instance.clients:
        if epochs[seat] != 0 and (slash_reasons >> (4 * seat)) & 15 == 0:
            clients_total += amounts[seat]
            self.rewards[instanceId][client] = amounts[seat]
            log RewardCredited(instanceId=instanceId, client=client, epochs=epochs[seat], amount=amounts[seat])
        seat += 1

    billed_epochs: uint256 = len(accepted)
    protocol_total: uint256 = billed_epochs * FEE_PER_EPOCH - clients_total
    refund: uint256 = instance.escrow - billed_epochs * FEE_PER_EPOCH
    self.idToUserInstance[instanceId].escrow = 0
    self.idToUserInstance[instanceId].settled = True
    self.refunds[instanceId] = refund
    log CollectTrainingFees(instanceId=instanceId, numberOfEpochs=billed_epochs)
    log FeesSettled(
        instanceId=instanceId,
        billedEpochs=billed_epochs,
        clientsTotal=clients_total,
        protocolTotal=protocol_total,
        refund=refund,
    )
    if protocol_total != 0:
        self._pay_treasury(protocol_total)


@external
def claimReward(instanceId: uint256, receiver: address = msg.sender):
    """
    @notice Pay out what the caller has earned in an instance.
    @param instanceId A settled instance
    @param receiver Who is paid; the caller when left out
    """
    assert receiver != empty(address), "RewardManager: receiver is the zero address"
    assert not staticcall IStakingRegistry(STAKING_REGISTRY).isSlashed(
        msg.sender
    ), "RewardManager: client has been slashed"
    amount: uint256 = self.rewards[instanceId][msg.sender]
    assert amount != 0, "RewardManager: no reward to claim"
    self.rewards[instanceId][msg.sender] = 0
    log RewardClaimed(instanceId=instanceId, client=msg.sender, receiver=receiver, amount=amount)
    assert payments._send(receiver, amount), "RewardManager: receiver refused the payment"


@external
def forfeitReward(instanceId: uint256, client: address):
    """
    @notice Send what a slashed client would have had to the protocol. Anyone may do it.
    @param instanceId A settled instance
    @param client A slashed client
    """
    assert staticcall IStakingRegistry(STAKING_REGISTRY).isSlashed(
        client
    ), "RewardManager: client has not been slashed"
    amount: uint256 = self.rewards[instanceId][client]
    assert amount != 0, "RewardManager: no reward to forfeit"
    self.rewards[instanceId][client] = 0
    log RewardForfeited(instanceId=instanceId, client=client, amount=amount)
    self._pay_treasury(amount)


@external
def withdrawRefund(instanceId: uint256, receiver: address = msg.sender):
    """
    @notice Pay the user what its settled instance did not use.
    @param instanceId A settled instance of the caller's
    @param receiver Who is paid; the user itself when left out
    """
    assert receiver != empty(address), "RewardManager: receiver is the zero address"
    assert msg.sender == self.idToUserInstance[instanceId].user, "RewardManager: caller is not the user"
    amount: uint256 = self.refunds[instanceId]
    assert amount != 0, "RewardManager: no refund to withdraw"
    self.refunds[instanceId] = 0
    log RefundWithdrawn(instanceId=instanceId, user=msg.sender, receiver=receiver, amount=amount)
    assert payments._send(receiver, amount), "RewardManager: receiver refused the payment"


@external
@view
def getUserInstance(instanceId: uint256) -> UserInstance:
    """
    @notice What is known of an instance here; what was trained is known to ModelParameterChain.
    @param instanceId An instance
    @return The user, the epochs ordered, what is still in escrow, whether it is settled, and the cohort
    """
    return self.idToUserInstance[instanceId]


@external
@view
def getCohort(instanceId: uint256) -> DynArray[address, limits.MAX_COHORT]:
    """
    @notice The clients of an instance, each at the index that is its seat.
    @param instanceId An instance
    @return The cohort
    """
    return self.idToUserInstance[instanceId].clients


@external
@view
def getClient(instanceId: uint256, seat: uint256) -> address:
    """
    @notice The client in a seat.
    @param instanceId An instance
    @param seat An index into its cohort
    @return The client
    """
    assert seat < len(self.idToUserInstance[instanceId].clients), "RewardManager: no such seat"
    return self.idToUserInstance[instanceId].clients[seat]


@external
@view
def getRewardTreasuryAddress() -> address:
    """
    @notice Where the protocol's income goes.
    @return The RewardTreasury
    """
    return REWARD_TREASURY_ADDRESS


@external
@view
def getFeePerEpoch() -> uint256:
    """
    @notice What a finalised epoch costs.
    @return FEE_PER_EPOCH, in wei
    """
    return FEE_PER_EPOCH


@external
@view
def getProtocolFeePercentage() -> uint256:
    """
    @notice The protocol's part of FEE_PER_EPOCH.
    @return PROTOCOL_FEE_PERCENTAGE, scaled by 1e8
    """
    return PROTOCOL_FEE_PERCENTAGE


@internal
def _pay_treasury(amount: uint256):
    assert payments._send(REWARD_TREASURY_ADDRESS, amount), "RewardManager: reward treasury refused the payment"


@internal
@view
def _share_out(
    accepted: DynArray[uint256, limits.MAX_EPOCHS], cohort_size: uint256
) -> (uint256[limits.MAX_COHORT], uint256[limits.MAX_COHORT]):
    """
    @notice What every seat has earned.
    @param accepted For every billed epoch, the bitmap of the seats that divide its fee
    @param cohort_size The number of seats
    @return How many epochs each seat is paid for, and how much in all
    """
    # Four words of 16 lanes for every number of sharers from 0 to 64; a lane counts to 1024 at the most.
    tallies: uint256[260] = empty(uint256[260])
    numbers: uint256 = 0
    for bitmap: uint256 in accepted:
        sharers: uint256 = seats._count(bitmap)
        numbers |= 1 << sharers
        for word: uint256 in range(LANE_WORDS):
            tallies[LANE_WORDS * sharers + word] += seats._to_lanes((bitmap >> (LANES * word)) & LANE_MASK)

    epochs: uint256[limits.MAX_COHORT] = empty(uint256[limits.MAX_COHORT])
    amounts: uint256[limits.MAX_COHORT] = empty(uint256[limits.MAX_COHORT])
    for sharers: uint256 in range(1, limits.MAX_COHORT + 1):
        if (numbers >> sharers) & 1 == 0:
            continue
        share: uint256 = _CLIENTS_FEE // sharers
        for seat: uint256 in range(cohort_size, bound=limits.MAX_COHORT):
            lanes: uint256 = tallies[LANE_WORDS * sharers + seat // LANES]
            times: uint256 = (lanes >> (LANES * (seat % LANES))) & LANE_MASK
            epochs[seat] += times
            amounts[seat] += times * share
    return epochs, amounts
