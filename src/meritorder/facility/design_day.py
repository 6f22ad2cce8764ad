"""The weather that a building is made for: a whole year of its place, without heat waves that a scenario adds."""

from __future__ import annotations

import numpy as np

from meritorder.facility.psychro import humidity_ratio, wet_bulb
from meritorder.facility.state import HOUR
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.site import surroundings_of
from meritorder.fleet.site import Site
from meritorder.records import Records, records

# Where nothing is known of the weather: what 0.4 % of hours exceed in warm temperate places (ASHRAE climate zone 4A).
UNKNOWN_DRY_C, UNKNOWN_WET_C = 35.0, 25.0


def design_weather(site: Site) -> Records:
    """Dry and wet bulb (records of HOUR, prices 0) of the site's year. Raises InputError where its file is bad."""
    weather = surroundings_of(site).weather
    if weather is None:
        hours = records(1, HOUR)
        hours.dry_c[:], hours.wet_c[:] = UNKNOWN_DRY_C, UNKNOWN_WET_C
        return hours
    return hours_of_series(weather)


def hours_of_series(weather: Series) -> Records:
    """Dry and wet bulb of a whole series of weather."""
    dry, vapour, pressure = weather.values.T
    hours = records(len(dry), HOUR)
    hours.dry_c[:] = dry
    hours.wet_c[:] = np.minimum(dry, wet_bulb(dry, humidity_ratio(vapour, pressure), pressure))
    return hours
