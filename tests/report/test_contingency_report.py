"""The report's part on losses: the verdict first, a row for each loss and service, nothing unescaped."""

from __future__ import annotations

from typing import Any

from meritorder.report.contingency import contingency_figure, contingency_table, headline, lead, sentences


def told(verdict: str) -> dict[str, Any]:
    row = {
        **{"wanted": 0.95, "before": 1.0, "during": 0.41, "after": 0.99, "base": 0.97, "requests": 100, "lost": 3},
        **{"refused": 4, "gave_up": 5, "delayed": 6, "worst_ttft_s": 12.5, "verdict": verdict},
    }
    window = {"start_s": 0.0, "peak_s": 600.0, "loss_s": 2400.0, "back_s": 3300.0, "stop_s": 4200.0}
    case = {"name": "<b>dallas", "what": "site", "services": {"chat": row}, "words": "loss of <b>dallas breaks chat"}
    return {"window": window, "base": {"chat": row}, "contingencies": [case]}


def test_the_verdict_counts_losses_that_break_something() -> None:
    assert headline(told("breaks")) == ("✗ 1 of 1 losses breaks a service", False)
    for harmless in ("holds", "missed anyway", "no requests"):
        assert headline(told(harmless))[1]


def test_the_table_says_all_and_escapes_names() -> None:
    table = contingency_table(told("breaks"))
    for cell in ("100.0%", "41.0%", "97.0%", "99.0%", ">3<", ">4<", ">5<", ">6<", "12.5 s", "✗ breaks"):
        assert cell in table, cell
    for text in (table, sentences(told("breaks"))):
        assert "<b>dallas" not in text
        assert "&lt;b&gt;dallas" in text


def test_the_figure_has_a_point_for_each_service_and_loss() -> None:
    figure = contingency_figure(told("breaks"))
    assert figure.data[0]["x"] == [41.0, 41.0]
    assert figure.data[0]["y"] == ["nothing", "<b>dallas (site)"]
    assert "15.0 min" in lead(told("breaks"))  # how long it is lost
