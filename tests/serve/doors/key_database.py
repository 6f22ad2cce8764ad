"""Databases for tests of keys: SQLite always, PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Postgres:
    """A server of our own, on a port of its own; it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        programs = [shutil.which(name) for name in ("initdb", "postgres")]
        if None in programs:
            pytest.skip("no PostgreSQL here")
        self._initdb, self._postgres = map(str, programs)
        self._data = folder / "data"
        self._user = None
        if os.getuid() == 0:
            self._user = next((user.pw_uid for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")), None)
            if self._user is None:
                pytest.skip("PostgreSQL can't run as root")
            os.chown(folder, self._user, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://merit:very-secret@127.0.0.1:{self.port}/postgres"
        subprocess.run(
            [self._initdb, "-D", self._data, "-U", "merit", "--auth", "trust", "--no-sync"],
            user=self._user,
            check=True,
            capture_output=True,
            cwd="/",
        )

    def start(self) -> None:
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self._postgres, "-D", self._data, *options],
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0 and self._answers():
                    return
            time.sleep(0.05)
        pytest.fail("PostgreSQL did not start")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # its "fast" shutdown
        self._process.wait(timeout=30)

    def empty(self) -> None:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="merit-postgres-"))
    try:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
