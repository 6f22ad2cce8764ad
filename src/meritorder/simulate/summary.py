"""One run in numbers: the dictionary that `--json` prints, `summary.json` keeps and the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder import __version__
from meritorder.facility.halls.facts import hall_facts
from meritorder.simulate.accounts import Accounts, accounts
from meritorder.simulate.columns import LATENCIES, columns, latency
from meritorder.simulate.fates import NO_DOWNTIME, downtimes, fates
from meritorder.simulate.footprint import footprints
from meritorder.simulate.limits import miss_causes, pool_limits
from meritorder.simulate.result import Status
from meritorder.simulate.routing import routing
from meritorder.simulate.series import bin_widths, per_second
from meritorder.simulate.service_level import Target, Verdict, Verdicts, attainment, judge
from meritorder.simulate.sites import sites
from meritorder.simulate.spread import Groups, Spread, spread
from meritorder.simulate.transfers import decoded_in, returns, transfers

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]


def summarise(result: Result) -> dict[str, Any]:
    """The summary of a run, ready for JSON (None where a number does not exist, e.g. percentiles of nothing).

    Counts: `requests` = `completed` + `rejected` (too long) + `shed` + `cancelled` + `unreached` + `lost`.
    Latencies `ttft_s, tpot_s, e2e_s, queue_s`: {mean, p50, p90, p95, p99, max} over completed requests (see
    `columns.latency`; percentiles see `spread.spread`). Tokens are those of completed requests. `energy_j` is IT
    energy, idle and dynamic, of all replicas over the span; `facility_energy_j` is that with losses and cooling, by
    the site model or a constant PUE. `sites`: see `sites.sites`, empty without a site model. Of a sampled fleet
    everything is that of what was simulated (`by_pool`: a replica `stands_for` so many), but `sites` has all machines.
    `cost_usd` = owning or renting all replicas over the span + facility energy + its carbon + what metered APIs charge
    (`costs`: the parts).
    `goodput`: completed requests and their output tokens within targets, a second of the span; `usd_per_mtok` shares
    the cost among all output tokens of completed requests, `usd_per_good_mtok` among those within targets.
    `slo_attainment`: by service the share of judged requests within targets (rule: `service_level.judge`).
    `transfers`: KV caches sent from pools that compute prompts to those that decode, see `transfers.transfers`.
    `returns`: prefixes that came back from slow tiers, by pool, see `transfers.returns`; hit ratios include them.
    `by_service`, `by_pool`, `by_site`: the same in parts; of a request that two pools share both have it among their
    `requests`, the first its TTFT and prompt, the second its other latencies and its output.
    `routing`: service -> pool -> {requests, reasons}.
    `limits`: {pools: see `limits.pool_limits`, services: see `limits.miss_causes`}. `notes`: what leans on guesses.
    """
    targets = [Target(service.slo.ttft, service.slo.token_rate) for service in result.fleet.services.values()]
    verdicts = judge(columns(result), targets)
    books = accounts(result)
    completed = result.status == Status.COMPLETED
    output = int(result.trace.output_tokens[completed].sum(dtype=np.int64))
    started = ~np.isnan(result.start_s)
    prompt_started = int(result.trace.prompt_tokens[started].sum(dtype=np.int64))
    by_service, by_pool, latencies = _parts(result, verdicts, books)
    met = (verdicts == Verdict.MET) & completed
    good_tokens = int(result.trace.output_tokens[met].sum(dtype=np.int64))
    counts = np.bincount(result.status, minlength=max(Status) + 1)
    energy_j = float(books.it_j.sum())
    cost_usd = float(books.cost_usd.sum())
    return {
        "version": __version__,
        "fleet": result.fleet.name,
        "policy": result.policy,
        "seed": result.seed,
        "trace": {
            "source": result.trace.source,
            "requests": len(result.trace),
            "duration_s": result.trace.duration_s,
            "closed_loop": result.trace.closed_loop,
            "prefix_blocks": result.trace.has_blocks,
        },
        "requests": len(result.status),
        "completed": int(counts[Status.COMPLETED]),
        "rejected": int(counts[Status.TOO_LONG]),
        "shed": int(counts[Status.SHED]),
        "cancelled": int(counts[Status.CANCELLED]),
        "unreached": int(counts[Status.UNREACHED]),
        "lost": int(counts[Status.LOST]),
        "wall_s": result.wall_s,
        "requests_per_wall_s": _ratio(len(result.status), result.wall_s),
        "events": result.events,
        "iterations": result.iterations,
        "span_s": result.span_s,
        **latencies,
        "prompt_tokens": int(result.trace.prompt_tokens[completed].sum(dtype=np.int64)),
        "output_tokens": output,
        "tokens_per_s": _ratio(output, result.span_s),
        "hit_ratio": _ratio(int(result.hit_tokens[started].sum(dtype=np.int64)), prompt_started),
        "preemptions": int(result.preemptions.sum(dtype=np.int64)),
        "goodput": {
            "requests_per_s": _ratio(int(met.sum()), result.span_s),
            "tokens_per_s": _ratio(good_tokens, result.span_s),
        },
        "slo_attainment": {name: row["slo_attainment"] for name, row in by_service.items()},
        "slo_met": all(row["slo_met"] is not False for row in by_service.values()),
        "energy_j": energy_j,
        "idle_energy_j": float(books.idle_j.sum()),
        "facility_energy_j": float(books.facility_j.sum()),
        "energy_j_per_output_token": _ratio(energy_j, output),
        "cost_usd": cost_usd,
        "costs": {
            "owner_usd": float(books.owner_usd.sum()),
            "energy_usd": float(books.energy_usd.sum()),
            "carbon_usd": float(books.carbon_usd.sum()),
            "metered_usd": float(books.metered_usd.sum()),
        },
        "usd_per_mtok": _ratio(cost_usd * 1e6, output),
        "usd_per_good_mtok": _ratio(cost_usd * 1e6, good_tokens),
        "carbon_kg": float(books.carbon_kg.sum()),
        "water_l": float(books.water_l.sum()),
        "sites": sites(result),
        "halls": hall_facts(result.placing) if result.placing is not None else [],
        "by_service": by_service,
        "by_pool": by_pool,
        "by_site": _by_site(result, books),
        "routing": routing(result),
        "transfers": transfers(result),
        "returns": returns(result),
        "limits": {
            "pools": pool_limits(result),
            "services": {
                name: miss_causes(verdicts[result.service == i]) for i, name in enumerate(result.fleet.services)
            },
        },
        "warnings": list(result.trace.warnings),
        "notes": {
            name: list(replica.notes)
            for name, replica in zip(result.fleet.pools, result.replicas, strict=True)
            if replica.notes
        },
    }


def _parts(
    result: Result, verdicts: Verdicts, books: Accounts
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], dict[str, Spread]]:
    """By service, by pool, and the latencies of all."""
    services, pools = result.fleet.services, result.fleet.pools
    taken = footprints(result, books)
    by_service = {name: _service_row(result, verdicts, i) | taken[name] for i, name in enumerate(services)}
    by_pool = _pool_rows(result, books)
    whole: dict[str, Spread] = {}
    requests = columns(result)
    service_groups = Groups(result.service, len(services))
    first_groups, last_groups = Groups(result.pool, len(pools)), Groups(decoded_in(result), len(pools))
    for name in LATENCIES:
        values = latency(requests, name)
        whole[name] = spread(values)
        for row, part in zip(by_service.values(), service_groups.spreads(values), strict=True):
            row[name] = part
        groups = first_groups if name in ("ttft_s", "queue_s") else last_groups
        for row, part in zip(by_pool.values(), groups.spreads(values), strict=True):
            row[name] = part
        if name == "tpot_s":
            for row in by_service.values():
                row["token_rate"] = _token_rate(row["tpot_s"])
    return by_service, by_pool, whole


def _token_rate(tpot: Spread) -> Spread:
    """Tokens a second a user sees, at the median and for the slowest 10, 5 and 1 %: reciprocals of the TPOT."""
    slowest = {"p50": "p50", "p10": "p90", "p5": "p95", "p1": "p99", "min": "max"}
    return {key: 1.0 / value if (value := tpot[source]) else None for key, source in slowest.items()}


def _service_row(result: Result, verdicts: Verdicts, index: int) -> dict[str, Any]:
    """Counts, targets and value of one service; latencies are added by the caller."""
    spec = list(result.fleet.services.values())[index]
    mine = result.service == index
    status = np.bincount(result.status[mine], minlength=max(Status) + 1)
    verdict = verdicts[mine]
    share = attainment(verdict)
    met = mine & (verdicts == Verdict.MET)
    tokens = int(result.trace.output_tokens[met].sum(dtype=np.int64))
    misses = int((verdict > Verdict.NOT_JUDGED).sum())
    return {
        "model": spec.model,
        "priority": spec.priority,
        "requests": int(mine.sum()),
        "completed": int(status[Status.COMPLETED]),
        "rejected": int(status[Status.TOO_LONG]),
        "shed": int(status[Status.SHED]),
        "cancelled": int(status[Status.CANCELLED]),
        "unreached": int(status[Status.UNREACHED]),
        "lost": int(status[Status.LOST]),
        **fates(result, mine),
        "not_judged": int((verdict == Verdict.NOT_JUDGED).sum()),
        "slo": {"ttft_s": spec.slo.ttft, "token_rate": spec.slo.token_rate, "percentile": spec.slo.percentile},
        "slo_attainment": share,
        "slo_met": None if share is None else share >= spec.slo.percentile,
        "good_output_tokens": tokens,
        "value_usd": tokens * 1e-6 * spec.value_usd_per_mtok,
        "penalty_usd": misses * spec.penalty_usd,
    }


def _pool_rows(result: Result, books: Accounts) -> dict[str, dict[str, Any]]:
    """Load, energy and cost of each pool; latencies are added by the caller."""
    pools = len(result.fleet.pools)
    first, last = result.pool, decoded_in(result)
    done = result.status == Status.COMPLETED
    started = ~np.isnan(result.start_s)

    def total(pool: npt.NDArray[np.int32], values: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> Floats:
        mask = mask & (pool >= 0)
        return np.bincount(pool[mask], values[mask], minlength=pools).astype(np.float64)

    requests = np.bincount(first[first >= 0], minlength=pools)
    requests += np.bincount(result.decode_pool[result.decode_pool >= 0], minlength=pools)
    output = total(last, result.trace.output_tokens, done)
    prompt = total(first, result.trace.prompt_tokens, started)
    hits = total(first, result.hit_tokens, started)
    preemptions = total(last, result.preemptions, last >= 0)
    series = {name: values.sum(axis=1) for name, values in result.series.items()}
    bins = result.series["kv_token_s"].shape[1]
    peaks = per_second(result.series["kv_token_s"], bin_widths(bins, result.bin_s, result.span_s)).max(axis=1)
    rows: dict[str, dict[str, Any]] = {}
    down = downtimes(result)
    for i, (name, spec) in enumerate(result.fleet.pools.items()):
        machine = result.replicas[i]
        replica_s = spec.replicas * result.span_s
        kv_tokens = machine.kv_tokens * spec.replicas
        rows[name] = {
            "site": spec.site,
            "machine": spec.accelerator or "measured",
            "model": spec.model,
            "role": spec.role,
            "replicas": spec.replicas,
            "stands_for": 1.0 if result.weights is None else float(result.weights[i]),
            "accelerators": spec.replicas * machine.accelerators,
            "kv_tokens": kv_tokens,
            "max_sequences": machine.table.max_sequences * spec.replicas,
            "requests": int(requests[i]),
            "utilisation": _ratio(series["busy_s"][i], replica_s),
            "mean_running": _ratio(series["running_s"][i], result.span_s),
            "mean_batch": _ratio(series["running_s"][i], series["busy_s"][i]),
            "kv_occupancy": _ratio(series["kv_token_s"][i], kv_tokens * result.span_s),
            "kv_occupancy_peak_bin": _ratio(peaks[i], kv_tokens),
            "output_tokens": int(output[i]),
            "prompt_tokens_computed": int(series["prompt_tokens"][i]),
            "tokens_produced": int(series["output_tokens"][i]),
            "iterations": int(series["iterations"][i]),
            "hit_ratio": _ratio(hits[i], prompt[i]),
            "preemptions": int(preemptions[i]),
            "energy_j": float(books.it_j[i]),
            "idle_energy_j": float(books.idle_j[i]),
            "facility_energy_j": float(books.facility_j[i]),
            "mean_w": _ratio(books.it_j[i], result.span_s),
            "energy_j_per_output_token": _ratio(books.it_j[i], output[i]),
            "cost_usd": float(books.cost_usd[i]),
            "owner_usd": float(books.owner_usd[i]),
            "energy_usd": float(books.energy_usd[i]),
            "carbon_usd": float(books.carbon_usd[i]),
            "metered_usd": float(books.metered_usd[i]),
            "usd_per_mtok": _ratio(books.cost_usd[i] * 1e6, output[i]),
            "carbon_kg": float(books.carbon_kg[i]),
            "water_l": float(books.water_l[i]),
            **down.get(name, NO_DOWNTIME),
        }
    return rows


def _by_site(result: Result, books: Accounts) -> dict[str, dict[str, Any]]:
    widths = bin_widths(result.series["energy_j"].shape[1], result.bin_s, result.span_s)
    dynamic_w = per_second(result.series["energy_j"], widths)
    rows: dict[str, dict[str, Any]] = {}
    for name, site in result.fleet.sites.items():
        mine = [i for i, pool in enumerate(result.fleet.pools.values()) if pool.site == name]
        idle_w = _ratio(float(books.idle_j[mine].sum()), result.span_s) or 0.0
        rows[name] = {
            "pools": len(mine),
            "requests": int((np.isin(result.pool, mine) | np.isin(result.decode_pool, mine)).sum()),
            "pue": _ratio(float(books.facility_j[mine].sum()), float(books.it_j[mine].sum())) or site.pue,
            "energy_j": float(books.it_j[mine].sum()),
            "facility_energy_j": float(books.facility_j[mine].sum()),
            "mean_w": _ratio(float(books.it_j[mine].sum()), result.span_s),
            "peak_bin_w": idle_w + float(dynamic_w[mine].sum(axis=0).max(initial=0.0)),
            "cost_usd": float(books.cost_usd[mine].sum()),
            "carbon_kg": float(books.carbon_kg[mine].sum()),
            "water_l": float(books.water_l[mine].sum()),
        }
    return rows


def _ratio(value: float, base: float) -> float | None:
    """The quotient, or None where there is nothing to divide by."""
    return float(value) / float(base) if base else None
