"""A small fleet to ask a policy about, as a gateway would: send, first token, end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.catalog.load import models
from meritorder.dispatch.build import build_state
from meritorder.dispatch.choose import choose
from meritorder.dispatch.prefixes import own
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.update import answered, ended, sent, settle
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site, Slo
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable

REGION = 0
SEQUENCES, BUDGET = 64, 2048


def table(host: float, per_sequence: float = 1e-5, joules: float = 1.0, budget: int = BUDGET) -> IterationTable:
    """An affine machine: `host` seconds and `joules` an iteration, and a little per token."""
    tokens, batch = np.arange(budget + 1.0), np.arange(SEQUENCES + 1.0)
    return IterationTable(
        step_s=host + 1e-5 * tokens,
        prefill_s=0 * tokens,
        decode_s=per_sequence * batch,
        decode_kv_s=np.where(batch > 0, 1e-9, 0.0),
        pair_s=0.0,
        step_j=joules + 0.01 * joules * tokens,
        prefill_j=0 * tokens,
        decode_j=0.01 * joules * batch,
        decode_kv_j=0 * batch,
        pair_j=0.0,
        idle_w=100.0,
    )


class SmallGateway:
    """Sends requests where the policy says and keeps the books."""

    def __init__(self, state: FleetState) -> None:
        self.state = state
        self.in_flight: dict[int, list[tuple[int, int, int]]] = {}
        self.log: list[int] = []
        self.reason = self.cached = 0

    def send(self, prompt: int = 500, output: int = 100, service: int = 0, blocks: Sequence[int] = ()) -> int:
        ids = np.array(blocks, np.int32)
        replica, self.cached, self.reason = choose(self.state, service, REGION, prompt, output, ids, 0, len(ids))
        if replica >= 0:
            new, room = prompt - self.cached, prompt + output // 2
            sent(self.state, replica, service, new, room)
            settle(self.state)
            if self.state.settings[0].uses_prefix:
                own(self.state, ids, 0, len(ids), replica)
            self.in_flight.setdefault(replica, []).append((service, new, room))
            self.log.append(replica)
        return int(replica)

    def answer(self, replica: int) -> None:
        answered(self.state, replica, self.in_flight[replica][-1][1])
        settle(self.state)

    def end(self, replica: int, output: int = 100) -> None:
        service, new, room = self.in_flight[replica].pop(0)
        ended(self.state, replica, service, new, room, output, False)
        settle(self.state)

    def pool(self, replica: int) -> int:
        return int(self.state.replicas[replica].pool)


def dispatcher(
    policy: Dispatch,
    pools: dict[str, int],
    *,
    tables: Sequence[IterationTable] | None = None,
    slo: Slo | None = None,
    other: Slo | None = None,
    sheds: bool = False,
    blocks: int = 0,
    rtt: Sequence[float] | None = None,
) -> SmallGateway:
    """A gateway before `pools` (name -> replicas) with a service, and a second one where `other` is given."""
    tables = tables or [table(0.01)] * len(pools)
    delays = rtt or [0.0] * len(pools)
    services = {"main": Service(model="m", slo=slo or Slo(), overload="shed" if sheds else "queue")}
    if other is not None:
        services["other"] = Service(model="m", slo=other, share=0.5)
    fleet = Fleet(
        name="small",
        models={"m": models()["llama-3.1-8b"]},
        sites={
            name: Site(usd_per_kwh=0.1, kg_per_kwh=0.3, rtt={"default": delay})
            for name, delay in zip(pools, delays, strict=True)
        },
        pools={
            name: Pool(
                site=name,
                measured=MeasuredCoefficients(host_s=1, idle_w=1, busy_w=1, kv_tokens=1, usd_per_hour=1),
                model="m",
                replicas=count,
                engine=Engine(max_sequences=SEQUENCES, token_budget=BUDGET),
            )
            for name, count in pools.items()
        },
        services=services,
    )
    replicas = [
        Replica(
            table=t,
            kv_blocks=20_000,
            block_tokens=16,
            max_context=100_000,
            accelerators=1,
            weight_bytes=1.0,
            kv_bytes_per_token=1.0,
            memory_bytes=1.0,
            max_w=1.0,
            usd_per_hour=2.0,
        )
        for t in tables
    ]
    state = build_state(fleet, replicas, policy, prefix_tokens=16 if blocks else 0, prefix_blocks=blocks, seed=1)
    return SmallGateway(state)
