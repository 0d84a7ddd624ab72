"""Why the contracts refuse: one class for each reason, with the contract's exact string.

Three kinds, each also the builtin that it resembles: an argument that can never be right (:class:`BadArgument`, a
ValueError), something that the caller may not do (:class:`NotAllowed`, a PermissionError), and something that cannot be
done now (:class:`NotNow`, a RuntimeError). Where several contracts refuse for the same reason, they share a class. A
test holds this file and the contracts together.
"""

from __future__ import annotations

from fedblocks.chain.reverts import ContractReverted


class BadArgument(ContractReverted, ValueError):
    """An argument or an amount is wrong."""


class NotAllowed(ContractReverted, PermissionError):
    """The caller may not do this."""


class NotNow(ContractReverted, RuntimeError):
    """The state of the contract does not allow this now, or not any more."""


# Deployment: what the constructors check.


class ParameterIsZero(BadArgument):
    """A parameter of the deployment is zero, and may not be."""

    reason = (
        "StakingRegistry: stake amount is zero",
        "StakingRegistry: staking period is zero",
        "RewardManager: base fee is zero",
        "RewardManager: fee per epoch is zero",
        "ModelParameterChain: aggregator bond is zero",
        "ModelParameterChain: challenge window is zero",
        "ModelParameterChain: liveness period is zero",
        "ModelParameterChain: challenger share is zero",
        "DataDemands: demand deposit is zero",
        "DataDemands: answer period is zero",
        "SlashingManager: slash margin is zero",
        "SlashTreasury: admin is the zero address",
        "RewardTreasury: admin is the zero address",
    )


class ContractAddressWrong(BadArgument):
    """A constructor was given an address that cannot be the contract it should be."""

    reason = (
        "StakingRegistry: slashing manager is the zero address",
        "StakingRegistry: slash treasury is not a contract",
        "RewardManager: reward treasury is not a contract",
        "RewardManager: staking registry is not a contract",
        "RewardManager: model parameter chain is the zero address",
        "ModelParameterChain: reward manager is not a contract",
        "ModelParameterChain: verifier is the zero address",
        "ModelParameterChain: verifier is named twice",
        "SubmissionVerifier: model parameter chain is not a contract",
        "VectorVerifier: model parameter chain is not a contract",
        "VerdictVerifier: model parameter chain is not a contract",
        "DataDemands: model parameter chain is not a contract",
        "SlashingManager: verifier is not a contract",
        "SlashingManager: model parameter chain is not a contract",
        "SlashingManager: staking registry is not a contract",
    )


class ContractsDisagree(BadArgument):
    """A constructor found that the earlier contracts name others than they should."""

    reason = (
        "ModelParameterChain: reward manager names another chain",
        "ModelParameterChain: registry names another slash treasury",
        "SlashingManager: registry names another slashing manager",
        "SlashingManager: reward manager names another chain",
        "SlashingManager: reward manager names another registry",
        "SlashingManager: slash treasuries differ",
        "SlashingManager: verifier names another chain",
    )


class ProtocolFeeTooHigh(BadArgument):
    """The protocol's part of a fee is more than the whole fee."""

    reason = "RewardManager: protocol fee is more than the whole"


class ChallengerShareTooHigh(BadArgument):
    """The challenger's part of a bond is more than half: an aggregator could challenge itself at little cost."""

    reason = "ModelParameterChain: challenger share is more than half"


class StakingPeriodTooShort(BadArgument):
    """A client could leave before a verdict on it can be executed."""

    reason = "SlashingManager: staking period is too short"


# Paying out, in every contract.


class ReceiverIsZero(BadArgument):
    """A payment was to go to the zero address."""

    reason = (
        "StakingRegistry: receiver is the zero address",
        "RewardManager: receiver is the zero address",
        "ModelParameterChain: receiver is the zero address",
        "DataDemands: receiver is the zero address",
    )


