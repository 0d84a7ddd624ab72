"""What people see of the protocol: the read model's types.

Each is a frozen picture of one thing - a client, an instance, an epoch, a slash - at one block, worked out from the
contracts' events alone. Whoever shows them (the command line, the terminal, a report) computes no money and no verdict
of its own. Amounts are Wei, times are the chain's, and what is not known is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from fedblocks.seats import SlashReason
from fedblocks.types import Address, Bitmap, BlockNumber, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei

if TYPE_CHECKING:  # it brings web3, and a screen must not wait a second for a type
    from fedblocks.contracts.model_parameter_chain import PostedHeader


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where on the chain something happened."""

    block: BlockNumber
    timestamp: Timestamp
    transaction_hash: Hash32
    log_index: int


@dataclass(frozen=True, kw_only=True)
class IndexedBlock:
    """The block that a snapshot shows; all of it is of this one block."""

    number: BlockNumber
    hash: Hash32
    timestamp: Timestamp


class ClientState(StrEnum):
    """Where a stake is in its life."""

    STAKED = "staked"
    UNBONDING = "unbonding"
    WITHDRAWN = "withdrawn"
    SLASHED = "slashed"


@dataclass(frozen=True, kw_only=True)
class ClientView:
    """A client: what is at stake, what is to come, what it has earned.

    Attributes:
        active: stake that works.
        unbonding: stake on its way out, which a slash can still take.
        withdrawable_at: when it may be taken out; None when nothing is unbonding.
        returned: what was withdrawn, of all its stakes together.
        slashed: what was taken, likewise.
        instances: cohorts that it was or is in, and
        running: ... that are not settled yet.
        accepted: epochs whose update was accepted, counted when they are final.
        excluded: epochs whose update was left out, likewise.
        strikes: what its counters stand at in the last epoch whose published data were read, the worst of its running
            instances; None where no published data were read.
        pending: its share of the fees of final epochs that are not settled yet; what it is paid if no verdict follows.
        credited: rewards that were credited, and of them
        claimed: paid out,
        forfeited: lost by a slash.
        since: its last change of state.
    """

    address: Address
    state: ClientState
    active: Wei
    unbonding: Wei
    withdrawable_at: Timestamp | None
    returned: Wei
    slashed: Wei
    instances: int
    running: int
    accepted: int
    excluded: int
    strikes: int | None
    pending: Wei
    credited: Wei
    claimed: Wei
    forfeited: Wei
    since: Place

    @property
    def at_stake(self) -> Wei:
        """What a slash would take."""
        return Wei(self.active + self.unbonding)

    @property
    def claimable(self) -> Wei:
        """Rewards that wait to be claimed."""
        return Wei(self.credited - self.claimed - self.forfeited)

    def can_withdraw(self, now: Timestamp) -> bool:
        """Whether an unbonding stake can be taken out at a time of the chain."""
        return self.withdrawable_at is not None and self.unbonding > 0 and now >= self.withdrawable_at


class InstanceState(StrEnum):
    """Where an instance is in its life."""

    FUNDED = "funded"
    """Paid for; no aggregator has accepted yet."""
    TRAINING = "training"
    STOPPED = "stopped"
    """No epoch is added any more; the last ones may not be final yet."""
    COMPLETE = "complete"
    """All paid epochs are final."""
    SETTLED = "settled"


@dataclass(frozen=True, kw_only=True)
class InstanceView:
    """A user's training instance: how far, how good, and where its money is.

    Attributes:
        aggregator: who trains it now; None before the first was named.
        attempt: raised whenever the aggregator changes or an epoch is overturned.
        d: length of the parameter vector; None before the instance is configured.
        cohort: the clients by seat.
        accuracy_ppm: what the last posted epoch reports, in millionths; None before the first.
        base_fee, escrow: what the user paid.
        billed_epochs: None before settling, as are
        clients_total, protocol_total: where the escrow went, and
        refund: what of it the user gets back, of which
        refunded: has been withdrawn.
        settled: when it was settled.
        alive_at: when its aggregator last gave a sign of life, or was named: what the liveness period is counted from.
        finalizable_epochs: how many of its pending epochs could be made final now.
        verdicts: against whom a verdict of it is final, and of which epoch.
    """

    instance_id: InstanceId
    user: Address
    state: InstanceState
    aggregator: Address | None
    attempt: int
    d: int | None
    genesis_model_root: Hash32 | None
    rules_hash: Hash32 | None
    cohort: tuple[Address, ...]
    number_of_epochs: int
    posted_epochs: int
    finalized_epochs: int
    overturned_epochs: int
    accuracy_ppm: int | None
    base_fee: Wei
    escrow: Wei
    billed_epochs: int | None
    clients_total: Wei | None
    protocol_total: Wei | None
    refund: Wei | None
    refunded: Wei
    slashed_clients: int
    opened: Place
    last_activity: Place
    settled: Place | None = None
    alive_at: Timestamp | None = None
    finalizable_epochs: int = 0
    verdicts: Mapping[Address, EpochNumber] = field(default_factory=dict)

    def seat_of(self, client: Address) -> Seat | None:
        """A client's seat, None if it is not in the cohort."""
        return Seat(self.cohort.index(client)) if client in self.cohort else None


