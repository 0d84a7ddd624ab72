"""DataDemands: makes aggregators open what they have committed to.

Anyone may demand a position of a pending epoch for a deposit. Who opens it in time has the deposit; if nobody does, the
epoch is overturned. docs/proofs.md lists the positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fedblocks.chain.connection import Block
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.contracts.model_parameter_chain import HeaderLike
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Timestamp, Wei

HELD_WITHOUT_END = 2**256 - 1
"""Until when an epoch is held while a demand is open."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A leaf of the Gram tree, and the halves of it that are not opened further."""

    index: int
    column_root: Hash32
    rows_root: Hash32
    proof: tuple[Hash32, ...]
    """The siblings up to the root, lowest first."""


class AnswerLike(Protocol):
    """What opens a demanded position; what its kind has no use for is empty."""

    @property
    def entries(self) -> bytes:
        """The entries of the list in which the position is."""
        ...

    @property
    def submission(self) -> bytes:
        """The submission that names an update's root."""
        ...

    @property
    def column_root(self) -> bytes:
        """The columns' half of a Gram leaf."""
        ...

    @property
    def rows_root(self) -> bytes:
        """The rows' half of it."""
        ...

    @property
    def leaf_proof(self) -> Sequence[bytes]:
        """The siblings from the Gram leaf to the root."""
        ...

    @property
    def content(self) -> bytes:
        """What was demanded."""
        ...

    @property
    def proof(self) -> Sequence[bytes]:
        """The siblings from height 4 of a vector to its root."""
        ...


@dataclass(frozen=True, kw_only=True)
class DataDemanded(ChainEvent):
    """A position of an epoch must be opened by a deadline."""

    demand_id: int
    instance_id: InstanceId
    epoch: EpochNumber
    header_hash: Hash32
    demander: Address
    kind: int
    seat: int
    index: int
    deadline: Timestamp


@dataclass(frozen=True, kw_only=True)
class DemandAnswered(ChainEvent):
    """A position was opened: everybody can read it here."""

    demand_id: int
    header_hash: Hash32
    answerer: Address
    list: bytes
    submission: bytes
    opening: Opening
    content: bytes
    proof: tuple[Hash32, ...]


@dataclass(frozen=True, kw_only=True)
class DemandFailed(ChainEvent):
    """Nobody opened a position in time."""

    demand_id: int
    demander: Address


@dataclass(frozen=True, kw_only=True)
class DepositCredited(ChainEvent):
    """Who has opened a position was credited the deposit."""

    demand_id: int
    answerer: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class DepositReturned(ChainEvent):
    """Who has demanded a position was credited its deposit again."""

    demand_id: int
    demander: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class Withdrawn(ChainEvent):
    """Credited deposits were paid out."""

    account: Address
    receiver: Address
    amount: Wei


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A demand as DataDemands keeps it."""

    instance_id: InstanceId
    epoch: EpochNumber
    header_hash: Hash32
    demander: Address
    kind: int
    seat: int
    index: int
    deadline: Timestamp
    open: bool
    """Whether it was neither answered nor failed nor reclaimed."""


class DataDemands(Contract):
    """Demands for data, and their deposits."""

    NAME = "DataDemands"
    EVENTS = (DataDemanded, DemandAnswered, DemandFailed, DepositCredited, DepositReturned, Withdrawn)

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose epochs are overturned."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def demand_deposit(self, block: Block = "latest") -> Wei:
        """What a demand costs until it is settled, exactly."""
        return Wei(self._read("DEMAND_DEPOSIT", block=block))

    def answer_period(self, block: Block = "latest") -> int:
        """Seconds in which a demand can be answered, and after that the answer be acted upon."""
        return int(self._read("ANSWER_PERIOD", block=block))

    def demand_of(self, demand_id: int, block: Block = "latest") -> Demand:
        """A demand's state; all zero when there is none with this number."""
        return self._read_as(Demand, "demands", demand_id, block=block)

    def credits(self, account: Address, block: Block = "latest") -> Wei:
        """What an account can withdraw."""
        return Wei(self._read("credits", account, block=block))

    def held_until(self, header_hash: Hash32, block: Block = "latest") -> int:
        """The last second in which demands hold an epoch; HELD_WITHOUT_END while one is open, 0 if none was ever."""
        return int(self._read("heldUntil", header_hash, block=block))

    def demand(self, header: HeaderLike, kind: int, seat: int, index: int, value: Wei | None = None) -> Receipt:
        """Demand that a position be opened.

        Args:
            header: The header of a pending epoch.
            kind: What is demanded.
            seat: Of which seat or row; 0 where the kind has none.
            index: Which leaf; 0 where the kind has none.
            value: What to send; the exact deposit when left out, and anything else is refused.
        """
        deposit = self.demand_deposit() if value is None else value
        return self._send("demand", header.as_tuple(), kind, seat, index, value=deposit)

    def answer(self, demand_id: int, header: HeaderLike, index: int, answer: AnswerLike) -> Receipt:
        """Open what was demanded, and have the deposit.

        Args:
            demand_id: An open demand.
            header: The header that it is about.
            index: Which leaf.
            answer: What opens it.
        """
        opening = (index, answer.column_root, answer.rows_root, list(answer.leaf_proof))
        return self._send(
            "answer",
            demand_id,
            header.as_tuple(),
            answer.entries,
            answer.submission,
            opening,
            answer.content,
            list(answer.proof),
        )

    def fail_demand(self, demand_id: int) -> Receipt:
        """Have an epoch overturned because a demand was not answered in time. Anyone may, for the demander."""
        return self._send("failDemand", demand_id)

    def reclaim(self, demand_id: int) -> Receipt:
        """Return the deposit of a demand whose epoch is gone for another reason. Anyone may, for the demander."""
        return self._send("reclaim", demand_id)

    def withdraw(self, receiver: Address | None = None) -> Receipt:
        """Pay out the deposits that are credited to the sender."""
        return self._send("withdraw", *(() if receiver is None else (receiver,)))
