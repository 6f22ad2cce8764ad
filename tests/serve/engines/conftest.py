"""A tiny model, shared by the tests of engines."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.serve.engines.tiny_gguf import write_tiny

    return write_tiny(tmp_path_factory.mktemp("tiny") / "Tiny model.gguf")
