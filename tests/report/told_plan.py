"""A made-up plan, as `plan.outputs.told` gives one: 12 quarters, 5 sites, 4 offers, 3 services, 3 scenarios."""

from __future__ import annotations

from typing import Any

import numpy as np

PERIODS = [f"{year}-Q{quarter}" for year in (2026, 2027, 2028) for quarter in (1, 2, 3, 4)]
SITES = ("dallas", "montreal", "oslo", "phoenix", "frankfurt")
OFFERS = {"cs-3": "Cerebras", "cs-4": "Cerebras", "gb300-rack": "NVIDIA", "mi455x-rack": "AMD"}
SERVICES = ("ultrafast", "chat", "batch")
SCENARIOS = {"slow": (0.3, 0.7), "expected": (0.5, 1.0), "fast": (0.2, 1.6)}
CAUSES = ("systems", "upkeep", "blocks", "rent", "opening", "batteries", "energy", "carbon", "metered", "untaken")


def told_plan(name: str = "750 MW", proof: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plan; `name`: of the fleet, `proof`: its certificate."""
    count = len(PERIODS)
    grows = np.minimum(np.linspace(0.08, 1.3, count), 1.0)
    share = {"cs-3": 0.18, "cs-4": 0.37, "gb300-rack": 0.33, "mi455x-rack": 0.12}
    offers = {offer: (750e6 * part * grows).tolist() for offer, part in share.items()}
    of_site = dict(zip(SITES, (0.3, 0.25, 0.2, 0.15, 0.1), strict=True))
    sites = {site: (750e6 * part * grows).tolist() for site, part in of_site.items()}
    suppliers = {s: _sum(offers, [o for o, of in OFFERS.items() if of == s]) for s in dict.fromkeys(OFFERS.values())}
    watts = {"cs-3": 23e3, "cs-4": 140e3, "gb300-rack": 135e3, "mi455x-rack": 150e3}
    return {
        "fleet": name,
        "version": "0",
        "seed": 0,
        "continued_from": None,
        "horizon": {
            "periods": PERIODS,
            "starts": [f"{p[:4]}-{3 * int(p[-1]) - 2:02d}" for p in PERIODS],
            "end": "2028-12",
            "years": [0.25] * count,
            "discount": (1.08 ** -(0.125 + 0.25 * np.arange(count))).tolist(),
            "discount_rate": 0.08,
        },
        "cost": _cost(),
        "schedule": [_order(i) for i in range(14)],
        "ramp": {
            "installed_w": (750e6 * grows).tolist(),
            "sites": sites,
            "suppliers": suppliers,
            "offers": offers,
            "systems": {
                site: {offer: [round(v * part / watts[offer]) for v in offers[offer]] for offer in OFFERS}
                for site, part in of_site.items()
            },
            "supplier_of": dict(OFFERS),
        },
        "headroom": {site: _headroom(np.array(values)) for site, values in sites.items()},
        "cash_usd": {c: (9e8 * w * np.diff(grows, prepend=0.0) * 5).tolist() for c, w in _weights()}
        | {"unmet": [0.0] * 12},
        "services": {name: _service(i, grows) for i, name in enumerate(SERVICES)},
        "unit_costs": _unit_costs(),
        "stranded": _stranded(grows, of_site),
        "studies": _studies(),
        "certificate": proof,
        "contingencies": [{"name": f"site {site}", "kind": "site"} for site in SITES],
        "assumptions": [_assumption("range"), _assumption("guess")],
        "size": {"columns": 146_000, "rows": 36_000, "hours": 6},
        "seconds": {"demand": 0.4, "capacities": 212.0, "optimisation": 31.5, "proof": 610.0},
    }


def _sum(offers: dict[str, list[float]], names: list[str]) -> list[float]:
    return np.sum([offers[name] for name in names], axis=0).tolist()


def _weights() -> list[tuple[str, float]]:
    return [(c, w) for c, w in zip(CAUSES, (1.0, 0.1, 0.35, 0.05, 0.01, 0.02, 0.12, 0.0, 0.03, 0.0), strict=True)]


def _cost() -> dict[str, Any]:
    by_cause = {"systems": 6.1e9, "blocks": 2.4e9, "opening": 6e7, "batteries": 1.1e8, "untaken": 0.0}
    by_cause |= {"energy": 8.8e8, "carbon": 9e7, "metered": 1.4e8}
    total = sum(by_cause.values())
    scenarios = {
        name: {
            "probability": chance,
            "paid_usd": total * (0.8 + 0.2 * factor),
            "penalty_usd": 4e7 if name == "fast" else 0.0,
        }
        for name, (chance, factor) in SCENARIOS.items()
    }
    return {
        "expected_usd": total,
        "penalty_usd": 8e6,
        "by_cause_usd": by_cause,
        "scenarios": scenarios,
        "objective_usd": total + 8e6,
        "bound_usd": total * 0.997,
        "gap": 0.0034,
        "aversion": 0.5,
        "tail": 0.2,
    }


def _order(index: int) -> dict[str, Any]:
    period = PERIODS[index * 12 // 14]
    month = f"{period[:4]}-{3 * int(period[-1]) - 2:02d}"
    offer = list(OFFERS)[index % 4]
    kind = "blocks" if index % 5 == 4 else "systems"
    return {
        "kind": kind,
        "site": SITES[index % 5],
        "what": "liquid" if kind == "blocks" else offer,
        "supplier": "" if kind == "blocks" else OFFERS[offer],
        "ordered": "2025-07",
        "delivered": month,
        "period": period,
        "count": 2 if kind == "blocks" else 120 + 37 * index,
        "option": 40 if index == 7 else 0,
        "power_w": 50e6 if kind == "blocks" else 135e3 * (120 + 37 * index),
        "energy_j": 0.0,
        "cash_usd": 2e8 + 1e7 * index,
        "scenario": "fast" if index == 13 else "all",
    }


def _headroom(nameplate: np.ndarray) -> dict[str, Any]:
    blocks = np.ceil(nameplate / 25e6) * 25e6
    it, facility = 0.72 * nameplate, 0.86 * nameplate
    return {
        "blocks_w": blocks.tolist(),
        "nameplate_limit_w": (1.1 * blocks).tolist(),
        "nameplate_w": nameplate.tolist(),
        "it_w": it.tolist(),
        "cooled_w": (0.95 * blocks).tolist(),
        "facility_w": facility.tolist(),
        "grid_w": [None if nameplate[-1] < 8e7 else 1.3 * float(blocks[-1])] * 12,
    }


def _service(index: int, grows: np.ndarray) -> dict[str, Any]:
    base = (2.1e5, 3.4e6, 1.8e6)[index] * (0.15 + grows)
    spread = {
        name: (base * (1 + (factor - 1) * np.linspace(0, 1, 12))).tolist() for name, (_, factor) in SCENARIOS.items()
    }
    return {
        "demand_tok_s": spread,
        "served_tok_s": spread,
        "capacity_tok_s": (1.5 * base).tolist(),
        "unmet_share": {name: 0.021 if name == "fast" and index == 2 else 0.0 for name in SCENARIOS},
        "unmet_share_expected": 0.0042 if index == 2 else 0.0,
    }


def _unit_costs() -> list[dict[str, Any]]:
    rows = []
    for t, period in enumerate(PERIODS):
        for p, service in enumerate(("", *SERVICES)):
            for h, system in enumerate(("", *OFFERS)):
                usd = (1.1, 4.0, 0.9, 0.35)[p] * (1 - 0.03 * t) * (1 + 0.1 * h)
                parts = {"systems": 0.6 * usd, "ground": 0.22 * usd, "idle energy": 0.05 * usd, "energy": 0.13 * usd}
                mtok = 4e6 * (1 + t) / (1 + p) / (1 + h)
                rows.append(
                    {"service": service, "system": system, "period": period, "mtok": mtok}
                    | {"usd_per_mtok": usd, "parts": parts}
                )
    return rows


def _stranded(grows: np.ndarray, of_site: dict[str, float]) -> dict[str, Any]:
    site = np.array(list(of_site.values()))

    def account(total: float, shares: dict[str, float]) -> dict[str, Any]:
        watts = total * grows[:, None] * site
        return {
            "parts": list(shares),
            "words": [f"what is {part}" for part in shares],
            "total": watts.tolist(),
            "watts": [(part * watts).tolist() for part in shares.values()],
        }

    return {
        "periods": PERIODS,
        "sites": list(of_site),
        "power": account(8e8, {"drawn": 0.7, "cooling": 0.05, "supply": 0.1, "whole blocks": 0.15}),
        "machines": account(7.5e8, {"drawn": 0.75, "reserve": 0.15, "idle": 0.1}),
        "deployable": (7e8 * grows[:, None] * site).tolist(),
    }


def _studies() -> dict[str, Any]:
    limits = [
        ("grid", "dallas", "USD/MW-year", 1.1e6),
        ("supply", "cs-4", "USD/system", 4.2e5),
        ("share", "NVIDIA", "USD/point", 2e6),
    ]
    bars = [("price of cs-4", "1.35 MUSD", "4 MUSD", -1.2e9, 1.9e9), ("growth of chat a year", "1.5", "4", -8e8, None)]
    figures = {"offers": 4.0, "sites": 5.0, "carbon_t": 2.1e5, "share NVIDIA": 0.33}
    return {
        "prices": {
            "limits": [
                {
                    "limit": kind,
                    "name": of,
                    "period": PERIODS[7],
                    "unit": unit,
                    "usd": usd,
                    "more": 0.9 * usd,
                    "less": None,
                }
                for kind, of, unit, usd in limits
            ],
            "marginal": [
                {"service": name, "period": period, "usd_per_mtok": 1.4 - 0.02 * t, "by_hour": []}
                for name in SERVICES
                for t, period in enumerate(PERIODS)
            ],
            "slo": [{"service": "ultrafast", "period": PERIODS[-1], "usd_per_ms": 5.1e4}],
            "objective_usd": 9.8e9,
            "seconds": 4.0,
        },
        "alternatives": {
            "slack": 0.02,
            "plans": [
                {"aim": aim, "cost_usd": 9.78e9 * (1 + more), "more": more, "figures": figures, "proven": more < 0.01}
                for aim, more in (("optimum", 0.0), ("fewest offers", 0.008), ("least carbon", 0.019))
            ],
            "seconds": 40.0,
        },
        "regret": {
            "scenarios": list(SCENARIOS),
            "probability": [chance for chance, _ in SCENARIOS.values()],
            "cost": [8.9e9, 9.7e9, 1.12e10],
            "foresight": [8.1e9, 9.5e9, 1.08e10],
            "regret": [8e8, 2e8, 4e8],
            "perfect_information": 4.2e8,
            "mean_plan": [9e9, 9.6e9, 1.3e10],
            "mean_unmet": [0.0, 0.0, 0.1],
            "stochastic_solution": 3.1e8,
            "seconds": 60.0,
        },
        "values": {
            "values": [
                {"name": "waiting", "words": "orders of 2028 wait", "usd": 2.1e8, "share": 0.021, "how": "MILP"}
            ],
            "cost_usd": 9.78e9,
            "seconds": 30.0,
        },
        "tornado": {
            "bars": [
                {"name": name, "key": "plan", "low": low, "high": high, "usd": [down, up], "nameplate_w": [0.0, 0.0]}
                for name, low, high, down, up in bars
            ],
            "cost_usd": 9.78e9,
            "nameplate_w": 7.5e8,
            "how": "linear relaxation",
            "seconds": 90.0,
        },
    }


def _assumption(confidence: str) -> dict[str, Any]:
    return {
        "what": "price of cs-4",
        "key": "plan.offers.cs-4.price",
        "value": "2.4 MUSD",
        "low": "1.35 MUSD" if confidence == "range" else "",
        "high": "4 MUSD" if confidence == "range" else "",
        "source": "fleet file",
        "confidence": confidence,
    }


def told_proof() -> dict[str, Any]:
    """A certificate: two promises hold, one doesn't, one can't be told."""

    def promise(service: str, case: str, kind: str, kept: float | None, verdict: str) -> dict[str, Any]:
        low, high = (0.0, 1.0) if kept is None else (kept - 0.006, kept + 0.006)
        return {
            **{"service": service, "case": case, "kind": kind, "year": "2027", "demand_share": 1.0, "target": 0.95},
            **{"kept": kept, "low": low, "high": high, "requests": 120_000, "verdict": verdict, "why": "the queue"},
        }

    error = {
        "year": "2027",
        "period": "2027-Q4",
        "services": ["chat"],
        "planned": 1.02,
        "simulated": 1.01,
        "error": 0.0099,
    }
    return {
        "holds": False,
        "error": 0.0099,
        "lines": ["2 of 4 promises hold in simulation", "1 don't: chat in loss of dallas"],
        "promises": [
            promise("chat", "worst hour of 2027", "worst hour", 0.982, "holds"),
            promise("ultrafast", "worst hour of 2027", "worst hour", 0.971, "holds"),
            promise("chat", "loss of dallas", "site", 0.91, "does not hold"),
            promise("batch", "an ordinary day", "day", None, "can't say"),
        ],
        "capacities": [{**error, "sampled": 8}],
        "before": [[{**error, "error": 0.061, "sampled": 8}]],
        "hours": [
            {"case": "worst hour", "what": "IT power", "unit": "MW", "planned": 540, "simulated": 533, "error": 0.013}
        ],
        "corrections": [0.95],
        "sampled": ["worst hour of 2027: 300,000 requests over 0.5 h"],
        "left_out": ["cloud is an API"],
    }
