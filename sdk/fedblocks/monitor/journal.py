"""What the reader itself keeps beside the chain's rows: figures that it has read, transactions that it has sent."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from fedblocks.monitor.indexer import upsert
from fedblocks.monitor.score_codec import scores_from_json, scores_to_json
from fedblocks.monitor.tables import own_transactions, scores, totals
from fedblocks.monitor.totals import totals_from_json, totals_to_json
from fedblocks.monitor.views import EpochScores, IndexedBlock, OwnState, OwnTransaction, Totals
from fedblocks.storage.database import Database
from fedblocks.types import Address, BlockNumber, EpochNumber, Hash32, InstanceId, Wei


class Journal:
    """The reader's own rows of one deployment."""

    def __init__(self, database: Database, deployment: int) -> None:
        self.database = database
        self.deployment = deployment

    def save_scores(self, found: EpochScores) -> None:
        """Keep an epoch's figures, which were checked against its header."""
        row = {
            "deployment": self.deployment,
            "instance_id": found.instance_id,
            "epoch": found.epoch,
            "header_hash": found.header_hash,
            "strikes": {seat.client: seat.strikes for seat in found.seats},
            "content": scores_to_json(found),
        }
        with self.database.write() as connection:
            upsert(connection, scores, [row])

    def save_totals(self, block: IndexedBlock, found: Totals) -> None:
        """Keep the totals of a block, for whoever opens the index next."""
        row = {"deployment": self.deployment, "tip_hash": block.hash, "content": totals_to_json(found)}
        with self.database.write() as connection:
            upsert(connection, totals, [row])

    def note_sent(
        self,
        transaction_hash: Hash32,
        sender: Address,
        what: str,
        value: Wei,
        *,
        nonce: int | None = None,
        sent_at: float | None = None,
    ) -> None:
        """Write down a transaction before any node has it.

        Args:
            transaction_hash: Its hash.
            sender: Who has signed it.
            what: What it does: ``StakingRegistry.stake``.
            value: The ether that goes with it.
            nonce: Its nonce; by it a transaction that another has replaced is told from one that waits.
            sent_at: When, in seconds since 1970; now, when left out.
        """
        row = {
            "deployment": self.deployment,
            "transaction_hash": transaction_hash,
            "sender": sender,
            "nonce": nonce,
            "what": what,
            "value": value,
            "state": OwnState.PENDING.value,
            "sent_at": time.time() if sent_at is None else sent_at,
            "block": None,
            "fee": None,
            "reason": None,
        }
        with self.database.write() as connection:
            upsert(connection, own_transactions, [row])

    def note_outcome(
        self,
        transaction_hash: Hash32,
        state: OwnState,
        *,
        block: BlockNumber | None = None,
        fee: Wei | None = None,
        reason: str | None = None,
    ) -> None:
        """Write down what became of a transaction."""
        with self.database.write() as connection:
            connection.execute(
                update(own_transactions)
                .where(own_transactions.c.deployment == self.deployment)
                .where(own_transactions.c.transaction_hash == transaction_hash)
                .values(state=state.value, block=block, fee=fee, reason=reason)
            )

    def unsettled(self, above: int) -> list[tuple[Hash32, Address, int | None]]:
        """Transactions to be looked for: hash, sender, nonce of those that are pending, or were mined above a block."""
        table = own_transactions
        query = select(table.c.transaction_hash, table.c.sender, table.c.nonce).where(
            table.c.deployment == self.deployment,
            (table.c.state == OwnState.PENDING.value) | (table.c.block > above),
        )
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [(Hash32(bytes(row.transaction_hash)), row.sender, row.nonce) for row in rows]


def read_own(connection: Connection, deployment: int) -> tuple[OwnTransaction, ...]:
    """The transactions that were sent from here, newest first."""
    table = own_transactions
    rows = connection.execute(select(table).where(table.c.deployment == deployment).order_by(table.c.sent_at.desc()))
    return tuple(
        OwnTransaction(
            transaction_hash=Hash32(bytes(row.transaction_hash)),
            sender=row.sender,
            what=row.what,
            value=Wei(row.value),
            state=OwnState(row.state),
            sent_at=row.sent_at,
            block=row.block,
            fee=row.fee,
            reason=row.reason,
        )
        for row in rows
    )


def read_scores_of(
    connection: Connection, deployment: int, instance_id: InstanceId, epoch: EpochNumber, header_hash: Hash32
) -> EpochScores | None:
    """The figures of an epoch, if they were read."""
    content = connection.scalar(
        select(scores.c.content).where(
            scores.c.deployment == deployment,
            scores.c.instance_id == instance_id,
            scores.c.epoch == epoch,
            scores.c.header_hash == header_hash,
        )
    )
    return None if content is None else scores_from_json(content)


def read_strikes(connection: Connection, deployment: int) -> dict[tuple[int, int, bytes], dict[str, Any]]:
    """The strikes of every epoch whose figures were read, by instance, epoch and header."""
    rows: Iterable[Any] = connection.execute(
        select(scores.c.instance_id, scores.c.epoch, scores.c.header_hash, scores.c.strikes).where(
            scores.c.deployment == deployment
        )
    )
    return {(row.instance_id, row.epoch, bytes(row.header_hash)): row.strikes for row in rows}


def read_totals(connection: Connection, deployment: int, block: IndexedBlock | None) -> Totals | None:
    """The totals that were kept of a block; None if they are of another one."""
    row = connection.execute(
        select(totals.c.tip_hash, totals.c.content).where(totals.c.deployment == deployment)
    ).first()
    if row is None or block is None or bytes(row.tip_hash) != block.hash:
        return None
    return totals_from_json(row.content)
