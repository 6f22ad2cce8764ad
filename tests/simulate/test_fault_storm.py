"""Ten thousand random faults over a month: every request is accounted for exactly once, by cause."""

from __future__ import annotations

import numpy as np

from meritorder.catalog.load import models
from meritorder.fleet.control import Control
from meritorder.fleet.dispatch import LeastRequest
from meritorder.fleet.faults import Faults
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site, Slo
from meritorder.records import records
from meritorder.simulate.faults.causes import CAUSES, NO_CAUSE, NONE_USABLE
from meritorder.simulate.faults.outage import DOWN, NORMAL, OUTAGE, SLOW, UP, Outages
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.workload.trace import make_trace

MODEL = "llama-3.1-8b"
DAY_S = 86_400.0
FAULTS = 10_000


def storm(g: np.random.Generator, replicas: int, span_s: float) -> Outages:
    """Machines, racks of eight and now and then everything; some only slow; one within the other as it comes."""
    rows: list[tuple[float, int, int, range, float]] = []
    for _ in range(FAULTS):
        start, lasts = g.uniform(0, span_s), g.exponential(3600.0)
        size = int(g.choice([1, 1, 1, 8, 8, replicas], p=[0.3, 0.3, 0.2, 0.1, 0.098, 0.002]))
        first = int(g.integers(replicas // size)) * size
        hit, slow = range(first, first + size), g.random() < 0.2
        factor = float(g.choice([2.0, 5.0])) if slow else 1.0
        cause = int(g.integers(1, 15))
        rows.append((start, SLOW if slow else DOWN, cause, hit, factor))
        rows.append((start + lasts, NORMAL if slow else UP, cause, hit, factor))
    rows.sort(key=lambda row: row[0])
    outages = records(len(rows), OUTAGE)
    hits: list[int] = []
    for o, (time, kind, cause, hit, factor) in zip(outages, rows, strict=True):
        o.time, o.kind, o.cause, o.factor, o.part, o.until = time, kind, cause, factor, -1, time
        o.first, o.count = len(hits), len(hit)
        hits += hit
    return Outages(outages, np.array(hits, np.int32))


def stormy_month() -> tuple[Result, int]:
    """A month of traffic of three services on 48 machines in a storm; also how many requests there were."""
    g = np.random.default_rng(7)
    machine = MeasuredCoefficients(
        host_s=0.03, per_token_s=2e-5, per_kv_token_s=1e-8, idle_w=500, busy_w=3000, kv_tokens=200_000, usd_per_hour=9
    )
    engine = Engine(max_sequences=8, token_budget=2048)
    pools = {
        name: Pool(site=name, measured=machine, model=MODEL, replicas=count, engine=engine)
        for name, count in (("north", 32), ("south", 16))
    }
    services = {
        "chat": Service(model=MODEL, share=0.5, slo=Slo(ttft=2.0), on_failure="continue", patience=600.0),
        "jobs": Service(model=MODEL, share=0.3, on_failure="retry", overload="queue"),
        "tools": Service(model=MODEL, share=0.2, on_failure="lose", overload="shed"),
    }
    fleet = Fleet(
        models={MODEL: models()[MODEL]},
        sites={name: Site(usd_per_kwh=0.1, kg_per_kwh=0.3) for name in pools},
        pools=pools,
        services=services,
        dispatch=LeastRequest(),
        control=Control(step=60.0),
        faults=Faults(retries=1, detection=5.0),
    )
    n = 120_000
    arrival = np.sort(g.uniform(0, 30 * DAY_S, n))
    trace = make_trace(arrival, g.integers(100, 4000, n), g.integers(1, 1500, n))
    return simulate(fleet, trace, outages=storm(g, 48, 30 * DAY_S)), n


def test_every_request_of_a_stormy_month_ends_once_for_a_cause() -> None:
    result, n = stormy_month()
    assert len(result.status) == n
    counts = {status: int((result.status == status).sum()) for status in Status}
    assert sum(counts.values()) == n
    assert counts[Status.UNREACHED] == counts[Status.TOO_LONG] == 0
    for status in (Status.COMPLETED, Status.LOST, Status.CANCELLED, Status.SHED):
        assert counts[status] > 0, counts
    assert counts[Status.COMPLETED] > 0.9 * n
    lost, refused = result.status == Status.LOST, result.status == Status.SHED
    by_cause = np.bincount(result.cause, minlength=len(CAUSES))
    assert by_cause[NO_CAUSE] == n - lost.sum() - refused.sum()
    assert (result.cause[refused] == NONE_USABLE).all()
    assert (by_cause[1:15] > 0).all()
    # when each ended: not before it came, and whoever completed has had all tokens
    assert (result.finish_s >= result.arrival_s).all()
    done = result.status == Status.COMPLETED
    assert (result.first_s[done] <= result.finish_s[done]).all()
    # each service is treated as it asked: answers that had begun are only continued where that is allowed
    assert (result.attempts <= 1).all()
    assert (result.attempts[result.service == 2] == 0).all()
    assert ((result.attempts > 0) & done & (result.service == 0)).any()
    # nobody works with tokens that nobody got, but for those whose request ended otherwise
    made = result.series["output_tokens"].sum()
    assert result.trace.output_tokens[done].sum() <= made <= result.trace.output_tokens.sum()
