"""`merit check FLEET`: what a fleet file describes, as tables or JSON, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.facility.halls.seats import Placement
    from meritorder.fleet.schema import Fleet, Pool, Service
    from meritorder.perf.replica import Replica

CONTEXT_TOKENS = 1024  # tokens of context at which speeds are given


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML).", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    report: Annotated[
        str, typer.Option(help="Draw the halls into this file (HTML).", metavar="FILE", show_default=False)
    ] = "",
) -> None:
    """Say what a fleet file describes and what is wrong in it.

    Prints memory, KV cache, speed and cost of every pool, what each service may expect of them, and where racks stand:
    places, power that is left, and power that can't be used any more, by cause. Of a plan, what is asked for.
    Exit code 2 when something is wrong, with every problem on a line of its own.
    """
    from meritorder.cli.check_halls import place
    from meritorder.cli.check_plan import check_plan, plan_facts
    from meritorder.cli.check_plan_tables import print_plan
    from meritorder.cli.fleets import load_with_document
    from meritorder.cli.output import print_json

    loaded, replicas, document = load_with_document(fleet, plans=True)
    plan = {} if loaded.plan is None else plan_facts(loaded, document)
    if not loaded.pools:
        check_plan(loaded, plan, document, as_json=as_json, report=report)
        return
    facts = describe(loaded, replicas, place(loaded, replicas, document)) | ({"plan": plan} if plan else {})
    if report:
        from pathlib import Path

        from meritorder.report.halls import write_halls

        write_halls(facts, Path(report))
    if as_json:
        print_json(facts)
    else:
        _print(facts)
        if plan:
            print_plan(plan)


def describe(fleet: Fleet, replicas: Mapping[str, Replica], placing: Placement) -> dict[str, Any]:
    """All that `merit check` says, SI units, one entry per pool, site, hall and service."""
    from meritorder.cli.check_faults import fault_facts
    from meritorder.cli.check_halls import hall_warnings, housing_notes, site_warnings, unused_chips
    from meritorder.cli.check_surroundings import start_warnings, surroundings_facts
    from meritorder.facility.halls.facts import hall_facts
    from meritorder.simulate.ranges import uncertain

    pools = {name: _pool_facts(pool, replicas[name]) for name, pool in fleet.pools.items()}
    services = {name: _service_facts(service, fleet, pools) for name, service in fleet.services.items()}
    halls = hall_facts(placing)
    return {
        "fleet": fleet.name,
        "policy": fleet.dispatch.policy,
        "accelerators": sum(facts["accelerators"] for facts in pools.values()),
        "max_w": sum(facts["max_w"] for facts in pools.values()),
        "usd_per_hour": sum(facts["usd_per_hour"] for facts in pools.values()),
        "pools": pools,
        "sites": {name: _site_facts(name, fleet, pools) for name in fleet.sites},
        "surroundings": surroundings_facts(fleet),
        "halls": halls,
        "faults": fault_facts(fleet, replicas, placing),
        "links": _link_facts(fleet, replicas),
        "services": services,
        "warnings": _warnings(fleet, pools, services)
        + hall_warnings(halls)
        + site_warnings(fleet, halls)
        + unused_chips(fleet, replicas)
        + start_warnings(fleet),
        "ranges": uncertain(fleet),
        "notes": list(dict.fromkeys(note for replica in replicas.values() for note in replica.notes))
        + _conversions(fleet, replicas)
        + _ports(fleet, replicas)
        + housing_notes(fleet)
        + list(placing.notes),
    }


def _site_facts(name: str, fleet: Fleet, pools: Mapping[str, Any]) -> dict[str, Any]:
    site = fleet.sites[name]
    here = [pools[pool]["max_w"] for pool, entry in fleet.pools.items() if entry.site == name]
    return {
        "pue": site.pue if site.facility is None else None,  # of a building it is a result
        "usd_per_kwh": site.usd_per_kwh,
        "kg_per_kwh": site.kg_per_kwh,
        "rtt_s": dict(site.rtt),
        "max_grid_w": site.pue * sum(here) if site.facility is None else site.facility.grid,
    }


def _pool_facts(pool: Pool, replica: Replica) -> dict[str, Any]:
    table = replica.table
    batch = max(1, min(table.max_sequences, replica.kv_tokens // CONTEXT_TOKENS))
    return {
        "site": pool.site,
        "accelerator": pool.accelerator or "measured",
        "accelerators_per_replica": replica.accelerators,
        "tensor": pool.tensor,
        "pipeline": pool.pipeline,
        "tokens_per_pass": pool.speculation.tokens_per_pass if pool.speculation else 1.0,
        "model": pool.model,
        "role": pool.role,
        "weights": pool.weights if pool.measured is None else "",
        "replicas": pool.replicas,
        "accelerators": replica.accelerators * pool.replicas,
        "weight_bytes": replica.weight_bytes,
        "memory_bytes": replica.memory_bytes,
        "kv_tokens": replica.kv_tokens,
        "max_context": replica.max_context,
        "token_rate_1": 1.0 / table.seconds(1, CONTEXT_TOKENS),
        "full_batch": batch,
        "token_rate_full_batch": 1.0 / table.seconds(batch, float(batch * CONTEXT_TOKENS)),
        "idle_w": table.idle_w * pool.replicas,
        "max_w": replica.max_w * pool.replicas,
        "usd_per_hour": replica.usd_per_hour * pool.replicas,
    }


def _link_facts(fleet: Fleet, replicas: Mapping[str, Replica]) -> list[dict[str, Any]]:
    """What KV caches meet between each pair of pools that prompts are computed and decoded in."""
    from meritorder.dispatch.legs import paths_of

    rows = []
    for (start, end), path in paths_of(fleet, list(replicas.values())).items():
        pool = fleet.pools[end]
        model = fleet.models[pool.model]
        size = CONTEXT_TOKENS * model.kv_bytes_per_token(pool.kv) + model.window_kv_bytes(pool.kv) + model.state_bytes
        rows.append(
            {
                "prefill": start,
                "decode": end,
                "link": path.link,
                "bandwidth": path.bandwidth,
                "total": path.total,
                "latency_s": path.latency,
                "overlap": "layerwise" if path.layerwise else "after",
                "transfer_s": path.latency + size / min(path.bandwidth, path.total or path.bandwidth),
            }
        )
    return rows


def _conversions(fleet: Fleet, replicas: Mapping[str, Replica]) -> list[str]:
    """What is assumed where the two ends of a KV cache's way are machines of different kinds or formats."""
    notes = []
    for row in _link_facts(fleet, replicas):
        ends = [fleet.pools[row[role]] for role in ("prefill", "decode")]
        said = [f"{pool.accelerator or 'measured'}, {pool.kv}" for pool in ends]
        if said[0] != said[1]:
            what = f"KV caches of {row['prefill']} ({said[0]}) are converted for {row['decode']} ({said[1]})"
            notes.append(f"{what}: they cross the link in the latter's format, and converting them is taken to be free")
    return notes


