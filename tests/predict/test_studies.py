"""Cross-validation: what is held out is neither fitted to nor seen, and errors are those that were made."""

from __future__ import annotations

import csv
import random

import numpy as np
import pytest
from scripts.machine_fit.data import Data
from scripts.validation import baselines
from scripts.validation.report import accuracy_page
from scripts.validation.run import Errors, run
from scripts.validation.study import Bounds, Metric, Study, by_hash, by_value

from meritorder.predict.form import Answer


class Linear:
    """Predicts with the slope that the last refit found."""

    name = "linear"
    needs = frozenset({"x"})
    adds = ("took",)
    slope = 0.0
    seen: list[dict[str, str]]

    def predict(self, rows, catalog, progress):
        self.seen = list(rows)
        known = [row["kind"] != "odd" for row in rows]
        times = [self.slope * float(row["x"]) for row in rows]
        return [Answer({"took": t}) if k else Answer({}, "odd") for t, k in zip(times, known, strict=True)]


@pytest.fixture
def folder(tmp_path):
    draw = random.Random(1)
    with (tmp_path / "runs.csv").open("w") as file:
        file.write("# source: nowhere\n")
        writer = csv.writer(file)
        writer.writerow(["kind", "x", "took"])
        for kind, slope in (("a", 2.0), ("b", 2.2), ("odd", 9.0)):
            for _ in range(40):
                x = draw.uniform(1, 10)
                writer.writerow([kind, x, slope * x])
    return tmp_path


def study_of(form, refitted):
    def refit(data):
        rows = data.rows("runs.csv")
        refitted.append({row["kind"] for row in rows})
        form.slope = float(np.median([float(row["took"]) / float(row["x"]) for row in rows if row["kind"] != "odd"]))

    return Study(
        name="runs",
        file="runs.csv",
        form=form,
        folds=lambda rows: by_value(rows, lambda row: row["kind"] if row["kind"] != "never" else None),
        metrics=(Metric("time", "took", "mean", 0.18, 0.12, bounds=lambda row: Bounds(float(row["x"]), 0.0)),),
        outcomes=frozenset({"took"}),
        refit=refit,
    )


def test_a_fold_is_predicted_by_what_was_fitted_without_it(folder):
    form, refitted = Linear(), []
    whole, a, b, odd = run(study_of(form, refitted), Data(folder), lambda line: None)
    assert refitted == [{"b", "odd"}, {"a", "odd"}, {"a", "b"}]
    assert all("took" not in row for row in form.seen)
    assert a.ours.mean == pytest.approx(0.1)
    assert b.ours.bias == pytest.approx(2.0 / 2.2 - 1)
    assert whole.ours.unanswered == odd.ours.unanswered == 40
    assert len(whole.ours.signed) == 80
    assert whole.roofline is not None
    assert whole.trees is not None


def test_the_page_says_what_was_found(folder):
    form = Linear()
    page = accuracy_page(run(study_of(form, []), Data(folder), lambda line: None))
    assert "| runs | time, mean | 80 | **9.5%** | 18% / 12% |" in page
    assert "| a | 40 | 0 | 10.0% | 10.0% | +10.0% |" in page


def test_a_roofline_is_found_again():
    draw = np.random.default_rng(0)
    bounds = [Bounds(*pair) for pair in 10 ** draw.uniform(-5, -2, (300, 2))]
    truth = np.array([1e-5 + max(b.memory / 0.8, b.compute / 0.5) for b in bounds])
    assert baselines.roofline(bounds, truth, bounds) == pytest.approx(truth, rel=0.01)


def test_trees_learn_what_they_are_shown_and_survive_the_unknown():
    rows = [{"gpu": gpu, "n": str(n), "gap": ""} for gpu in ("old", "new") for n in range(1, 60)]
    truth = np.array([float(row["n"]) * (3 if row["gpu"] == "old" else 1) for row in rows])
    predicted = baselines.trees(rows, truth, rows, ["gpu", "n", "gap"])
    assert np.median(np.abs(predicted / truth - 1)) < 0.1
    other = baselines.trees(rows, truth, [{"gpu": "unseen", "n": "", "gap": ""}], ["gpu", "n", "gap"])
    assert np.isfinite(other).all()


def test_trees_read_dates_as_months():
    rows = [{"measured": f"20{year}-{month:02}-17"} for year in (24, 25) for month in range(1, 13)] * 5
    truth = np.array([12.0 * int(row["measured"][:4]) + int(row["measured"][5:7]) - 24280.0 for row in rows])
    (between,) = baselines.trees(rows, truth, [{"measured": "2025-06-03"}], ["measured"])
    assert between == pytest.approx(12.0 * 2025 + 6 - 24280.0, rel=0.1)


def test_the_interval_draws_whole_groups():
    spread = np.array([0.1] * 50 + [0.3] * 50)
    alone = Errors(spread, 0, tuple(str(i) for i in range(100))).interval("mean")
    grouped = Errors(spread, 0, tuple("ab"[i // 50] for i in range(100))).interval("mean")
    assert alone[1] - alone[0] < 0.05
    assert grouped == pytest.approx((0.1, 0.3))


def test_hashed_parts_hold_every_row_once_and_keep_groups_together():
    rows = [{"shape": str(i % 37)} for i in range(400)]
    folds = by_hash(rows, lambda row: row["shape"])
    held = [number for fold in folds for number in fold.held]
    assert sorted(held) == list(range(400))
    for fold in folds:
        shapes = {rows[n]["shape"] for n in fold.held}
        assert all(n in fold.held for n, row in enumerate(rows) if row["shape"] in shapes)
