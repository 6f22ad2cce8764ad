"""Small fleets with books, and a way to ask whether the books add up."""

from __future__ import annotations

import numpy as np
from tests.serve.new_folder import new_folder

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.serve.books.books import Books

POOLS = {"a": 3, "b": 2}


def fleet_text(pools: dict[str, int] | None = None, policy: str = "merit-order", more: str = "", site: str = "") -> str:
    parts = "".join(
        f"""
  {name}:
    site: here
    model: llama-3.1-8b
    replicas: {count}
    measured:
      host_s: {0.01 * (1 + i)}
      per_token_s: 3e-5
      per_sequence_s: 1e-4
      per_kv_token_s: 5e-9
      idle_w: 100
      busy_w: {400 * (1 + i)}
      kv_tokens: 200000
      usd_per_hour: 2 USD/h
    engine: {{max_sequences: 8, token_budget: 1024}}
    {more}"""
        for i, (name, count) in enumerate((pools or POOLS).items())
    )
    return f"""
name: books
sites:
  here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh, pue: 1.2{site}}}
pools: {parts}
services:
  chat: {{model: llama-3.1-8b, share: 0.5, slo: {{ttft: 2 s, token_rate: 5 tok/s}}}}
  batch: {{model: llama-3.1-8b, share: 0.5, priority: 2}}
dispatch: {{policy: {policy}}}
"""


def make(text: str) -> tuple[Fleet, list[Replica]]:
    fleet = loads(text, "books.yaml")
    return fleet, [compile_replica(fleet, name) for name in fleet.pools]


def make_books(text: str | None = None, *, workers: int = 1) -> Books:
    fleet, replicas = make(text or fleet_text())
    return Books.create(fleet, replicas, workers=workers, folder=new_folder(), prefix_slots=1 << 12)


def in_flight(books: Books) -> int:
    return int(books.live.fleet.replicas.in_flight.sum())


def assert_balanced(books: Books) -> None:
    """Every count of the books is what their rows say, and every replica stands where it belongs."""
    live, state = books.live, books.live.fleet
    rows = live.rows[live.rows.status > 0]
    for index, r in enumerate(state.replicas):
        mine = rows[rows.replica == index]
        f = live.foreign[index]
        assert r.in_flight == len(mine) + f.in_flight
        assert r.waiting == int((mine.status == 1).sum()) + f.waiting
        assert r.backlog == int(mine.new[mine.status == 1].sum()) + f.backlog
        assert r.context == int(mine.room.sum()) + f.context
        assert state.mix[index].sum() == len(mine)
        gate = live.gates[index]
        is_open = bool(gate.barred == 0 and len(mine) < gate.most)
        assert bool(r.closed) == (not is_open)
        p = state.pools[r.pool]
        if state.settings[0].order:
            assert np.isfinite(state.keys[p.tree + p.tree_size + index - p.first]) == is_open
        if state.settings[0].by_level:
            assert r.level == (min(r.in_flight, p.max_sequences) if is_open else -1)
    for index, p in enumerate(state.pools):
        mine = state.replicas[p.first : p.first + p.count]
        assert p.in_flight == mine.in_flight.sum()
        assert live.caps[index].foreign == live.foreign.in_flight[p.first : p.first + p.count].sum()
        assert p.open == (mine.closed == 0).sum()
        listed = []
        if state.settings[0].by_level:
            for number in range(p.max_sequences + 1):
                level = state.levels[p.levels + number]
                word = int(state.level_words[p.level_words + (number >> 5)])
                assert bool(word >> (number & 31) & 1) == (level.head >= 0)
                replica, before = int(level.head), -1
                while replica >= 0:
                    assert state.replicas[replica].previous == before
                    listed.append(replica)
                    replica, before = int(state.replicas[replica].next), replica
                assert level.tail == before
            assert sorted(listed) == [p.first + i for i in range(p.count) if not mine[i].closed]
    for i, site in enumerate(live.sites):
        here = [r for r in range(len(state.replicas)) if state.pools[state.replicas[r].pool].site == i]
        assert abs(site.busy_w - live.watts[here].sum()) < 1e-6 * max(1.0, site.busy_w)
