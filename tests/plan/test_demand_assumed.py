"""Growth that nobody knows exactly is among the figures that a plan leans on."""

from __future__ import annotations

from pathlib import Path

from small_plan import small_fleet

from meritorder.plan.outputs.assumptions import assumptions


def test_growth_that_was_fitted_says_so(tmp_path: Path) -> None:
    rows = "".join(f"{2024 + month // 12}-{month % 12 + 1:02d},{5 * 1.06**month:.4f}\n" for month in range(24))
    (tmp_path / "past.csv").write_text("month,requests_per_s\n" + rows)

    def change(data: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
        data["plan"]["demand"]["chat"]["growth"]["ceiling"] = {"low": 3, "best": 9, "high": 30}
        batch = data["plan"]["demand"]["batch"]
        del batch["requests_per_s"]
        batch["history"] = str(tmp_path / "past.csv")

    found = {row.key: row for row in assumptions(small_fleet(change)) if row.key.startswith("plan.demand")}
    assert set(found) == {
        "plan.demand.chat.growth.per_year",
        "plan.demand.chat.growth.ceiling",
        "plan.demand.batch.history",
    }
    ceiling, fitted = found["plan.demand.chat.growth.ceiling"], found["plan.demand.batch.history"]
    assert (ceiling.low, ceiling.value, ceiling.high) == ("3", "9", "30")
    assert (fitted.low, fitted.value, fitted.high, fitted.confidence) == ("2.01", "2.01", "2.01", "fitted")
    assert fitted.source.startswith("fitted to 24 months to 2025-12 (exponential")
