"""The tables of `merit catalog`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from meritorder.cli.output import results, table
from meritorder.units import show

_WIDE = 130  # columns of a terminal that has room for all
_SHOWN = {"flops_16": "FP16/BF16", "flops_8": "FP8 or INT8", "flops_4": "FP4", "memory": "main memory"}
_SHOWN |= {"bandwidth": "of that memory", "link": "scale-up link, one direction", "domain": "chips it joins"}
_SHOWN |= {"hop": "one pipeline stage to the next", "idle": "power, idle", "typical": "power, typical"}
_SHOWN |= {"max": "power, most", "usd_per_hour": "owner's cost without energy"}


def print_list(machines: Sequence[Mapping[str, Any]], models: Sequence[Mapping[str, Any]]) -> None:
    """One table for each kind that there is."""
    out = results()
    if machines:
        out.print(_machines_table(machines, out.width >= _WIDE))
        out.print(
            Text("~ a guess or the middle of a range; dense FLOP/s; power and USD/h of one accelerator.\n"), style="dim"
        )
    if models:
        out.print(_models_table(models, out.width >= _WIDE))
        out.print(
            Text("~ shape not published; KV: of a token in 16 bit, in layers that keep the whole context."), style="dim"
        )
    out.print(Text("`merit catalog show NAME` shows one with every figure and its source."), style="dim")


def _machines_table(machines: Sequence[Mapping[str, Any]], wide: bool) -> Any:
    columns = [
        "name",
        "kind",
        ">memory",
        ">bandwidth",
        ">PFLOP/s\n16 bit",
        ">8 bit",
        ">4 bit",
        ">most\npower",
        ">USD/h",
    ]
    if wide:
        columns += [">typical\npower", ">domain", "vendor", "coolant", "status"]
    result = table("Accelerators", columns)
    for one in machines:
        cells = [
            one["name"],
            one["family"],
            _quantity(one, "memory", "B"),
            _quantity(one, "bandwidth", "B/s"),
            *(_number(one, key, 1e15) for key in ("flops_16", "flops_8", "flops_4")),
            _quantity(one, "max", "W"),
            _number(one, "usd_per_hour", 1.0),
        ]
        if wide:
            domain = "-" if one["domain"] is None else f"{one['domain']:,.0f}"
            status = one["status"] if one["can_be_simulated"] else f"{one['status']} (can't be simulated)"
            cells += [_quantity(one, "typical", "W"), domain, one["vendor"], one["coolant"], status]
        result.add_row(*cells)
    return result


def _quantity(one: Mapping[str, Any], key: str, unit: str) -> str:
    return "-" if one[key] is None else _mark(one, key) + show(one[key], unit, 3)


def _number(one: Mapping[str, Any], key: str, scale: float) -> str:
    return "-" if one[key] is None else f"{_mark(one, key)}{float(f'{one[key] / scale:.3g}'):g}"


def _mark(one: Mapping[str, Any], key: str) -> str:
    return "~" if key in one["ranges"] else ""


def _models_table(models: Sequence[Mapping[str, Any]], wide: bool) -> Any:
    columns = ["name", ">parameters", ">active", ">KV", ">context", "kind"]
    result = table("Models", [*columns, "layers", "weights", ">size"] if wide else columns)
    for one in models:
        cells = [
            one["name"],
            ("~" if one["confidence"] == "low" else "") + billions(one["params"]),
            billions(one["active_params"]),
            show(one["kv_bytes_per_token"], "B", 3),
            f"{one['max_context']:,}",
            ", ".join(one["kinds"]),
        ]
        if wide:
            cells += [_layer_words(one), one["weights"], show(one["weight_bytes"], "B", 3)]
        result.add_row(*cells)
    return result


def _layer_words(one: Mapping[str, Any]) -> str:
    counts = [
        (one["full_layers"], "full"),
        (one["window_layers"], f"of {one['window']:,}"),
        (one["linear_layers"], "linear"),
    ]
    return " + ".join(f"{count} {word}" for count, word in counts if count)


def billions(params: float) -> str:
    """Parameters in billions, with the digits that they are known to."""
    return f"{params / 1e9:,.1f} B" if params >= 1e10 else f"{params / 1e9:.2f} B"


def print_accelerator(machine: Mapping[str, Any]) -> None:
    """One accelerator: what it is, its figures, its coefficients, what is doubtful."""
    from meritorder.catalog.facts import FACTS

    out = results()
    since = "" if machine["since"] == "none" else f", since {machine['since']}"
    out.print(Text(f"{machine['name']}: {machine['title']}", style="bold"))
    out.print(
        Text(f"{machine['family']} by {machine['vendor']}, {machine['status']}{since}; cooled by {machine['coolant']}")
    )
    if machine["missing"]:
        out.print(Text(f"Can't be simulated: nobody has published its {machine['missing']}.", style="yellow"))
    for note in machine["notes"]:
        out.print(Text(f"note: {note}", style="dim"), soft_wrap=True)
    sources: dict[str, int] = {}
    out.print()
    out.print(figures_table("Figures", machine["figures"], {**_SHOWN, **FACTS}, sources))
    if machine["coefficients"]:
        whose = ", then of ".join(machine["coefficients_of"])
        title = f"Coefficients of the cost model (docs/machines.md): those of {whose}"
        out.print()
        out.print(figures_table(title, machine["coefficients"], {}, sources))
    if machine["kernels"]:
        out.print()
        out.print(_kernels_table(machine["kernels"], sources))
    out.print()
    for source, number in sources.items():
        out.print(Text(f"[{number}] {source}", style="dim"), soft_wrap=True)


def figures_table(
    title: str, figures: Mapping[str, Mapping[str, Any]], meanings: Mapping[str, str], sources: dict[str, int]
) -> Any:
    """A table of figures; `sources` numbers those that occur."""
    result = table(title, ("figure", ">value", "confidence", "from", "what"))
    for key, figure in figures.items():
        value = figure["value"]
        span = "" if figure["low"] is None else f"{_written(figure['low'])} to {_written(figure['high'])}"
        kernel = _written(value) if isinstance(value, Mapping) else ""  # too long for a column of numbers
        what = "; ".join(part for part in (meanings.get(key, ""), kernel, span, figure["note"]) if part)
        claim = ", the vendor's claim" if figure["vendor_claim"] else ""
        source = f"{figure['source']}, {figure['date']}{claim}"
        number = sources.setdefault(source, len(sources) + 1)
        cells = (key, "" if kernel else _written(value), figure["confidence"], f"[{number}]", what)
        result.add_row(*(Text(cell) for cell in cells))
    return result


def _kernels_table(kernels: Mapping[str, Mapping[str, Any]], sources: dict[str, int]) -> Any:
    title = "Kernels measured by shape: errors on shapes left out of the fit, and the range of the measurements"
    result = table(title, ("kernel", ">rows", ">median\nerror", ">mean\nerror", "from", "range"))
    for name, kernel in kernels.items():
        number = sources.setdefault(f"{kernel['source']}, {kernel['date']}", len(sources) + 1)
        spans = [f"{axis} {low:,.0f} to {high:,.0f}" for axis, (low, high) in kernel["ranges"].items()]
        if kernel["borrowed"]:
            spans.append(f"measured on {kernel['borrowed']}")
        errors = (f"{kernel[key]:.1%}" if kernel[key] else "-" for key in ("median_error", "mean_error"))
        result.add_row(name, f"{kernel['rows']:,}", *errors, Text(f"[{number}]"), ", ".join(spans))
    return result


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int | float) and value >= 10_000 else str(value)
