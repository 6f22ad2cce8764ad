"""What is counted of requests, and what comes out as Prometheus text and for the live page."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ended_requests import ended, fleet, refused
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.new_folder import new_folder

from meritorder.serve.account import Account
from meritorder.serve.seen.exposition import Exposition
from meritorder.serve.seen.meter import Meter
from meritorder.serve.seen.overview import quantile
from meritorder.serve.seen.rows import MeterRows
from meritorder.serve.seen.targets import Targets

FLEET = fleet()
BOOKS = {
    "replicas": [
        {"name": "fast/0", "pool": "fast", "usable": True, "in_flight": 3, "waiting": 1, "foreign": 2, "speed": 1.25}
    ],
    "pools": {"fast": {"busy_watts": 700.0, "limit": 4}, "slow": {"busy_watts": 0.0, "limit": None}},
    "sites": {"north": {"watts": 900.0, "limit_watts": None}},
}


class Books:
    def snapshot(self) -> dict[str, Any]:
        return BOOKS


class Gateway:
    """Meters of two workers, and the supervisor's exposition."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rows = MeterRows.create(FLEET, workers=2, folder=new_folder())
        attached = MeterRows.attach(self.rows.name, FLEET)
        self.meters = [Meter(FLEET, attached.row(worker)) for worker in range(2)]
        self.exposition = Exposition(FLEET, self.rows, Books(), clock=lambda: self.now)

    def count(self, *accounts: Account, worker: int = 0) -> None:
        for account in accounts:
            self.meters[worker](account)
        self.meters[worker].flush()

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.exposition.text().decode())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))


@pytest.fixture
def gateway() -> Gateway:
    made = Gateway()
    return made


def test_workers_add_up(gateway: Gateway) -> None:
    gateway.count(ended(), ended(pool=1))
    gateway.count(ended(), refused(), worker=1)
    assert gateway.value("merit_requests_total", service="chat", pool="fast", outcome="ok") == 2
    assert gateway.value("merit_requests_total", service="chat", pool="slow", outcome="ok") == 1
    assert gateway.value("merit_requests_total", service="chat", pool="", outcome="refused") == 1
    assert gateway.value("merit_http_responses_total", api="chat", status="200") == 3
    assert gateway.value("merit_http_responses_total", api="chat", status="429") == 1
    reason = "cheapest that meets its targets"
    assert gateway.value("merit_decisions_total", service="chat", pool="fast", reason=reason) == 2
    assert gateway.value("merit_energy_joules_total", service="chat", pool="fast") == 40
    assert gateway.value("merit_cost_usd_total", service="chat", pool="fast") == pytest.approx(6e-6)
    assert gateway.value("merit_cached_prompt_tokens_total", service="chat", pool="fast") == 64


def test_histograms_under_opentelemetrys_names(gateway: Gateway) -> None:
    gateway.count(ended(ttft=0.2, tpot=0.01, output=11, prompt=100), ended(ttft=0.4, output=1, prompt=1))
    labels = {"service": "chat", "pool": "fast", "gen_ai_request_model": "llama-3.1-8b"}
    name = "gen_ai_server_time_to_first_token_seconds"
    assert gateway.value(f"{name}_count", **labels) == 2
    assert gateway.value(f"{name}_sum", **labels) == pytest.approx(0.602)
    assert gateway.value(f"{name}_bucket", le="0.25", **labels) == 1
    assert gateway.value(f"{name}_bucket", le="0.5", **labels) == 2
    assert gateway.value("gen_ai_server_time_per_output_token_seconds_sum", **labels) == pytest.approx(0.01)
    assert gateway.value("gen_ai_server_request_duration_seconds_sum", **labels) == pytest.approx(0.301 + 0.401)
    tokens = {**labels, "gen_ai_token_type": "input"}
    assert gateway.value("gen_ai_client_token_usage_bucket", le="1.0", **tokens) == 1, "1 is not above its bound"
    assert gateway.value("gen_ai_client_token_usage_sum", **tokens) == 101
    assert gateway.value("gen_ai_client_token_usage_sum", **{**tokens, "gen_ai_token_type": "output"}) == 12


def test_real_against_predicted_only_of_requests_that_ran_undisturbed(gateway: Gateway) -> None:
    gateway.count(ended(ttft=0.2, tpot=0.02), ended(retries=1), ended(hedged=True), ended(continued=1))
    labels = {"service": "chat", "pool": "fast"}
    assert gateway.value("merit_prediction_ratio_count", what="ttft", **labels) == 1
    assert gateway.value("merit_prediction_ratio_sum", what="ttft", **labels) == pytest.approx(2.0)
    assert gateway.value("merit_prediction_ratio_sum", what="tpot", **labels) == pytest.approx(2.0)
    assert gateway.value("merit_prediction_ratio_sum", what="answer", **labels) == pytest.approx(0.4 / 0.2)
    for name in ("merit_retries_total", "merit_hedges_total", "merit_continuations_total"):
        assert gateway.value(name, **labels) == 1


def test_a_worker_that_is_started_again_counts_on(gateway: Gateway) -> None:
    gateway.meters[0].gauge("connections", 5)
    gateway.meters[0].waiting(1, 7)
    gateway.meters[0].counter("accepted", 10)
    gateway.count(ended())
    assert gateway.value("merit_connections") == 5
    assert gateway.value("merit_queue_requests", service="bulk") == 7
    gateway.meters[0] = Meter(FLEET, MeterRows.attach(gateway.rows.name, FLEET).row(0))
    gateway.meters[0].counter("accepted", 1)
    gateway.count(ended())
    assert gateway.value("merit_requests_total", service="chat", pool="fast", outcome="ok") == 2
    assert gateway.value("merit_connections_accepted_total") == 11
    assert gateway.value("merit_connections") == 0, "those of the worker that died are gone"


