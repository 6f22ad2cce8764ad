"""`Store`: API keys and what they used, in a database. Every method waits for it, so call them in a thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.serve.doors import tables
from meritorder.serve.doors.calendar import PERIODS, day_of, period_starts
from meritorder.serve.doors.database import address, open_engine
from meritorder.serve.doors.secrets import digest, new_id, new_secret
from meritorder.serve.doors.wanted import Wanted

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a key, until a Unix time."""

    digest: bytes
    expires: float


@dataclass(frozen=True, slots=True)
class Key:
    """A valid key. Limits and budgets: 0 is none."""

    number: int
    id: str
    name: str
    tenant: str
    weight: float
    services: tuple[str, ...]
    models: tuple[str, ...]
    rpm: int
    tpm: int
    budget_tokens: int
    budget_usd: float
    budget_period: str
    digests: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """What a key used since it was last written."""

    number: int
    requests: int
    prompt_tokens: int
    output_tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Spending:
    """What a key with a budget has spent of it in this period."""

    number: int
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a reader has read: changes of keys and of usage, and the day it was."""

    keys: int = -1
    usage: int = -1
    day: int = -1


@dataclass(frozen=True, slots=True)
class News:
    """What changed since. `keys`: all of them, or None where none changed; `all_spending`: who is not named spent 0."""

    keys: tuple[Key, ...] | None
    spending: tuple[Spending, ...]
    all_spending: bool
    seen: Seen


class Store:
    """Keys and usage in `database`, an address as in the fleet file; tables are made at the first use.

    A relative SQLite file is in `folder`. Raises InputError at once where the address is wrong, and from every method
    where the database can't be used.
    """

    def __init__(self, database: str, folder: Path | None = None) -> None:
        self._engine: Engine = open_engine(address(database, folder or Path()))
        self._insert = postgresql.insert if self._engine.name == "postgresql" else sqlite.insert
        self._ready = False

    def create(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make a key (fields as in `Wanted`); the answer is as in `listed` with the secret under `key`, this once."""
        key, secret, now = Wanted.of(wanted), new_secret(), time.time()
        row = key.model_dump(exclude={"lifetime_s", "services", "models"}) | {
            "id": new_id(),
            "tenant": key.tenant or key.name,
            "services": orjson.dumps(key.services).decode(),
            "models": orjson.dumps(key.models).decode(),
            "created": now,
            "expires": None if key.lifetime_s is None else now + key.lifetime_s,
        }
        for limit in ("rpm", "tpm", "budget_tokens", "budget_usd"):
            row[limit] = row[limit] or 0
        with self._transaction() as base:
            self._change(base, "keys")
            number = base.execute(tables.keys.insert().values(row).returning(tables.keys.c.number)).scalar_one()
            base.execute(tables.secrets.insert().values(digest=digest(secret.encode()), key=number, created=now))
            return self._listed(base, row["id"])[0] | {"key": secret}

    def listed(self) -> list[Mapping[str, Any]]:
        """Every key, oldest first: what it may do and what it used; never a secret."""
        with self._transaction() as base:
            return [*self._listed(base)]

    def rotate(self, key_id: str, grace_s: float = 0.0) -> dict[str, Any]:
        """Give a key (its id, or name) a new secret; the old one opens for `grace_s` more. Answers as `create` does."""
        secret, now = new_secret(), time.time()
        with self._transaction() as base:
            self._change(base, "keys")
            number, found = self._find(base, key_id)
            held = tables.secrets.c
            longer = or_(held.expires.is_(None), held.expires > now + grace_s)
            base.execute(update(tables.secrets).where(held.key == number, longer).values(expires=now + grace_s))
            base.execute(tables.secrets.insert().values(digest=digest(secret.encode()), key=number, created=now))
            return self._listed(base, found)[0] | {"key": secret}

    def revoke(self, key_id: str) -> None:
        """The key (its id, or name) opens nothing any more; it stays in the list."""
        with self._transaction() as base:
            self._change(base, "keys")
            number, _ = self._find(base, key_id)
            base.execute(update(tables.keys).where(tables.keys.c.number == number).values(revoked=time.time()))

    def sync(self, charges: Sequence[Charge], seen: Seen) -> News:
        """Write charges and read what changed since `seen`, in one transaction."""
        now = time.time()
        with self._transaction() as base:
            if charges:
                self._write(base, charges, now)
            numbers = dict(base.execute(select(tables.changes.c.what, tables.changes.c.number)).all())
            day = day_of(now)
            whole = seen.day != day or seen.keys != numbers["keys"]  # other periods, or other budgets, began
            spending: tuple[Spending, ...] = ()
            if whole or seen.usage != numbers["usage"]:
                spending = tuple(_spending(base, day, -1 if whole else seen.usage))
            keys = tuple(_valid(base, now)) if seen.keys != numbers["keys"] else None
        return News(keys, spending, whole, Seen(numbers["keys"], numbers["usage"], day))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Everything inside or nothing of it."""
        try:
            if not self._ready:
                self._make_tables()
            with self._engine.begin() as base:
                yield base
        except SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
            raise InputError(Problem(f"the database can't be used: {reason}", where)) from None

    def _make_tables(self) -> None:
        for table in tables.metadata.sorted_tables:
            try:
                table.create(self._engine, checkfirst=True)
            except SQLAlchemyError:  # another process was making it at the same time: then it is there now
                table.create(self._engine, checkfirst=True)
        with self._engine.begin() as base:
            if len(base.execute(select(tables.changes)).all()) < 2:
                zero = [{"what": "keys", "number": 0}, {"what": "usage", "number": 0}]
                base.execute(self._insert(tables.changes).values(zero).on_conflict_do_nothing())
        self._ready = True

    def _change(self, base: Connection, what: str) -> int:
        """Number of the change that this transaction makes. Holds up every other one until it ends."""
        table = tables.changes
        raised = update(table).where(table.c.what == what).values(number=table.c.number + 1)
        return int(base.execute(raised.returning(table.c.number)).scalar_one())

    def _write(self, base: Connection, charges: Sequence[Charge], now: float) -> None:
        change = self._change(base, "usage")
        rows = [
            {
                "key": charge.number,
                "day": day_of(now),
                "requests": charge.requests,
                "prompt_tokens": charge.prompt_tokens,
                "output_tokens": charge.output_tokens,
                "usd": charge.usd,
                "last": now,
                "change": change,
            }
            for charge in charges
        ]
        table: Table = tables.usage
        added = self._insert(table)
        sums = {name: table.c[name] + added.excluded[name] for name in _SUMMED}
        latest = {name: added.excluded[name] for name in ("last", "change")}
        base.execute(added.on_conflict_do_update(index_elements=["key", "day"], set_=sums | latest), rows)

    def _find(self, base: Connection, key: str) -> tuple[int, str]:
        """Number and id of the key with this id, or of the only one of this name that is not revoked."""
        held = tables.keys.c
        rows = base.execute(select(held.number, held.id, held.name, held.revoked)).all()
        found = [row for row in rows if row[1] == key] or [row for row in rows if row[2] == key and row[3] is None]
        if len(found) > 1:
            ids = ", ".join(row[1] for row in found)
            raise InputError(Problem(f'several keys are named "{key}"', "keys", fix=f"name one of {ids}"))
        if not found:
            known = [name for row in rows if row[3] is None for name in (row[1], row[2])]
            raise InputError(Problem(f'there is no key "{key}"', "keys", fix=did_you_mean(key, known)))
        if found[0][3] is not None:
            raise InputError(Problem(f"{key} is revoked", "keys", fix="make a new one"))
        return int(found[0][0]), found[0][1]

    def _listed(self, base: Connection, key_id: str | None = None) -> list[dict[str, Any]]:
        used = tables.usage.c
        held = tables.keys.c
        spent = _in_period(day_of(time.time()))
        query = (
            select(
                tables.keys,
                func.max(used.last).label("last_used"),
                func.coalesce(func.sum(used.requests), 0).label("requests"),
                func.coalesce(func.sum(used.prompt_tokens), 0).label("prompt_tokens"),
                func.coalesce(func.sum(used.output_tokens), 0).label("output_tokens"),
                func.coalesce(func.sum(used.usd), 0.0).label("usd"),
                func.coalesce(func.sum(used.prompt_tokens + used.output_tokens).filter(spent), 0).label("spent_tokens"),
                func.coalesce(func.sum(used.usd).filter(spent), 0.0).label("spent_usd"),
            )
            .select_from(tables.keys.outerjoin(tables.usage, held.number == used.key))
            .group_by(held.number)
            .order_by(held.number)
        )
        if key_id is not None:
            query = query.where(held.id == key_id)
        return [_shown(dict(row)) for row in base.execute(query).mappings()]


_SUMMED = ("requests", "prompt_tokens", "output_tokens", "usd")


def _in_period(day: int) -> Any:
    """Usage that counts against its key's budget on this day."""
    period, used = tables.keys.c.budget_period, tables.usage.c.day
    return or_(*(and_(period == name, used >= period_starts(name, day)) for name in PERIODS))


