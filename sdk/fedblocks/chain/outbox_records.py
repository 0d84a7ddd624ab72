"""What the outbox knows of a transaction that is to happen once.

An *intent* is something that is to be done on chain, named by its *meaning*: a key that the caller gives, and that is
the same whenever the caller wants the same thing ("submitEpoch/412346/0x.../7/12/0"). An *attempt* is one signed
transaction for it. All attempts of an intent have the same nonce, and the chain takes each nonce once: however many are
sent, one of them is mined. Only when a transaction that is not ours has taken the nonce, or when the one of ours that
was mined has failed, does an intent go into another *round* with another nonce.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from fedblocks.chain.fees import Offer
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import BlockNumber, Hash32, Wei

if TYPE_CHECKING:
    from fedblocks.chain.transactions import Call


class IntentState(StrEnum):
    """How far an intent is."""

    PLANNED = "planned"
    """Written down; nothing is signed."""
    SIGNED = "signed"
    """A transaction is signed and written down; no node has confirmed yet that it has it."""
    SENT = "sent"
    """A node has it."""
    MINED = "mined"
    """It is in a block that is not deep enough yet."""
    CONFIRMED = "confirmed"
    """Done, and as deep in the chain as was asked for."""
    FAILED = "failed"
    """It was mined, and the contract refused it."""
    CANCELLED = "cancelled"
    """Given up: nothing was sent, or an empty transaction has taken the nonce."""
    DONE_BY_OTHERS = "done by others"
    """Somebody else has done what it was for."""


FINAL = frozenset({IntentState.CONFIRMED, IntentState.FAILED, IntentState.CANCELLED, IntentState.DONE_BY_OTHERS})
"""States in which nothing more happens by itself."""


class AttemptState(StrEnum):
    """What became of one signed transaction."""

    SIGNED = "signed"
    SENT = "sent"
    REFUSED = "refused"
    """The node did not take it."""
    DROPPED = "dropped"
    """A node had it, and has it no more."""
    REPLACED = "replaced"
    """Another transaction with its nonce was mined."""
    MINED = "mined"


@dataclass(frozen=True)
class Attempt:
    """One signed transaction.

    Attributes:
        number: counted from 1 within the intent.
        round, nonce: the nonce that it has, and which choice of a nonce that was.
        raw: its signed bytes, which hold no secret and may be sent as often as one likes.
        hash: what it is called on chain.
        is_cancel: whether it does nothing but take the nonce.
        offer: what it pays for gas.
        signed_at: when, in seconds since 1970.
    """

    number: int
    round: int
    nonce: int
    raw: bytes
    hash: Hash32
    is_cancel: bool
    offer: Offer
    state: AttemptState
    signed_at: float


@dataclass(frozen=True)
class Intent:
    """Something that is to be done on chain once.

    Attributes:
        id: the order in which intents were written down.
        meaning: what it is, by the caller's key.
        call: the call that does it.
        gas: its gas limit.
        state: how far it is.
        waiting: what it waits for, in words; empty when it waits for nothing but the chain.
        reason: why it failed or was given up, in words.
        nonce: None as long as nothing is signed.
        round: how often a nonce was chosen, counted from 1.
        since: a block before anything of this round was sent.
        giving_up: whether the nonce is to be taken by an empty transaction: "" (no), or the state to end in.
        attempts: of this round, in the order in which they were signed.
        mined: the transaction that was mined, in which block, and for which fee.
        created_at: when it was written down, in seconds since 1970.
    """

    id: int
    meaning: str
    call: Call
    gas: int
    state: IntentState
    waiting: str
    reason: str
    nonce: int | None
    round: int
    since: BlockNumber
    giving_up: str
    mined: MinedIn | None
    created_at: float
    attempts: tuple[Attempt, ...] = field(default=())

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in FINAL

    @property
    def hash(self) -> Hash32 | None:
        """The transaction to look for: the mined one, else the newest."""
        if self.mined is not None:
            return self.mined.hash
        return self.attempts[-1].hash if self.attempts else None


@dataclass(frozen=True)
class MinedIn:
    """Where a transaction was found."""

    hash: Hash32
    block: BlockNumber
    block_hash: Hash32
    fee: Wei
    succeeded: bool
    is_cancel: bool


class Step(StrEnum):
    """What happened to an intent."""

    PLANNED = "planned"
    WAITING = "waiting"
    SIGNED = "signed"
    SENT = "sent"
    REFUSED = "refused"
    RESENT = "resent"
    REPLACED = "replaced"
    CANCELLING = "cancelling"
    NONCE_TAKEN = "nonce taken"
    MINED = "mined"
    REORGANISED = "reorganised"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE_BY_OTHERS = "done by others"
    NODE_LOST = "node lost"
    DATABASE_LOST = "database lost"


@dataclass(frozen=True)
class Progress:
    """Something that happened to an intent, for whoever shows it."""

    step: Step
    meaning: str
    text: str
    call: Call | None = None
    nonce: int | None = None
    transaction_hash: Hash32 | None = None
    block: BlockNumber | None = None


Listener = Callable[[Progress], None]


class DoneByOthers(FedBlocksError, RuntimeError):
    """What was asked for is on chain already, and this account has not put it there."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        super().__init__(f"{meaning} is done on chain already, by somebody else; nothing is left to do")


class Cancelled(FedBlocksError, RuntimeError):
    """A transaction was given up before it did anything."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        super().__init__(f"{meaning} was cancelled; ask for it again to do it after all")


class MeaningConflict(FedBlocksError, ValueError):
    """The same meaning was asked for with another call."""

    def __init__(self, meaning: str, ours: Call, asked: Call) -> None:
        self.meaning = meaning
        super().__init__(
            f"{meaning} is in the outbox as {ours} with {len(ours.data)} bytes and {ours.value} wei, but was asked for "
            f"as {asked} with {len(asked.data)} bytes and {asked.value} wei; two different things need two meanings"
        )


class UnknownMeaning(FedBlocksError, LookupError):
    """Nothing with this meaning is in the outbox."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        super().__init__(f"nothing called {meaning!r} is in the outbox of this account")


class TooLateToCancel(FedBlocksError, RuntimeError):
    """A transaction was mined before it could be cancelled."""

    def __init__(self, meaning: str, state: IntentState) -> None:
        self.meaning = meaning
        super().__init__(f"{meaning} cannot be cancelled any more: it is {state}")


class NotDoneYet(FedBlocksError, TimeoutError):
    """An intent is not through in the time that was given; it stays in the outbox and goes on."""

    def __init__(self, intent: Intent, seconds: float) -> None:
        self.meaning, self.state, self.transaction_hash = intent.meaning, intent.state, intent.hash
        why = f": {intent.waiting}" if intent.waiting else ""
        super().__init__(
            f"{intent.meaning} is {intent.state} after {seconds:g} s{why}; it stays in the outbox and goes on, ask for "
            "it again to wait on, or cancel it"
        )
