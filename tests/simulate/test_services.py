"""Which service of the fleet a request of the trace is."""

from __future__ import annotations

from typing import Any

import pytest

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError
from meritorder.simulate.services import services_of
from meritorder.workload.trace import Trace, make_trace


def fleet(**services: str) -> Fleet:
    lines = "".join(f"  {name}: {{model: llama-3.1-8b{more and ', ' + more}}}\n" for name, more in services.items())
    head = "sites: {x: {usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 0.1 kg/kWh}}\n"
    pools = "pools: {p: {site: x, accelerator: h100, model: llama-3.1-8b, replicas: 1}}\n"
    return loads(f"{head}{pools}services:\n{lines}")


def trace(services: tuple[str, ...], of: list[int]) -> Trace:
    n = len(of)
    return make_trace(range(n), [10] * n, [10] * n, service=of, services=services)


@pytest.mark.parametrize(
    ("services", "names", "of", "expected"),
    [
        ({"chat": "share: 0.5", "code": "share: 0.5"}, ("code", "chat"), [0, 1, 1], [1, 0, 0]),  # own names first
        ({"chat": "match: gpt", "code": "match: embed"}, ("gpt", "embed"), [0, 1], [0, 1]),
        ({"chat": "match: gpt", "code": "match: embed"}, ("chat", "code"), [0, 1], [0, 1]),  # as it was recorded
        ({"chat": "match: code", "code": "match: chat"}, ("chat", "code"), [0, 1], [1, 0]),  # said is said
        ({"chat": "", "code": ""}, ("chat", "code", "more"), [1, 0], [1, 0]),  # a name that no request bears
        ({"chat": "", "code": "match: gpt"}, ("chat", "gpt"), [0, 1], [0, 1]),
        ({"chat": "share: 1", "code": ""}, ("other", "code"), [0, 1, 0], [0, 1, 0]),  # the rest by share
    ],
)
def test_by_name(services: dict[str, str], names: tuple[str, ...], of: list[int], expected: list[int]) -> None:
    assert services_of(fleet(**services), trace(names, of), seed=0).tolist() == expected


def test_a_trace_without_names_is_split_by_share_even_if_a_service_is_called_default() -> None:
    of = services_of(fleet(default="share: 0.5", other="share: 0.5"), trace(("default",), [0] * 400), seed=0)
    assert 120 < of.sum() < 280


@pytest.mark.parametrize("services", [{"chat": "", "code": ""}, {"chat": "share: 0.7", "code": ""}])
def test_requests_that_are_nobodys_are_an_error(services: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="belong to no service"):
        services_of(fleet(**services), trace(("other",), [0, 0]), seed=0)
