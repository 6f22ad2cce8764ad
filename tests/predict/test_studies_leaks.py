"""Cross-validation: neither the rows held out nor what the catalog knows from them reaches what predicts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from scripts.machine_fit import committed as committed_part
from scripts.machine_fit import data as data_part
from scripts.machine_fit.data import Data
from scripts.validation import kernel_power, mlperf, operators, splitwise, wafer
from scripts.validation.study import Fold, Study

from meritorder.catalog import load

Reader = Callable[[str, list[dict[str, str]]], list[dict[str, str]]]

STUDIES = {
    study.name: study for part in (wafer, mlperf, splitwise, kernel_power, operators) for study in part.studies()
}
# A study, a fold of it (the first one where None is named), sources of the committed figures fitted to its rows.
CASES = [
    ("WaferLLM, unseen model", None, {"wafer", "derived"}),
    ("CS-3 service, unseen run", None, {"wafer", "derived"}),
    ("CS-3 service, unseen model", "llama-3.1-70b", {"wafer", "derived"}),
    ("CS-3 service, single calls", "gpt-oss-120b", {"wafer", "derived"}),
    ("MLPerf v5.1, unseen accelerators", "rtx-4090", {"mlperf"}),
    ("MLPerf v5.1, unseen accelerators", "b200", {"mlperf"}),
    ("Splitwise, unseen configurations", None, {"splitwise"}),
    pytest.param("power per kernel, unseen shapes", None, {"kernel-power"}, marks=pytest.mark.slow),
]


@pytest.fixture
def data(shared) -> Data:
    if not (shared / "perf/mlperf_v51_llm_calib.csv").exists():
        pytest.skip("no calibration files")
    return Data(shared / "perf")


@contextmanager
def changed(document: dict[str, Any], reader: Reader) -> Iterator[None]:
    """Replace the committed coefficients and what calibration files hold."""
    files, rows = load.catalog_file.__wrapped__, data_part._read.__wrapped__

    def clear() -> None:
        for cached in (load.accelerators, load.engines, load.catalog_file):
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "catalog_file", lambda name: document if name == "fitted.yaml" else files(name))
        patch.setattr(committed_part, "_committed", lambda: document)
        patch.setattr(data_part, "_read", cache(lambda folder, name: reader(name, rows(folder, name))))
        clear()
        yield
    clear()


def times_ten(value: Any) -> Any:
    """A coefficient as it is not."""
    if isinstance(value, dict):
        return {key: times_ten(item) for key, item in value.items()}
    if isinstance(value, str):
        return re.sub(r"^[\d.]+", lambda number: str(float(number.group()) * 10), value)
    return value * 10


def nonsense(sources: set[str]) -> dict[str, Any]:
    """The committed document, the figures from these sources ten times as large."""
    document = deepcopy(committed_part._committed())
    for section in ("accelerators", "setups"):
        for figures in document[section].values():
            for figure in figures.values():
                if figure["source"] in sources:
                    figure["value"] = times_ten(figure["value"])
                if "splitwise" in sources and isinstance(figure["value"], dict) and "clock" in figure["value"]:
                    figure["value"]["clock"] = 0.9
    return document


def spoilt(study: Study, fold: Fold) -> Reader:
    """Reader of calibration files that makes the outcomes of the rows held out ten times as large."""

    def corrupted(name: str, rows: list[dict[str, str]]) -> list[dict[str, str]]:
        if name != study.file:
            return rows
        return [
            {k: times_ten(v) if k in study.outcomes else v for k, v in row.items()} if n in fold.held else row
            for n, row in enumerate(rows)
        ]

    return corrupted


def fold_of(study: Study, data: Data, name: str | None) -> Fold:
    rows = data.rows(study.file)
    part = frozenset(n for n, row in enumerate(rows) if study.rows(row))
    fold = next(fold for fold in study.folds(rows) if name in (None, fold.name))
    return Fold(fold.name, fold.held & part)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "part", "sources"), CASES)
def test_a_refit_knows_nothing_of_what_is_held_out(name, part, sources, data):
    study = STUDIES[name]
    fold = fold_of(study, data, part)
    left = replace(data, without={study.file: fold.held})
    before = study.refit(left)
    with changed(nonsense(sources), spoilt(study, fold)):
        after = study.refit(left)
    for section in ("accelerators", "setups"):
        assert after[section] == before[section]


@pytest.mark.slow
def test_the_api_test_of_a_model_that_is_held_out_is_held_out(data):
    study, test = STUDIES["CS-3 service, unseen model"], STUDIES["CS-3 service, unseen run"]
    fold = fold_of(study, data, "llama-3.1-70b")
    left = replace(data, without={study.file: fold.held})
    before = study.refit(left)
    every = Fold("", frozenset(range(len(data.rows(test.file)))))
    with changed(nonsense(set()), spoilt(test, every)):
        assert study.refit(left) == before


def test_no_kernel_of_the_catalog_stays_where_its_rows_are_left_out(data, monkeypatch):
    study = STUDIES["collectives, unseen message size"]
    numbers = frozenset(n for n, row in enumerate(data.rows(study.file)) if row["system"] != "a100_sxm")
    found = study.refit(replace(data, without={study.file: numbers}))["operators"]["machines"]
    names = {name.split("_")[0] for own in found.values() for name in own if own is not found["a100"]}
    assert names == {"gemm", "prefill", "decode", "experts"}
    assert {name for name in found["a100"] if name.startswith("all_reduce")} == {
        *("all_reduce_nccl", "all_reduce_graph", "all_reduce_eager")
    }


def test_a_kernel_without_rows_falls_to_one_that_has_some():
    fitted = {
        "a100": {"experts_bf16": {"rows": 10}},
        "l40s": {
            "experts_bf16": {"rows": 30},
            "experts_fp8": {"rows": 99},
            "experts_int4": {"rows": 99, "borrowed": "x"},
        },
    }
    assert operators.stand_in("h100", "experts_bf16", fitted)["borrowed"] == "l40s experts_bf16"
    assert operators.stand_in("a100", "experts_fp8_block", fitted)["borrowed"] == "a100 experts_bf16"
    assert operators.stand_in("h100", "experts_nvfp4", fitted)["borrowed"] == "l40s experts_fp8"
    assert operators.stand_in("h100", "experts_fp8", {}) is None
    assert operators.stand_in("h100", "all_reduce_nccl", {"a100": {"all_reduce_nccl": {"rows": 9}}}) is None
