"""What `merit simulate` prints of sites: power and its limits, PUE, footprints, and what was done to keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.simulate.store import Run


def print_sites(runs: list[Run]) -> None:
    """Tables of sites and of footprints, then sentences on limits, levers and faults; nothing without a site model."""
    from rich.text import Text

    from meritorder.cli.output import results
    from meritorder.report.site_words import downtime_lines, fate_lines, lever_lines, limit_lines

    out = results()
    if any(run.summary["sites"] for run in runs):
        out.print("", _sites(runs), "", _footprints(runs))
    for run in runs:
        head = f"{run.name}: " if len(runs) > 1 else ""
        for line in (*limit_lines(run), *lever_lines(run), *downtime_lines(run), *fate_lines(run)):
            out.print(Text(f"{head}{line}"), soft_wrap=True)


def _sites(runs: list[Run]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    columns = (">IT power\nmean", ">\npeak", ">grid power\npeak", ">PUE", ">compressors\nair", ">\n21 C", ">\n45 C")
    shown = table("Sites", ("policy", "site", *columns, ">water", ">energy\nUSD", ">kg CO2"))
    for run in runs:
        for name, site in run.summary["sites"].items():
            work = [site["compressors"].get(key) for key in ("air", "liquid-21c", "liquid-45c")]
            shown.add_row(
                run.name,
                name,
                text.watts(site["it_mean_w"]),
                text.watts(site["it_peak_bin_w"]),
                text.watts(site["grid_peak_w"]),
                text.number(site["pue"]),
                *("-" if part is None else text.seconds(part["on_s"]) for part in work),
                text.number(site["water_l"], "L"),
                text.number(site["energy_usd"]),
                text.number(site["carbon_kg"]),
            )
    return shown


def _footprints(runs: list[Run]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    columns = (">J\nat the machines", ">J\nof the facility", ">g CO2", ">L water", ">available", ">held", ">lost")
    shown = table("By service, per 1,000 output tokens", ("policy", "service", *columns))
    for run in runs:
        for name in run.services:
            row: dict[str, Any] = run.summary["by_service"][name]
            shown.add_row(
                run.name,
                name,
                *(text.number(row[key]) for key in ("it_j_per_ktok", "j_per_ktok", "gco2_per_ktok", "l_per_ktok")),
                text.share(row["availability"]),
                text.count(row["held"]["requests"]),
                text.count(row["lost"]),
            )
    return shown
