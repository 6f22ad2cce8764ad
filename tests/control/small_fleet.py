"""Fleets with one or two sites, two GPU pools that can be capped and services of different importance."""

from __future__ import annotations

from typing import Any

from meritorder.catalog.load import accelerators, models
from meritorder.fleet.control import Control, DemandResponse, Flexible
from meritorder.fleet.schema import Fleet, Pool, Service, Site, Slo

CAPS = (0.9, 0.8, 0.7, 0.6, 0.5)


def fleet(
    *,
    order: tuple[str, ...] = ("move", "cap", "hold", "shed"),
    events: tuple[DemandResponse, ...] = (),
    limit: float | None = None,
    sites: int = 1,
    caps: tuple[float, ...] = CAPS,
    pools: tuple[str, ...] = ("main",),
    replicas: int = 8,
    services: dict[str, dict[str, Any]] | None = None,
    flexible: Flexible | None = None,
    **control: Any,
) -> Fleet:
    """Sites a, b, ...; each pool name at each site; services: `chat` before `bulk` before flexible `batch`."""
    wanted = services or {
        "chat": {"priority": 0, "slo": Slo(ttft=1.0, token_rate=25.0)},
        "bulk": {"priority": 2},
        "batch": {"priority": 4, "flexible": flexible or Flexible(within=86400.0)},
    }
    names = [chr(ord("a") + n) for n in range(sites)]
    return Fleet(
        name="small",
        models={"m": models()["llama-3.1-8b"]},
        accelerators={"h100": accelerators()["h100"]},
        sites={
            name: Site(
                usd_per_kwh=0.1,
                kg_per_kwh=0.3,
                pue=1.2,
                power_limit=limit if n == 0 else None,
                demand_response=events if n == 0 else (),
            )
            for n, name in enumerate(names)
        },
        pools={
            f"{pool}-{site}": Pool(site=site, accelerator="h100", model="m", replicas=replicas, caps=caps)
            for site in names
            for pool in pools
        },
        services={name: Service(model="m", share=1 / len(wanted) - 1e-6, **told) for name, told in wanted.items()},
        control=Control(order=order, **control),  # type: ignore[arg-type]
    )