def _spending(base: Connection, day: int, since: int) -> Iterator[Spending]:
    """Of keys with a budget that were charged after change `since`."""
    held, used = tables.keys.c, tables.usage.c
    changed = select(used.key).where(used.change > since)
    query = (
        select(used.key, func.sum(used.prompt_tokens + used.output_tokens), func.sum(used.usd))
        .join_from(tables.usage, tables.keys, held.number == used.key)
        .where(or_(held.budget_tokens > 0, held.budget_usd > 0), _in_period(day), used.key.in_(changed))
        .group_by(used.key)
    )
    for number, tokens, usd in base.execute(query):
        yield Spending(int(number), int(tokens), float(usd))


def _valid(base: Connection, now: float) -> Iterator[Key]:
    """Keys that open, or will until their time is over."""
    held, opening = tables.keys.c, tables.secrets.c
    digests: dict[int, list[tuple[bytes, float]]] = {}
    valid = or_(opening.expires.is_(None), opening.expires > now)
    for key, value, expires in base.execute(select(opening.key, opening.digest, opening.expires).where(valid)):
        digests.setdefault(key, []).append((bytes(value), NEVER if expires is None else expires))
    query = select(tables.keys).where(held.revoked.is_(None), or_(held.expires.is_(None), held.expires > now))
    for row in base.execute(query).mappings():
        ends = NEVER if row["expires"] is None else row["expires"]
        yield Key(
            number=row["number"],
            id=row["id"],
            name=row["name"],
            tenant=row["tenant"],
            weight=row["weight"],
            services=tuple(orjson.loads(row["services"])),
            models=tuple(orjson.loads(row["models"])),
            rpm=row["rpm"],
            tpm=row["tpm"],
            budget_tokens=row["budget_tokens"],
            budget_usd=row["budget_usd"],
            budget_period=row["budget_period"],
            digests=tuple(Secret(value, min(ends, expires)) for value, expires in digests.get(row["number"], ())),
        )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the keys as people and programs get it: no limit is None."""
    row.pop("number")
    for name in ("services", "models"):
        row[name] = orjson.loads(row[name])
    for name in ("rpm", "tpm", "budget_tokens", "budget_usd"):
        row[name] = row[name] or None
    for name in ("requests", "prompt_tokens", "output_tokens", "spent_tokens"):
        row[name] = int(row[name])  # PostgreSQL sums to Decimal
    return row
