"""`sites.parquet` and `deeds.parquet` of a run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from meritorder.facility.state import FACILITY_SERIES
from meritorder.simulate.site_series import Deed, SiteSeries

SITES_FILE, DEEDS_FILE = "sites.parquet", "deeds.parquet"
NO_SITES = SiteSeries({}, 0.0)


def write_sites(series: SiteSeries, sites: Sequence[str], folder: Path) -> None:
    """A row per site and bin; nothing without a site model. `pue` is facility over IT energy of the bin."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not series.values:
        return
    count, bins = series.values["seconds"].shape
    columns = {
        "time_s": np.tile(np.arange(bins) * series.bin_s, count),
        "site": pa.DictionaryArray.from_arrays(np.repeat(np.arange(count, dtype=np.int32), bins), pa.array(sites)),
        **{name: values.ravel() for name, values in series.values.items()},
        "pue": series.ratio("facility_j", "it_j").ravel(),
    }
    table = pa.table(columns).replace_schema_metadata({"bin_s": repr(series.bin_s)})
    pq.write_table(table, folder / SITES_FILE, compression="zstd", use_dictionary=["site"])


def read_sites(folder: Path, sites: int) -> SiteSeries:
    """Read back what `write_sites` wrote; empty where there is no such file."""
    import pyarrow.parquet as pq

    if not (folder / SITES_FILE).is_file():
        return NO_SITES
    table = pq.read_table(folder / SITES_FILE)
    values = {name: table[name].to_numpy().reshape(sites, -1) for name in FACILITY_SERIES}
    return SiteSeries(values, float(table.schema.metadata[b"bin_s"]))


def write_deeds(done: Sequence[Deed], folder: Path) -> None:
    """A row for each use of a lever; nothing where there were none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if done:
        columns = {field.name: [getattr(deed, field.name) for deed in done] for field in fields(Deed)}
        pq.write_table(pa.table(columns), folder / DEEDS_FILE, compression="zstd")


def read_deeds(folder: Path) -> tuple[Deed, ...]:
    """Read back what `write_deeds` wrote."""
    import pyarrow.parquet as pq

    if not (folder / DEEDS_FILE).is_file():
        return ()
    return tuple(Deed(**row) for row in pq.read_table(folder / DEEDS_FILE).to_pylist())
