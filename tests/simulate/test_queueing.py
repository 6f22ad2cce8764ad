"""Where theory has an answer, the simulator gives it: waiting times of M/D/1, M/G/1 and M/M/k queues.

An engine whose iterations all take the same time, whatever is in them, serves a request of o tokens in o iterations;
with one seat it is a single server, with k seats k servers.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from meritorder.catalog.load import models
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site
from meritorder.simulate.run import simulate
from meritorder.workload.trace import make_trace

ITERATION_S = 0.001


def mean_wait_s(outputs: np.ndarray, load: float, seats: int, seed: int) -> float:
    """Mean seconds between arrival and admission at the given load per seat."""
    fleet = Fleet(
        name="queue",
        models={"llama-3.1-8b": models()["llama-3.1-8b"]},
        sites={"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.3)},
        pools={
            "server": Pool(
                site="here",
                measured=MeasuredCoefficients(
                    host_s=ITERATION_S, idle_w=1, busy_w=1, kv_tokens=100_000_000, usd_per_hour=1
                ),
                model="llama-3.1-8b",
                replicas=1,
                engine=Engine(max_sequences=seats, max_context=100_000),
            )
        },
        services={"all": Service(model="llama-3.1-8b")},
    )
    rate = load * seats / (outputs.mean() * ITERATION_S)
    n = len(outputs)
    arrival = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, n))
    result = simulate(fleet, make_trace(arrival, np.ones(n), outputs))
    settled = slice(n // 20, n)
    return float(np.mean(result.start_s[settled] - result.arrival_s[settled]))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_m_d_1(load: float) -> None:
    service = 400
    theory = load / (2 * (1 - load)) * service * ITERATION_S
    assert mean_wait_s(np.full(150_000, service), load, 1, 1) == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_m_g_1(load: float) -> None:
    outputs = np.random.default_rng(5).geometric(1 / 400, 250_000)
    service = outputs * ITERATION_S
    theory = load / (1 - load) * (service**2).mean() / (2 * service.mean())  # Pollaczek-Khinchine
    assert mean_wait_s(outputs, load, 1, 2) == pytest.approx(theory, rel=0.07)


@pytest.mark.parametrize(("load", "seats"), [(0.6, 2), (0.8, 4), (0.9, 16)])
def test_m_m_k(load: float, seats: int) -> None:
    # long requests: who finds a free seat still waits for the running iteration, half of one in the mean
    outputs = np.random.default_rng(6).geometric(1 / 2000, 250_000)
    a = load * seats
    queued = a**seats / math.factorial(seats) / (1 - load)
    erlang_c = queued / (sum(a**i / math.factorial(i) for i in range(seats)) + queued)
    theory = erlang_c * 2000 * ITERATION_S / (seats * (1 - load)) + ITERATION_S / 2
    assert mean_wait_s(outputs, load, seats, 3) == pytest.approx(theory, rel=0.1)
