"""The store's tables, in SQL that SQLite and PostgreSQL both speak.

The names begin with ``rollup_``, because the indexer may keep its own tables in the same database. Hashes are 32 raw
bytes. Numbers that may need more than 63 bits (samples, rules) are 32-byte words, big-endian; a header is kept as its
544 bytes. What must not happen twice is a key or a unique index, so that no race can make it happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from fedblocks.rollup.header import WORD_SIZE, encode_word
from fedblocks.rollup.progress import Happened, Phase
from fedblocks.rollup.records import ActionKind, IntentKind, IntentState, Level
from fedblocks.storage.database import Schema


class Words(TypeDecorator[tuple[int, ...]]):
    """Unsigned 256-bit integers, 32 bytes each."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else b"".join(map(encode_word, value))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[int, ...] | None:
        if value is None:
            return None
        starts = range(0, len(value), WORD_SIZE)
        return tuple(int.from_bytes(value[start : start + WORD_SIZE], "big") for start in starts)


class Word(TypeDecorator[int]):
    """One unsigned 256-bit integer."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> bytes | None:
        return None if value is None else encode_word(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> int | None:
        return None if value is None else int.from_bytes(value, "big")


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(word)) for word in words)})")


def _of_instance() -> Column[int]:
    return Column("instance", ForeignKey("rollup_instances.ref"), primary_key=True)


metadata = MetaData()
_Hash = LargeBinary(32)
_Address = String(42)

ROLLUP = Schema(
    tables=metadata,
    version_table=Table("rollup_schema", metadata, Column("version", Integer, primary_key=True)),
    version=3,
    what="store",
    made_by="the node that runs the instance",
    remade="start a new store, which is filled from the chain and the blobs",
)
"""The store's schema; raise its version with every change of a table."""

instances = Table(
    "rollup_instances",
    metadata,
    # SQLite counts by itself in an INTEGER PRIMARY KEY only.
    Column("ref", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("contract", _Address, nullable=False),
    Column("instance_id", BigInteger, nullable=False),
    Column("user", _Address, nullable=False),
    Column("aggregator", _Address, nullable=False),
    Column("cohort", JSON, nullable=False),
    Column("d", BigInteger, nullable=False),
    Column("max_epochs", Integer, nullable=False),
    Column("rules", Words, nullable=False),
    Column("genesis_hash", _Hash, nullable=False),
    Column("job_blob", _Hash),
    Column("genesis_model_blob", _Hash),
    Column("former_aggregators", JSON, nullable=False),
    UniqueConstraint("chain_id", "contract", "instance_id"),
)

writers = Table(
    "rollup_writers",
    metadata,
    _of_instance(),
    Column("owner", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lease_seconds", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

actions = Table(
    "rollup_actions",
    metadata,
    _of_instance(),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("seat", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("action_hash", _Hash, nullable=False, index=True),
    Column("client", _Address, nullable=False),
    Column("commitment", _Hash, nullable=False),
    Column("signature", LargeBinary),
    Column("update_blob", _Hash),
    Column("update_root", _Hash),
    Column("samples", Word),
    Column("salt", _Hash),
    Column("acknowledgement", LargeBinary),
    UniqueConstraint("instance", "epoch", "attempt", "kind", "seat"),
    CheckConstraint("seat BETWEEN 0 AND 63"),
    _one_of("kind", ActionKind),
)

epochs = Table(
    "rollup_epochs",
    metadata,
    _of_instance(),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("header", LargeBinary, nullable=False),
    Column("header_hash", _Hash, nullable=False, index=True),
    Column("manifest_blob", _Hash, nullable=False),
    Column("level", String(10), nullable=False),
    Column("transaction_hash", _Hash),
    Column("block_number", BigInteger),
    _one_of("level", Level),
)


_is_live = epochs.c.level != Level.REVERTED.value
Index(
    "rollup_epochs_one_live_attempt",
    epochs.c.instance,
    epochs.c.epoch,
    unique=True,
    sqlite_where=_is_live,
    postgresql_where=_is_live,
)

intents = Table(
    "rollup_intents",
    metadata,
    _of_instance(),
    Column("kind", String(20), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("payload_hash", _Hash, nullable=False),
    Column("state", String(10), nullable=False),
    Column("transaction_hash", _Hash),
    _one_of("kind", IntentKind),
    _one_of("state", IntentState),
)

rounds = Table(
    "rollup_rounds",
    metadata,
    _of_instance(),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("base_model_root", _Hash, nullable=False),
    Column("base_model_blob", _Hash, nullable=False),
    Column("last_delta_blob", _Hash),
    Column("barred", JSON, nullable=False),
    Column("phase", String(10), nullable=False),
    Column("deadline", Float),
    Column("commits_root", _Hash),
    Column("left_out", JSON, nullable=False),
    _one_of("phase", Phase),
)

_is_under_way = rounds.c.phase.in_([phase.value for phase in Phase if phase.is_live])
Index(
    "rollup_rounds_one_under_way",
    rounds.c.instance,
    unique=True,
    sqlite_where=_is_under_way,
    postgresql_where=_is_under_way,
)

progress = Table(
    "rollup_progress",
    metadata,
    _of_instance(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("what", String(10), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("details", JSON, nullable=False),
    _one_of("what", Happened),
)

profiles = Table(
    "rollup_profiles",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("contract", _Address, primary_key=True),
    Column("client", _Address, primary_key=True),
    Column("profile", JSON, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
