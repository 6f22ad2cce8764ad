"""Public traces by name: where they are, and a download that is checked before it is kept."""

from __future__ import annotations

import gzip
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meritorder.files import replacing
from meritorder.problems import InputError, Problem, did_you_mean

_CHUNK = 1 << 16


@dataclass(frozen=True)
class PublicTrace:
    """A trace with a public address. `sha256` is of the unpacked file; `shared` its name in a folder of traces."""

    url: str
    sha256: str
    shared: str
    licence: str
    cite: str


_AZURE = "https://raw.githubusercontent.com/Azure/AzurePublicDataset/master/data"
_SPLITWISE = "Patel et al., Splitwise, ISCA 2024"

TRACES = {
    "azure-2023-conv": PublicTrace(
        url=f"{_AZURE}/AzureLLMInferenceTrace_conv.csv",
        sha256="2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
        shared="AzureLLMInferenceTrace_conv.csv.gz",
        licence="CC BY 4.0",
        cite=_SPLITWISE,
    ),
    "azure-2023-code": PublicTrace(
        url=f"{_AZURE}/AzureLLMInferenceTrace_code.csv",
        sha256="54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
        shared="AzureLLMInferenceTrace_code.csv.gz",
        licence="CC BY 4.0",
        cite=_SPLITWISE,
    ),
    "mooncake-conversation": PublicTrace(
        url="https://raw.githubusercontent.com/kvcache-ai/Mooncake/main/FAST25-release/traces/conversation_trace.jsonl",
        sha256="b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        shared="mooncake_conversation_trace.jsonl.gz",
        licence="Apache-2.0",
        cite="Qin et al., Mooncake, FAST 2025",
    ),
}


@dataclass(frozen=True)
class Located:
    """A trace on this machine and how it got here: "shared", "cache" or "download"."""

    path: Path
    how: str


def cache_folder() -> Path:
    """Where downloads are kept ($XDG_CACHE_HOME/meritorder/traces)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder" / "traces"


def public(name: str) -> PublicTrace:
    """The trace of that name. Raises InputError for an unknown one."""
    if name not in TRACES:
        raise InputError(Problem(f'there is no public trace "{name}"', fix=did_you_mean(name, TRACES)))
    return TRACES[name]


def fetch(name: str, target: Path | None = None, progress: Callable[[float], None] | None = None) -> Path:
    """Download a trace to `target` (default: the cache) and check it. Returns the file.

    Raises InputError where the network fails or the checksum is another; then nothing is left behind.
    """
    trace = public(name)
    path = target or cache_folder() / trace.url.rsplit("/", 1)[-1]
    with replacing(path) as partial:
        try:
            digest = _download(trace.url, partial, progress)
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            fix = "check the network, or put the file there yourself"
            raise InputError(Problem(f"can't be downloaded: {reason}", trace.url, fix=fix)) from error
        if digest != trace.sha256:
            what = f"isn't the file that was expected (sha256 {digest[:16]}…, not {trace.sha256[:16]}…): not kept"
            raise InputError(
                Problem(what, trace.url, fix="the publisher changed it, or the download was damaged: try again")
            )
    return path


def locate(
    name: str,
    shared: Path | None = None,
    *,
    download: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Located | None:
    """The trace from the first place that has it: a shared folder, the cache, its public address; None: nowhere.

    `shared` is the folder that holds `traces/`; default $MERIT_SHARED, else `../shared`. A file whose checksum is
    another is passed over.
    """
    trace = public(name)
    folder = shared or Path(os.environ.get("MERIT_SHARED") or "../shared")
    for how, path in (
        ("shared", folder / "traces" / trace.shared),
        ("cache", cache_folder() / trace.url.rsplit("/", 1)[-1]),
    ):
        if path.is_file() and _digest(path) == trace.sha256:
            return Located(path, how)
    if not download:
        return None
    try:
        return Located(fetch(name, progress=progress), "download")
    except InputError:
        return None


def _download(url: str, to: Path, progress: Callable[[float], None] | None) -> str:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=20) as answer, to.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            done += len(chunk)
            if progress and size:
                progress(done / size)
    if size and done < size:
        raise OSError(f"the connection ended after {done:,} of {size:,} bytes")
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except (OSError, EOFError):
        return ""
    return digest.hexdigest()
