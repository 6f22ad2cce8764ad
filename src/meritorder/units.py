"""Quantities with units: `"750 MW"` to SI floats and back, and the pydantic types that fleet files use."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from meritorder.problems import InputError, Problem, did_you_mean, said

# Base unit -> every unit of the same kind with its size in base units, smallest to largest where `show` picks by size.
UNITS: dict[str, dict[str, str]] = {
    "W": {"mW": "1e-3", "W": "1", "kW": "1e3", "MW": "1e6", "GW": "1e9"},
    "s": {"ns": "1e-9", "us": "1e-6", "ms": "1e-3", "s": "1", "min": "60", "h": "3600", "d": "86400"},
    "J": {"mJ": "1e-3", "J": "1", "kJ": "1e3", "MJ": "1e6", "GJ": "1e9", "Wh": "3600", "kWh": "3.6e6", "MWh": "3.6e9"},
    "B": {
        **{"B": "1", "kB": "1e3", "MB": "1e6", "GB": "1e9", "TB": "1e12", "PB": "1e15"},
        **{"KiB": "1024", "MiB": "1048576", "GiB": "1073741824", "TiB": "1099511627776"},
    },
    "B/s": {"B/s": "1", "kB/s": "1e3", "MB/s": "1e6", "GB/s": "1e9", "TB/s": "1e12", "PB/s": "1e15"},
    "FLOP/s": {"FLOP/s": "1", "GFLOP/s": "1e9", "TFLOP/s": "1e12", "PFLOP/s": "1e15", "EFLOP/s": "1e18"},
    "tok/s": {"tok/s": "1"},
    "degC": {"degC": "1"},
    "USD/h": {"USD/h": "1"},
    "USD/kWh": {"USD/MWh": "1e-3", "USD/kWh": "1"},
    "kg/kWh": {"g/kWh": "1e-3", "kg/kWh": "1"},
    "USD/kg": {"USD/t": "1e-3", "USD/kg": "1"},
    "USD/Mtok": {"USD/Mtok": "1"},
    "USD": {"USD": "1", "kUSD": "1e3", "MUSD": "1e6", "BUSD": "1e9"},
    "USD/W": {"USD/kW": "1e-3", "USD/W": "1", "MUSD/MW": "1"},
    "USD/kW-month": {"USD/kW-month": "1"},
    "USD/kWh of room": {"USD/kWh": "1"},
    "month": {"month": "1", "quarter": "3", "year": "12"},
    "kg": {"kg": "1", "t": "1e3", "kt": "1e6", "Mt": "1e9"},
}

_ALIASES = {
    **{"µs": "us", "μs": "us", "sec": "s", "hour": "h", "day": "d", "C": "degC", "°C": "degC", "tokens/s": "tok/s"},
    **{"months": "month", "quarters": "quarter", "years": "year"},
    **{"FLOPS": "FLOP/s", "GFLOPS": "GFLOP/s", "TFLOPS": "TFLOP/s", "PFLOPS": "PFLOP/s", "kg/MWh": "g/kWh"},
}

JOULES_PER_KWH = float(UNITS["J"]["kWh"])

# Units that `parse` knows but `show` leaves alone: the same size is said with another prefix.
_NEVER_SHOWN = {
    *("Wh", "kWh", "MWh", "KiB", "MiB", "GiB", "TiB", "d", "USD/MWh", "g/kWh", "USD/t"),
    *("USD/kW", "MUSD/MW", "quarter", "year"),
}

_EXAMPLES = {
    **{"W": "750 W", "s": "400 ms", "J": "3 kJ", "B": "80 GB", "B/s": "3.35 TB/s", "FLOP/s": "989 TFLOP/s"},
    **{"tok/s": "30 tok/s", "degC": "21 C", "USD/h": "2.5 USD/h", "USD/kWh": "0.08 USD/kWh"},
    **{"kg/kWh": "380 g/kWh", "USD/kg": "0.1 USD/kg", "USD/Mtok": "3 USD/Mtok"},
    **{"USD": "2 MUSD", "USD/W": "12 MUSD/MW", "USD/kW-month": "200 USD/kW-month", "month": "9 months", "kg": "5 kt"},
    "USD/kWh of room": "250 USD/kWh",
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*", re.ASCII | re.DOTALL)


def parse(value: str | float, unit: str) -> float:
    """`value` in `unit`, one of the keys of `UNITS`: `parse("750 MW", "W")` is 7.5e8.

    With `unit=""` the thing is dimensionless. A bare number is taken there, and where it is 0.
    Raises InputError that says what the right form is.
    """
    try:
        return _parse(value, unit, bare=unit == "")
    except _NotAQuantity as error:
        raise InputError(Problem(error.what, fix=error.fix)) from None


def show(value: float, unit: str, digits: int | None = None) -> str:
    """The value with the prefix that reads best: `show(7.5e8, "W")` is `"750 MW"`.

    Exact (`parse` gives the same float back) unless `digits` asks for so many significant digits.
    """
    sizes = {name: Decimal(size) for name, size in UNITS[unit].items() if name not in _NEVER_SHOWN}
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = value if digits is None else float(f"{value:.{digits}g}")
    exact = Decimal(repr(rounded))
    fitting = [name for name, size in sizes.items() if abs(exact) >= size] or [next(iter(sizes))]
    for name in (fitting[-1], unit):
        text = f"{_plain(exact / sizes[name])} {name}"
        if _parse(text, unit, bare=False) == rounded:
            return text
    return f"{rounded!r} {unit}"


class _NotAQuantity(ValueError):
    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def _plain(number: Decimal) -> str:
    text = f"{number.normalize():f}"
    return text if len(text) <= 16 else f"{number.normalize():e}"


def _parse(value: object, unit: str, bare: bool) -> float:
    """`parse`, where `bare` lets a number without unit stand for itself."""
    example = f"write for example {_EXAMPLES[unit]}" if unit else "write a number"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _NotAQuantity(f"is {said(value)}, not a quantity", example)
    match = _QUANTITY.fullmatch(value if isinstance(value, str) else repr(value))
    if match is None:
        raise _NotAQuantity(f"is {said(value)}, not a quantity", example)
    number, name = match.groups()
    sizes = UNITS.get(unit, {})
    name = _ALIASES.get(name, name)
    if not name:
        size = "1"
        if not bare and float(number) != 0:
            raise _NotAQuantity(f"is {number} without a unit", f"give the unit too, for example {_EXAMPLES[unit]}")
    elif name in sizes:
        size = sizes[name]
    elif not sizes:
        raise _NotAQuantity(f'has the unit "{name}" but is a plain number', f"write {number}")
    else:
        raise _NotAQuantity(f'has the unit "{name[:40]}", which is not one for {unit}', did_you_mean(name, sizes))
    try:
        result = float(Decimal(number) * Decimal(size))
    except ArithmeticError:
        result = math.inf
    if not math.isfinite(result):
        raise _NotAQuantity(f"is {said(value)}, beyond what a number can hold", example)
    return result


# Validation context of files: there a quantity must carry its unit. Python code gives SI floats.
FROM_FILE: dict[str, Any] = {"units": "required"}


def _quantity(unit: str, *, minimum: float | None = 0.0, named: bool = False) -> tuple[Any, ...]:
    """Pydantic annotations of a quantity; `named`: the key says the unit (`usd_per_kwh`), a bare number will do."""

    def read(value: object, info: ValidationInfo) -> object:
        bare = named or not (info.context or {}).get("units")
        try:
            result = _parse(value, unit, bare)
            if minimum is not None and result < minimum:
                raise _NotAQuantity(f"is {said(value)}", f"give {minimum:g} {unit} or more")
        except _NotAQuantity as error:
            raise PydanticCustomError("quantity", "{what}", {"what": error.what, "fix": error.fix}) from None
        return result

    names = "|".join(re.escape(name) for name in (*UNITS[unit], *(a for a, n in _ALIASES.items() if n in UNITS[unit])))
    text = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({names})\s*$", "examples": [_EXAMPLES[unit]]}
    number: dict[str, Any] = {"type": "number"} if named else {"const": 0}
    if named and minimum is not None:
        number["minimum"] = minimum
    return (
        BeforeValidator(read),
        PlainSerializer(lambda value: show(value, unit), return_type=str, when_used="json"),
        WithJsonSchema({"anyOf": [text, number]}),
    )


Watts: TypeAlias = Annotated[float, *_quantity("W")]
Seconds: TypeAlias = Annotated[float, *_quantity("s")]
Bytes: TypeAlias = Annotated[float, *_quantity("B")]
BytesPerSecond: TypeAlias = Annotated[float, *_quantity("B/s")]
FlopPerSecond: TypeAlias = Annotated[float, *_quantity("FLOP/s")]
Joules: TypeAlias = Annotated[float, *_quantity("J")]
TokensPerSecond: TypeAlias = Annotated[float, *_quantity("tok/s")]
Celsius: TypeAlias = Annotated[float, *_quantity("degC", minimum=-273.15)]
UsdPerHour: TypeAlias = Annotated[float, *_quantity("USD/h", named=True)]
UsdPerKwh: TypeAlias = Annotated[float, *_quantity("USD/kWh", named=True)]
PriceLimit: TypeAlias = Annotated[float, *_quantity("USD/kWh", minimum=None)]
CarbonLimit: TypeAlias = Annotated[float, *_quantity("kg/kWh")]
KgPerKwh: TypeAlias = Annotated[float, *_quantity("kg/kWh", named=True)]
UsdPerKg: TypeAlias = Annotated[float, *_quantity("USD/kg", named=True)]
UsdPerMtok: TypeAlias = Annotated[float, *_quantity("USD/Mtok", named=True)]
Usd: TypeAlias = Annotated[float, *_quantity("USD")]
UsdPerWatt: TypeAlias = Annotated[float, *_quantity("USD/W")]
UsdPerKwMonth: TypeAlias = Annotated[float, *_quantity("USD/kW-month")]
UsdPerKwhOfRoom: TypeAlias = Annotated[float, *_quantity("USD/kWh of room")]
Months: TypeAlias = Annotated[float, *_quantity("month")]
Kilograms: TypeAlias = Annotated[float, *_quantity("kg")]
