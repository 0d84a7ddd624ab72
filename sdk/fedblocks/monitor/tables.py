"""The index's tables, in SQL that SQLite and PostgreSQL both speak.

Two kinds of rows follow from the chain alone: the *events*, as they were logged, and the *entities*, what follows for
one client, instance, slash, demand, challenger or treasury. An entity's state is the fold of its events, and
`monitor_links` says which those are, so that it can be folded anew when a reorganisation takes some of them back. All
these rows are the same for the same chain, however it was read.

The others are the reader's own: bookmarks by which it finds back after a reorganisation, figures that it has fetched,
transactions that it has sent.

One database holds several deployments. A name begins with ``monitor_``, because others may keep tables beside these.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from fedblocks.monitor.views import OwnState
from fedblocks.storage.columns import CanonicalJson, WideInteger
from fedblocks.storage.database import Schema

metadata = MetaData()
_Hash = LargeBinary(32)
_Address = String(42)

INDEX = Schema(
    tables=metadata,
    version_table=Table("monitor_schema", metadata, Column("version", Integer, primary_key=True)),
    version=2,
    what="index",
    made_by="the first command that reads events",
    remade="delete it, it is filled again from the chain",
)
"""The index's schema; raise its version with every change of a table or of what a fold does."""


def _of_deployment() -> Column[int]:
    return Column("deployment", ForeignKey("monitor_deployments.ref"), primary_key=True)


deployments = Table(
    "monitor_deployments",
    metadata,
    # SQLite counts by itself in an INTEGER PRIMARY KEY only.
    Column("ref", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("registry", _Address, nullable=False),
    Column("version", Integer, nullable=False),
    Column("tip_number", BigInteger),
    Column("tip_hash", _Hash),
    Column("tip_timestamp", BigInteger),
    UniqueConstraint("chain_id", "registry"),
)

blocks = Table(
    "monitor_blocks",
    metadata,
    _of_deployment(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", _Hash, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The blocks in which something was logged."""

events = Table(
    "monitor_events",
    metadata,
    _of_deployment(),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("transaction_hash", _Hash, nullable=False),
    Column("contract", String(40), nullable=False),
    Column("event", String(40), nullable=False),
    Column("instance_id", BigInteger),
    Column("arguments", Text, nullable=False),
    Index("monitor_events_of_transaction", "deployment", "transaction_hash"),
    Index("monitor_events_of_instance", "deployment", "instance_id", "block", "log_index"),
    sqlite_with_rowid=False,
)
"""What was logged. `arguments` is canonical JSON: integers of any size, bytes and addresses in hex."""

links = Table(
    "monitor_links",
    metadata,
    _of_deployment(),
    Column("kind", String(12), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Index("monitor_links_by_block", "deployment", "block"),
    sqlite_with_rowid=False,
)
"""Which events an entity follows from, and (kind ``party``) which concern an account."""

entities = Table(
    "monitor_entities",
    metadata,
    _of_deployment(),
    Column("kind", String(12), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("state", Text, nullable=False),
    sqlite_with_rowid=False,
)

bookmarks = Table(
    "monitor_bookmarks",
    metadata,
    _of_deployment(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", _Hash, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Blocks at which reading has stopped lately: how far back a reorganisation went is found by them."""

scores = Table(
    "monitor_scores",
    metadata,
    _of_deployment(),
    Column("instance_id", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("header_hash", _Hash, primary_key=True),
    Column("strikes", CanonicalJson, nullable=False),
    Column("content", CanonicalJson, nullable=False),
)
"""What the published data of an epoch say, checked against its header, whose hash names it for good."""

totals = Table(
    "monitor_totals",
    metadata,
    _of_deployment(),
    Column("tip_hash", _Hash, nullable=False),
    Column("content", CanonicalJson, nullable=False),
)
"""The deployment in a few numbers at the block with that hash, so that a first screen need not work them out."""

own_transactions = Table(
    "monitor_own_transactions",
    metadata,
    _of_deployment(),
    Column("transaction_hash", _Hash, primary_key=True),
    Column("sender", _Address, nullable=False),
    Column("nonce", BigInteger),
    Column("what", String(200), nullable=False),
    Column("value", WideInteger, nullable=False),
    Column("state", String(10), nullable=False, default=OwnState.PENDING.value),
    Column("sent_at", Float, nullable=False),
    Column("block", BigInteger),
    Column("fee", WideInteger),
    Column("reason", Text),
)

OF_THE_CHAIN = (events, links, entities, blocks)
"""The tables whose rows follow from the chain alone."""