class EpochState(StrEnum):
    """How far an epoch is confirmed."""

    POSTED = "posted"
    """Its challenge window is open."""
    FINALIZABLE = "finalizable"
    """Its window has passed; anybody may make it final."""
    FINAL = "final"
    OVERTURNED = "overturned"


@dataclass(frozen=True, kw_only=True)
class EpochView:
    """An epoch as it was posted. An epoch that was overturned is there again, posted anew, with a higher attempt.

    Attributes:
        header: all 17 words, as they were posted; what the published data are held against.
        accuracy_ppm: what its header reports, in millionths.
        participants, excluded: sets of seats.
        new_slash_reasons: whom this epoch condemns that no earlier one did.
        finalizable_at: when its challenge window ends, unless a demand holds it.
        overturned_by: who proved it wrong, and
        fraud_case: what for (:class:`fedblocks.rollup.fraud.cases.FraudCase`); None unless overturned.
    """

    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    state: EpochState
    aggregator: Address
    header_hash: Hash32
    header: PostedHeader
    data_locator: Hash32
    accuracy_ppm: int
    participants: Bitmap
    excluded: Bitmap
    new_slash_reasons: Mapping[Seat, SlashReason]
    finalizable_at: Timestamp
    posted: Place
    finalized: Place | None
    overturned: Place | None
    overturned_by: Address | None
    fraud_case: int | None


@dataclass(frozen=True, kw_only=True)
class SlashView:
    """A stake that was taken, with everything that leads to its evidence.

    Attributes:
        amount: what left the client's stake, as the registry says it.
        received: what arrived in the treasury with the same transaction for this client; equal to `amount` unless a
            contract lies.
        instance_id, epoch, reason, seat: None where version 1 took it, which says neither.
        posted: when the epoch that condemns it was posted, and
        finalized: ... became final.
        header_hash: of that epoch.
    """

    client: Address
    amount: Wei
    received: Wei | None
    instance_id: InstanceId | None
    epoch: EpochNumber | None
    seat: Seat | None
    reason: SlashReason | None
    header_hash: Hash32 | None
    attempt: int | None
    aggregator: Address | None
    posted: Place | None
    finalized: Place | None
    slashed: Place


@dataclass(frozen=True, kw_only=True)
class RewardView:
    """What one client has from one instance."""

    instance_id: InstanceId
    client: Address
    epochs: int
    credited: Wei
    claimed: Wei
    forfeited: Wei


@dataclass(frozen=True, kw_only=True)
class BondView:
    """What an aggregator has deposited for an instance, and what became of it."""

    instance_id: InstanceId
    aggregator: Address
    deposited: Wei
    withdrawn: Wei
    slashed: Wei
    is_current: bool
    """Whether it is the instance's aggregator now."""

    @property
    def held(self) -> Wei:
        """What the chain still holds of it."""
        return Wei(self.deposited - self.withdrawn - self.slashed)


@dataclass(frozen=True, kw_only=True)
class ChallengeView:
    """An epoch that was proved wrong.

    Attributes:
        reward: the challenger's part of the bond; zero if it was gone already.
        treasury: the other part.
    """

    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    fraud_case: int
    challenger: Address
    aggregator: Address
    header_hash: Hash32
    reward: Wei
    treasury: Wei
    overturned: Place


@dataclass(frozen=True, kw_only=True)
class ChallengerView:
    """What an account has earned by challenging."""

    challenger: Address
    overturned: int
    credited: Wei
    claimed: Wei


class DemandState(StrEnum):
    """What became of a demand for data."""

    OPEN = "open"
    ANSWERED = "answered"
    FAILED = "failed"
    RETURNED = "returned"
    """The epoch was overturned for another reason; the deposit is back."""


@dataclass(frozen=True, kw_only=True)
class DemandView:
    """A demand that an aggregator open what it has committed to."""

    demand_id: int
    instance_id: InstanceId
    epoch: EpochNumber
    state: DemandState
    demander: Address
    answerer: Address | None
    kind: int
    seat: int
    index: int
    deadline: Timestamp
    demanded: Place


