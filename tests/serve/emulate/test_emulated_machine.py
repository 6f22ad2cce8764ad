"""An emulated replica in virtual time gives every token when the simulator says."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.simulate.cases import Case, random_case

from meritorder.serve.emulate.asked import blocks
from meritorder.serve.emulate.job import Job
from meritorder.serve.emulate.machine import Machine
from meritorder.serve.emulate.timeline import Timeline
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate


class VirtualTimeline(Timeline):
    """Its time is where the next thing is due."""

    def __init__(self) -> None:
        super().__init__(asyncio.new_event_loop(), 1.0, lambda: None)
        self._loop.close()
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def _set_timer(self, when: float, now: float) -> None:
        pass  # nobody waits: `run` goes there at once

    def run(self) -> None:
        while self._due:
            self.time = self._due[0][0]
            self.advance()


def emulate(case: Case, result: Result) -> tuple[list[float], list[float]]:
    """First and last token of each request, sent to the replica that the simulation chose, when it did."""
    timeline = VirtualTimeline()
    machines = [
        Machine(pool, replica, 0.5 * case.fleet.sites[pool.site].rtt["default"], timeline)
        for pool, replica in zip(case.fleet.pools.values(), case.replicas, strict=True)
        for _ in range(pool.replicas)
    ]
    services = list(case.fleet.services.values())
    n = len(case.trace)
    first, last = [np.nan] * n, [np.nan] * n

    def ask(i: int, machine: Machine) -> None:
        def on_tokens(tokens: int) -> None:
            assert job.each or tokens == job.output
            if tokens == 1:
                first[i] = timeline.time
            if tokens == job.output:
                last[i] = timeline.time

        job = Job(
            index=i,
            prompt=int(case.trace.prompt_tokens[i]),
            output=int(case.trace.output_tokens[i]),
            service=0,
            priority=services[result.service[i]].priority,
            units=[],
            each=i % 3 > 0,
            on_tokens=on_tokens,
        )
        arrival = float(result.arrival_s[i])
        timeline.at(arrival, lambda when: machine.ask(job, when))
        if result.status[i] == Status.CANCELLED:
            timeline.at(float(result.finish_s[i]), lambda _: machine.leave(job))

    order = np.argsort(result.arrival_s, kind="stable")
    for i in order:
        if result.replica[i] >= 0:
            ask(int(i), machines[result.replica[i]])
    timeline.run()
    for machine in machines:  # everything has been given back
        assert machine.engine.free() == machine.engine.unowned == machine.meter._kv_blocks
        assert not machine.engine.running
        assert not machine.engine.waiting
    return first, last


@pytest.mark.parametrize("seed", range(24))
def test_tokens_come_when_the_simulator_says(seed: int) -> None:
    case = random_case(seed, policy="least-request", tight=seed % 2 > 0)
    result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=case.seed)
    first, last = emulate(case, result)
    done = result.status == Status.COMPLETED
    streamed = done & (np.arange(len(case.trace)) % 3 > 0)
    np.testing.assert_allclose(np.array(first)[streamed], result.first_s[streamed], rtol=1e-9)
    np.testing.assert_allclose(np.array(last)[done], result.finish_s[done], rtol=1e-9)
    assert np.isnan(np.array(last)[~done]).all()


def test_blocks_are_equal_as_far_as_the_texts_are() -> None:
    one, other = blocks(b"a" * 64 * 4, 16), blocks(b"a" * 40 * 4 + b"b" * 24 * 4, 16)
    assert len(one) == len(other) == 4
    assert one[:2] == other[:2]
    assert one[2] != other[2]
    assert one[3] != other[3]
    assert len(blocks(b"a" * (64 * 4 - 1), 16)) == 3, "the last block is not full"
