"""The series that a site of a fleet names: files, or climates and grids of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from meritorder.catalog.climates import climates, grids
from meritorder.facility.surroundings.carbon import read_carbon
from meritorder.facility.surroundings.catalog import carbon_series, climate_series, price_series
from meritorder.facility.surroundings.price import read_prices
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.weather import read_weather
from meritorder.fleet.site import Site
from meritorder.fleet.surroundings import is_file


class Surroundings(NamedTuple):
    """What is known by the hour; None: nothing, constants hold."""

    weather: Series | None  # dry bulb C, vapour pressure Pa, pressure Pa
    price: Series | None  # USD/kWh
    carbon: Series | None  # kg/kWh


def surroundings_of(site: Site) -> Surroundings:
    """Read all that the site names. Raises InputError with file and line."""
    return Surroundings(_weather(site.weather), _price(site), _carbon(site))


def _weather(named: str) -> Series | None:
    if not named:
        return None
    return read_weather(Path(named)) if is_file(named) else climate_series(named, climates()[named])


def _price(site: Site) -> Series | None:
    if not site.price:
        return None
    if is_file(site.price):
        return read_prices(Path(site.price), site.exchange_rate)
    return price_series(site.price, grids()[site.price])


def _carbon(site: Site) -> Series | None:
    if not site.carbon:
        return None
    if is_file(site.carbon):
        return read_carbon(Path(site.carbon), site.carbon_scope)
    return carbon_series(site.carbon, grids()[site.carbon])