def _ports(fleet: Fleet, replicas: Mapping[str, Replica]) -> list[str]:
    """What is assumed of measured machines whose KV caches go over no link of the fleet file."""
    from meritorder.catalog.accelerator import USUAL_SCALE_OUT
    from meritorder.units import show

    ends = [row[role] for row in _link_facts(fleet, replicas) if not row["link"] for role in ("prefill", "decode")]
    measured = [name for name in dict.fromkeys(ends) if fleet.pools[name].measured is not None]
    port = show(USUAL_SCALE_OUT, "B/s", 3)
    return [
        f"{name} is taken to have a network port of {port} a chip; if it has another, give a link" for name in measured
    ]


def _service_facts(service: Service, fleet: Fleet, pools: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    serving = [name for name in service.pools or fleet.pools if fleet.pools[name].model == service.model]
    rate = service.slo.token_rate
    return {
        "model": service.model,
        "share": service.share,
        "match": service.match,
        "ttft_s": service.slo.ttft,
        "token_rate": rate,
        "percentile": service.slo.percentile,
        "priority": service.priority,
        "overload": service.overload,
        "pools": serving,
        "fast_enough": [
            name
            for name in serving
            if rate is None or pools[name]["token_rate_1"] >= rate or fleet.pools[name].role == "prefill"
        ],
    }


def _warnings(fleet: Fleet, pools: Mapping[str, Any], services: Mapping[str, Any]) -> list[str]:
    """What is allowed but may not be meant."""
    used = {pool for facts in services.values() for pool in facts["pools"]}
    warnings = [f"pool {name} serves no service" for name in pools if name not in used]
    for name, facts in services.items():
        rates = [pools[pool]["token_rate_1"] for pool in facts["pools"] if pools[pool]["role"] != "prefill"]
        if rates and facts["token_rate"] is not None and max(rates) < facts["token_rate"]:
            best = max(rates)
            wanted = f"service {name} asks for {facts['token_rate']:g} tok/s"
            warnings.append(f"{wanted}, but its fastest pool gives a lone user {best:.0f}")
    shares = [service.share for service in fleet.services.values() if service.share is not None]
    if shares and sum(shares) < 1 - 1e-9:
        warnings.append(f"shares sum to {sum(shares):g}: {1 - sum(shares):.1%} of the trace's requests go nowhere")
    return warnings


def _print(facts: Mapping[str, Any]) -> None:
    from rich.text import Text

    from meritorder.cli.check_faults import print_faults
    from meritorder.cli.check_halls import print_halls
    from meritorder.cli.check_surroundings import surroundings_notes, surroundings_table
    from meritorder.cli.output import results
    from meritorder.units import show

    out = results()
    power, cost = show(facts["max_w"], "W", 3), f"{facts['usd_per_hour']:,.2f} USD/h without energy"
    size = f"{facts['accelerators']:,} accelerators, at most {power} of IT power, {cost}"
    out.print(Text(f"{facts['fleet']}: {size}; dispatch by {facts['policy']}\n"))
    out.print(_pools_table(facts["pools"]), "")
    out.print(_replicas_table(facts["pools"]))
    out.print(Text(f"Speeds at {CONTEXT_TOKENS:,} tokens of context; a batch is all the sequences that fit.\n"))
    if facts["links"]:
        out.print(_links_table(facts["links"]), "")
    out.print(_sites_table(facts["sites"]), "")
    if facts["halls"]:
        print_halls(facts["halls"])
    if facts["faults"]:
        print_faults(facts["faults"])
    if facts["surroundings"]:
        out.print(surroundings_table(facts["surroundings"]), "")
    out.print(_services_table(facts["services"]))
    if any(len(service["fast_enough"]) < len(service["pools"]) for service in facts["services"].values()):
        out.print(Text("* too slow for the service's token rate, even for a lone user"))
    out.print()
    for warning in facts["warnings"]:
        out.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
    if facts["ranges"]:
        known = "; ".join(f"{name}: {', '.join(figures)}" for name, figures in facts["ranges"].items())
        words = f"note: known as ranges only, which `merit simulate` carries into its results: {known}"
        out.print(Text(words, style="dim"), soft_wrap=True)
    hourly = surroundings_notes(facts["surroundings"])
    for note in facts["notes"] + hourly:
        out.print(Text(f"note: {note}", style="dim"), soft_wrap=True)


def _pools_table(pools: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("pool", "site", ">replicas", "of", "model", ">max\npower", ">USD/h")
    result = table("Pools", columns)
    for name, pool in pools.items():
        chips = pool["accelerators_per_replica"]
        result.add_row(
            name if pool["role"] == "both" else f"{name} ({pool['role']})",
            pool["site"],
            f"{pool['replicas']:,}",
            f"{chips} x {pool['accelerator']}",
            pool["model"],
            show(pool["max_w"], "W", 3),
            f"{pool['usd_per_hour']:,.2f}",
        )
    return result


def _replicas_table(pools: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("pool", ">memory", ">weights", ">KV tokens", ">context", ">1 user\ntok/s", ">batch", ">tok/s\neach")
    result = table("One replica", columns)
    for name, pool in pools.items():
        result.add_row(
            name,
            show(pool["memory_bytes"], "B", 3),
            f"{show(pool['weight_bytes'], 'B', 3)} {pool['weights']}".strip(),
            f"{pool['kv_tokens']:,}",
            f"{pool['max_context']:,}",
            f"{pool['token_rate_1']:,.1f}",
            f"{pool['full_batch']:,}",
            f"{pool['token_rate_full_batch']:,.1f}",
        )
    return result


def _links_table(links: Sequence[Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("prefill", "decode", "link", ">bandwidth", ">latency", "overlap", f">{CONTEXT_TOKENS:,} tokens")
    result = table("KV caches from prefill to decode", columns)
    for row in links:
        result.add_row(
            row["prefill"],
            row["decode"],
            row["link"] or "own ports",
            show(row["bandwidth"], "B/s", 3),
            show(row["latency_s"], "s", 3),
            row["overlap"],
            show(row["transfer_s"], "s", 3),
        )
    return result


def _sites_table(sites: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    result = table("Sites", ("site", ">PUE", ">USD/MWh", ">g CO2/kWh", ">max grid\npower", "round trip"))
    for name, site in sites.items():
        trips = ", ".join(f"{region} {show(seconds, 's', 3)}" for region, seconds in site["rtt_s"].items())
        price, carbon = f"{1e3 * site['usd_per_kwh']:g}", f"{1e3 * site['kg_per_kwh']:g}"
        power = "-" if site["max_grid_w"] is None else show(site["max_grid_w"], "W", 3)
        pue = "computed" if site["pue"] is None else f"{site['pue']:g}"
        result.add_row(name, pue, price, carbon, power, trips or "0 s")
    return result


def _services_table(services: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("service", "model", "takes", ">TTFT", ">tok/s", ">for", ">priority", "pools")
    result = table("Services", columns)
    for name, service in services.items():
        takes = f'"{service["match"]}"' if service["match"] is not None else "all"
        slow = set(service["pools"]) - set(service["fast_enough"])
        result.add_row(
            name,
            service["model"],
            f"{service['share']:.0%}" if service["share"] is not None else takes,
            "-" if service["ttft_s"] is None else show(service["ttft_s"], "s"),
            "-" if service["token_rate"] is None else f"{service['token_rate']:g}",
            f"{100 * service['percentile']:g}%",
            str(service["priority"]),
            ", ".join(f"{pool}*" if pool in slow else pool for pool in service["pools"]),
        )
    return result
