"""The outbox's tables, in SQL that SQLite and PostgreSQL both speak, and what is done with them.

Every write first checks, in its own transaction, that this process still has the right to send for the account. So
what a node is given has been written down by the one process that had the right at that moment, and the next one
finds it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from fedblocks.chain.fees import Offer
from fedblocks.chain.outbox_records import (
    FINAL,
    Attempt,
    AttemptState,
    Intent,
    IntentState,
    MinedIn,
    UnknownMeaning,
)
from fedblocks.chain.transactions import Call
from fedblocks.storage.columns import WideInteger
from fedblocks.storage.database import Database, Schema
from fedblocks.storage.leases import Lease, LeaseTaken, lease_table, process_owner
from fedblocks.types import Address, BlockNumber, Hash32, Wei

metadata = MetaData()
_Hash = LargeBinary(32)
# SQLite counts by itself in an INTEGER PRIMARY KEY only.
_Counted = BigInteger().with_variant(Integer, "sqlite")

OUTBOX = Schema(
    tables=metadata,
    version_table=Table("chain_outbox_schema", metadata, Column("version", Integer, primary_key=True)),
    version=1,
    what="outbox",
    made_by="the process that sends transactions",
    remade="see that nothing is pending, and start with a new one",
)
"""The outbox's schema; raise its version with every change of a table."""

leases = lease_table("chain_outbox_leases", metadata)

intents = Table(
    "chain_outbox_intents",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("account", String(42), nullable=False),
    Column("meaning", String(400), nullable=False),
    Column("contract", Text, nullable=False),
    Column("function", Text, nullable=False),
    Column("to", String(42)),
    Column("data", LargeBinary, nullable=False),
    Column("value", WideInteger, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("waiting", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("nonce", BigInteger),
    Column("round", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("giving_up", String(20), nullable=False),
    Column("mined_hash", _Hash),
    Column("mined_block", BigInteger),
    Column("mined_block_hash", _Hash),
    Column("mined_fee", WideInteger),
    Column("mined_succeeded", Boolean),
    Column("mined_cancel", Boolean),
    Column("mined_at", Float),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("chain_id", "account", "meaning"),
    CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in IntentState)})"),
)

