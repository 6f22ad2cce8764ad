"""Ranges of machines: read from the catalog, moved together, dropped where a figure is given."""

import pytest
from pydantic import ValidationError

from meritorder.catalog.load import accelerators, figures
from meritorder.catalog.ranges import LESS, MORE, ends, leans_on_ranges, span
from meritorder.fleet.load import loads

FLEET = """
sites: {home: {usd_per_kwh: 0.1, kg_per_kwh: 0.1}}
accelerators: {mine: {base: cs-3, idle: 10 kW, wafer: {decode_slot: 2}}}
pools: {fast: {site: home, accelerator: mine, model: llama-3.1-8b, replicas: 1}}
services: {chat: {model: llama-3.1-8b}}
"""


def test_every_range_of_the_catalog_is_on_its_machine():
    for name, chip in accelerators().items():
        written = {key for key, figure in figures(name).items() if figure.low is not None}
        assert set(chip.ranges) == {key for key in written if key in MORE | LESS}


def test_spans_are_read_with_their_units():
    kilowatts = span("8 kW", "20 kW")
    assert (kilowatts.low, kilowatts.high) == (8e3, 20e3)
    assert accelerators()["cs-3"].ranges["idle"] == kilowatts
    assert span(0.2, 5).high == 5.0


def test_the_ends_move_all_ranges_together():
    bad, good = ends(accelerators()["cs-3"])
    assert (bad.wafer.decode_slot, good.wafer.decode_slot) == (5.0, 0.2)
    assert bad.wafer.sram < good.wafer.sram
    assert bad.wafer.compute < good.wafer.compute
    assert bad.idle > good.idle
    assert bad.usd_per_hour > good.usd_per_hour


@pytest.mark.parametrize("name", sorted(accelerators()))
def test_powers_keep_their_order_at_both_ends(name):
    for chip in ends(accelerators()[name]):
        assert chip.idle <= chip.typical <= chip.max


def test_only_speed_and_room_make_a_machine_uncertain():
    assert leans_on_ranges(accelerators()["cs-3"])
    assert not leans_on_ranges(accelerators()["h100"])


def test_a_figure_that_is_given_is_no_range():
    ranges = loads(FLEET).accelerators["mine"].ranges
    assert "idle" not in ranges
    assert "wafer.decode_slot" not in ranges
    assert {"wafer.sram", "wafer.compute"} <= set(ranges)


def test_a_range_without_effect_is_refused():
    chip = accelerators()["h100"]
    with pytest.raises(ValidationError, match="there can be no range of title"):
        type(chip).model_validate(chip.model_dump() | {"ranges": {"title": {"low": 1, "high": 2}}})
    with pytest.raises(ValidationError, match="low 3 is more than high 2"):
        span(3, 2)
