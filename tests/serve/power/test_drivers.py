"""Power drivers: commands and URLs that read and limit, and what is said when they fail."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from meritorder.fleet.gateway import PowerControl
from meritorder.serve.power.driver import DriverError, driver_of


def command(**told: object) -> PowerControl:
    return PowerControl(**{"limit": "true", **told})  # type: ignore[arg-type]


def test_a_command_prints_watts_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "watts").write_text("310.5\n289.5\n")
    driver = driver_of(command(read=f"cat {tmp_path / 'watts'}"))
    assert asyncio.run(driver.read()) == 600.0


def test_without_a_way_to_read_nothing_is_read() -> None:
    assert asyncio.run(driver_of(command()).read()) is None


def test_a_command_limits_boards_and_no_shell_reads_it(tmp_path: Path) -> None:
    script = "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    to = tmp_path / "said"
    (tmp_path / "set.py").write_text(script)
    driver = driver_of(command(limit=f"{sys.executable} {tmp_path / 'set.py'} {to} -pl {{watts}} {{part}} ;echo"))
    asyncio.run(driver.limit(490.0, 0.7))
    assert to.read_text() == "-pl 490 0.7 ;echo"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"read": "false"}, "exit code 1"),
        ({"read": "echo warm"}, "printed 'warm', not watts"),
        ({"read": "no-such-command-here"}, "can't be run"),
        ({"read": "sleep 5", "timeout": 0.1}, "did not end within 0.1 s"),
    ],
)
def test_a_command_that_fails_says_how(told: dict[str, object], words: str) -> None:
    with pytest.raises(DriverError, match=words):
        asyncio.run(driver_of(command(**told)).read())


class _Meter(BaseHTTPRequestHandler):
    limits: list[dict[str, float]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"watts": 1234.5}' if self.path == "/power" else b"warm")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.limits.append(json.loads(body))
        self.send_response(200 if self.path == "/power" else 500)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def meter() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Meter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_url_is_asked_and_told(meter: str) -> None:
    driver = driver_of(PowerControl(driver="http", read=f"{meter}/power", limit=f"{meter}/power"))
    assert asyncio.run(driver.read()) == 1234.5
    asyncio.run(driver.limit(350.0, 0.5))
    assert _Meter.limits[-1] == {"watts": 350.0, "part": 0.5}


def test_a_url_that_fails_says_how(meter: str) -> None:
    driver = driver_of(PowerControl(driver="http", read=f"{meter}/else", limit=f"{meter}/else"))
    with pytest.raises(DriverError, match="did not answer with watts"):
        asyncio.run(driver.read())
    with pytest.raises(DriverError, match="Internal Server Error"):
        asyncio.run(driver.limit(350.0, 0.5))