class ReceiverRefusedPayment(NotNow):
    """The receiver is a contract that does not take ether; name another receiver."""

    reason = (
        "StakingRegistry: receiver refused the payment",
        "RewardManager: receiver refused the payment",
        "ModelParameterChain: receiver refused the payment",
        "DataDemands: receiver refused the payment",
        "SlashTreasury: admin refused the payment",
        "RewardTreasury: admin refused the payment",
    )


class TreasuryRefusedPayment(NotNow):
    """A treasury does not take ether; that cannot happen in a deployment that was checked."""

    reason = (
        "StakingRegistry: slash treasury refused the payment",
        "RewardManager: reward treasury refused the payment",
        "ModelParameterChain: slash treasury refused the payment",
    )


# Treasuries.


class NotTheAdmin(NotAllowed):
    """Only the treasury's admin may do this."""

    reason = ("SlashTreasury: caller is not the admin", "RewardTreasury: caller is not the admin")


class NotThePendingAdmin(NotAllowed):
    """Only the one to whom the treasury was offered may accept it."""

    reason = ("SlashTreasury: caller is not the pending admin", "RewardTreasury: caller is not the pending admin")


class NotEnoughBalance(BadArgument):
    """The treasury holds less than was to be withdrawn."""

    reason = ("SlashTreasury: not enough balance", "RewardTreasury: not enough balance")


# StakingRegistry.


class IncorrectStakeAmount(BadArgument):
    """A stake is exactly STAKE_AMOUNT, and something else was sent."""

    reason = "StakingRegistry: incorrect stake amount"


class ClientAlreadyStaked(NotNow):
    """The client is staked already."""

    reason = "StakingRegistry: client is already staked"


class ClientIsSlashed(NotAllowed):
    """The client was slashed, and is barred from staking and from its pay for good."""

    reason = ("StakingRegistry: client has been slashed", "RewardManager: client has been slashed")


class ClientNotStaked(NotNow):
    """The client has no active stake."""

    reason = ("StakingRegistry: client is not staked", "RewardManager: client is not staked")


class NothingUnbonding(NotNow):
    """The client has no stake to withdraw; it must unregister first, or has withdrawn already."""

    reason = "StakingRegistry: nothing is unbonding"


class StakingPeriodNotOver(NotNow):
    """The stake cannot be withdrawn yet."""

    reason = "StakingRegistry: staking period has not passed"


class NotTheSlashingManager(NotAllowed):
    """Only SlashingManager takes stakes; ask it."""

    reason = "StakingRegistry: caller is not the slashing manager"


class NothingToSlash(NotNow):
    """None of the clients has a stake left that could be taken."""

    reason = ("StakingRegistry: client has no stake", "SlashingManager: nothing is left to slash")


# SlashingManager.


class NotFinallySlashable(NotNow):
    """No final epoch of the instance condemns the client."""

    reason = "SlashingManager: client is not finally slashable"


class WrongRegistry(BadArgument):
    """SlashingManager serves one registry, and another was named."""

    reason = "SlashingManager: not the registry of this deployment"


# RewardManager.


class IncorrectInstanceValue(BadArgument):
    """Opening an instance costs exactly BASE_FEE + epochs x FEE_PER_EPOCH, and something else was sent."""

    reason = "RewardManager: incorrect value"


class NoEpochs(BadArgument):
    """An instance was to have no epoch."""

    reason = "RewardManager: number of epochs is zero"


class TooManyEpochs(BadArgument):
    """An instance was to have more epochs than are allowed."""

    reason = "RewardManager: too many epochs"


class CohortTooSmall(BadArgument):
    """A cohort was to have fewer clients than are needed."""

    reason = "RewardManager: cohort is too small"


class ClientHasTwoSeats(BadArgument):
    """A cohort was to have the same client twice."""

    reason = "RewardManager: client has two seats"


class NoSuchInstance(BadArgument, LookupError):
    """There is no instance with this number."""

    reason = ("RewardManager: no such instance", "ModelParameterChain: no such instance")


