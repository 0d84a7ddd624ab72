"""ModelParameterChain: where an instance's epochs are posted, wait for challenges, and become final.

An epoch's life on the chain: the aggregator closes the commitments (``close_commits``), posts the epoch's header
(``submit_epoch``), and one challenge window later anyone makes it final (``finalize_epoch``). A verdict counts from
then on. Until then a verifier that has seen a fault overturns it, and its aggregator loses its bond. The header itself
is made in :mod:`fedblocks.rollup`; here it is any object that gives its 17 words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Protocol

from fedblocks.chain.connection import Block
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.seats import SlashReason, unpack_reasons
from fedblocks.types import ZERO_HASH, Address, Bitmap, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei


class HeaderLike(Protocol):
    """An epoch's header: its words, in the order of the contract's struct."""

    def as_tuple(self) -> tuple[int | bytes, ...]:
        """The 17 words."""
        ...


@dataclass(frozen=True, kw_only=True)
class PostedHeader:
    """An epoch's header as it was posted."""

    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    previous_header_hash: Hash32
    commits_root: Hash32
    submissions_root: Hash32
    gram_root: Hash32
    stats_root: Hash32
    base_model_root: Hash32
    delta_root: Hash32
    next_model_root: Hash32
    participants: Bitmap
    excluded: Bitmap
    slash_reasons: int
    carried_root: Hash32
    metric: int
    data_locator: Hash32

    def as_tuple(self) -> tuple[int | bytes, ...]:
        """The 17 words, in the order of the contract's struct."""
        return astuple(self)


@dataclass(frozen=True, kw_only=True)
class InstanceOpened(ChainEvent):
    """An instance was opened for a user."""

    instance_id: InstanceId
    user: Address
    cohort_size: int
    number_of_epochs: int


@dataclass(frozen=True, kw_only=True)
class InstanceConfigured(ChainEvent):
    """What an instance trains was fixed."""

    instance_id: InstanceId
    genesis_model_root: Hash32
    d: int
    rules_hash: Hash32
    genesis_hash: Hash32


@dataclass(frozen=True, kw_only=True)
class AggregatorNamed(ChainEvent):
    """The user has named an aggregator; commitments of an earlier attempt are void."""

    instance_id: InstanceId
    aggregator: Address
    previous_aggregator: Address
    attempt: int


@dataclass(frozen=True, kw_only=True)
class BondDeposited(ChainEvent):
    """An aggregator has accepted an instance with its bond."""

    instance_id: InstanceId
    aggregator: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class BondWithdrawn(ChainEvent):
    """An aggregator got its bond back."""

    instance_id: InstanceId
    aggregator: Address
    receiver: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class CommitsClosed(ChainEvent):
    """Nobody can commit to this epoch any more; whoever has may now reveal."""

    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    commits_root: Hash32


@dataclass(frozen=True, kw_only=True)
class EpochSubmitted(ChainEvent):
    """An epoch was posted."""

    instance_id: InstanceId
    epoch: EpochNumber
    aggregator: Address
    header_hash: Hash32
    finalizable_at: Timestamp
    header: PostedHeader


@dataclass(frozen=True, kw_only=True)
class EpochFinalized(ChainEvent):
    """An epoch is final."""

    instance_id: InstanceId
    epoch: EpochNumber
    header_hash: Hash32
    participants: Bitmap
    excluded: Bitmap


@dataclass(frozen=True, kw_only=True)
class ClientSlashable(ChainEvent):
    """A verdict on a client is final: its stake can be taken."""

    instance_id: InstanceId
    client: Address
    epoch: EpochNumber
    reason: SlashReason


@dataclass(frozen=True, kw_only=True)
class InstanceStopped(ChainEvent):
    """No further epoch will be started."""

    instance_id: InstanceId
    caller: Address
    posted_epochs: int
    finalized_epochs: int


@dataclass(frozen=True, kw_only=True)
class EpochOverturned(ChainEvent):
    """A fault was shown in an epoch: it is gone, and all after it."""

    instance_id: InstanceId
    epoch: EpochNumber
    challenger: Address
    fraud_case: int
    aggregator: Address
    header_hash: Hash32
    attempt: int


