"""A plant to control, without requests: a fluid of them flows through each service, real tables and buildings say what
it draws. In a step new requests come, the fleet's orders are carried out as the kernel does, and joules are told.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meritorder.control.build import build_control
from meritorder.control.state import PARTS
from meritorder.control.step import control_step
from meritorder.dispatch.build import build_state
from meritorder.dispatch.caps import set_cap
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.predict import prefill_s, tpot_s
from meritorder.facility.build import build_facility
from meritorder.facility.step import facility_step
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica

PROMPT, OUTPUT = 800.0, 600.0
FULL = 64  # requests that a replica is filled up to


class Plant:
    """A fleet of which every service gets `rates` requests a second, as a flow; `noise`: sigma of power, a part."""

    def __init__(self, fleet: Fleet, rates: Mapping[str, float], *, noise: float = 0.0, seed: int = 0) -> None:
        self.fleet = fleet
        self.replicas = [compile_replica(fleet, name) for name in fleet.pools]
        self.state = build_state(fleet, self.replicas, fleet.dispatch)
        self.facility = build_facility(fleet, self.replicas)
        self.control = build_control(fleet, self.replicas, self.facility)
        self.rates = np.array([rates[name] for name in fleet.services])
        self.flow = np.zeros((len(fleet.services), len(fleet.pools)))  # requests in flight
        self.parked = np.zeros(len(fleet.services))
        self.refused = np.zeros(len(fleet.services))
        self.noise, self.random = noise, np.random.default_rng(seed)
        self.time = 0.0
        self.power: list[float] = []  # IT watts of the first site, by step
        for p in self.state.pools:
            p.mean_new, p.mean_output, p.mean_square = PROMPT, OUTPUT, 2 * OUTPUT**2

    def run(self, seconds: float, dt: float = 1.0) -> None:
        for _ in range(round(seconds / dt)):
            self.step(dt)

    def step(self, dt: float) -> None:
        self._arrive(dt)
        self._load()
        for p, pool in enumerate(self.state.pools):
            watts = sum(self._busy_w(p, r) for r in range(pool.first, pool.first + pool.count))
            self._tell(p, max(watts * (1.0 + self.noise * self.random.standard_normal()), 0.0) * dt)
        self.time += dt
        facility_step(self.facility, self.time, dt)
        use = self.facility.pools
        use.it_total_j += use.idle_w * dt + use.it_j
        use.it_j = 0.0
        self.control.services.parked = self.parked.astype(np.int64)
        control_step(self.control, self.facility, self.state, self.time, dt)
        for p in range(len(self.state.pools)):
            if self.state.pools[p].cap != self.control.pools[p].level:
                set_cap(self.state, p, self.control.pools[p].level)
        self.power.append(float(self.facility.sites[0].it_w))

    def _arrive(self, dt: float) -> None:
        """New requests spread over the open pools by their replicas; those in flight end after their time."""
        for p, pool in enumerate(self.state.pools):
            self.flow[:, p] *= np.exp(-dt / self._life_s(p)) if self.flow[:, p].sum() > 0 else 1.0
            assert pool.open == pool.count
        for s in range(len(self.rates)):
            wants, order = self.rates[s] * dt, self.control.services[s]
            if order.hold:
                self.parked[s] += wants
                wants = 0.0
            let = min(self.parked[s], float(order.release))
            self.parked[s] -= let
            wants += let
            open_ = [
                p
                for p in range(len(self.state.pools))
                if self.state.choice_of[s, p] >= 0 and not self.control.shut[s, p]
            ]
            if not open_:
                self.refused[s] += wants
                continue
            seats = np.array([self.state.pools[p].count for p in open_], float)
            self.flow[s, open_] += wants * seats / seats.sum()

    def _life_s(self, p: int) -> float:
        pool = self.state.pools[p]
        n = max(min(FULL, round(self.flow[:, p].sum())), int(np.ceil(self.flow[:, p].sum() / pool.count)), 1)
        context = n * (PROMPT + OUTPUT / 2)
        batch = min(n, pool.max_sequences) - 1
        first = prefill_s(self.state, p, batch, context, int(PROMPT), 0.5 * PROMPT**2)
        return float(first + OUTPUT * tpot_s(self.state, p, n, context, OUTPUT))

    def _load(self) -> None:
        """Whole requests on replicas, all services alike: FULL of them on each before the next one gets any."""
        for p, pool in enumerate(self.state.pools):
            mix = self.state.mix[pool.first : pool.first + pool.count]
            mix[:] = 0
            total = self.flow[:, p].sum()
            full = max(FULL, np.ceil(total / pool.count))
            for replica in range(pool.count):
                here = min(max(total - replica * full, 0.0), full)
                for s in range(len(self.rates)):
                    mix[replica, s] = round(here * self.flow[s, p] / total) if here > 0.0 else 0
            replicas = self.state.replicas[pool.first : pool.first + pool.count]
            replicas.in_flight = mix.sum(axis=1)
            replicas.context = (replicas.in_flight * (PROMPT + OUTPUT / 2)).astype(np.int64)
            pool.in_flight = replicas.in_flight.sum()

    def _busy_w(self, p: int, replica: int) -> float:
        r = self.state.replicas[replica]
        return float(busy_w(self.state, p, int(r.in_flight), float(r.context)))

    def _tell(self, p: int, joules: float) -> None:
        pool, f = self.state.pools[p], self.facility
        f.pools[p].it_j += joules
        for replica in range(pool.first, pool.first + pool.count):
            for seat in f.seats[f.seat_of[replica] : f.seat_of[replica + 1]]:
                f.rows[seat.row].it_j += joules / pool.count * seat.share

    def idle_w(self, site: int = 0) -> float:
        return float(self.facility.rows.idle_w[self.facility.rows.site == site].sum())

    def open_part(self, service: str, pool: str) -> float:
        """Part of a service's new requests that may go to a pool."""
        at = self.control.closures[list(self.fleet.services).index(service), list(self.fleet.pools).index(pool)]
        return float(1.0 - (at.moved + at.shed) / PARTS)