class NoSuchSeat(BadArgument, LookupError):
    """The cohort has no such seat."""

    reason = "RewardManager: no such seat"


class NotTheUser(NotAllowed):
    """Only the instance's user may do this."""

    reason = ("RewardManager: caller is not the user", "ModelParameterChain: caller is not the user")


class InstanceNotClosed(NotNow):
    """The instance can still change; it is settled when it is closed."""

    reason = "RewardManager: instance is not closed"


class AlreadySettled(NotNow):
    """The instance's fees were settled before."""

    reason = "RewardManager: instance is settled already"


class NoRewardToClaim(NotNow):
    """Nothing is credited to the account, or it was claimed."""

    reason = ("RewardManager: no reward to claim", "ModelParameterChain: no reward to claim")


class NoRewardToForfeit(NotNow):
    """Nothing is credited to the slashed client in this instance."""

    reason = "RewardManager: no reward to forfeit"


class ClientNotSlashed(NotNow):
    """Only a slashed client forfeits its reward."""

    reason = "RewardManager: client has not been slashed"


class NoRefundToWithdraw(NotNow):
    """Nothing is credited to the user in this instance, or it was withdrawn."""

    reason = "RewardManager: no refund to withdraw"


# ModelParameterChain: instances and aggregators.


class NotTheRewardManager(NotAllowed):
    """Only RewardManager opens instances; ask it."""

    reason = "ModelParameterChain: caller is not the reward manager"


class AlreadyConfigured(NotNow):
    """What the instance trains was fixed before."""

    reason = "ModelParameterChain: instance is configured already"


class NotConfigured(NotNow):
    """What the instance trains was not fixed yet."""

    reason = "ModelParameterChain: instance is not configured"


class ConfigurationIncomplete(BadArgument):
    """Something that an instance needs was left out."""

    reason = (
        "ModelParameterChain: aggregator is missing",
        "ModelParameterChain: genesis model root is missing",
        "ModelParameterChain: rules hash is missing",
        "ModelParameterChain: number of parameters is missing",
    )


class TooManyParameters(BadArgument):
    """The model has more values than an instance allows."""

    reason = "ModelParameterChain: too many parameters"


class AggregatorAtWork(NotNow):
    """The aggregator has posted its bond and is not silent; it cannot be replaced."""

    reason = "ModelParameterChain: aggregator is at work"


class AggregatorAlreadyNamed(BadArgument):
    """The aggregator that was to be named is the present one."""

    reason = "ModelParameterChain: aggregator is named already"


class NotTheAggregator(NotAllowed):
    """Only the instance's aggregator may do this."""

    reason = "ModelParameterChain: caller is not the aggregator"


class StillTheAggregator(NotNow):
    """The bond of an instance's aggregator stays until the instance is closed."""

    reason = "ModelParameterChain: caller is the aggregator"


class IncorrectBond(BadArgument):
    """A bond is exactly AGGREGATOR_BOND, and something else was sent."""

    reason = "ModelParameterChain: incorrect bond"


class BondAlreadyDeposited(NotNow):
    """The aggregator has deposited its bond before."""

    reason = "ModelParameterChain: bond is deposited already"


class BondMissing(NotNow):
    """The aggregator has not deposited its bond."""

    reason = "ModelParameterChain: bond is missing"


class NoBondToWithdraw(NotNow):
    """The caller has no bond in this instance."""

    reason = "ModelParameterChain: no bond to withdraw"


class EpochsNotFinal(NotNow):
    """An epoch that the caller has posted can still be challenged; its bond stays until it is final."""

    reason = "ModelParameterChain: an epoch of the caller's is not final"


class InstanceIsStopped(NotNow):
    """The instance was stopped."""

    reason = "ModelParameterChain: instance is stopped"


class InstanceIsClosed(NotNow):
    """Nothing can be added to the instance any more."""

    reason = "ModelParameterChain: instance is closed"


