"""Fit the catalog's climates and grids: `python -m scripts.fit_climates ../shared/environment`.

Writes src/meritorder/catalog/data/climates.yaml. Weather of cities: Open-Meteo 2023 (CC BY 4.0); of airports: NREL TMY3
(US Government). Prices: market operators by way of sustain-cluster (MIT). Carbon: Electricity Maps (ODbL), of which
only means by month, quarter and hour are kept. Prints quantiles of the year and of the fitted one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from meritorder.catalog.climates import DAMP, HOURS, WARM, Climate, harmonics, spells, weather
from meritorder.facility.psychro import dew_point, humidity_ratio, saturation_pressure, standard_pressure, wet_bulb
from meritorder.facility.surroundings.carbon import read_carbon
from meritorder.facility.surroundings.price import read_prices
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.weather import read_weather
from meritorder.files import write_text

Floats = npt.NDArray[np.float64]

OUT = Path(__file__).parent.parent / "src/meritorder/catalog/data/climates.yaml"
YEAR_2001 = 978_307_200
PHASES = 200

OPEN_METEO, TMY3 = "open-meteo-2023", "nrel-tmy3"
# name: title, file, source, elevation m, hours from UTC (standard time)
PLACES = {
    "dallas": ("Dallas, Texas", "weather_US-TEX-ERCO_2023.csv.gz", OPEN_METEO, 142, -6),
    "philadelphia": ("Philadelphia, Pennsylvania", "weather_US-MIDA-PJM_2023.csv.gz", OPEN_METEO, 23, -5),
    "san-jose": ("San Jose, California", "weather_US-CAL-CISO_2023.csv.gz", OPEN_METEO, 7, -8),
    "toronto": ("Toronto, Ontario", "weather_CA-ON_2023.csv.gz", OPEN_METEO, 180, -5),
    "frankfurt": ("Frankfurt, Germany", "weather_DE-LU_2023.csv.gz", OPEN_METEO, 111, 1),
    "singapore": ("Singapore", "weather_SG_2023.csv.gz", OPEN_METEO, 19, 8),
    "denver": (
        "Denver-Aurora, Colorado",
        "USA_CO_Aurora-Buckley.Field.ANGB.724695_TMY3.epw.gz",
        TMY3,
        1726,
        -7,
    ),
    "chicago": ("Chicago O'Hare, Illinois", "USA_IL_Chicago-OHare.Intl.AP.725300_TMY3.epw.gz", TMY3, 201, -6),
    "tucson": ("Tucson, Arizona", "USA_AZ_Davis-Monthan.AFB.722745_TMY3.epw.gz", TMY3, 809, -7),
    "port-angeles": (
        "Port Angeles, Washington",
        "USA_WA_Port.Angeles-William.R.Fairchild.Intl.AP.727885_TMY3.epw.gz",
        TMY3,
        91,
        -8,
    ),
}
GRIDS = {
    "ercot": ("ERCOT, Texas", "US-TEX-ERCO"),
    "pjm": ("PJM, eastern United States", "US-MIDA-PJM"),
    "caiso": ("CAISO, California", "US-CAL-CISO"),
    "ontario": ("IESO, Ontario", "CA-ON"),
    "germany": ("Germany and Luxembourg (day ahead)", "DE-LU"),
    "singapore": ("Singapore (USEP)", "SG"),
}
SOURCES = {
    OPEN_METEO: {
        "title": "Open-Meteo historical weather 2023, CC BY 4.0, by way of HewlettPackard/sustain-cluster",
        "date": "2023",
    },
    TMY3: {"title": "NREL TMY3 (2008), US Government data", "date": "2008"},
    "prices-2023": {
        "title": "market operators, GridStatus and ENTSO-E 2023 at fixed exchange rates, by way of "
        "HewlettPackard/sustain-cluster (MIT)",
        "date": "2023",
    },
    "electricity-maps-2023": {
        "title": "Electricity Maps 2023, direct emissions, ODbL 1.0 (means only), by way of "
        "HewlettPackard/sustain-cluster",
        "date": "2023",
    },
}
QUANTILES = (1, 50, 99, 99.6, 100)


def hourly(series: Series) -> Floats:
    """Dry bulb, vapour pressure and pressure of the hours of a typical year [8760, 3]."""
    moments = YEAR_2001 + 3600 * np.arange(HOURS)
    return series.at(moments, YEAR_2001, linear=True)


def fit_climate(name: str, year: Floats) -> dict[str, Any]:
    """The entry of a place from its hours."""
    title, _, source, elevation, offset = PLACES[name]
    dry, dew = year[:, 0], dew_point(year[:, 1])
    hours = np.arange(HOURS)
    slow, daily = harmonics(hours / HOURS, 2), harmonics((hours % 24) / 24.0, 2)
    season = slow[:, :3]
    basis = np.einsum("ha,hb->hab", slow, daily).reshape(HOURS, -1)
    dry_mean, dew_mean = (np.linalg.lstsq(basis, values, rcond=None)[0] for values in (dry, dew))
    dry_left, dew_left = dry - basis @ dry_mean, dew - basis @ dew_mean
    slope = np.linalg.lstsq(season * dry_left[:, None], dew_left, rcond=None)[0]
    dew_own = dew_left - (season @ slope) * dry_left
    arrays = {
        "dry": dry_mean.reshape(5, 5),
        "dew": dew_mean.reshape(5, 5),
        "warm": _deviation(season, dry_left),
        "dew_per_dry": slope,
        "damp": _deviation(season, dew_own),
    }
    arrays = {key: np.round(values, 3) for key, values in arrays.items()}
    real = quantiles(dry, wet(dry, year[:, 1], elevation))
    best: tuple[float, int, dict[str, dict[str, float]]] | None = None
    for phase in range(PHASES):
        made = Climate(title, source, elevation, offset, **arrays, phase=phase, check={})
        made_dry, made_dew = weather(made)
        fitted = quantiles(made_dry, wet(made_dry, saturation_pressure(made_dew), elevation))
        far = sum((fitted[kind][key] - value) ** 2 for kind, of in real.items() for key, value in of.items())
        if best is None or far < best[0]:
            best = far, phase, fitted
    assert best is not None
    return {
        "title": title,
        "source": source,
        "elevation_m": elevation,
        "utc_offset_h": offset,
        **{key: values.tolist() for key, values in arrays.items()},
        "phase": best[1],
        "check": {"real": _flat(real), "fitted": _flat(best[2])},
    }


def wet(dry: Floats, vapour: Floats, elevation: float) -> Floats:
    """Wet bulb at the standard pressure of the place."""
    pressure = np.full(len(dry), standard_pressure(elevation))
    return wet_bulb(dry, humidity_ratio(vapour, pressure), pressure)


def quantiles(dry: Floats, wet_c: Floats) -> dict[str, dict[str, float]]:
    """What sizing and energy of cooling depend on."""
    return {
        kind: {f"p{q:g}": float(np.percentile(values, q)) for q in QUANTILES}
        for kind, values in (("dry", dry), ("wet", wet_c))
    }


def _flat(found: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{kind}_{key}": round(value, 1) for kind, of in found.items() for key, value in of.items()}


def _deviation(season: Floats, left: Floats) -> Floats:
    """Standard deviation over the year, harmonic, from the mean size of departures (normal: sqrt(pi / 2) of it)."""
    size: Floats = np.linalg.lstsq(season, np.abs(left) * np.sqrt(np.pi / 2), rcond=None)[0]
    return size


def fit_grid(name: str, price: Series, carbon: Series) -> dict[str, Any]:
    """The entry of a grid."""
    moments = 1_672_531_200 + 3600 * np.arange(HOURS)  # 2023
    entry: dict[str, Any] = {"title": GRIDS[name][0], "sources": ["prices-2023", "electricity-maps-2023"]}
    ends = np.cumsum((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)) * 24
    month, hour = np.searchsorted(ends, np.arange(HOURS), side="right"), np.arange(HOURS) % 24
    for key, series, digits in (("usd_per_mwh", price, 1), ("g_per_kwh", carbon, 0)):
        values = 1e3 * series.at(moments, int(moments[-1]), linear=False)[:, 0]
        months = np.array([values[month == m].mean() for m in range(12)])
        profile = np.empty((4, 24))
        for quarter, at in np.ndindex(4, 24):
            cell = (month // 3 == quarter) & (hour == at)
            profile[quarter, at] = values[cell].sum() / months[month[cell]].sum()
        entry[f"{key}_by_month"] = np.round(months, digits).tolist()
        entry[f"{key.partition('_')[0]}_by_hour"] = np.round(profile, 3).tolist()
    return entry


def main() -> None:
    """Fit, write, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the weather, price and carbon files")
    parser.add_argument("--report", action="store_true", help="print real and fitted quantiles, write nothing")
    asked = parser.parse_args()
    assert len(spells(WARM, 0)) == len(spells(DAMP, 0)) == HOURS
    places = {name: fit_climate(name, hourly(read_weather(asked.folder / entry[1]))) for name, entry in PLACES.items()}
    for name, entry in places.items():
        print(f"{name:14} real   {entry['check']['real']}\n{'':14} fitted {entry['check']['fitted']}")
    grids = {
        name: fit_grid(
            name,
            read_prices(asked.folder / f"price_{zone}_2023.csv.gz"),
            read_carbon(asked.folder / f"carbon_{zone}_2023.csv.gz"),
        )
        for name, (_, zone) in GRIDS.items()
    }
    if asked.report:
        return
    head = "# Written by scripts/fit_climates.py: climates (weather) and grids (price and carbon) of the catalog.\n"
    found = {"sources": SOURCES, "climates": places, "grids": grids}
    write_text(OUT, head + yaml.safe_dump(found, sort_keys=False, width=119, default_flow_style=None))


if __name__ == "__main__":
    main()
