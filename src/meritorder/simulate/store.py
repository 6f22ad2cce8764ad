"""A run on disk: a folder of Parquet and JSON that any tool can read, written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.reasons import REASONS
from meritorder.problems import InputError, Problem
from meritorder.simulate.columns import NUMBERS, Columns, columns
from meritorder.simulate.faults.causes import CAUSES
from meritorder.simulate.folder import replacing_folder
from meritorder.simulate.result import SERIES, Result, Status
from meritorder.simulate.series import bin_widths, waiting_s
from meritorder.simulate.site_files import (
    DEEDS_FILE,
    NO_SITES,
    SITES_FILE,
    read_deeds,
    read_sites,
    write_deeds,
    write_sites,
)
from meritorder.simulate.site_series import Deed, SiteSeries, deeds, site_series
from meritorder.simulate.summary import summarise

if TYPE_CHECKING:
    import pyarrow as pa

REQUESTS, SERIES_FILE, SUMMARY, FLEET = "requests.parquet", "series.parquet", "summary.json", "fleet.json"
REPORT, CONTINGENCY = "report.html", "contingency.json"
_OF_A_RUN = {REQUESTS, SERIES_FILE, SUMMARY, FLEET}
_OF_SITES = {SITES_FILE, DEEDS_FILE}  # there where the run had a site model, and where the controller did something


@dataclass(frozen=True)
class Run:
    """What is kept of a run: all that comparing and reporting need.

    `requests` (n each): see `columns`. `series`: `SERIES` and `waiting_s` [pools, bins].
    """

    name: str
    summary: dict[str, Any]
    fleet: dict[str, Any]
    services: tuple[str, ...]
    pools: tuple[str, ...]
    requests: Columns
    series: Columns
    bin_s: float
    span_s: float
    sites: SiteSeries = NO_SITES
    deeds: tuple[Deed, ...] = ()


def run_of(result: Result, name: str = "", summary: dict[str, Any] | None = None) -> Run:
    """The `Run` of a fresh result, named after its policy unless a name is given."""
    bins = result.series["busy_s"].shape[1]
    return Run(
        name=name or result.policy,
        summary=summarise(result) if summary is None else summary,
        fleet=result.fleet.model_dump(mode="json"),
        services=tuple(result.fleet.services),
        pools=tuple(result.fleet.pools),
        requests=columns(result),
        series={**result.series, "waiting_s": waiting_s(result, bins)},
        bin_s=result.bin_s,
        span_s=result.span_s,
        sites=site_series(result),
        deeds=tuple(deeds(result)[0]),
    )


def save(result: Result | Run, folder: Path) -> Run:
    """Write a run into `folder` (made, or replaced where it holds an earlier run) and give it back.

    `requests.parquet`: a row a request in the order of the trace, names instead of indices. `series.parquet`: a row
    per pool and bin. `summary.json`, `fleet.json`: the summary and the fleet with all names resolved. With a site model
    also `sites.parquet`, a row per site and bin, and `deeds.parquet`, a row for each thing that the controller did.
    Raises InputError where the folder can't be written or holds other files; then nothing has changed.
    """
    run = result if isinstance(result, Run) else run_of(result, folder.name)
    with replacing_folder(folder, ours) as partial:
        write_run(run, partial)
    return run


def ours(entry: Path) -> bool:
    """Whether an entry of an output folder is of an earlier run, or of one run of several under one report."""
    if entry.is_dir() and not entry.is_symlink():
        # A folder with a report of its own was written by itself, and is not for another run to replace.
        held = {inner.name for inner in entry.iterdir()}
        return (entry.parent / REPORT).is_file() and held - _OF_SITES == _OF_A_RUN
    return entry.name in _OF_A_RUN | _OF_SITES | {REPORT, CONTINGENCY}


def write_run(run: Run, folder: Path) -> None:
    """Write the files of a run into `folder`, which is there and empty."""
    import orjson
    import pyarrow.parquet as pq

    floats = ["arrival_s", "start_s", "first_s", "finish_s", "transfer_s", "return_s", "parked_s"]
    names = [key for key in run.requests if key not in floats]
    pq.write_table(_request_table(run), folder / REQUESTS, compression="zstd", use_dictionary=names)
    pq.write_table(_series_table(run), folder / SERIES_FILE, compression="zstd", use_dictionary=["pool", "site"])
    write_sites(run.sites, tuple(run.fleet["sites"]), folder)
    write_deeds(run.deeds, folder)
    pretty = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    (folder / SUMMARY).write_bytes(orjson.dumps(run.summary, option=pretty))
    (folder / FLEET).write_bytes(orjson.dumps(run.fleet, option=pretty))


def load_run(folder: Path, name: str = "") -> Run:
    """Read back what `save` wrote. Raises InputError where the folder is no run or its files are damaged."""
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing = [file for file in (SUMMARY, FLEET, REQUESTS, SERIES_FILE) if not (folder / file).is_file()]
    if missing:
        what = "is not a folder" if not folder.is_dir() else f"is no run: {', '.join(missing)} missing"
        raise InputError(Problem(what, where=str(folder), fix="give a folder that `merit simulate --output` wrote"))
    file = SUMMARY
    try:
        summary = orjson.loads((folder / SUMMARY).read_bytes())
        file = FLEET
        fleet = orjson.loads((folder / FLEET).read_bytes())
        services, pools = tuple(fleet["services"]), tuple(fleet["pools"])
        file = REQUESTS
        requests = _read_requests(pq.read_table(folder / REQUESTS), services, pools)
        if len(requests["arrival_s"]) != summary["requests"]:
            raise ValueError(f"{len(requests['arrival_s'])} rows, {SUMMARY} says {summary['requests']}")
        file = SERIES_FILE
        table = pq.read_table(folder / SERIES_FILE)
        series = {key: table[key].to_numpy().reshape(len(pools), -1) for key in (*SERIES, "waiting_s")}
        bin_s = float(table.schema.metadata[b"bin_s"])
        file = SITES_FILE
        sites = read_sites(folder, len(fleet["sites"]))
        file = DEEDS_FILE
        done = read_deeds(folder)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        what = f"is damaged: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise InputError(Problem(what, where=str(folder / file), fix="run `merit simulate` again")) from error
    return Run(
        name=name or folder.resolve().name,
        summary=summary,
        fleet=fleet,
        services=services,
        pools=pools,
        requests=requests,
        series=series,
        bin_s=bin_s,
        span_s=summary["span_s"],
        sites=sites,
        deeds=done,
    )


def _request_table(run: Run) -> pa.Table:
    import pyarrow as pa

    statuses = ["", *(status.name.lower() for status in Status)]
    names = {"service": run.services, "status": statuses, "reason": REASONS, "cause": CAUSES}
    names |= {"pool": run.pools, "decode_pool": run.pools}
    columns: dict[str, Any] = {}
    first = ("arrival_s", "service", "prompt_tokens", "output_tokens", "status", "pool", "replica", "reason", "cause")
    for key in (*first, "decode_pool"):
        columns[key] = _named(run.requests[key], names[key]) if key in names else run.requests[key]
    for key in NUMBERS:
        columns.setdefault(key, run.requests[key])
    return pa.table(columns)


def _named(index: npt.NDArray[Any], names: Sequence[str]) -> pa.DictionaryArray:
    """Indices as a dictionary column; -1 becomes null."""
    import pyarrow as pa

    codes = pa.array(index.astype(np.int32), mask=index < 0 if index.dtype.kind == "i" else None)
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(names), pa.string()))


def _series_table(run: Run) -> pa.Table:
    import pyarrow as pa

    pools, bins = run.series["busy_s"].shape
    index = np.repeat(np.arange(pools, dtype=np.int32), bins)
    sites = list(run.fleet["sites"])
    site_of = np.array([sites.index(run.fleet["pools"][pool]["site"]) for pool in run.pools], np.int32)
    columns: dict[str, Any] = {
        "time_s": np.tile(np.arange(bins) * run.bin_s, pools),
        "width_s": np.tile(bin_widths(bins, run.bin_s, run.span_s), pools),
        "pool": _named(index, run.pools),
        "site": _named(site_of[index], sites),
    }
    for key, values in run.series.items():
        columns[key] = values.ravel()
    return pa.table(columns).replace_schema_metadata({"bin_s": repr(run.bin_s)})


def _read_requests(table: pa.Table, services: tuple[str, ...], pools: tuple[str, ...]) -> Columns:
    requests: Columns = {key: table[key].to_numpy() for key in NUMBERS}
    statuses = ("", *(status.name.lower() for status in Status))
    of_pools = (("pool", pools), ("decode_pool", pools))
    for key, names in (("service", services), *of_pools, ("status", statuses), ("reason", REASONS), ("cause", CAUSES)):
        column = table[key].combine_chunks()
        known = {name: i for i, name in enumerate(names)}
        # The last entry stands for null; a name that the fleet does not have is a KeyError.
        codes = np.array([*(known[name] for name in column.dictionary.to_pylist()), -1], np.int32)
        requests[key] = codes[column.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)]
    return requests
