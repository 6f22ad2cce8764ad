"""Quantities: exact round trips, and clear words for what is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from meritorder.problems import InputError
from meritorder.units import FROM_FILE, UNITS, Celsius, Seconds, UsdPerKwh, Watts, parse, show

KINDS = st.sampled_from(sorted(UNITS))
FINITE = st.floats(allow_nan=False, allow_infinity=False)


class Machine(BaseModel):
    power: Watts = 0.0
    delay: Seconds = 0.0
    usd_per_kwh: UsdPerKwh = 0.0
    inlet: Celsius = 20.0


@given(FINITE, KINDS)
def test_what_is_shown_is_read_back_exactly(value: float, unit: str) -> None:
    assert parse(show(value, unit), unit) == value


@given(FINITE.filter(lambda v: 1e-200 < abs(v) < 1e200), KINDS, st.integers(1, 6))
def test_digits_round_to_so_many(value: float, unit: str, digits: int) -> None:
    assert parse(show(value, unit, digits), unit) == float(f"{value:.{digits}g}")


@given(st.integers(1, 10**6), KINDS, st.data())
def test_every_unit_has_its_size(number: int, unit: str, data: st.DataObject) -> None:
    name, size = data.draw(st.sampled_from(sorted(UNITS[unit].items())))
    assert math.isclose(parse(f"{number} {name}", unit), number * float(size), rel_tol=1e-15)


@given(st.one_of(st.text(), FINITE, st.integers(), st.none(), st.booleans(), st.lists(st.text())), KINDS)
def test_anything_is_a_number_or_a_problem(value: object, unit: str) -> None:
    try:
        number = parse(value, unit)  # type: ignore[arg-type]
    except InputError as error:
        told = error
    else:
        assert math.isfinite(number)
        return
    assert len(told.problems) == 1
    assert told.problems[0].fix


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("750 MW", "W", 7.5e8),
        ("400ms", "s", 0.4),
        ("5 µs", "s", 5e-6),
        ("3.35 TB/s", "B/s", 3.35e12),
        ("989 TFLOP/s", "FLOP/s", 9.89e14),
        ("80 GiB", "B", 80 * 2**30),
        ("55.9 USD/MWh", "USD/kWh", 0.0559),
        ("317 g/kWh", "kg/kWh", 0.317),
        ("80 USD/t", "USD/kg", 0.08),
        ("21 C", "degC", 21.0),
        ("1.5 h", "s", 5400.0),
        (0, "W", 0.0),
        ("0.95", "", 0.95),
    ],
)
def test_known_quantities(text: str | float, unit: str, value: float) -> None:
    assert parse(text, unit) == value


@pytest.mark.parametrize(
    ("value", "unit", "what", "fix"),
    [
        (750, "W", "is 750 without a unit", "750 W"),
        ("5 mw", "W", 'has the unit "mw"', 'did you mean "MW"?'),
        ("3 GB", "s", 'has the unit "GB"', "known: d, h, min, ms, ns, s, us"),
        ("fast", "tok/s", 'is "fast", not a quantity', "30 tok/s"),
        (None, "s", "is empty", "400 ms"),
        (True, "s", "is true", "400 ms"),
        ("1e999 W", "W", "beyond what a number can hold", "750 W"),
        ("nan W", "W", 'is "nan W", not a quantity', "750 W"),
        (float("inf"), "W", "is inf", "750 W"),
        ("3 kg", "", 'has the unit "kg" but is a plain number', "write 3"),
    ],
)
def test_what_is_no_quantity(value: object, unit: str, what: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(value, unit)  # type: ignore[arg-type]
    assert what in caught.value.problems[0].what
    assert fix in caught.value.problems[0].fix


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(7.5e8, "W", "750 MW"), (0.4, "s", "400 ms"), (1.4e11, "B", "140 GB"), (0.0, "s", "0 s"), (90.0, "s", "1.5 min")],
)
def test_shown_with_the_prefix_that_reads_best(value: float, unit: str, shown: str) -> None:
    assert show(value, unit) == shown


def test_python_gives_si_floats_but_files_must_say_the_unit() -> None:
    assert Machine(power=700.0).power == 700.0
    with pytest.raises(ValidationError, match="without a unit"):
        Machine.model_validate({"power": 700}, context=FROM_FILE)
    assert Machine.model_validate({"power": "0.7 kW"}, context=FROM_FILE).power == 700.0


def test_a_key_that_says_its_unit_takes_a_bare_number() -> None:
    assert Machine.model_validate({"usd_per_kwh": 0.08}, context=FROM_FILE).usd_per_kwh == 0.08
    assert Machine.model_validate({"usd_per_kwh": "80 USD/MWh"}, context=FROM_FILE).usd_per_kwh == 0.08


@pytest.mark.parametrize("bad", [{"power": "-1 W"}, {"delay": -0.5}, {"inlet": "-300 C"}])
def test_less_than_nothing_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="is"):
        Machine.model_validate(bad)
    assert Machine.model_validate({"inlet": "-5 C"}, context=FROM_FILE).inlet == -5.0


def test_json_carries_units_and_can_be_read_as_a_file() -> None:
    machine = Machine(power=700.0, delay=0.25, usd_per_kwh=0.0559, inlet=21.0)
    assert '"power":"700 W"' in machine.model_dump_json()
    assert Machine.model_validate_json(machine.model_dump_json(), context=FROM_FILE) == machine
