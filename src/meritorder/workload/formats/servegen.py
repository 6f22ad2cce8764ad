"""ServeGen (alibaba/ServeGen): rates and length distributions per client, from which requests are drawn.

Native folder: `chunk-N-trace.csv` (start_s, rate, cv, pattern, arg1, arg2; no header) and `chunk-N-dataset.json`
(start_s -> field -> distribution). Flattened: servegen_rates.parquet with servegen_token_pmfs.parquet beside it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.workload.formats.servegen_client import Client, Pmf
from meritorder.workload.formats.servegen_draw import draw
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import open_source, reading
from meritorder.workload.trace import Floats, Trace

NAME = "servegen"
LOOKS_FOR = (
    "folder with chunk-N-trace.csv + chunk-N-dataset.json, or servegen_rates.parquet + servegen_token_pmfs.parquet"
)
# Published clients have Gamma shapes from 0.007 and Weibull shapes from 0.15; far below, one gap in millions is not 0.
_LEAST_SHAPE = {"Gamma": 1e-3, "Weibull": 0.1}
_MOST_SHAPE = 1e6
_SHAPE_FIX = "give a shape from 0.001 (Gamma) or 0.1 (Weibull) to 1e6"
_PATTERNS = tuple(_LEAST_SHAPE)
_RATES, _PMFS = "servegen_rates.parquet", "servegen_token_pmfs.parquet"
_CHUNK = re.compile(r"chunk-(\d+)-trace\.csv(?:\.gz|\.zst)?")


def matches(peek: Peek) -> bool:
    """Whether this is a ServeGen folder or its flattened rates."""
    if peek.kind == "parquet":
        return peek.has("model", "client", "start_s", "rate", "pattern", "arg1")
    return peek.kind == "folder" and (_RATES in peek.names or any(_CHUNK.fullmatch(name) for name in peek.names))


def read(peek: Peek, options: Options) -> Trace:
    """Requests drawn for `options.window_s` (default: an hour from 36,000 s, or from the start of shorter data)."""
    path = peek.source.path
    folder = path if path.is_dir() else path.parent
    if path.is_file() or _RATES in peek.names:
        model, clients = _flattened(path if path.is_file() else folder / _RATES, folder / _PMFS, options)
    else:
        model, clients = folder.name, _native(folder, sorted(peek.names))
    return draw(clients, model, path.name, options)


def _flattened(rates: Path, pmfs: Path, options: Options) -> tuple[str, list[Client]]:
    import pyarrow.parquet as pq

    with reading(rates):
        table = pq.read_table(rates)
    name = _typed(table, "model", str, rates)
    models = sorted(set(name.tolist()))
    if options.model is None and len(models) > 1:
        fix = f"choose one with `merit traffic convert --model NAME`: {', '.join(models)}"
        raise InputError(Problem(f"holds {len(models)} services", str(rates), "model", fix))
    if not models:
        raise InputError(Problem("has no rows", str(rates)))
    model = options.model or models[0]
    if model not in models:
        raise InputError(Problem(f'has no "{model}"', str(rates), "model", did_you_mean(model, models)))
    number, start_s, rate, shape = (_typed(table, key, float, rates) for key in ("client", "start_s", "rate", "arg1"))
    pattern = _typed(table, "pattern", str, rates)
    faults = Faults(str(rates), "row")
    rows = np.arange(1, len(table) + 1, dtype=np.int64)
    faults.rows(~((start_s >= 0) & (start_s < 1e10)), rows, "start_s", start_s, "is {}", "give seconds, 0 or more")
    faults.rows(~((rate > 0) & (rate < 1e6)), rows, "rate", rate, "is {}", "give requests/s above 0")
    least = np.where(pattern == "Weibull", _LEAST_SHAPE["Weibull"], _LEAST_SHAPE["Gamma"])
    faults.rows(~((shape >= least) & (shape <= _MOST_SHAPE)), rows, "arg1", shape, "is {}", _SHAPE_FIX)
    faults.rows(~np.isin(pattern, _PATTERNS), rows, "pattern", pattern, "is {}", "Gamma or Weibull")
    faults.check()
    mine = np.flatnonzero(name == model)
    mine = mine[np.lexsort((start_s[mine], number[mine]))]
    ends = [0, *(np.flatnonzero(np.diff(number[mine])) + 1).tolist(), len(mine)]
    clients = {}
    for a, b in pairwise(ends):
        part = mine[a:b]
        clients[float(number[part[0]])] = Client(start_s[part], rate[part], shape[part], pattern[part] == "Weibull")
    if pmfs.is_file():
        _flattened_lengths(pmfs, model, clients)
    return model, list(clients.values())


def _typed(table: Any, name: str, kind: type, path: Path) -> npt.NDArray[Any]:
    """A column as texts or floats. Raises InputError where it is missing or something else."""
    import pyarrow as pa

    if name not in table.column_names:
        raise InputError(Problem("is missing", str(path), name, "the flattened form has this column"))
    column = table[name]
    try:
        good = column.cast(pa.string() if kind is str else pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        good = None
    if good is None or good.null_count:
        what = "is missing in some rows" if good is not None else f"has type {column.type}"
        raise InputError(Problem(what, str(path), name, "give texts" if kind is str else "give numbers"))
    values: npt.NDArray[Any] = good.to_numpy()
    return values.astype(str) if kind is str else values


def _flattened_lengths(path: Path, model: str, clients: dict[float, Client]) -> None:
    import pyarrow.parquet as pq

    with reading(path):
        table = pq.read_table(path, filters=[("model", "=", model)])
    number, start_s = _typed(table, "client", float, path), _typed(table, "start_s", float, path)
    name = _typed(table, "field", str, path)
    for key in ("value", "prob"):
        if key not in table.column_names or "list<" not in str(table[key].type):
            raise InputError(Problem("is no list", str(path), key, "give lists of numbers"))
    for row, (client, start, entry) in enumerate(zip(number.tolist(), start_s.tolist(), name.tolist(), strict=True)):
        if client in clients:
            values, probabilities = (_floats(table[key][row].values, path, key, row) for key in ("value", "prob"))
            if len(values) != len(probabilities):
                raise InputError(Problem("has not as many probabilities as values", f"{path}: row {row + 1}"))
            pmf = _pmf(values, probabilities, str(path), f"row {row + 1}")
            clients[client].pmfs.setdefault(start, {})[entry] = pmf


def _floats(values: Any, path: Path, key: str, row: int) -> Floats:
    import pyarrow as pa

    try:
        if values is None or values.null_count:
            raise pa.ArrowInvalid("missing")
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(Problem("holds no numbers", f"{path}: row {row + 1}", key, "give lists of numbers")) from None


def _native(folder: Path, names: list[str]) -> list[Client]:
    clients = []
    for name in names:
        if match := _CHUNK.fullmatch(name):
            client = _native_rates(folder / name)
            number = match.group(1)
            lengths = next((n for n in names if re.fullmatch(rf"chunk-{number}-dataset\.json(\.gz|\.zst)?", n)), None)
            if lengths:
                _native_lengths(folder / lengths, client)
            clients.append(client)
    return clients


def _native_rates(path: Path) -> Client:
    faults = Faults(str(path))
    rows = []
    for line, text in open_source(path).lines():
        cells = [cell.strip() for cell in text.decode("utf-8", "replace").split(",")]
        try:
            start, rate = float(cells[0]), float(cells[1])
            shape = float(cells[4]) if rate > 0 else 1.0
        except (ValueError, IndexError):
            if line > 1 or any(cell[:1].isdigit() for cell in cells):  # else a header
                faults.add(line, "", f"is {shown(text.strip())}", "start_s,rate,cv,pattern,arg1,arg2")
            continue
        pattern = cells[3] if rate > 0 else "Gamma"
        good = 0 <= start < 1e10 and 0 <= rate < 1e6 and pattern in _PATTERNS
        if not good or not _LEAST_SHAPE[pattern] <= shape <= _MOST_SHAPE:
            fix = f"start_s >= 0, rate >= 0, Gamma or Weibull, arg1: {_SHAPE_FIX}"
            faults.add(line, "", f"is {shown(text.strip())}", fix)
            continue
        rows.append((start, rate, shape, pattern == "Weibull"))
    faults.check()
    rows = sorted(row for row in rows if row[1] > 0)
    start_s, rates, shapes, weibull = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else [np.zeros(0)] * 4
    )
    return Client(start_s, rates, shapes, weibull.astype(bool))


def _native_lengths(path: Path, client: Client) -> None:
    import orjson

    try:
        content = orjson.loads(open_source(path).bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(Problem(f"is no JSON: {error.msg}", f"{path}:{error.lineno}")) from error
    if not isinstance(content, dict):
        raise InputError(Problem("is no JSON object", str(path), fix="start_s -> field -> distribution"))
    for start, fields in content.items():
        for name, distribution in fields.items() if isinstance(fields, dict) else ():
            pairs = _pairs(distribution)
            if pairs is None or not str(start).replace(".", "", 1).isdigit():
                fix = "start_s -> field -> {tokens: probability}"
                raise InputError(Problem(f"is {shown(distribution)}", str(path), f"{start}.{name}", fix))
            if pairs:
                values, probabilities = np.array(pairs, float).T
                client.pmfs.setdefault(float(start), {})[name] = _pmf(
                    values, probabilities, str(path), f"{start}.{name}"
                )


def _pairs(distribution: Any) -> list[tuple[float, float]] | None:
    """(value, probability) from an object or from the text of one; None where it is neither."""
    import ast

    if isinstance(distribution, str):
        try:
            distribution = ast.literal_eval(distribution)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    if not isinstance(distribution, dict):
        return None
    try:
        return [(float(value), float(probability)) for value, probability in distribution.items()]
    except (TypeError, ValueError):
        return None


def _pmf(values: Floats, probabilities: Floats, name: str, key: str) -> Pmf:
    total = probabilities.sum()
    if not (np.isfinite(values).all() and (probabilities >= 0).all() and np.isfinite(total) and total > 0):
        raise InputError(Problem("is no distribution", name, key, "finite values, probabilities >= 0 with a sum > 0"))
    return values, np.cumsum(probabilities) / total
