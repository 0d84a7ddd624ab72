# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title ModelParameterChain
@license Apache-2.0
@author The FedBlocks developers
@notice Settles what is trained off chain. For every epoch the aggregator first closes the commitments of the clients, so that
        nobody can copy what another reveals, and then posts a header, which becomes final when its challenge window has
        passed. RewardManager bills what is final here, and SlashingManager executes the verdicts that are.
@dev The instance carries the state after the last *posted* epoch; every epoch's record holds enough to bring back the state
     after it (header hash, next model root, slash reasons). What is posted and not final is taken back, when a verifier has
     seen a fault in it, by resetting the instance to an earlier record. The later records are left where they are, so that this
     costs the same however many there are: a record counts only up to `postedEpochs`, closed commits only under the instance's
     attempt, and each field is written anew before it counts again. Verdicts are written down only when final.
"""

from .interfaces import IDataDemands
from .interfaces import IDisputes
from .interfaces import IModelParameterChain
from .interfaces import IRewardManager
from .interfaces import IStakingRegistry
from .modules import headers
from .modules import limits
from .modules import payments
from .modules import seats


implements: IDisputes
implements: IModelParameterChain


struct Instance:
    user: address
    aggregator: address
    cohortSize: uint256
    numberOfEpochs: uint256
    d: uint256
    attempt: uint256
    postedEpochs: uint256
    finalizedEpochs: uint256
    # When the aggregator last gave a sign of life, or was named.
    lastActivity: uint256
    # When an epoch was last posted, or the instance was opened or configured: what nobody can move by promises.
    lastProgress: uint256
    stoppedAt: uint256
    cohortHash: bytes32
    genesisModelRoot: bytes32
    rulesHash: bytes32
    lastHeaderHash: bytes32
    lastModelRoot: bytes32
    slashReasons: uint256
    finalSlashReasons: uint256


struct EpochRecord:
    headerHash: bytes32
    aggregator: address
    postedAt: uint256
    participants: uint256
    excluded: uint256
    slashReasons: uint256
    nextModelRoot: bytes32
    commitsRoot: bytes32
    # As stored, the attempt under which they were closed is beside the moment: `_closed_at` takes them apart.
    commitsClosedAt: uint256
    # Never stored: `getEpoch` fills it in from the instance's `finalizedEpochs`.
    finalized: bool


GENESIS_DOMAIN: constant(bytes32) = keccak256("FedBlocks.Genesis.v2")
# The instance is anybody's to stop after so many liveness periods without a sign of life, or without an epoch.
SILENCE: constant(uint256) = 2
STAGNATION: constant(uint256) = 4
# A verdict is stored as epoch * 16 + reason.
REASON_BITS: constant(uint256) = 4
REASON_MASK: constant(uint256) = 15
# The moment at which commits were closed is stored as attempt * 2**64 + moment.
MOMENT_BITS: constant(uint256) = 64
MOMENT_MASK: constant(uint256) = 2**64 - 1
# Parts of a bond are scaled by 1e8. An aggregator that challenges itself must lose more than it gets back.
SHARE_SCALE: constant(uint256) = 10**8
MAX_CHALLENGER_SHARE: constant(uint256) = 5 * 10**7


REWARD_MANAGER: public(immutable(address))
SLASH_TREASURY_ADDRESS: public(immutable(address))
AGGREGATOR_BOND: public(immutable(uint256))
CHALLENGE_WINDOW: public(immutable(uint256))
LIVENESS_PERIOD: public(immutable(uint256))
CHALLENGER_SHARE: public(immutable(uint256))
# The verifiers, the only contracts that may overturn an epoch. This one is for submissions.
SUBMISSION_VERIFIER: public(immutable(address))
# The verifier of products, columns, delta and the next model.
VECTOR_VERIFIER: public(immutable(address))
# The verifier of figures, verdicts and the cohort.
VERDICT_VERIFIER: public(immutable(address))
# Where data are demanded; it overturns what is not opened in time.
DATA_DEMANDS: public(immutable(address))


# What an aggregator has at stake in an instance, in wei.
bonds: public(HashMap[uint256, HashMap[address, uint256]])
_instances: HashMap[uint256, Instance]
_epochs: HashMap[uint256, HashMap[uint256, EpochRecord]]
# What challengers have earned, in all instances.
challengeRewards: public(HashMap[address, uint256])
# The epoch that an aggregator posted last, though it may be gone: its bond answers for it, and those before, until final.
_last_posted: HashMap[uint256, HashMap[address, uint256]]
_verdicts: HashMap[uint256, HashMap[address, uint256]]


# RewardManager has opened an instance that its user has paid for.
event InstanceOpened:
    instanceId: indexed(uint256)
    user: indexed(address)
    cohortSize: uint256
    numberOfEpochs: uint256


# It is fixed what will be trained, on which model, under which rules.
event InstanceConfigured:
    instanceId: indexed(uint256)
    genesisModelRoot: bytes32
    d: uint256
    rulesHash: bytes32
    genesisHash: bytes32


# An aggregator was named; commitments count under `attempt` from now on.
event AggregatorNamed:
    instanceId: indexed(uint256)
    aggregator: indexed(address)
    previousAggregator: address
    attempt: uint256


# The aggregator has accepted the job with a bond of `amount` wei.
event BondDeposited:
    instanceId: indexed(uint256)
    aggregator: indexed(address)
    amount: uint256


# An aggregator's bond of `amount` wei was paid to `receiver`.
event BondWithdrawn:
    instanceId: indexed(uint256)
    aggregator: indexed(address)
    receiver: address
    amount: uint256


# The commitments of an epoch are closed under this root: clients may reveal.
event CommitsClosed:
    instanceId: indexed(uint256)
    epoch: indexed(uint256)
    attempt: uint256
    commitsRoot: bytes32


# A header was posted, here as a whole; it can be finalised from the second `finalizableAt` on.
event EpochSubmitted:
    instanceId: indexed(uint256)
    epoch: indexed(uint256)
    aggregator: indexed(address)
    headerHash: bytes32
    finalizableAt: uint256
    header: headers.Header


# An epoch is final: it is billed, and its verdicts stand.
event EpochFinalized:
    instanceId: indexed(uint256)
    epoch: indexed(uint256)
    headerHash: bytes32
    participants: uint256
    excluded: uint256


# A verdict has become final; anyone may have it carried out by SlashingManager.
event ClientSlashable:
    instanceId: indexed(uint256)
    client: indexed(address)
    epoch: uint256
    reason: uint256


# No further epoch is begun; one whose commitments are closed may still be posted.
event InstanceStopped:
    instanceId: indexed(uint256)
    caller: indexed(address)
    postedEpochs: uint256
    finalizedEpochs: uint256


# A fault was shown in an epoch: it and all after it are gone. `attempt` is the new one.
event EpochOverturned:
    instanceId: indexed(uint256)
    epoch: indexed(uint256)
    challenger: indexed(address)
    fraudCase: uint256
    aggregator: address
    headerHash: bytes32
    attempt: uint256


# The bond of an overturned epoch's aggregator, `amount` wei, was taken; `reward` of it is the challenger's.
event BondSlashed:
    instanceId: indexed(uint256)
    aggregator: indexed(address)
    challenger: address
    reward: uint256
    amount: uint256


# A challenger's credit of `amount` wei was paid to `receiver`.
event ChallengeRewardClaimed:
    challenger: indexed(address)
    receiver: address
    amount: uint256


@deploy
def __init__(
    rewardManager: address,
    slashTreasury: address,
    aggregatorBond: uint256,
    challengeWindow: uint256,
    livenessPeriod: uint256,
    challengerShare: uint256,
    verifiers: address[4],
):
    """
    @param rewardManager Who opens instances
    @param slashTreasury Where slashed bonds go: where slashed stakes go too
    @param aggregatorBond What an aggregator deposits for an instance, in wei
    @param challengeWindow How long a posted epoch can be challenged, in seconds
    @param livenessPeriod How long an aggregator may be silent, in seconds
    @param challengerShare The part of a slashed bond that the challenger has, scaled by 1e8
    @param verifiers SubmissionVerifier, VectorVerifier, VerdictVerifier and DataDemands, which are deployed later
    """
    assert rewardManager.is_contract, "ModelParameterChain: reward manager is not a contract"
    assert aggregatorBond != 0, "ModelParameterChain: aggregator bond is zero"
    assert challengeWindow != 0, "ModelParameterChain: challenge window is zero"
    assert livenessPeriod != 0, "ModelParameterChain: liveness period is zero"
    assert challengerShare != 0, "ModelParameterChain: challenger share is zero"
    assert challengerShare <= MAX_CHALLENGER_SHARE, "ModelParameterChain: challenger share is more than half"
    for i: uint256 in range(4):
        assert verifiers[i] != empty(address), "ModelParameterChain: verifier is the zero address"
        for j: uint256 in range(i, bound=4):
            assert verifiers[i] != verifiers[j], "ModelParameterChain: verifier is named twice"
    manager: IRewardManager = IRewardManager(rewardManager)
    assert (
        staticcall manager.MODEL_PARAMETER_CHAIN() == self
    ), "ModelParameterChain: reward manager names another chain"
    registry: IStakingRegistry = IStakingRegistry(staticcall manager.STAKING_REGISTRY())
    assert (
        staticcall registry.SLASH_TREASURY_ADDRESS() == slashTreasury
    ), "ModelParameterChain: registry names another slash treasury"
    REWARD_MANAGER = rewardManager
    SLASH_TREASURY_ADDRESS = slashTreasury
    AGGREGATOR_BOND = aggregatorBond
    CHALLENGE_WINDOW = challengeWindow
    LIVENESS_PERIOD = livenessPeriod
    CHALLENGER_SHARE = challengerShare
    SUBMISSION_VERIFIER = verifiers[0]
    VECTOR_VERIFIER = verifiers[1]
    VERDICT_VERIFIER = verifiers[2]
    DATA_DEMANDS = verifiers[3]


@external
def openInstance(
    instanceId: uint256, user: address, cohort: DynArray[address, limits.MAX_COHORT], numberOfEpochs: uint256
):
    """
    @notice Enter an instance that has been paid for.
    @param instanceId Its number
    @param user Who pays, and configures it
    @param cohort The clients, each at the index that is its seat
    @param numberOfEpochs How many epochs at the most
    """
    assert msg.sender == REWARD_MANAGER, "ModelParameterChain: caller is not the reward manager"
    self._instances[instanceId].user = user
    self._instances[instanceId].cohortSize = len(cohort)
    self._instances[instanceId].numberOfEpochs = numberOfEpochs
    self._instances[instanceId].cohortHash = keccak256(abi_encode(cohort))
    self._instances[instanceId].lastActivity = block.timestamp
    self._instances[instanceId].lastProgress = block.timestamp
    log InstanceOpened(
        instanceId=instanceId, user=user, cohortSize=len(cohort), numberOfEpochs=numberOfEpochs
    )


@external
def configureInstance(
    instanceId: uint256, aggregator: address, genesisModelRoot: bytes32, d: uint256, rulesHash: bytes32
):
    """
    @notice Fix what will be trained, once.
    @param instanceId An instance of the caller's
    @param aggregator Who is to run the epochs
    @param genesisModelRoot The root of the model that the training starts from
    @param d The number of the model's parameters
    @param rulesHash The hash of the rules by which verdicts are found
    """
    user: address = self._instances[instanceId].user
    assert user != empty(address), "ModelParameterChain: no such instance"
    assert msg.sender == user or msg.sender == REWARD_MANAGER, "ModelParameterChain: caller is not the user"
    assert self._instances[instanceId].stoppedAt == 0, "ModelParameterChain: instance is stopped"
    assert (
        self._instances[instanceId].genesisModelRoot == empty(bytes32)
    ), "ModelParameterChain: instance is configured already"
    assert aggregator != empty(address), "ModelParameterChain: aggregator is missing"
    assert genesisModelRoot != empty(bytes32), "ModelParameterChain: genesis model root is missing"
    assert d != 0, "ModelParameterChain: number of parameters is missing"
    assert d <= limits.MAX_PARAMETERS, "ModelParameterChain: too many parameters"
    assert rulesHash != empty(bytes32), "ModelParameterChain: rules hash is missing"
    self._instances[instanceId].aggregator = aggregator
    self._instances[instanceId].genesisModelRoot = genesisModelRoot
    self._instances[instanceId].d = d
    self._instances[instanceId].rulesHash = rulesHash
    genesis_hash: bytes32 = self._genesis_hash(instanceId)
    self._instances[instanceId].lastHeaderHash = genesis_hash
    self._instances[instanceId].lastModelRoot = genesisModelRoot
    self._instances[instanceId].lastActivity = block.timestamp
    self._instances[instanceId].lastProgress = block.timestamp
    log InstanceConfigured(
        instanceId=instanceId,
        genesisModelRoot=genesisModelRoot,
        d=d,
        rulesHash=rulesHash,
        genesisHash=genesis_hash,
    )
    log AggregatorNamed(
        instanceId=instanceId,
        aggregator=aggregator,
        previousAggregator=empty(address),
        attempt=self._instances[instanceId].attempt,
    )


@external
def nameAggregator(instanceId: uint256, aggregator: address):
    """
    @notice Put another in the place of an aggregator that has posted no bond, or has lost it, or has been silent for
            LIVENESS_PERIOD.
    @dev The new one cannot open what was committed to for the old one, so those commitments are void. The clients' work is not
         lost by that: closing commits is a sign of life, so that by now the epoch could not have been posted any more.
    @param instanceId An instance of the caller's
    @param aggregator Who is to run the epochs from now on
    """
    user: address = self._instances[instanceId].user
    assert user != empty(address), "ModelParameterChain: no such instance"
    assert msg.sender == user, "ModelParameterChain: caller is not the user"
    previous: address = self._instances[instanceId].aggregator
    assert previous != empty(address), "ModelParameterChain: instance is not configured"
    assert self._instances[instanceId].stoppedAt == 0, "ModelParameterChain: instance is stopped"
    assert (
        self._instances[instanceId].postedEpochs < self._instances[instanceId].numberOfEpochs
    ), "ModelParameterChain: every epoch has been posted"
    assert aggregator != empty(address), "ModelParameterChain: aggregator is missing"
    assert aggregator != previous, "ModelParameterChain: aggregator is named already"
    assert self.bonds[instanceId][previous] == 0 or self._is_past(
        self._instances[instanceId].lastActivity + LIVENESS_PERIOD
    ), "ModelParameterChain: aggregator is at work"
    attempt: uint256 = self._instances[instanceId].attempt + 1
    self._instances[instanceId].aggregator = aggregator
    self._instances[instanceId].attempt = attempt
    self._instances[instanceId].lastActivity = block.timestamp
    log AggregatorNamed(
        instanceId=instanceId, aggregator=aggregator, previousAggregator=previous, attempt=attempt
    )


@external
@payable
def depositBond(instanceId: uint256):
    """
    @notice Accept the job, as the aggregator that the user has named, by depositing exactly AGGREGATOR_BOND.
    @param instanceId An instance
    """
    self._only_aggregator(instanceId)
    assert self._instances[instanceId].stoppedAt == 0, "ModelParameterChain: instance is stopped"
    assert msg.value == AGGREGATOR_BOND, "ModelParameterChain: incorrect bond"
    assert self.bonds[instanceId][msg.sender] == 0, "ModelParameterChain: bond is deposited already"
    # Without this a finished instance would take a bond again.
    assert not self._is_closed(instanceId), "ModelParameterChain: instance is closed"
    self.bonds[instanceId][msg.sender] = msg.value
    self._instances[instanceId].lastActivity = block.timestamp
    log BondDeposited(instanceId=instanceId, aggregator=msg.sender, amount=msg.value)


@external
def withdrawBond(instanceId: uint256, receiver: address = msg.sender):
    """
    @notice Take a bond back: when the instance is closed; or, for who is the aggregator no longer, when every epoch that it
            posted is final or overturned.
    @dev After an overturned epoch, others may have posted those that the caller's last one counts to. They hold its bond too
         while they are pending: which of them are the caller's could only be told epoch by epoch.
    @param instanceId An instance in which the caller has a bond
    @param receiver Who is paid; the caller when left out
    """
    assert receiver != empty(address), "ModelParameterChain: receiver is the zero address"
    amount: uint256 = self.bonds[instanceId][msg.sender]
    assert amount != 0, "ModelParameterChain: no bond to withdraw"
    if not self._is_closed(instanceId):
        assert (
            msg.sender != self._instances[instanceId].aggregator
        ), "ModelParameterChain: caller is the aggregator"
        last_posted: uint256 = min(
            self._last_posted[instanceId][msg.sender], self._instances[instanceId].postedEpochs
        )
        assert (
            last_posted <= self._instances[instanceId].finalizedEpochs
        ), "ModelParameterChain: an epoch of the caller's is not final"
    self.bonds[instanceId][msg.sender] = 0
    log BondWithdrawn(instanceId=instanceId, aggregator=msg.sender, receiver=receiver, amount=amount)
    assert payments._send(receiver, amount), "ModelParameterChain: receiver refused the payment"


@external
def closeCommits(instanceId: uint256, epoch: uint256, attempt: uint256, commitsRoot: bytes32):
    """
    @notice Fix the commitments of an epoch, before anyone reveals. The epoch must be posted within LIVENESS_PERIOD.
    @dev Commitments are repeated, under the next attempt, only when those before can no longer become an epoch: else an
         aggregator that has seen what they hide could choose among several sets.
    @param instanceId An instance
    @param epoch The epoch after the last posted one
    @param attempt The instance's attempt; one more when commits were closed before in vain
    @param commitsRoot The root of the tree of commitments
    """
    self._only_bonded_aggregator(instanceId)
    assert self._instances[instanceId].stoppedAt == 0, "ModelParameterChain: instance is stopped"
    assert (
        epoch == self._instances[instanceId].postedEpochs + 1
    ), "ModelParameterChain: epoch is not the next one"
    assert (
        epoch <= self._instances[instanceId].numberOfEpochs
    ), "ModelParameterChain: every epoch has been posted"
    assert commitsRoot != empty(bytes32), "ModelParameterChain: commits root is missing"
    current: uint256 = self._instances[instanceId].attempt
    if self._closed_at(instanceId, epoch) != 0:
        assert not self._awaits_epoch(instanceId, epoch), "ModelParameterChain: commits are closed already"
        current += 1
        self._instances[instanceId].attempt = current
    assert attempt == current, "ModelParameterChain: attempt is not the current one"
    self._epochs[instanceId][epoch].commitsRoot = commitsRoot
    self._epochs[instanceId][epoch].commitsClosedAt = (attempt << MOMENT_BITS) | block.timestamp
    self._instances[instanceId].lastActivity = block.timestamp
    log CommitsClosed(instanceId=instanceId, epoch=epoch, attempt=attempt, commitsRoot=commitsRoot)


@external
def submitEpoch(header: headers.Header):
    """
    @notice Post an epoch. It may be posted before the one before it is final.
    @dev What can be checked against the chain is checked here, in constant time; the rest is open to challenge. A stopped
         instance still takes the epoch whose commits were closed before: its clients have trained.
    @param header What the aggregator says of the epoch
    """
    instance_id: uint256 = header.instanceId
    epoch: uint256 = header.epoch
    self._only_bonded_aggregator(instance_id)
    assert (
        epoch == self._instances[instance_id].postedEpochs + 1
    ), "ModelParameterChain: epoch is not the next one"
    assert self._closed_at(instance_id, epoch) != 0, "ModelParameterChain: commits are not closed"
    assert self._awaits_epoch(instance_id, epoch), "ModelParameterChain: epoch is late"
    assert (
        header.attempt == self._instances[instance_id].attempt
    ), "ModelParameterChain: attempt is not the current one"
    assert (
        header.previousHeaderHash == self._instances[instance_id].lastHeaderHash
    ), "ModelParameterChain: header does not follow the last one"
    assert (
        header.commitsRoot == self._epochs[instance_id][epoch].commitsRoot
    ), "ModelParameterChain: commits root is not the closed one"
    assert (
        header.baseModelRoot == self._instances[instance_id].lastModelRoot
    ), "ModelParameterChain: base model is not the last one"
    reasons: uint256 = self._instances[instance_id].slashReasons
    self._check_seats(header, self._instances[instance_id].cohortSize, reasons)

    header_hash: bytes32 = headers._hash(header)
    self._epochs[instance_id][epoch].headerHash = header_hash
    self._epochs[instance_id][epoch].aggregator = msg.sender
    self._epochs[instance_id][epoch].postedAt = block.timestamp
    self._epochs[instance_id][epoch].participants = header.participants
    self._epochs[instance_id][epoch].excluded = header.excluded
    self._epochs[instance_id][epoch].nextModelRoot = header.nextModelRoot
    self._epochs[instance_id][epoch].slashReasons = header.slashReasons
    self._instances[instance_id].postedEpochs = epoch
    self._instances[instance_id].lastHeaderHash = header_hash
    self._instances[instance_id].lastModelRoot = header.nextModelRoot
    self._instances[instance_id].lastActivity = block.timestamp
    self._instances[instance_id].lastProgress = block.timestamp
    if header.slashReasons != reasons:
        self._instances[instance_id].slashReasons = header.slashReasons
    self._last_posted[instance_id][msg.sender] = epoch
    log EpochSubmitted(
        instanceId=instance_id,
        epoch=epoch,
        aggregator=msg.sender,
        headerHash=header_hash,
        finalizableAt=block.timestamp + CHALLENGE_WINDOW + 1,
        header=header,
    )


@external
def finalizeEpoch(instanceId: uint256, epoch: uint256):
    """
    @notice Make an epoch final, when its challenge window has passed and nothing that was demanded of it is open. Anyone may
            do it, epoch by epoch.
    @param instanceId An instance
    @param epoch The epoch after the last final one
    """
    assert (
        epoch == self._instances[instanceId].finalizedEpochs + 1
    ), "ModelParameterChain: epoch is not the next one to finalize"
    assert epoch <= self._instances[instanceId].postedEpochs, "ModelParameterChain: epoch is not posted"
    assert self._is_past(
        self._epochs[instanceId][epoch].postedAt + CHALLENGE_WINDOW
    ), "ModelParameterChain: challenge window is open"
    header_hash: bytes32 = self._epochs[instanceId][epoch].headerHash
    assert self._is_past(
        staticcall IDataDemands(DATA_DEMANDS).heldUntil(header_hash)
    ), "ModelParameterChain: data are demanded"
    self._instances[instanceId].finalizedEpochs = epoch
    log EpochFinalized(
        instanceId=instanceId,
        epoch=epoch,
        headerHash=header_hash,
        participants=self._epochs[instanceId][epoch].participants,
        excluded=self._epochs[instanceId][epoch].excluded,
    )

    reasons: uint256 = self._epochs[instanceId][epoch].slashReasons
    added: uint256 = reasons ^ self._instances[instanceId].finalSlashReasons
    if added == 0:
        return
    self._instances[instanceId].finalSlashReasons = reasons
    for seat: uint256 in range(limits.MAX_COHORT):
        if added == 0:
            break
        reason: uint256 = added & REASON_MASK
        added = added >> REASON_BITS
        if reason != 0:
            client: address = staticcall IRewardManager(REWARD_MANAGER).getClient(instanceId, seat)
            self._verdicts[instanceId][client] = (epoch << REASON_BITS) | reason
            log ClientSlashable(instanceId=instanceId, client=client, epoch=epoch, reason=reason)


@external
def overturnEpoch(instanceId: uint256, epoch: uint256, challenger: address, fraudCase: uint256):
    """
    @notice Take a pending epoch back, and all after it, because a verifier has seen a fault in it. Its aggregator loses its
            bond: a part is credited to the challenger, the rest goes to SlashTreasury.
    @dev `lastProgress` stays: what moved it cost a bond. Who built upon the epoch in good faith keeps its own bond.
    @param instanceId An instance
    @param epoch A pending epoch
    @param challenger Who has shown the fault
    @param fraudCase Which fault, as docs/proofs.md numbers them
    """
    assert msg.sender in [
        SUBMISSION_VERIFIER, VECTOR_VERIFIER, VERDICT_VERIFIER, DATA_DEMANDS
    ], "ModelParameterChain: caller is not a verifier"
    assert self._is_pending(instanceId, epoch), "ModelParameterChain: epoch is not pending"
    header_hash: bytes32 = self._epochs[instanceId][epoch].headerHash
    aggregator: address = self._epochs[instanceId][epoch].aggregator
    attempt: uint256 = self._instances[instanceId].attempt + 1
    before: uint256 = epoch - 1
    if before == 0:
        self._instances[instanceId].lastHeaderHash = self._genesis_hash(instanceId)
        self._instances[instanceId].lastModelRoot = self._instances[instanceId].genesisModelRoot
        self._instances[instanceId].slashReasons = 0
    else:
        self._instances[instanceId].lastHeaderHash = self._epochs[instanceId][before].headerHash
        self._instances[instanceId].lastModelRoot = self._epochs[instanceId][before].nextModelRoot
        self._instances[instanceId].slashReasons = self._epochs[instanceId][before].slashReasons
    self._instances[instanceId].postedEpochs = before
    self._instances[instanceId].attempt = attempt
    self._instances[instanceId].lastActivity = block.timestamp
    log EpochOverturned(
        instanceId=instanceId,
        epoch=epoch,
        challenger=challenger,
        fraudCase=fraudCase,
        aggregator=aggregator,
        headerHash=header_hash,
        attempt=attempt,
    )

    bond: uint256 = self.bonds[instanceId][aggregator]
    # An earlier fault of the same aggregator has taken it.
    if bond == 0:
        return
    reward: uint256 = bond * CHALLENGER_SHARE // SHARE_SCALE
    self.bonds[instanceId][aggregator] = 0
    self.challengeRewards[challenger] += reward
    log BondSlashed(
        instanceId=instanceId, aggregator=aggregator, challenger=challenger, reward=reward, amount=bond
    )
    assert payments._send(
        SLASH_TREASURY_ADDRESS, bond - reward
    ), "ModelParameterChain: slash treasury refused the payment"


@external
def claimChallengeReward(receiver: address = msg.sender):
    """
    @notice Pay out what is credited to the caller for the faults that it has shown.
    @param receiver Who is paid; the caller when left out
    """
    assert receiver != empty(address), "ModelParameterChain: receiver is the zero address"
    amount: uint256 = self.challengeRewards[msg.sender]
    assert amount != 0, "ModelParameterChain: no reward to claim"
    self.challengeRewards[msg.sender] = 0
    log ChallengeRewardClaimed(challenger=msg.sender, receiver=receiver, amount=amount)
    assert payments._send(receiver, amount), "ModelParameterChain: receiver refused the payment"


@external
def stopInstance(instanceId: uint256):
    """
    @notice End an instance early: the user at any time, and anyone when nothing has been heard of it for 2 LIVENESS_PERIODs
            or no epoch has been posted for 4, so that nobody waits for ever for what it is owed.
    @param instanceId An instance
    """
    user: address = self._instances[instanceId].user
    assert user != empty(address), "ModelParameterChain: no such instance"
    assert self._instances[instanceId].stoppedAt == 0, "ModelParameterChain: instance is stopped"
    assert not self._is_closed(instanceId), "ModelParameterChain: instance is closed"
    assert (
        msg.sender == user
        or self._is_past(self._instances[instanceId].lastActivity + SILENCE * LIVENESS_PERIOD)
        or self._is_past(self._instances[instanceId].lastProgress + STAGNATION * LIVENESS_PERIOD)
    ), "ModelParameterChain: only the user may stop it yet"
    self._instances[instanceId].stoppedAt = block.timestamp
    log InstanceStopped(
        instanceId=instanceId,
        caller=msg.sender,
        postedEpochs=self._instances[instanceId].postedEpochs,
        finalizedEpochs=self._instances[instanceId].finalizedEpochs,
    )


@external
@view
def getInstance(instanceId: uint256) -> Instance:
    """
    @notice An instance's state, after the last posted epoch.
    @param instanceId An instance
    @return All that is stored of it
    """
    return self._instances[instanceId]


@external
@view
def getEpoch(instanceId: uint256, epoch: uint256) -> EpochRecord:
    """
    @notice What is known of an epoch.
    @param instanceId An instance
    @param epoch An epoch, counted from 1
    @return Its record; empty but for the commits before it is posted, or after it was overturned
    """
    record: EpochRecord = self._epochs[instanceId][epoch]
    record.commitsClosedAt = record.commitsClosedAt & MOMENT_MASK
    record.finalized = epoch != 0 and epoch <= self._instances[instanceId].finalizedEpochs
    if epoch <= self._instances[instanceId].postedEpochs:
        return record
    commits: EpochRecord = empty(EpochRecord)
    commits.commitsClosedAt = self._closed_at(instanceId, epoch)
    if commits.commitsClosedAt != 0:
        commits.commitsRoot = record.commitsRoot
    return commits


@external
@view
def getDispute(instanceId: uint256, epoch: uint256) -> IDisputes.Dispute:
    """
    @notice What a verifier must know of an epoch.
    @param instanceId An instance
    @param epoch An epoch, counted from 1
    @return The hash of its header, who posted it, and what the instance trains; all zero when the epoch is not pending
    """
    if not self._is_pending(instanceId, epoch):
        return empty(IDisputes.Dispute)
    return IDisputes.Dispute(
        headerHash=self._epochs[instanceId][epoch].headerHash,
        aggregator=self._epochs[instanceId][epoch].aggregator,
        cohortSize=self._instances[instanceId].cohortSize,
        d=self._instances[instanceId].d,
        rulesHash=self._instances[instanceId].rulesHash,
    )


@external
@view
def isClosed(instanceId: uint256) -> bool:
    """
    @notice Whether nothing can be added to an instance any more, so that it can be settled.
    @param instanceId An instance
    @return Whether all its epochs are final, or it is stopped and nothing is pending
    """
    return self._is_closed(instanceId)


@external
@view
def isFinallySlashable(instanceId: uint256, client: address) -> bool:
    """
    @notice Whether a verdict against a client is final.
    @param instanceId An instance
    @param client A client
    @return Whether its stake may be taken
    """
    return self._verdicts[instanceId][client] != 0


@external
@view
def getVerdict(instanceId: uint256, client: address) -> (uint256, uint256):
    """
    @notice The final verdict against a client.
    @param instanceId An instance
    @param client A client
    @return The epoch that found it and the reason; zeros when there is none
    """
    verdict: uint256 = self._verdicts[instanceId][client]
    return verdict >> REASON_BITS, verdict & REASON_MASK


@external
@view
def getSettlement(instanceId: uint256) -> (bool, uint256, DynArray[uint256, limits.MAX_EPOCHS]):
    """
    @notice What an instance is billed by.
    @param instanceId An instance
    @return Whether it is closed, the final slash reasons, and for every final epoch the bitmap of the accepted seats
    """
    accepted: DynArray[uint256, limits.MAX_EPOCHS] = []
    for i: uint256 in range(self._instances[instanceId].finalizedEpochs, bound=limits.MAX_EPOCHS):
        excluded: uint256 = self._epochs[instanceId][i + 1].excluded
        accepted.append(self._epochs[instanceId][i + 1].participants & ~excluded)
    return self._is_closed(instanceId), self._instances[instanceId].finalSlashReasons, accepted


@internal
@view
def _only_aggregator(instance_id: uint256):
    assert (
        msg.sender == self._instances[instance_id].aggregator
    ), "ModelParameterChain: caller is not the aggregator"


@internal
@view
def _only_bonded_aggregator(instance_id: uint256):
    self._only_aggregator(instance_id)
    assert self.bonds[instance_id][msg.sender] != 0, "ModelParameterChain: bond is missing"


@internal
@view
def _is_past(moment: uint256) -> bool:
    return block.timestamp > moment


@internal
@view
def _is_pending(instance_id: uint256, epoch: uint256) -> bool:
    """
    @notice Whether an epoch is posted and not final, so that it can be overturned.
    @param instance_id An instance
    @param epoch An epoch
    @return Whether it is pending
    """
    return (
        epoch > self._instances[instance_id].finalizedEpochs
        and epoch <= self._instances[instance_id].postedEpochs
    )


@internal
@view
def _genesis_hash(instance_id: uint256) -> bytes32:
    """
    @notice The hash that the first header follows.
    @param instance_id A configured instance
    @return Its genesis hash
    """
    return keccak256(
        concat(
            GENESIS_DOMAIN,
            abi_encode(
                chain.id,
                self,
                instance_id,
                self._instances[instance_id].genesisModelRoot,
                self._instances[instance_id].d,
                self._instances[instance_id].rulesHash,
                self._instances[instance_id].cohortHash,
            ),
        )
    )


@internal
@view
def _closed_at(instance_id: uint256, epoch: uint256) -> uint256:
    """
    @notice When the commits of an epoch that is not posted were closed. Those closed under an earlier attempt are void.
    @param instance_id An instance
    @param epoch An epoch after the last posted one
    @return The moment; 0 when there are none
    """
    stored: uint256 = self._epochs[instance_id][epoch].commitsClosedAt
    if stored >> MOMENT_BITS != self._instances[instance_id].attempt:
        return 0
    return stored & MOMENT_MASK


@internal
@view
def _awaits_epoch(instance_id: uint256, epoch: uint256) -> bool:
    """
    @notice Whether an epoch's commits are closed and it can still be posted.
    @param instance_id An instance
    @param epoch The epoch after the last posted one
    @return Whether it is waited for
    """
    closed_at: uint256 = self._closed_at(instance_id, epoch)
    return closed_at != 0 and not self._is_past(closed_at + LIVENESS_PERIOD)


@internal
@view
def _is_closed(instance_id: uint256) -> bool:
    final: uint256 = self._instances[instance_id].finalizedEpochs
    # An instance that does not exist has no epochs, and all of them are final: it is not closed for that.
    if final == self._instances[instance_id].numberOfEpochs:
        return final != 0
    return (
        self._instances[instance_id].stoppedAt != 0
        and final == self._instances[instance_id].postedEpochs
        and not self._awaits_epoch(instance_id, final + 1)
    )


@internal
@pure
def _check_seats(header: headers.Header, cohort_size: uint256, before: uint256):
    """
    @notice Check the seats of a header: who took part, who was excluded, who is slashable.
    @param header The header
    @param cohort_size The number of seats
    @param before The slash reasons of the epoch before
    """
    assert header.participants >> cohort_size == 0, "ModelParameterChain: participant outside the cohort"
    assert header.excluded & ~header.participants == 0, "ModelParameterChain: excluded seat took no part"
    assert header.excluded != header.participants, "ModelParameterChain: no seat is accepted"
    slashable: uint256 = seats._reasoned(before)
    assert (
        seats._to_nibbles(header.participants) & slashable == 0
    ), "ModelParameterChain: slashable seat takes part"
    assert header.slashReasons & (slashable * REASON_MASK) == before, "ModelParameterChain: slash reason is changed"
    added: uint256 = header.slashReasons ^ before
    assert seats._unknown(added) == 0, "ModelParameterChain: slash reason is unknown"
    assert (
        seats._reasoned(added) & ~seats._to_nibbles(header.excluded) == 0
    ), "ModelParameterChain: slashed seat is not excluded"