class OnlyUserMayStop(NotAllowed):
    """Others than the user may stop an instance only when it has long been silent."""

    reason = "ModelParameterChain: only the user may stop it yet"


# ModelParameterChain: epochs.


class AllEpochsPosted(NotNow):
    """The instance has no further epoch."""

    reason = "ModelParameterChain: every epoch has been posted"


class NotTheNextEpoch(BadArgument):
    """Epochs are closed, posted and finalised in order, and this is not the next one."""

    reason = (
        "ModelParameterChain: epoch is not the next one",
        "ModelParameterChain: epoch is not the next one to finalize",
    )


class WrongAttempt(BadArgument):
    """The attempt is not the instance's present one: an aggregator was named, or commits were closed again."""

    reason = "ModelParameterChain: attempt is not the current one"


class CommitsAlreadyClosed(NotNow):
    """The commitments to this epoch are fixed; they can be closed anew only after a long silence."""

    reason = "ModelParameterChain: commits are closed already"


class CommitsNotClosed(NotNow):
    """The commitments to this epoch must be fixed before it is posted."""

    reason = "ModelParameterChain: commits are not closed"


class CommitsRootMissing(BadArgument):
    """The root of the commitments is zero."""

    reason = "ModelParameterChain: commits root is missing"


class WrongCommitsRoot(BadArgument):
    """The header names other commitments than those that were fixed."""

    reason = "ModelParameterChain: commits root is not the closed one"


class EpochTooLate(NotNow):
    """The epoch was not posted within the liveness period of its commitments."""

    reason = "ModelParameterChain: epoch is late"


class HeaderDoesNotChain(BadArgument):
    """The header does not name the last header's hash as its predecessor."""

    reason = "ModelParameterChain: header does not follow the last one"


class WrongBaseModel(BadArgument):
    """The header does not start from the model that the last one ended with."""

    reason = "ModelParameterChain: base model is not the last one"


class SeatOutsideCohort(BadArgument):
    """The header names a participant that the cohort has no seat for."""

    reason = "ModelParameterChain: participant outside the cohort"


class ExcludedWithoutPart(BadArgument):
    """The header excludes a seat that took no part."""

    reason = "ModelParameterChain: excluded seat took no part"


class NobodyAccepted(BadArgument):
    """The header accepts no seat at all."""

    reason = "ModelParameterChain: no seat is accepted"


class SlashableTakesPart(BadArgument):
    """The header lets a seat take part that an earlier header condemns."""

    reason = "ModelParameterChain: slashable seat takes part"


class SlashReasonChanged(BadArgument):
    """The header takes back or changes an earlier verdict."""

    reason = "ModelParameterChain: slash reason is changed"


class SlashReasonUnknown(BadArgument):
    """The header gives a reason that is none."""

    reason = "ModelParameterChain: slash reason is unknown"


class SlashedNotExcluded(BadArgument):
    """The header condemns a seat without excluding it from the epoch."""

    reason = "ModelParameterChain: slashed seat is not excluded"


class EpochNotPosted(NotNow):
    """There is no such epoch yet."""

    reason = "ModelParameterChain: epoch is not posted"


class ChallengeWindowOpen(NotNow):
    """The epoch can still be challenged, and is not final."""

    reason = "ModelParameterChain: challenge window is open"


class DataAreDemanded(NotNow):
    """Data of the epoch were demanded: it is not final before they are opened, and some time has passed."""

    reason = "ModelParameterChain: data are demanded"


# ModelParameterChain: overturned epochs.


class NotAVerifier(NotAllowed):
    """Only the verifiers overturn epochs; show them the fault."""

    reason = "ModelParameterChain: caller is not a verifier"


class EpochNotPending(NotNow):
    """The epoch is not posted, was overturned, or is final."""

    reason = ("ModelParameterChain: epoch is not pending", "DataDemands: epoch is not pending")


# The verifiers.


