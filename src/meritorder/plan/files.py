"""The folder of a plan: its schedule, ramp, costs, fleets and proof as files that any tool can read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from meritorder.plan.outputs.rows import (
    ORDER_COLUMNS,
    cash_rows,
    cost_rows,
    order_rows,
    ramp_rows,
    regret_rows,
)
from meritorder.plan.state import text_of

if TYPE_CHECKING:
    from meritorder.plan.planned import Planned
    from meritorder.plan.state import State

Row = Mapping[str, Any]
REPORT, SUMMARY, STATE = "report.html", "summary.json", "state.yaml"
CERTIFICATE, CERTIFICATE_TEXT = "certificate.json", "certificate.md"
_TABLES = ("schedule.csv", "schedule.parquet", "schedule.yaml", "ramp.csv", "cashflow.csv", "costs.csv", "regret.csv")
_NAMES = {REPORT, SUMMARY, STATE, CERTIFICATE, CERTIFICATE_TEXT, *_TABLES}
_FLEET = re.compile(r"fleet-[\w.-]+\.yaml")


def ours(entry: Path) -> bool:
    """Whether an entry of a folder is an earlier plan's."""
    known = entry.name in _NAMES or _FLEET.fullmatch(entry.name) or entry.name.endswith((".partial", ".old"))
    return bool(known)


def write_plan(folder: Path, told: Row, planned: Planned, state: State, fleets: Mapping[str, str], page: str) -> None:
    """Everything of a plan into an empty folder. `fleets`: texts of fleet files by period; `page`: the report."""
    orders = order_rows(told)
    _csv(folder / "schedule.csv", orders, ORDER_COLUMNS)
    _parquet(folder / "schedule.parquet", orders)
    _yaml(folder / "schedule.yaml", {"fleet": told["fleet"], "orders": orders})
    _csv(folder / "ramp.csv", ramp_rows(told))
    _csv(folder / "cashflow.csv", cash_rows(told))
    _csv(folder / "costs.csv", cost_rows(told))
    if told["studies"]["regret"]:
        _csv(folder / "regret.csv", regret_rows(told))
    if planned.certificate is not None:
        (folder / CERTIFICATE).write_bytes(_json(told["certificate"]))
        (folder / CERTIFICATE_TEXT).write_text(planned.certificate.text, encoding="utf-8")
    for period, text in fleets.items():
        (folder / f"fleet-{period}.yaml").write_text(text, encoding="utf-8")
    (folder / STATE).write_text(text_of(state), encoding="utf-8")
    (folder / SUMMARY).write_bytes(_json(told))
    (folder / REPORT).write_text(page, encoding="utf-8")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _csv(path: Path, rows: Sequence[Row], columns: Iterable[str] = ()) -> None:
    names = list(rows[0]) if rows else list(columns)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in ORDER_COLUMNS.items()])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def _yaml(path: Path, tree: Row) -> None:
    path.write_text(yaml.safe_dump(dict(tree), sort_keys=False, allow_unicode=True), encoding="utf-8")