@dataclass(frozen=True, kw_only=True)
class TreasuryView:
    """A treasury, by its own events: what came in, what went out."""

    name: str
    address: Address
    received: Wei
    withdrawn: Wei

    @property
    def holds(self) -> Wei:
        """What it should hold; ether that was forced in without an event comes on top."""
        return Wei(self.received - self.withdrawn)


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One event, told to a person."""

    place: Place
    contract: str
    event: str
    text: str
    """One sentence with names, numbers and amounts."""
    instance_id: InstanceId | None
    clients: tuple[Address, ...]
    amount: Wei | None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The whole deployment in a few numbers."""

    events: int
    clients: Mapping[ClientState, int]
    at_stake: Wei
    unbonding: Wei
    slashes: int
    slashed: Wei
    instances: Mapping[InstanceState, int]
    epochs: Mapping[EpochState, int]
    escrow: Wei
    """Held for instances that are not settled."""
    bonds: Wei
    rewards_claimable: Wei
    refunds_claimable: Wei
    open_demands: int


class Severity(StrEnum):
    """How much an alert matters; shown by a word and a sign, never by a colour alone."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something that somebody should look at."""

    severity: Severity
    text: str
    what_to_do: str
    instance_id: InstanceId | None = None
    client: Address | None = None


class HealthState(StrEnum):
    """How far what is shown can be believed to be now."""

    LOADING = "loading"
    """The index is being filled for the first time, or is far behind."""
    HEALTHY = "healthy"
    IDLE = "idle"
    """The chain has made no block for a while, which on a quiet chain is no fault."""
    LAGGING = "lagging"
    """The node itself is behind: it says so, went backwards, or another node knows newer blocks."""
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, kw_only=True)
class Health:
    """The state of the connection and of the index.

    Attributes:
        head: the node's newest block; None while there is no answer.
        indexed: the newest block in the index; None when it is empty.
        data_age: seconds by the wall clock since the node was last heard.
        text: one sentence for the banner.
    """

    state: HealthState
    head: BlockNumber | None
    head_timestamp: Timestamp | None
    indexed: BlockNumber | None
    data_age: float
    text: str


class OwnState(StrEnum):
    """What became of a transaction that this machine has sent."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class OwnTransaction:
    """A transaction that was sent from here."""

    transaction_hash: Hash32
    sender: Address
    what: str
    """``StakingRegistry.stake``."""
    value: Wei
    state: OwnState
    sent_at: float
    """Seconds since 1970, by this machine's clock."""
    block: BlockNumber | None
    fee: Wei | None
    reason: str | None
    """Why it failed."""


# -- what an epoch's published data say --


class Side(StrEnum):
    """On which side of its threshold a figure is held against a client."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One rule applied to one client in one epoch.

    Attributes:
        rule: its short name, ``zero``, ``duplicate``, ``krum``.
        title: what is measured, for a heading: "length beside the cohort's median".
        value, threshold: for people and plots only; what decides is the exact inequality in `formula`.
        unit: "%", "x", "epochs" or "".
        bad: on which side of the threshold it speaks against the client.
        triggered: whether it does, decided in integers.
        slashes: whether this rule alone is hard evidence (else it only leaves the update out).
        formula: the inequality with its integers put in, a Python expression that is true exactly if it is triggered.
        sentence: the same in words.
        excludes: whether this rule alone is a reason to leave the update out; some only add a strike, or an epoch to a
            run, which other measures count.
        tested: whether there was anything to compare with; `value` means nothing where there was not.
    """

    rule: str
    title: str
    value: float
    threshold: float
    unit: str
    bad: Side
    triggered: bool
    slashes: bool
    formula: str
    sentence: str
    excludes: bool = True
    tested: bool = True


@dataclass(frozen=True, kw_only=True)
class SeatScores:
    """What an epoch measured of one participant, and what followed."""

    seat: Seat
    client: Address
    excluded: bool
    slashed: SlashReason
    evidence: SlashReason
    strikes: int
    weight: int
    """Its update's weight in the aggregate; 0 if it was excluded."""
    measures: tuple[Measure, ...]

    def measure(self, rule: str) -> Measure | None:
        """One of the measures by its short name."""
        return next((each for each in self.measures if each.rule == rule), None)


@dataclass(frozen=True, kw_only=True)
class EpochScores:
    """An epoch's published figures, checked against the roots of its header.

    Attributes:
        faults: what of the header's verdicts does not follow from its own figures; nothing, unless the aggregator lied.
    """

    instance_id: InstanceId
    epoch: EpochNumber
    header_hash: Hash32
    seats: tuple[SeatScores, ...]
    absent: tuple[Seat, ...]
    faults: tuple[str, ...] = ()

    def of(self, client: Address) -> SeatScores | None:
        """One client's; None if it took no part."""
        return next((each for each in self.seats if each.client == client), None)
