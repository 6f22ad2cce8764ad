"""`study`: the same busy hour without and with each loss, one simulation after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.simulate.contingency.cases import Contingency
from meritorder.simulate.contingency.judge import in_words, phases_of, verdict
from meritorder.simulate.contingency.window import busiest, within
from meritorder.simulate.result import Result
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace


def study(
    fleet: Fleet,
    trace: Trace,
    losses: Sequence[Contingency],
    policy: Dispatch | None = None,
    *,
    seed: int = 0,
    replicas: tuple[Replica, ...] | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[dict[str, Any], Result]:
    """What each loss does to each service in the busiest hour of `trace`; all else stays whole.

    Faults of the fleet file don't happen here; its detection, retries, spares and times to load hold. `progress` is
    told how much is done, 0 to 1. Gives plain data (the window, the base case, each loss with a verdict on each
    service), and the base case's run.
    """
    window = busiest(trace)
    traffic = within(trace, window)
    runs = len(losses) + 1

    def run(index: int, loss: Contingency | None) -> Result:
        at = () if loss is None else (loss.fault(window),)
        changed = fleet.model_copy(update={"faults": fleet.faults.model_copy(update={"rates": (), "at": at})})

        def tell(_: float, ended: int) -> None:
            if progress is not None:
                progress((index + ended / len(traffic)) / runs)

        return simulate(changed, traffic, policy, seed=seed, replicas=replicas, progress=tell)

    whole = run(0, None)
    base = phases_of(whole, window)
    cases = []
    for index, loss in enumerate(losses, 1):
        services = phases_of(run(index, loss), window)
        for name, row in services.items():
            row["base"] = base[name]["during"]
            row["verdict"] = verdict(row, base[name])
        cases.append(
            {"name": loss.name, "what": loss.what, "services": services, "words": in_words(loss.name, services)}
        )
    told = {
        "policy": (policy or fleet.dispatch).policy,
        "seed": seed,
        "traffic": trace.source,
        "requests": len(traffic),
        "window": {
            "start_s": window.start_s,
            "peak_s": window.peak_s,
            "loss_s": window.loss_s,
            "back_s": window.back_s,
            "stop_s": window.stop_s,
        },
        "base": base,
        "contingencies": cases,
    }
    return told, whole
