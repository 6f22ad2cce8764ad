"""The Grafana dashboard asks for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ended_requests import ended, fleet, refused
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.new_folder import new_folder

from meritorder.serve.seen.exposition import Exposition
from meritorder.serve.seen.meter import Meter
from meritorder.serve.seen.rows import MeterRows

DASHBOARD = json.loads((Path(__file__).parents[3] / "examples" / "grafana" / "merit.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [
    *(target["expr"] for panel in PANELS for target in panel["targets"]),
    *(entry["definition"] for entry in DASHBOARD["templating"]["list"] if entry["type"] == "query"),
]
NAME = re.compile(r"\b(?:merit|gen_ai)_[a-z_]+(?=[{\[,) ]|$)")


class Books:
    def snapshot(self) -> dict[str, Any]:
        replica = {"name": "fast/0", "pool": "fast", "usable": True, "in_flight": 3, "waiting": 1, "foreign": 2}
        return {
            "replicas": [replica | {"speed": 1.25}],
            "pools": {"fast": {"busy_watts": 700.0, "limit": 4}},
            "sites": {"north": {"watts": 900.0, "limit_watts": 1000.0}},
        }


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """Of every sample that there is: its labels."""
    rows = MeterRows.create(fleet(), workers=1, folder=new_folder())
    meter = Meter(fleet(), rows.row(0))
    for account in (ended(), ended(retries=1), refused()):
        meter(account)
    meter.flush()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(Exposition(fleet(), rows, Books()).text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_asks_for_what_there_is(expression: str, labels: dict[str, set[str]]) -> None:
    names = [name for name in NAME.findall(expression) if name not in ("gen_ai_token_type",)]
    assert names, expression
    for name in names:
        assert name in labels, name
    for name, chosen in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)=", chosen)) <= labels[name], expression
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", grouped)) <= set().union(*(labels[name] for name in names)), expression


def test_every_metric_is_explained(labels: dict[str, set[str]]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "observe.md").read_text()
    told = {name: row for row in page.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)}
    there: dict[str, set[str]] = {}
    for name, used in labels.items():
        there.setdefault(re.sub(r"_(bucket|count|sum)$", "", name), set()).update(used - {"le"})
    assert there.keys() <= told.keys(), there.keys() - told.keys()
    for name, used in there.items():
        said = told[name].split("|")[2]
        assert "the same" in said or set(re.findall(r"\w+", said)) == used, name


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
