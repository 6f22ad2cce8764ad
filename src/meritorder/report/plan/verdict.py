"""What stands first: what is built, for how much, and whether it holds."""

from __future__ import annotations

from typing import Any

from meritorder.report.plan.words import Told, listed, usd
from meritorder.report.text import count, number, safe, share, watts
from meritorder.report.verdict import Headline


def headline(told: Told) -> Headline:
    """The verdict. Good: the proof holds, or none was asked for."""
    end = told["horizon"]["periods"][-1]
    installed = told["ramp"]["installed_w"][-1]
    sites = [name for name, values in told["ramp"]["sites"].items() if values[-1] > 0]
    places = f"{len(sites)} sites" if len(sites) > 1 else f"{sites[0]}" if sites else "no site"
    proof = told["certificate"]
    sure = "" if proof is None else f", {_sure(proof)}"
    title = f"{watts(installed)} at {places} by {end} for {usd(told['cost']['expected_usd'])}{_short(told)}{sure}"
    lines = [_built(told), _costs(told), _served(told), *_proof(told), *_binding(told)]
    good = proof is None or bool(proof["holds"])
    return Headline(good, title, tuple(line for line in lines if line))


def _sure(proof: Told) -> str:
    if proof["holds"]:
        return "proven by simulation"
    broken = any(promise["verdict"] == "does not hold" for promise in proof["promises"])
    return "and its proof does not hold" if broken else "and its proof leaves promises open"


def _short(told: Told) -> str:
    """What the headline says of demand that stays unserved: a plan may not look cheap for leaving it."""
    missed = {name: row["unmet_share_expected"] for name, row in told["services"].items()}
    worst = max(missed, key=lambda name: missed[name], default="")
    return f", {share(missed[worst])} of {worst} unserved" if worst and missed[worst] >= 0.005 else ""


def _unmet(told: Told) -> float:
    return max((row["unmet_share_expected"] for row in told["services"].values()), default=0.0)


def _built(told: Told) -> str:
    ramp = told["ramp"]
    offers = sorted(ramp["offers"], key=lambda name: -ramp["offers"][name][-1])
    standing = {name: sum(site[name][-1] for site in ramp["systems"].values()) for name in offers}
    parts = [f"{count(standing[name])} {name} ({watts(ramp['offers'][name][-1])})" for name in offers if standing[name]]
    return f"In service at the end: {listed(parts, 6)}." if parts else "Nothing is built."


def _costs(told: Told) -> str:
    cost = told["cost"]
    spread = [found["paid_usd"] for found in cost["scenarios"].values()]
    between = f", {usd(min(spread))} to {usd(max(spread))} over {len(spread)} scenarios" if len(spread) > 1 else ""
    rate = told["horizon"]["discount_rate"]
    return (
        f"It costs {usd(cost['expected_usd'])} expected{between}, discounted at {100 * rate:g}% a year; no plan of the "
        f"chosen hours costs over {100 * cost['gap']:.2f}% less."
    )


def _served(told: Told) -> str:
    missed = {name: row["unmet_share_expected"] for name, row in told["services"].items()}
    short = [f"{name} {share(value)}" for name, value in missed.items() if value > 5e-5]
    if not short:
        return "All demand is served in every scenario."
    penalty = usd(told["cost"]["penalty_usd"])
    return f"Requests that stay unserved, expected: {listed(short)}; their penalty, {penalty}, is in no cost here."


def _proof(told: Told) -> list[str]:
    proof = told["certificate"]
    if proof is None:
        return ["Not proven: no simulation was asked for."]
    return list(proof.get("lines", ()))


def _binding(told: Told) -> list[str]:
    prices = told["studies"]["prices"]
    if not prices or not prices["limits"]:
        return []
    named = list(dict.fromkeys(" of ".join(filter(None, (row["limit"], row["name"]))) for row in prices["limits"]))
    return [f"What binds: {listed(named, 5)}."]


def cards(told: Told) -> str:
    """The figures that a meeting asks for first."""
    cost, ramp = told["cost"], told["ramp"]
    deployable = sum(told["stranded"]["deployable"][-1])
    totals = [sum(values) for values in zip(*(v for k, v in told["cash_usd"].items() if k != "unmet"), strict=True)]
    dearest = max(range(len(totals)), key=totals.__getitem__)
    whole = [row for row in told["unit_costs"] if row["service"] == "" and row["system"] == ""]
    tokens = sum(row["mtok"] for row in whole)
    average = sum(row["usd_per_mtok"] * row["mtok"] for row in whole if row["mtok"]) / tokens if tokens else None
    made: list[tuple[str, Any, str]] = [
        ("Installed at the end", watts(ramp["installed_w"][-1]), f"nameplate; {watts(deployable)} can be fed at once"),
        ("Expected cost", usd(cost["expected_usd"]), "discounted, penalty for unmet demand not in it"),
        ("Cost per million output tokens", number(average, "USD"), "mean over the horizon, money of the period"),
        ("Dearest period", usd(totals[dearest]), f"cash in {told['horizon']['periods'][dearest]}, not discounted"),
        ("Unserved", share(_unmet(told)) if _unmet(told) > 5e-5 else "nothing", "of the worst service's requests"),
        ("To the bound", f"{100 * cost['gap']:.2f}%", "of the chosen hours"),
    ]
    items = "".join(f"<div><dt>{safe(k)}</dt><dd>{safe(v)}<small>{safe(n)}</small></dd></div>" for k, v, n in made)
    return f'<dl class="cards">{items}</dl>'
