"""The tables of `merit facility`."""

from __future__ import annotations

from typing import Any

from meritorder.cli.output import results, table
from meritorder.units import show

COOLANTS = ("air", "liquid-21c", "liquid-45c")
LOSSES = {"transformer": "transformers", "ups": "UPS", "distribution": "distribution", "shelf": "shelves"}
RIDES = {
    "cdu": "without a row's CDU or air handler",
    "pump": "without the plant's pumps",
    "rejection": "without chillers, towers and coolers",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def print_without(name: str, facts: dict[str, Any]) -> None:
    """A site with nothing to say but its constant."""
    pue = facts["pue"]
    text = f"PUE {pue:g} at every load: no `facility` is given" if pue else "a building without machines"
    results().print(f"[bold]{name}[/bold]: {text}")


def print_building(name: str, facts: dict[str, Any]) -> None:
    """All of one building."""
    out = results()
    where = (
        f"climate {facts['climate']}, {facts['hours']:,} h" if facts["climate"] else "mild weather, 15 C: no `weather`"
    )
    out.print(f"[bold]{name}[/bold]: {watts(facts['nameplate_it_w'])} IT at the nameplate; {where}\n")
    out.print(_by_load(facts))
    out.print(_losses(facts))
    out.print(_compressors(facts))
    if facts["by_month"]:
        out.print(_months(facts))
    design, power = facts["design"], facts["power"]
    hour = f"{design['dry_c']:.1f} C dry bulb, {design['wet_c']:.1f} C wet bulb"
    kind = "hour that draws most" if facts["hours"] else "design day of an unknown place"
    out.print(f"{kind}: {hour}: {watts(design['facility_w'])} facility, PUE {design['pue']['1.0']:.3f} at full load")
    why = f", then bound by {design['binding']} at {design['binding_dry_c']:.1f} C" if design["binding_dry_c"] else ""
    out.print(f"most IT power in every hour: {watts(design['most_it_w'])}{why}")
    modules = f"{power['ups_modules']} UPS modules of {watts(power['ups_module_w'])}, {power['feeds']} feeds"
    out.print(f"power path: {watts(power['critical_w'])} critical, {modules} of {watts(power['feed_w'])}\n")
    out.print(_rides(facts))


def watts(value: float) -> str:
    """Watts with three digits."""
    return show(value, "W", 3)


def _by_load(facts: dict[str, Any]) -> Any:
    columns = (">IT load", ">IT", ">facility", ">PUE mean", ">lowest", ">highest", ">design hour", ">water L/kWh IT")
    result = table("PUE over the year" if facts["hours"] else "PUE", (*columns, ">hours too warm"))
    for row in facts["by_load"]:
        design = facts["design"]["pue"][str(row["load"])]
        pues = (row["pue"], row["pue_lowest"], row["pue_highest"], design)
        cells = (f"{row['load']:.0%}", watts(row["it_w"]), watts(row["facility_w"]), *(f"{pue:.3f}" for pue in pues))
        result.add_row(*cells, f"{row['wue_l_per_kwh']:.2f}", f"{row['warm_hours']:,}")
    return result


def _losses(facts: dict[str, Any]) -> Any:
    loads = [f">{row['load']:.0%}" for row in facts["losses"]]
    result = table("beyond IT power, in parts of it, by load", ("stage", *loads))
    for key, label in {**LOSSES, "cooling": "cooling"}.items():
        if key == "shelf" and not any(row["shelf"] for row in facts["losses"]):
            continue
        its = [load["it_w"] for load in facts["by_load"]]
        result.add_row(label, *(f"{row[key] / it:.2%}" for row, it in zip(facts["losses"], its, strict=True)))
    return result


def _compressors(facts: dict[str, Any]) -> Any:
    loads = [f">{row['load']:.0%}" for row in facts["by_load"]]
    result = table("hours with compressors running (full-load hours), by load", ("loops", *loads))
    hours = facts["hours"] or 1
    for coolant in (plant["coolant"] for plant in facts["plants"]):
        of = [row["compressors"][coolant] for row in facts["by_load"]]
        if facts["hours"]:
            cells = [f"{c['share_of_hours'] * hours:,.0f} ({c['full_load_share'] * hours:,.0f})" for c in of]
        else:
            cells = [f"{c['share_of_hours']:.0%} ({c['full_load_share']:.0%})" for c in of]
        result.add_row(coolant, *cells)
    return result


def _months(facts: dict[str, Any]) -> Any:
    result = table("PUE by month (UTC)", ("load", *(f">{MONTHS[row['month'] - 1]}" for row in facts["by_month"])))
    result.add_row("dry bulb C", *(f"{row['dry_c']:.1f}" for row in facts["by_month"]))
    for load in (row["load"] for row in facts["by_load"]):
        result.add_row(f"{load:.0%}", *(f"{row['pue'][str(load)]:.3f}" for row in facts["by_month"]))
    return result


def _rides(facts: dict[str, Any]) -> Any:
    result = table("time until too late, at the nameplate in mild weather", ("what is lost", "what ends it", ">time"))
    power = facts["power"]
    result.add_row("the grid", "UPS batteries empty", seconds(power["ups_ride_through_s"]))
    if power["generator_start_s"] is not None:
        result.add_row("", "generators carry the load", seconds(power["generator_start_s"]))
    for plant in facts["plants"]:
        for lost, label in RIDES.items():
            if lost in plant["ride_through_s"]:
                what = "machines warmer than their limit"
                result.add_row(f"{plant['coolant']}: {label}", what, seconds(plant["ride_through_s"][lost]))
    return result


def seconds(value: float | None) -> str:
    """Seconds with two digits, minutes from two of them on; `never` where there is no end."""
    if value is None:
        return "never"
    return f"{value / 60.0:.1f} min" if value >= 120.0 else show(value, "s", 2)
