"""Downloads from a server of our own: kept when the checksum is right, nothing left otherwise."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from meritorder.problems import InputError
from meritorder.workload import fetch as module
from meritorder.workload.fetch import TRACES, PublicTrace, fetch, locate

CONTENT = b"arrived_at,num_prefill_tokens,num_decode_tokens\n" + b"1,2,3\n" * 40_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A public trace "local" at an address of this machine, and a cache of the test's own."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "trace.csv").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MERIT_SHARED", str(tmp_path / "shared"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://127.0.0.1:{server.server_port}/trace.csv"
    trace = PublicTrace(url, hashlib.sha256(CONTENT).hexdigest(), "trace.csv.gz", "none", "nobody")
    monkeypatch.setitem(module.TRACES, "local", trace)
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_is_checked_and_cached(served: str, tmp_path: Path) -> None:
    seen: list[float] = []
    path = fetch("local", progress=seen.append)
    assert path == tmp_path / "cache" / "meritorder" / "traces" / "trace.csv"
    assert path.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert fetch("local", tmp_path / "here.csv").read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(served: str, tmp_path: Path) -> None:
    (tmp_path / "www" / "trace.csv").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="isn't the file that was expected"):
        fetch("local")
    assert list((tmp_path / "cache" / "meritorder" / "traces").iterdir()) == []


def test_an_unreachable_address_is_one_message(served: str, tmp_path: Path) -> None:
    (tmp_path / "www" / "trace.csv").unlink()
    with pytest.raises(InputError, match=r"can't be downloaded: .*check the network"):
        fetch("local")
    assert list((tmp_path / "cache" / "meritorder" / "traces").iterdir()) == []
    assert locate("local") is None


def test_places_are_tried_in_order(served: str, tmp_path: Path) -> None:
    assert locate("local", download=False) is None
    found = locate("local")
    assert found is not None
    assert found.how == "download"
    found = locate("local")
    assert found is not None
    assert found.how == "cache"
    shared = tmp_path / "shared" / "traces"
    shared.mkdir(parents=True)
    (shared / "trace.csv.gz").write_bytes(gzip.compress(CONTENT))
    found = locate("local")
    assert found is not None
    assert (found.how, found.path) == ("shared", shared / "trace.csv.gz")


def test_a_damaged_copy_is_passed_over(served: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "traces"
    shared.mkdir(parents=True)
    (shared / "trace.csv.gz").write_bytes(gzip.compress(CONTENT)[:-9])
    found = locate("local")
    assert found is not None
    assert found.how == "download"
    found.path.write_bytes(b"overwritten")
    assert locate("local", download=False) is None


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match='did you mean "azure-2023-conv"'):
        fetch("azure-2023-con")


def test_checksums_are_those_of_the_shared_files(shared: Path) -> None:
    for name in TRACES:
        found = locate(name, shared, download=False)
        assert found is not None, name
        assert found.how == "shared", name
