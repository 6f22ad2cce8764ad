"""Tables of sites and of what services took, lost and waited for."""

from __future__ import annotations

from meritorder.report.site_words import downtime_lines, fate_lines, lever_lines, limit_lines
from meritorder.report.tables import table
from meritorder.report.text import count, energy, number, safe, seconds, share, watts
from meritorder.simulate.store import Run


def site_model_table(run: Run) -> str:
    """Energy, peaks, PUE, compressors and water of every site."""
    rows = []
    for name, site in run.summary["sites"].items():
        low, high = (number((site["pue_hours"] or {}).get(key)) for key in ("low", "high"))
        work = [site["compressors"].get(key) for key in ("air", "liquid-21c", "liquid-45c")]
        rows.append(
            [
                safe(name),
                energy(site["it_energy_j"]),
                energy(site["facility_energy_j"]),
                watts(site["it_peak_bin_w"]),
                watts(site["grid_peak_w"]),
                f"{watts(60.0 * site['grid_ramp_w_per_s'])} a minute",
                f"{number(site['pue'])} <small>{low} to {high}</small>",
                *("–" if part is None else _compressor(part) for part in work),
                number(site["water_l"], "L"),
                number(site["energy_usd"], "USD"),
                number(site["carbon_kg"], "kg"),
            ]
        )
    columns = ["Site", ">IT energy", ">Facility energy", ">Peak IT power", ">Peak grid power", ">Steepest rise", ">PUE"]
    columns += [">Compressors, air", ">21 C", ">45 C", ">Water", ">Energy", ">CO2"]
    caption = "Sites: PUE of the run, and from its 5th to its 95th percentile; time with compressors on, by coolant."
    return table(caption, columns, rows)


def _compressor(part: dict[str, float]) -> str:
    return f"{seconds(part['on_s'])} <small>as {seconds(part['full_load_s'])} at full load</small>"


def footprint_table(run: Run) -> str:
    """What a thousand output tokens of each service took, and how available it was."""
    rows = []
    for name in run.services:
        row = run.summary["by_service"][name]
        rows.append(
            [
                safe(name),
                *(number(row[key]) for key in ("it_j_per_ktok", "j_per_ktok", "gco2_per_ktok", "l_per_ktok")),
                share(row["availability"]),
                count(row["lost"]),
                count(row["sent_anew"]),
                count(row["held"]["requests"]),
                seconds(row["held"]["held_s"]["p50"]),
            ]
        )
    columns = ["Service", ">J, machines", ">J, facility", ">g CO2", ">L water"]
    columns += [">Available", ">Lost", ">Sent anew", ">Held", ">Held for, median"]
    caption = (
        "Per 1,000 output tokens. What a pool takes, idle power included, is shared by the joules of the prompt and "
        "output tokens that it computed for each service. Available: neither lost nor refused for want of power or "
        "machines."
    )
    return table(caption, columns, rows)


def lines_list(run: Run) -> str:
    """What limited sites, what was done, what became of requests, as a list; nothing where nothing happened."""
    lines = [*limit_lines(run), *lever_lines(run), *downtime_lines(run), *fate_lines(run)]
    return f"<ul>{''.join(f'<li>{safe(line)}</li>' for line in lines)}</ul>" if lines else ""
