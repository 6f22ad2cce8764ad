"""One measurement of our own in a process of its own: `python -m bench.worker KIND ...` prints one JSON line."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

STARTED = time.perf_counter()

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.simulate.result import Result
    from meritorder.workload.trace import Trace


def peak_bytes() -> int:
    """Peak resident memory of this very process image."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM: memory is measured on Linux only")


def facts(result: Result) -> dict[str, Any]:
    """What the tables need of a run."""
    import numpy as np

    from meritorder.simulate.result import Status

    done = result.status == Status.COMPLETED
    replicas = sum(pool.replicas for pool in result.fleet.pools.values())
    return {
        "requests": len(result.trace),
        "completed": int(done.sum()),
        "wall_s": result.wall_s,
        "iterations": result.iterations,
        "events": result.events,
        "preemptions": int(result.preemptions.sum()),
        "busy": float(result.series["busy_s"].sum() / (replicas * result.span_s)),
        "ttft_s": float(np.mean((result.first_s - result.arrival_s)[done])) if done.any() else None,
        "e2e_s": float(np.mean((result.finish_s - result.arrival_s)[done])) if done.any() else None,
        "hit_share": float(result.hit_tokens[done].sum() / max(1, result.trace.prompt_tokens[done].sum())),
    }


def warm(fleet: Fleet, trace: Trace) -> None:
    """Load or compile the kernel on a few requests, so that it is not in what is timed next."""
    from meritorder.simulate.run import simulate

    simulate(fleet, first(trace, 50))


def first(trace: Trace, n: int) -> Trace:
    """The first `n` requests."""
    from meritorder.workload.trace import make_trace

    n = min(n, len(trace))
    end = int(trace.block_start[n])
    return make_trace(
        trace.arrival_s[:n],
        trace.prompt_tokens[:n],
        trace.output_tokens[:n],
        session=trace.session[:n],
        turn=trace.turn[:n],
        after=trace.after[:n],
        think_s=trace.think_s[:n],
        block_start=trace.block_start[: n + 1],
        blocks=trace.blocks[:end],
        block_tokens=trace.block_tokens,
    )


def timed(fleet: Fleet, trace: Trace, repeats: int) -> dict[str, Any]:
    """Kernel seconds of `repeats` runs after a warm-up."""
    from meritorder.simulate.run import simulate

    warm(fleet, trace)
    walls, result = [], simulate(fleet, trace)
    for _ in range(repeats):
        result = simulate(fleet, trace)
        walls.append(result.wall_s)
    return {**facts(result), "walls": walls}


def steady(requests: str, replicas: str, output_mean: str, kv_tokens: str, repeats: str) -> dict[str, Any]:
    """Merit order at 70 % of what the replicas sustain, no prefix ids."""
    from bench import steady as load

    trace = load.trace(int(requests), int(replicas), 0.7, float(output_mean))
    return timed(load.fleet(int(replicas), kv_tokens=int(kv_tokens)), trace, int(repeats))


def recorded(path: str, replicas: str, repeats: str) -> dict[str, Any]:
    """A recorded trace with prefix ids, at its own rate, prefix caching on."""
    from bench import steady as load
    from meritorder.workload.read import read

    return timed(load.fleet(int(replicas), kv_tokens=4_000_000, budget=8192), read(Path(path)), int(repeats))


def columns(requests: str, replicas: str, folder: str) -> dict[str, Any]:
    """Write the columns of a steady trace, so that the process that is measured has nothing else to build."""
    import numpy as np

    from bench import steady as load

    trace = load.trace(int(requests), int(replicas), 0.7)
    for name in ("arrival_s", "prompt_tokens", "output_tokens"):
        np.save(Path(folder) / f"{name}.npy", getattr(trace, name))
    return {"requests": len(trace)}


def memory(replicas: str, folder: str) -> dict[str, Any]:
    """Peak memory before and after simulating the trace of `columns`."""
    import dataclasses

    import numpy as np

    from bench import steady as load
    from meritorder.simulate.run import simulate
    from meritorder.workload.trace import make_trace

    fleet = load.fleet(int(replicas))
    warm(fleet, load.trace(50, int(replicas), 0.7))
    names = ("arrival_s", "prompt_tokens", "output_tokens")
    trace = make_trace(*(np.load(Path(folder) / f"{name}.npy") for name in names))
    held = sum(
        value.nbytes
        for value in (getattr(trace, field.name) for field in dataclasses.fields(trace))
        if isinstance(value, np.ndarray)
    )
    before = peak_bytes()
    result = simulate(fleet, trace)
    return {**facts(result), "trace_bytes": held, "before_bytes": before, "peak_bytes": peak_bytes()}


