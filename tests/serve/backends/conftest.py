"""What tests of backends share."""

from __future__ import annotations

import dataclasses

import pytest

from meritorder.serve.backends import backend, watch
from meritorder.serve.backends.kinds import KINDS


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch does the same in less time."""
    quick = {name: dataclasses.replace(kind, every_s=0.05) for name, kind in KINDS.items()}
    monkeypatch.setattr(backend, "KINDS", quick)
    monkeypatch.setattr(watch, "TICK_S", 0.02)
    monkeypatch.setattr(watch, "LOOK_S", 0.2)
    monkeypatch.setattr(watch, "QUEUE_S", 0.05)
