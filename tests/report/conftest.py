"""Made-up runs to report on, shared with the tests of results."""

from __future__ import annotations

import pytest
from tests.simulate.fake import fake_result

from meritorder.simulate.store import Run, run_of


@pytest.fixture(scope="session")
def run() -> Run:
    """One run."""
    return run_of(fake_result(3000))


@pytest.fixture(scope="session")
def runs() -> list[Run]:
    """Three runs on the same traffic."""
    return [run_of(fake_result(3000, policy=p, slow=s)) for p, s in (("merit-order", 1.0), ("b", 1.3), ("c", 2.0))]