def common(name: str) -> dict[str, Any]:
    """A workload that other simulators ran too, round-robin; loading the machine code counts as start-up."""
    from bench.common_workload import WORKLOADS
    from meritorder.fleet.load import loads
    from meritorder.simulate.run import simulate
    from meritorder.workload.trace import make_trace

    workload = next(w for w in WORKLOADS if w.name == name)
    text = (Path(__file__).parent / "llama-8b-a100.yaml").read_text()
    fleet = loads(text.replace("replicas: 1", f"replicas: {workload.replicas}"), "llama-8b-a100.yaml")
    arrivals, prompts, outputs = zip(*workload.rows(), strict=True)
    trace = make_trace(arrivals, prompts, outputs)
    warm(fleet, trace)
    begun = time.perf_counter()
    result = simulate(fleet, trace)
    whole = time.perf_counter() - begun
    return {**facts(result), "core_s": result.wall_s, "call_s": whole, "start_s": begun - STARTED}


def facility(loops: str, steps: str, repeats: str) -> dict[str, Any]:
    """CPU seconds of so many facility steps of one building with so many loops, after as many to warm up."""
    from bench.building import building, day
    from meritorder.facility.step import facility_step

    state = building(int(loops))
    facility_step(state, 1.0, 1.0)
    seconds = [day(state, int(steps))]
    before = peak_bytes()
    seconds += [day(state, int(steps)) for _ in range(int(repeats))]
    return {"seconds": seconds[1:], "grown_bytes": peak_bytes() - before}


def site_overhead(requests: str, replicas: str, repeats: str) -> dict[str, Any]:
    """Kernel seconds with and without a building around the machines, in turn."""
    from bench import site_load
    from bench import steady as load
    from meritorder.simulate.run import simulate

    trace = load.trace(int(requests), int(replicas), 0.7)
    fleets = {"with": site_load.fleet(int(replicas), True), "without": site_load.fleet(int(replicas), False)}
    walls: dict[str, list[float]] = {name: [] for name in fleets}
    for fleet in fleets.values():
        warm(fleet, trace)
    for _ in range(int(repeats)):
        for name, fleet in fleets.items():
            walls[name].append(simulate(fleet, trace).wall_s)
    return {**walls, "requests": len(trace), "ticks": int(trace.duration_s)}


def site_day(systems: str, part: str, hours: str) -> dict[str, Any]:
    """A large site of which a part is simulated, and whether time alone costs memory."""
    from bench import site_load
    from bench import steady as load
    from meritorder.simulate.run import simulate

    span_s, replicas = 3600.0 * float(hours), int(systems) // int(part)
    fleet = site_load.fleet(int(systems), True, large=True)
    rate = replicas * load.saturation_rate(955.0, 800.0)
    trace = load.trace(int(0.7 * rate * span_s), replicas, 0.7, 800.0)
    simulate(fleet, first(trace, 50), sample=int(part), thin=False)
    seen: list[int] = []
    result = simulate(fleet, trace, sample=int(part), thin=False, progress=lambda time, done: seen.append(peak_bytes()))
    assert result.facility is not None
    site = result.facility.sites[0]
    half = seen[len(seen) // 2]
    requests = 300 * (len(trace) - len(trace) // 2)  # their own records are touched when they come
    return {
        **facts(result),
        "ticks": int(result.span_s),
        "it_mw": site.it_j / result.span_s / 1e6,
        "facility_mw": site.facility_j / result.span_s / 1e6,
        "grown_bytes": max(seen[-1] - half - requests, 0),
    }


def planning(share: str) -> dict[str, Any]:
    """The planner at the size of a large programme; `share`: of demand served when a site is lost, 0: none is."""
    import hashlib

    from bench.planning_instance import planning_instance, with_site_losses
    from meritorder.plan.check import check
    from meritorder.plan.costs import objective_of
    from meritorder.plan.hours import choose_hours
    from meritorder.plan.lots import whole_lots
    from meritorder.plan.model import first_cases, formulate, plan_of, settled

    full = planning_instance(5)
    if float(share):
        full = with_site_losses(full, float(share))
    begun, cpu = time.perf_counter(), time.process_time()
    chosen = choose_hours(full, 6)
    formulated = formulate(chosen)
    found, held = settled(formulated)
    solved, solved_cpu = time.perf_counter(), time.process_time()
    rounded = plan_of(formulated, whole_lots(formulated, held, found.bound))
    ordered = time.perf_counter()
    checked = check(full, rounded.builds, cases=first_cases(full))
    ended = time.perf_counter()
    orders = rounded.build.delivered.tobytes() + rounded.build.blocks.tobytes()
    return {
        "solve_s": solved - begun,
        "solve_cpu_s": solved_cpu - cpu,
        "round_s": ordered - solved,
        "check_s": ended - ordered,
        "gap": found.gap,
        "hours_error": objective_of(chosen, rounded.costs) / checked.objective - 1.0,
        "columns": rounded.columns,
        "rows": rounded.rows,
        "plan": hashlib.sha256(orders).hexdigest(),
    }


KINDS = {
    kind.__name__: kind
    for kind in (steady, recorded, columns, memory, common, facility, site_overhead, site_day, planning)
}

if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    print(json.dumps(KINDS[sys.argv[1]](*sys.argv[2:])))