@dataclass(frozen=True, kw_only=True)
class BondSlashed(ChainEvent):
    """The aggregator of an overturned epoch lost its bond: the challenger's part of it, and the whole."""

    instance_id: InstanceId
    aggregator: Address
    challenger: Address
    reward: Wei
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class ChallengeRewardClaimed(ChainEvent):
    """A challenger was paid."""

    challenger: Address
    receiver: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance as ModelParameterChain keeps it."""

    user: Address
    aggregator: Address
    cohort_size: int
    number_of_epochs: int
    d: int
    attempt: int
    posted_epochs: int
    finalized_epochs: int
    last_activity: Timestamp
    """When the aggregator last gave a sign of life, or was named."""
    last_progress: Timestamp
    """When an epoch was last posted, or the instance was opened or configured."""
    stopped_at: Timestamp
    cohort_hash: Hash32
    genesis_model_root: Hash32
    rules_hash: Hash32
    last_header_hash: Hash32
    """The genesis hash before the first epoch."""
    last_model_root: Hash32
    slash_reasons: int
    """Four bits a seat, as of the last posted epoch; :attr:`slashable` reads them."""
    final_slash_reasons: int
    """Four bits a seat, as of the last final epoch; :attr:`finally_slashable` reads them."""

    @property
    def slashable(self) -> Mapping[Seat, SlashReason]:
        """The seats that a posted epoch condemns; a challenge can still save them."""
        return unpack_reasons(self.slash_reasons)

    @property
    def finally_slashable(self) -> Mapping[Seat, SlashReason]:
        """The seats that a final epoch condemns."""
        return unpack_reasons(self.final_slash_reasons)


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """An epoch as ModelParameterChain keeps it."""

    header_hash: Hash32
    aggregator: Address
    posted_at: Timestamp
    participants: Bitmap
    excluded: Bitmap
    slash_reasons: int
    next_model_root: Hash32
    commits_root: Hash32
    commits_closed_at: Timestamp
    finalized: bool

    @property
    def is_posted(self) -> bool:
        """Whether there is a header yet."""
        return self.posted_at != 0


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """What can be disputed of an epoch; all zero when it is not pending."""

    header_hash: Hash32
    aggregator: Address
    cohort_size: int
    d: int
    rules_hash: Hash32

    @property
    def is_pending(self) -> bool:
        """Whether the epoch is posted and not final."""
        return self.header_hash != ZERO_HASH


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why a client is finally slashable in an instance, and since which epoch."""

    epoch: EpochNumber
    reason: SlashReason


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What the settling of a closed instance goes by."""

    closed: bool
    slash_reasons: int
    accepted: tuple[Bitmap, ...]
    """For each finalised epoch, the seats that are paid."""


class ModelParameterChain(Contract):
    """Epochs, aggregators' bonds and verdicts."""

    NAME = "ModelParameterChain"
    EVENTS = (
        InstanceOpened,
        InstanceConfigured,
        AggregatorNamed,
        BondDeposited,
        BondWithdrawn,
        CommitsClosed,
        EpochSubmitted,
        EpochFinalized,
        ClientSlashable,
        InstanceStopped,
        EpochOverturned,
        BondSlashed,
        ChallengeRewardClaimed,
    )

    def reward_manager(self, block: Block = "latest") -> Address:
        """The contract that opens instances and settles them."""
        return Address(self._read("REWARD_MANAGER", block=block))

    def slash_treasury(self, block: Block = "latest") -> Address:
        """Where slashed bonds go."""
        return Address(self._read("SLASH_TREASURY_ADDRESS", block=block))

    def aggregator_bond(self, block: Block = "latest") -> Wei:
        """What an aggregator deposits for an instance, exactly."""
        return Wei(self._read("AGGREGATOR_BOND", block=block))

    def challenge_window(self, block: Block = "latest") -> int:
        """Seconds from an epoch's posting in which it can be challenged."""
        return int(self._read("CHALLENGE_WINDOW", block=block))

    def liveness_period(self, block: Block = "latest") -> int:
        """Seconds for which an aggregator may be silent."""
        return int(self._read("LIVENESS_PERIOD", block=block))

    def challenger_share(self, block: Block = "latest") -> int:
        """The challenger's part of a slashed bond, scaled by 1e8."""
        return int(self._read("CHALLENGER_SHARE", block=block))

    def submission_verifier(self, block: Block = "latest") -> Address:
        """The contract that judges submissions."""
        return Address(self._read("SUBMISSION_VERIFIER", block=block))

    def vector_verifier(self, block: Block = "latest") -> Address:
        """The contract that judges vectors and their products."""
        return Address(self._read("VECTOR_VERIFIER", block=block))

    def verdict_verifier(self, block: Block = "latest") -> Address:
        """The contract that judges figures and verdicts."""
        return Address(self._read("VERDICT_VERIFIER", block=block))

    def data_demands(self, block: Block = "latest") -> Address:
        """The contract that has data opened."""
        return Address(self._read("DATA_DEMANDS", block=block))

    def instance(self, instance_id: InstanceId, block: Block = "latest") -> Instance:
        """An instance's state."""
        return self._read_as(Instance, "getInstance", instance_id, block=block)

    def epoch(self, instance_id: InstanceId, epoch: EpochNumber, block: Block = "latest") -> EpochRecord:
        """An epoch's state."""
        return self._read_as(EpochRecord, "getEpoch", instance_id, epoch, block=block)

    def get_dispute(self, instance_id: InstanceId, epoch: EpochNumber, block: Block = "latest") -> Dispute:
        """What can be disputed of an epoch."""
        return self._read_as(Dispute, "getDispute", instance_id, epoch, block=block)

    def challenge_rewards(self, challenger: Address, block: Block = "latest") -> Wei:
        """What is credited to an account for the faults that it has shown."""
        return Wei(self._read("challengeRewards", challenger, block=block))

    def bond(self, instance_id: InstanceId, aggregator: Address, block: Block = "latest") -> Wei:
        """What an aggregator has deposited for an instance."""
        return Wei(self._read("bonds", instance_id, aggregator, block=block))

    def is_closed(self, instance_id: InstanceId, block: Block = "latest") -> bool:
        """Whether nothing can be added to an instance any more, so that it can be settled."""
        return bool(self._read("isClosed", instance_id, block=block))

    def verdict(self, instance_id: InstanceId, client: Address, block: Block = "latest") -> Verdict | None:
        """The final verdict on a client; None when there is none."""
        epoch, reason = self._read("getVerdict", instance_id, client, block=block)
        return Verdict(epoch=EpochNumber(epoch), reason=SlashReason(reason)) if reason else None

    def is_finally_slashable(self, instance_id: InstanceId, client: Address, block: Block = "latest") -> bool:
        """Whether a client's stake may be taken for what it did in an instance."""
        return bool(self._read("isFinallySlashable", instance_id, client, block=block))

    def settlement(self, instance_id: InstanceId, block: Block = "latest") -> Settlement:
        """What the settling of an instance goes by."""
        return self._read_as(Settlement, "getSettlement", instance_id, block=block)

    def configure_instance(
        self, instance_id: InstanceId, *, aggregator: Address, genesis_model_root: Hash32, d: int, rules_hash: Hash32
    ) -> Receipt:
        """Fix what an instance trains, as its user, once."""
        return self._send("configureInstance", instance_id, aggregator, genesis_model_root, d, rules_hash)

    def name_aggregator(self, instance_id: InstanceId, aggregator: Address) -> Receipt:
        """Name another aggregator, as the user, when the present one never came or has fallen silent."""
        return self._send("nameAggregator", instance_id, aggregator)

    def deposit_bond(self, instance_id: InstanceId, value: Wei | None = None) -> Receipt:
        """Accept an instance as its aggregator.

        Args:
            instance_id: Which.
            value: What to send; the exact bond when left out, and anything else is refused.
        """
        return self._send("depositBond", instance_id, value=self.aggregator_bond() if value is None else value)

    def withdraw_bond(self, instance_id: InstanceId, receiver: Address | None = None) -> Receipt:
        """Get the sender's bond back, once every epoch that it posted is final and it has no further duty."""
        return self._send("withdrawBond", instance_id, *(() if receiver is None else (receiver,)))

    def close_commits(self, instance_id: InstanceId, epoch: EpochNumber, attempt: int, commits_root: Hash32) -> Receipt:
        """Fix all commitments to an epoch, as the aggregator, before anyone reveals."""
        return self._send("closeCommits", instance_id, epoch, attempt, commits_root)

    def submit_epoch(self, header: HeaderLike) -> Receipt:
        """Post an epoch, as the aggregator."""
        return self._send("submitEpoch", header.as_tuple())

    def finalize_epoch(self, instance_id: InstanceId, epoch: EpochNumber) -> Receipt:
        """Make an epoch final, when its challenge window has passed and no demand holds it. Anyone may."""
        return self._send("finalizeEpoch", instance_id, epoch)

    def claim_challenge_reward(self, receiver: Address | None = None) -> Receipt:
        """Pay out what is credited to the sender for the faults that it has shown."""
        return self._send("claimChallengeReward", *(() if receiver is None else (receiver,)))

    def stop_instance(self, instance_id: InstanceId) -> Receipt:
        """Start no further epoch: the user at any time, anyone when the instance has long been silent."""
        return self._send("stopInstance", instance_id)
