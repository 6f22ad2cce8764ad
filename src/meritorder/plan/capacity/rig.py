"""The test rig of a case: a fleet of one pool (or a pair of them) that serves one service, `rtt_s` from its clients."""

from __future__ import annotations

from meritorder.catalog.accelerator import Accelerator
from meritorder.fleet.plan.offers import Run
from meritorder.fleet.schema import Fleet, Pool, Service, Site
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.dispatch import spread

# Replicas of one kind cost the same everywhere in a rig, so that prices decide nothing in it.
_SITE = Site(usd_per_kwh=0.05, kg_per_kwh=0.3)


def rig(
    fleet: Fleet,
    case: Case,
    replicas: int,
    *,
    decoders: int = 0,
    rtt_s: float = 0.0,
    machines: dict[str, Accelerator] | None = None,
) -> Fleet:
    """A fleet with `replicas` (and `decoders` of the pair's other side).

    A round trip below 0 stands for a TTFT target that is so much looser. `machines` replace those of the fleet.
    """
    plan = fleet.plan
    assert plan is not None
    used = [plan.offers[case.offer].accelerator]
    pools = {"replicas": _pool(case.model, used[0], case.run, replicas, "prefill" if case.decode else "both")}
    if case.decode and case.decode_run is not None:
        used.append(plan.offers[case.decode].accelerator)
        pools["decoders"] = _pool(case.model, used[1], case.decode_run, decoders, "decode")
    known = {**fleet.accelerators, **(machines or {})}
    return Fleet(
        models={case.model: fleet.models[case.model]},
        accelerators={name: known[name] for name in used},
        sites={"site": _SITE.model_copy(update={"rtt": {"default": max(rtt_s, 0.0)}})},
        pools=pools,
        services={case.service: alone(fleet.services[case.service], min(rtt_s, 0.0))},
        dispatch=spread(fleet.dispatch),
    )


def alone(service: Service, looser_s: float = 0.0) -> Service:
    """The service as the only one of a fleet; `looser_s` below 0 is taken off its TTFT target."""
    slo = service.slo
    if slo.ttft is not None and looser_s < 0:
        slo = slo.model_copy(update={"ttft": slo.ttft - looser_s})
    return service.model_copy(update={"slo": slo, "share": None, "match": None, "pools": None, "flexible": None})


def _pool(model: str, accelerator: str, run: Run, replicas: int, role: str) -> Pool:
    settings = {key: getattr(run, key) for key in Run.model_fields}
    return Pool.model_validate(
        {"site": "site", "accelerator": accelerator, "model": model, "replicas": replicas, "role": role, **settings}
    )