def test_what_is_unknown_is_counted_too(gateway: Gateway) -> None:
    gateway.count(refused(404, service=-1), ended(pool=2, service=0), ended(status=299, api="audio"))
    assert gateway.value("merit_requests_total", service="", pool="", outcome="refused") == 1
    assert gateway.value("merit_requests_total", service="chat", pool="", outcome="ok") == 1
    assert gateway.value("merit_http_responses_total", api="other", status="other") == 1


def test_the_burn_rate_is_misses_against_what_the_slo_allows(gateway: Gateway) -> None:
    assert gateway.value("merit_slo_burn_rate", service="chat", window="5m") is None
    gateway.count(*[ended()] * 8, *[ended(ttft=2.0)] * 2)  # 20 % missed, 10 % allowed
    assert gateway.value("merit_slo_burn_rate", service="chat", window="5m") == pytest.approx(2.0)
    assert gateway.value("merit_slo_requests_total", service="chat", met="false") == 2
    assert gateway.value("merit_slo_objective", service="chat") == 0.9
    for _ in range(10):
        gateway.now += 60.0
        gateway.exposition.sample()
    gateway.count(*[ended()] * 10)
    assert gateway.value("merit_slo_burn_rate", service="chat", window="5m") == 0.0
    assert gateway.value("merit_slo_burn_rate", service="chat", window="1h") == pytest.approx(1.0)


def test_the_books_as_gauges(gateway: Gateway) -> None:
    replica = {"pool": "fast", "replica": "fast/0"}
    assert gateway.value("merit_replica_usable", **replica) == 1
    assert gateway.value("merit_replica_requests", **replica) == 3
    assert gateway.value("merit_replica_speed_ratio", **replica) == 1.25
    assert gateway.value("merit_pool_limit_requests", pool="fast") == 4
    assert gateway.value("merit_pool_limit_requests", pool="slow") is None
    assert gateway.value("merit_site_watts", site="north") == 900


def test_the_live_page_sees_the_same(gateway: Gateway) -> None:
    gateway.count(*[ended()] * 3, ended(pool=1), ended(outcome="broken", pool=1, retries=2), refused())
    total, overview = gateway.rows.total(), gateway.exposition.overview
    chat = overview.services(0.0, total)["chat"]
    assert chat["met"] == 4
    assert chat["missed"] == 2
    assert chat["outcomes"] == {"ok": 4, "refused": 1, "failed": 0, "broken": 1, "cancelled": 0}
    assert 0.125 < chat["ttft_s"]["p50"] < 0.25
    assert overview.services(0.0, total)["bulk"]["ttft_s"] is None
    slow = overview.pools(total)["slow"]
    assert (slow["requests"], slow["failed"], slow["output_tokens"], slow["joules"]) == (2, 1, 22, 40.0)
    assert overview.flows(total) == [
        {"service": "chat", "pool": "fast", "requests": 3},
        {"service": "chat", "pool": "slow", "requests": 1},
    ]
    assert overview.decisions(total) == {"cheapest that meets its targets": 5}
    assert overview.attempts(total) == {"retries": 2, "continued": 0, "hedged": 0}


def test_quantiles_of_the_last_minute_forget_what_was_before(gateway: Gateway) -> None:
    gateway.count(ended(ttft=30.0))
    for _ in range(20):
        gateway.exposition.sample()
        gateway.now += 10.0
    gateway.count(ended(ttft=0.2))
    recent = gateway.exposition.overview.services(gateway.now, gateway.rows.total())["chat"]
    assert recent["ttft_s"]["p95"] < 0.25


def test_rows_of_another_fleet_are_refused(gateway: Gateway) -> None:
    other = FLEET.model_copy(update={"services": {"chat": FLEET.services["chat"]}})
    with pytest.raises(ValueError):
        MeterRows.attach(gateway.rows.name, other)


def test_quantiles_spread_a_bucket_evenly() -> None:
    import numpy as np

    counts = np.array([0.0, 10.0, 0.0])
    assert quantile(counts, (1.0, 2.0), 0.5) == 1.5
    assert math.isnan(quantile(np.zeros(3), (1.0, 2.0), 0.5))


@pytest.mark.parametrize(
    ("service", "account", "met"),
    [
        ("chat", ended(), True),
        ("chat", ended(ttft=0.6), False),  # first token late
        ("chat", ended(wait=0.4), False),  # because it waited in the gateway
        ("chat", ended(tpot=0.06), False),  # tokens slower than 20/s
        ("chat", ended(tpot=0.06, output=1), True),  # of one token there is no rate
        ("bulk", ended(ttft=500.0), True),  # nothing was promised
        ("chat", ended(stream=False, ttft=0.9, tpot=0.0, output=11), True),  # 500 ms + 10 tokens at 50 ms
        ("chat", ended(stream=False, ttft=1.1, tpot=0.0, output=11), False),
        ("think", ended(stream=False, ttft=1.05, tpot=0.0, output=11), True),  # no rate promised: as predicted
        ("think", ended(stream=False, ttft=1.2, tpot=0.0, output=11), False),
        ("chat", ended(outcome="failed", status=502), False),
        ("chat", ended(outcome="broken"), False),
        ("chat", ended(outcome="cancelled"), None),  # it left in good time
        ("chat", ended(outcome="cancelled", ttft=0.7), False),
        ("chat", refused(429), False),
        ("chat", refused(401), None),  # no service was owed
        ("chat", refused(400), None),
    ],
)
def test_targets_as_the_simulator_judges_them(service: str, account: Account, met: bool | None) -> None:
    assert Targets(FLEET.services[service]).judge(account) is met