class HeaderNotPending(NotNow):
    """The header is not that of a pending epoch: it was never posted, was overturned, or is final."""

    reason = (
        "SubmissionVerifier: header is not a pending epoch's",
        "VectorVerifier: header is not a pending epoch's",
        "VerdictVerifier: header is not a pending epoch's",
        "DataDemands: header is not a pending epoch's",
    )


class WrongPreviousHeader(BadArgument):
    """The header that was given as the one before is not."""

    reason = (
        "SubmissionVerifier: previous header is not the one before",
        "VectorVerifier: previous header is not the one before",
        "VerdictVerifier: previous header is not the one before",
    )


class NoFault(BadArgument):
    """What was challenged is right."""

    reason = (
        "SubmissionVerifier: no fault",
        "VectorVerifier: no fault",
        "VerdictVerifier: no fault",
    )


class ProofDoesNotOpen(BadArgument):
    """A challenge's proof does not lead to what the header commits to."""

    reason = (
        "SubmissionVerifier: seat does not open",
        "SubmissionVerifier: acknowledgement does not open",
        "SubmissionVerifier: list of submissions does not open",
        "SubmissionVerifier: submission does not open",
        "SubmissionVerifier: list of commits does not open",
        "VectorVerifier: entry does not open",
        "VectorVerifier: leaf before is not the one before",
        "VectorVerifier: seat does not open",
        "VectorVerifier: chunk does not open",
        "VectorVerifier: carried does not open",
        "VectorVerifier: parts do not open",
        "VectorVerifier: part does not open",
        "VectorVerifier: tree does not open",
        "VectorVerifier: chunk is not the last one",
        "VectorVerifier: node does not open",
        "VectorVerifier: node is not past the end",
        "VectorVerifier: leaf does not open",
        "VectorVerifier: row does not open",
        "VectorVerifier: submissions do not open",
        "VectorVerifier: submission does not open",
        "VectorVerifier: values do not open",
        "VerdictVerifier: seat does not open",
        "VerdictVerifier: hash of the rules does not open",
        "VerdictVerifier: last Gram leaf does not open",
        "VerdictVerifier: list of stats does not open",
        "VerdictVerifier: what is carried does not open",
        "VerdictVerifier: entry does not open",
        "VerdictVerifier: list of entries does not open",
        "VerdictVerifier: list of submissions does not open",
        "VerdictVerifier: bound is not the largest distance that is added up",
    )


# DataDemands.


class IncorrectDeposit(BadArgument):
    """A demand costs exactly DEMAND_DEPOSIT, and something else was sent."""

    reason = "DataDemands: incorrect deposit"


class NoSuchPosition(BadArgument, LookupError):
    """The epoch has no such position."""

    reason = "DataDemands: no such position"


class DemandTooLate(NotNow):
    """The epoch was posted too long ago to demand anything of it."""

    reason = "DataDemands: demand is late"


class AlreadyDemanded(NotNow):
    """The position was demanded before."""

    reason = "DataDemands: position is demanded already"


class DemandNotOpen(NotNow):
    """There is no such demand, or it was answered, failed or reclaimed."""

    reason = "DataDemands: demand is not open"


class AnswerTooLate(NotNow):
    """The demand's deadline has passed."""

    reason = "DataDemands: answer is late"


class OtherHeaderDemanded(BadArgument):
    """The demand is about another header."""

    reason = "DataDemands: header is not the demanded one"


class AnswerDoesNotOpen(BadArgument):
    """The answer is not what the header commits to."""

    reason = "DataDemands: answer does not open"


class DemandCanBeAnswered(NotNow):
    """The demand's deadline has not passed."""

    reason = "DataDemands: demand can still be answered"


class EpochPending(NotNow):
    """The epoch is pending: the deposit of a demand comes back only when it is gone."""

    reason = "DataDemands: epoch is pending"


class NoCreditToWithdraw(NotNow):
    """Nothing is credited to the account."""

    reason = "DataDemands: no credit to withdraw"
