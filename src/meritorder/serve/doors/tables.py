"""The database of keys and what they used. Times are Unix seconds, days are counted since 1970-01-01 (UTC)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is called INTEGER

keys = Table(
    "merit_keys",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("id", String(40), unique=True, nullable=False),
    Column("name", String(200), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("weight", Double, nullable=False),
    Column("services", String, nullable=False),  # JSON list; empty: all
    Column("models", String, nullable=False),  # likewise
    Column("rpm", BigInteger, nullable=False),
    Column("tpm", BigInteger, nullable=False),
    Column("budget_tokens", BigInteger, nullable=False),
    Column("budget_usd", Double, nullable=False),
    Column("budget_period", String(10), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
)

# What opens a key: its SHA-256. After a rotation there are two for a while.
secrets = Table(
    "merit_secrets",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("key", BigInteger, nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("expires", Double),
)

# What a key used in a day.
usage = Table(
    "merit_usage",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("usd", Double, nullable=False),
    Column("last", Double, nullable=False),  # when it was used last
    Column("change", BigInteger, nullable=False, index=True),  # number of the change that wrote the row last
)

# How often keys ("keys") and usage ("usage") were changed; raised first in every transaction that writes, so that
# these follow one another and a reader that has seen a number has seen all up to it.
changes = Table(
    "merit_changes",
    metadata,
    Column("what", String(10), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
