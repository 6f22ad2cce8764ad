"""Numbers as people read them, and text made safe for HTML."""

from __future__ import annotations

from html import escape
from typing import Any

NONE = "–"


_TIMES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (0.0, "µs"))


def seconds(value: float | None) -> str:
    """`12.3 ms`, `95.0 s`, `12.0 min`: in the multiple that keeps the number readable."""
    if value is None or value == 0:
        return NONE if value is None else "0 s"
    # Below two minutes and two hours people read the smaller unit more easily.
    size, unit = next((s, u) for s, u in _TIMES if abs(value) >= s * (2 if s > 1 else 1))
    return number(value / (size or 1e-6), unit)


def share(value: float | None) -> str:
    """`83.0%`; never rounded up to 100%: that is only said of all."""
    if value is None:
        return NONE
    if value < 1 and round(value, 4) >= 0.9995:
        return "> 99.9%" if value < 0.9999 else "> 99.99%"
    return f"{value:.1%}"


def count(value: float | None) -> str:
    """`12,051`."""
    return NONE if value is None else f"{value:,.0f}"


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits, thousands grouped, with the unit after it."""
    if value is None:
        return NONE
    size = abs(value)
    digits = 0 if size >= 100 or value == 0 else 1 if size >= 10 else 2
    text = f"{value:,.{digits}f}" if size >= 0.01 or value == 0 else f"{value:.2g}"
    return f"{text} {unit}".rstrip()


def watts(value: float | None) -> str:
    """`5.43 kW`."""
    return _multiple(value, "W")


def energy(joules: float | None) -> str:
    """Watt-hours in the multiple that fits: `10.9 kWh`."""
    return _multiple(None if joules is None else joules / 3600.0, "Wh")


def _multiple(value: float | None, unit: str) -> str:
    if value is None:
        return NONE
    size, prefix = next((pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= pair[0]), (1.0, ""))
    return number(value / size, prefix + unit)


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    size = abs(value) * 100
    text = f"{size:.1f}" if size >= 0.1 else f"{size:.2f}"
    return f"{text} percentage points"


def of_unit(value: float | None, unit: str) -> str:
    """A value of a comparison in its unit (see `simulate.compare.Metric`)."""
    if unit == "s":
        return seconds(value)
    if unit == "share":
        return share(value)
    if unit == "W":
        return watts(value)
    if unit == "Wh":  # told in joules
        return energy(value)
    if unit == "x":
        return number(value)
    return number(value, unit) if unit else count(value)


def change(difference: dict[str, Any], row: dict[str, Any]) -> tuple[str, str]:
    """A row's difference to the first run (see `simulate.compare.compare`) as a sign and words.

    Signs: ✓ better, ✗ worse, ≈ chance could explain it, = none; nothing where neither direction is better.
    """
    delta, relative = difference["delta"], difference["relative"]
    if delta is None:
        return "", ""
    if delta == 0:
        return "=", ""
    if row["unit"] == "share":
        words = f"{100 * delta:+.2f} points"
    else:
        words = "" if relative is None else f"{relative:+.1%}" if abs(relative) < 10 else f"{relative:+,.0%}"
    words = words.replace("-", "−")
    if difference["distinguishable"] is False:
        return "≈", words
    if not row["better"]:
        return "", words
    return ("✓" if (delta < 0) == (row["better"] == "lower") else "✗"), words


def safe(value: object) -> str:
    """Text for HTML and for quoted attributes."""
    return escape(str(value), quote=True)