attempts = Table(
    "chain_outbox_attempts",
    metadata,
    Column("intent", ForeignKey("chain_outbox_intents.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("round", Integer, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("hash", _Hash, nullable=False, index=True),
    Column("is_cancel", Boolean, nullable=False),
    Column("price", WideInteger, nullable=False),
    Column("tip", WideInteger),
    Column("state", String(20), nullable=False),
    Column("signed_at", Float, nullable=False),
)

_FINAL = [str(state) for state in FINAL]


class OutboxStore:
    """The intents of one account on one chain.

    Args:
        url: a SQLAlchemy URL, as :class:`fedblocks.storage.database.Database` takes it.
        chain_id, account: whose transactions.
        owner: this process's name among those that may send; made up when left out.
        lease_seconds: how long another process waits after this one's last word.
    """

    def __init__(
        self, url: str, chain_id: int, account: Address, *, owner: str | None = None, lease_seconds: float = 15.0
    ) -> None:
        self.database = Database(url, OUTBOX)
        self._chain_id, self._account = chain_id, account
        name = f"the transactions of {account} on chain {chain_id}"
        self.lease = Lease(self.database, leases, name, owner or process_owner(), lease_seconds)
        self._mine = and_(intents.c.chain_id == chain_id, intents.c.account == account)

    def close(self) -> None:
        """Give back the right to send, and close the database."""
        try:
            self.lease.release()
        finally:
            self.database.close()

    def acquire(self, wait: float = 0.0) -> None:
        """Take or renew the right to send for the account, waiting for it for so many seconds.

        Raises:
            LeaseTaken: if another process still has it then.
        """
        deadline = time.monotonic() + wait
        while True:
            try:
                return self.lease.acquire()
            except LeaseTaken:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.05)

    # What is there

    def find(self, meaning: str) -> Intent | None:
        """The intent with a meaning."""
        with self.database.read() as connection:
            row = connection.execute(select(intents).where(self._mine, intents.c.meaning == meaning)).one_or_none()
            return None if row is None else _intent(connection, row)

    def get(self, meaning: str) -> Intent:
        """As :meth:`find`, for one that must be there.

        Raises:
            UnknownMeaning: if it isn't.
        """
        found = self.find(meaning)
        if found is None:
            raise UnknownMeaning(meaning)
        return found

    def all(self) -> tuple[Intent, ...]:
        """Every intent, in the order in which they were written down."""
        return self._select(self._mine)

    def live(self) -> tuple[Intent, ...]:
        """Those that are not through; by nonce, those without one last."""
        found = self._select(and_(self._mine, intents.c.state.not_in(_FINAL)))
        return tuple(sorted(found, key=lambda intent: (intent.nonce is None, intent.nonce or 0, intent.id)))

    def with_nonce(self, nonce: int) -> Intent | None:
        """The intent that has a nonce now."""
        found = self._select(and_(self._mine, intents.c.nonce == nonce))
        return found[-1] if found else None

    def highest_nonce(self) -> int | None:
        """The highest nonce that anything was signed with."""
        with self.database.read() as connection:
            highest = connection.scalar(
                select(func.max(attempts.c.nonce)).join(intents, attempts.c.intent == intents.c.id).where(self._mine)
            )
        return None if highest is None else int(highest)

    def fees_since(self, moment: float, *, but: int | None = None) -> int:
        """What was paid for gas since then, and what those that are on their way may still have to pay.

        Args:
            moment: seconds since 1970.
            but: an intent that is not counted.
        """
        recent = self._select(
            and_(
                self._mine,
                or_(intents.c.state.not_in(_FINAL), intents.c.mined_at >= moment),
                intents.c.id != (but if but is not None else -1),
            )
        )
        total = 0
        for intent in recent:
            if intent.mined is not None:
                total += intent.mined.fee
            elif intent.attempts:
                total += intent.gas * max(attempt.offer.price for attempt in intent.attempts)
        return total

    # What changes; each checks the right to send

    def plan(self, meaning: str, call: Call, gas: int, since: BlockNumber) -> Intent:
        """Write down a new intent, or the next round of one that is through without being done."""
        values: dict[str, Any] = {
            "contract": call.contract,
            "function": call.function,
            "to": call.to,
            "data": call.data,
            "value": call.value,
            "gas": gas,
            "state": IntentState.PLANNED,
            "waiting": "",
            "reason": "",
            "nonce": None,
            "since": since,
            "giving_up": "",
        }
        with self._writing() as connection:
            there = connection.execute(
                select(intents.c.id, intents.c.round).where(self._mine, intents.c.meaning == meaning)
            ).one_or_none()
            if there is None:
                values |= {"chain_id": self._chain_id, "account": self._account, "meaning": meaning}
                connection.execute(insert(intents).values(round=1, created_at=time.time(), **values))
            else:
                values |= dict.fromkeys(_MINED)
                connection.execute(
                    update(intents).where(intents.c.id == there.id).values(round=there.round + 1, **values)
                )
        return self.get(meaning)

    def add_final(self, meaning: str, call: Call, state: IntentState) -> None:
        """Write down that something was done without this account."""
        intent = self.find(meaning) or self.plan(meaning, call, 0, BlockNumber(0))
        self.change(intent, state=state)

    def sign(self, intent: Intent, nonce: int, raw: bytes, tx_hash: Hash32, offer: Offer, *, cancel: bool) -> Intent:
        """Write down a signed transaction, before any node has it."""
        with self._writing() as connection:
            number = connection.scalar(select(func.max(attempts.c.number)).where(attempts.c.intent == intent.id)) or 0
            connection.execute(
                insert(attempts).values(
                    intent=intent.id,
                    number=number + 1,
                    round=intent.round,
                    nonce=nonce,
                    raw=raw,
                    hash=tx_hash,
                    is_cancel=cancel,
                    price=offer.price,
                    tip=offer.tip,
                    state=AttemptState.SIGNED,
                    signed_at=time.time(),
                )
            )
            connection.execute(
                update(intents)
                .where(intents.c.id == intent.id)
                .values(state=IntentState.SIGNED, nonce=nonce, waiting="")
            )
        return self.get(intent.meaning)

    def attempt(self, intent: Intent, number: int, attempt_state: AttemptState, **values: Any) -> Intent:
        """Say what became of a signed transaction, and change columns of its intent with it."""
        with self._writing() as connection:
            connection.execute(
                update(attempts)
                .where(attempts.c.intent == intent.id, attempts.c.number == number)
                .values(state=attempt_state)
            )
            if values:
                connection.execute(update(intents).where(intents.c.id == intent.id).values(**values))
        return self.get(intent.meaning)

    def mined(self, intent: Intent, mined: MinedIn) -> Intent:
        """Say in which block one of the transactions was found; the others are replaced."""
        with self._writing() as connection:
            of_intent = and_(attempts.c.intent == intent.id, attempts.c.round == intent.round)
            connection.execute(update(attempts).where(of_intent).values(state=AttemptState.REPLACED))
            connection.execute(
                update(attempts).where(of_intent, attempts.c.hash == mined.hash).values(state=AttemptState.MINED)
            )
            connection.execute(
                update(intents)
                .where(intents.c.id == intent.id)
                .values(
                    state=IntentState.MINED,
                    waiting="",
                    mined_hash=mined.hash,
                    mined_block=mined.block,
                    mined_block_hash=mined.block_hash,
                    mined_fee=mined.fee,
                    mined_succeeded=mined.succeeded,
                    mined_cancel=mined.is_cancel,
                    mined_at=time.time(),
                )
            )
        return self.get(intent.meaning)

    def reopen(self, intent: Intent) -> Intent:
        """The block that a transaction was in is no longer part of the chain."""
        with self._writing() as connection:
            connection.execute(
                update(attempts)
                .where(attempts.c.intent == intent.id, attempts.c.round == intent.round)
                .values(state=AttemptState.DROPPED)
            )
            connection.execute(
                update(intents)
                .where(intents.c.id == intent.id)
                .values(state=IntentState.SENT, reason="", **dict.fromkeys(_MINED))
            )
        return self.get(intent.meaning)

    def change(self, intent: Intent, **values: Any) -> Intent:
        """Change columns of an intent."""
        with self._writing() as connection:
            connection.execute(update(intents).where(intents.c.id == intent.id).values(**values))
        return self.get(intent.meaning)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.lease.writing() as connection:
            yield connection

    def _select(self, where: Any) -> tuple[Intent, ...]:
        with self.database.read() as connection:
            rows = connection.execute(select(intents).where(where).order_by(intents.c.id)).all()
            return tuple(_intent(connection, row) for row in rows)


_MINED = ("mined_hash", "mined_block", "mined_block_hash", "mined_fee", "mined_succeeded", "mined_cancel", "mined_at")


def _intent(connection: Connection, row: Row[Any]) -> Intent:
    own = and_(attempts.c.intent == row.id, attempts.c.round == row.round)
    signed = connection.execute(select(attempts).where(own).order_by(attempts.c.number)).all()
    call = Call(
        contract=row.contract,
        function=row.function,
        to=row.to,
        data=bytes(row.data),
        value=Wei(row.value),
    )
    mined = None
    if row.mined_hash is not None:
        mined = MinedIn(
            hash=Hash32(bytes(row.mined_hash)),
            block=BlockNumber(row.mined_block),
            block_hash=Hash32(bytes(row.mined_block_hash)),
            fee=Wei(row.mined_fee),
            succeeded=bool(row.mined_succeeded),
            is_cancel=bool(row.mined_cancel),
        )
    return Intent(
        id=row.id,
        meaning=row.meaning,
        call=call,
        gas=row.gas,
        state=IntentState(row.state),
        waiting=row.waiting,
        reason=row.reason,
        nonce=row.nonce,
        round=row.round,
        since=BlockNumber(row.since),
        giving_up=row.giving_up,
        mined=mined,
        created_at=row.created_at,
        attempts=tuple(_attempts(signed)),
    )


def _attempts(rows: Iterable[Row[Any]]) -> Iterator[Attempt]:
    for row in rows:
        yield Attempt(
            number=row.number,
            round=row.round,
            nonce=row.nonce,
            raw=bytes(row.raw),
            hash=Hash32(bytes(row.hash)),
            is_cancel=bool(row.is_cancel),
            offer=Offer(Wei(row.price), None if row.tip is None else Wei(row.tip)),
            state=AttemptState(row.state),
            signed_at=row.signed_at,
        )
