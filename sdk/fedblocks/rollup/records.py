"""What the store remembers, as frozen records, and the words for how certain it is.

Everything here can be found again from the chain and the published blobs, but for two things that exist nowhere else:
the actions of an epoch that is still open, and what the submitter was about to send.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fedblocks.rollup.header import Header
from fedblocks.types import Address, BlockNumber, EpochNumber, Hash32, InstanceId, Seat


class ActionKind(StrEnum):
    """The two messages by which a client takes part in an epoch."""

    COMMIT = "commit"
    REVEAL = "reveal"


class Level(StrEnum):
    """How certain it is that an action counts."""

    RECEIVED = "received"
    """It is stored and acknowledged."""
    EXECUTED = "executed"
    """Its epoch was computed by the state transition function."""
    POSTED = "posted"
    """Its epoch's header is on chain and open to challenge."""
    FINAL = "final"
    """Its epoch's challenge window has passed; the epoch is paid."""
    REVERTED = "reverted"
    """Its epoch or its attempt is void; the client has to commit again."""


class IntentKind(StrEnum):
    """The transactions that the submitter sends, by their names on ModelParameterChain."""

    CLOSE_COMMITS = "closeCommits"
    SUBMIT_EPOCH = "submitEpoch"
    FINALIZE_EPOCH = "finalizeEpoch"


class IntentState(StrEnum):
    """How far the submitter has come with a transaction."""

    PLANNED = "planned"
    """Written down before it is sent."""
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    """It reverted, or its purpose is gone; it is not sent again."""


@dataclass(frozen=True)
class InstanceKey:
    """Which instance: instances are numbered by a contract, and a store may know several deployments."""

    chain_id: int
    contract: Address
    """ModelParameterChain."""
    instance_id: InstanceId

    def __str__(self) -> str:
        return f"instance {self.instance_id} of {self.contract} on chain {self.chain_id}"


@dataclass(frozen=True)
class InstanceRecord:
    """An instance as it was configured on chain."""

    key: InstanceKey
    user: Address
    aggregator: Address
    cohort: tuple[Address, ...]
    """The clients in the order of their seats."""
    d: int
    max_epochs: int
    rules: tuple[int, ...]
    """The words of the rules, each 0 to 2^256 - 1."""
    genesis_hash: Hash32
    job_blob: Hash32 | None = None
    """Address of the job document."""
    genesis_model_blob: Hash32 | None = None
    former_aggregators: tuple[Address, ...] = ()
    """Who was the aggregator before: what they acknowledged still stands."""


@dataclass(frozen=True)
class ActionRecord:
    """A commit or a reveal, as it was received."""

    epoch: EpochNumber
    attempt: int
    seat: Seat
    kind: ActionKind
    action_hash: Hash32
    """EIP-712 hash of the commit; a reveal has that of the commit it opens."""
    client: Address
    commitment: Hash32
    signature: bytes | None = None
    """The client's signature of its commit."""
    update_blob: Hash32 | None = None
    update_root: Hash32 | None = None
    samples: int | None = None
    """0 to 2^256 - 1, as it was committed to."""
    salt: Hash32 | None = None
    acknowledgement: bytes | None = None
    """The sequencer's signature of the acknowledgement."""
    sequence: int | None = None
    """The action's number within its instance, counted from 1 without gaps; given by the store."""


@dataclass(frozen=True)
class EpochRecord:
    """An epoch as it was executed, and how far it has come."""

    header: Header
    manifest_blob: Hash32
    level: Level = Level.EXECUTED
    transaction_hash: Hash32 | None = None
    """The transaction that posted or finalised it."""
    block_number: BlockNumber | None = None

    def __post_init__(self) -> None:
        if self.level is Level.RECEIVED:
            raise ValueError("an epoch is stored when it was executed; only actions are merely received")

    @property
    def epoch(self) -> EpochNumber:
        return self.header.epoch

    @property
    def attempt(self) -> int:
        return self.header.attempt

    @property
    def header_hash(self) -> Hash32:
        return self.header.hash()


@dataclass(frozen=True)
class IntentRecord:
    """A transaction that the submitter means to send: written down first, so that a restart doesn't send it twice."""

    kind: IntentKind
    epoch: EpochNumber
    attempt: int
    payload_hash: Hash32
    """Hash of what is sent; an intent for the same step with another payload is an error."""
    state: IntentState = IntentState.PLANNED
    transaction_hash: Hash32 | None = None


@dataclass(frozen=True)
class WriterLease:
    """The right to write to an instance."""

    key: InstanceKey
    owner: str
    token: int
    """Raised whenever the right changes hands; only the latest counts."""
