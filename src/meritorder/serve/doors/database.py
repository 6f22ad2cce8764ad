"""Opening the database of keys: SQLite, or PostgreSQL where configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from meritorder.problems import InputError, Problem

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

WAIT_S = 5  # for a lock, a connection or a statement; everything here happens in the background

_WHERE = "gateway.database"
_FIX = "write sqlite:///keys.db or postgresql://user@host/name, or env:NAME where a variable says it"


def address(database: str, folder: Path, environ: Mapping[str, str] = os.environ) -> URL:
    """Where the database is. A relative SQLite file is in `folder`. Raises InputError, never naming a password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    written = _revealed(database, folder, environ)
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise InputError(Problem("is not a database address", _WHERE, fix=_FIX)) from None
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):  # each process would have a database of its own
            raise InputError(Problem("names no file", _WHERE, fix=_FIX))
        return url.set(database=str(folder.resolve() / url.database))
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise InputError(Problem(f"{url.get_backend_name()} is not a database that keys can be in", _WHERE, fix=_FIX))


def open_engine(url: URL) -> Engine:
    """An engine that gives up after `WAIT_S` instead of hanging. Does not connect yet. Raises InputError."""
    from sqlalchemy import create_engine, event

    if url.get_backend_name() == "postgresql":
        options = {
            "connect_timeout": WAIT_S,
            "options": f"-c statement_timeout={1000 * WAIT_S} -c lock_timeout={1000 * WAIT_S}",
            "keepalives_idle": WAIT_S,
            "tcp_user_timeout": 2000 * WAIT_S,
        }
        try:
            return create_engine(url, connect_args=options, hide_parameters=True, pool_size=1, pool_timeout=WAIT_S)
        except ImportError:
            fix = "pip install 'meritorder[postgres]'"
            raise InputError(Problem("needs a driver for PostgreSQL that is not installed", _WHERE, fix=fix)) from None
    options = {"timeout": WAIT_S, "check_same_thread": False}
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise InputError(Problem(f"there is no folder {path.parent}", _WHERE, fix="make it, or name another one"))
    engine = create_engine(url, connect_args=options, hide_parameters=True)
    event.listen(engine, "do_connect", lambda *_: _private(path))
    event.listen(engine, "connect", _let_readers_read)
    return engine


def _revealed(database: str, folder: Path, environ: Mapping[str, str]) -> str:
    if database.startswith("env:"):
        name = database.removeprefix("env:")
        if not environ.get(name):
            raise InputError(Problem(f"the environment has no {name}", _WHERE, fix=f"export {name}=ADDRESS"))
        return environ[name]
    if database.startswith("file:"):
        path = folder / database.removeprefix("file:")
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise InputError(Problem(f"{path} can't be read: {reason.lower()}", _WHERE)) from None
    return database


def _private(path: Path) -> None:
    """Make the file for its owner only, where it is not there yet."""
    with suppress(OSError):  # SQLite will say the same
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _let_readers_read(connection: object, _record: object) -> None:
    """While one process writes, others may read (write-ahead log)."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
