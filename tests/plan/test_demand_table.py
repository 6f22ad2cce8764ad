"""The demand of every class: what is asked is there, no more and no less, in every hour, period and scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.fleet.load import load, loads
from meritorder.plan.demand import DemandTable, demand_of
from meritorder.plan.demand.growth import growth
from meritorder.problems import InputError

FLEET = """\
sites:
  iowa: {{usd_per_kwh: 0.06, kg_per_kwh: 340 g/kWh, rtt: {{us: 30 ms, asia: 170 ms, eu: 90 ms}}}}
regions: {regions}
services:
  chat: {{model: llama-3.1-8b}}
  code: {{model: llama-3.1-8b}}
plan:
  horizon: {{start: 2026-01, periods: {periods}, length: {length} months}}
  demand:
    chat: {{traffic: servegen-m-small, {chat}}}
    code: {{traffic: servegen-mm-image, {code}}}
  scenarios: {scenarios}
  offers: {{gpu: {{accelerator: h100, runs: {{llama-3.1-8b: {{}}}}, price: 30 kUSD, supply: 4}}}}
  sites: {{iowa: {{blocks: {{row: {{power: 1 MW, coolant: air, most: 4}}}}}}}}
"""


def table(
    chat: str = "requests_per_s: 10",
    code: str = "requests_per_s: 2",
    scenarios: str = "{}",
    periods: int = 4,
    length: int = 3,
    regions: str = "{}",
) -> DemandTable:
    text = FLEET.format(chat=chat, code=code, scenarios=scenarios, periods=periods, length=length, regions=regions)
    return demand_of(loads(text))


def test_steady_demand_is_the_same_always() -> None:
    found = table()
    assert found.services == ("chat", "code") == found.names
    assert found.classes == (("chat", "default"), ("code", "default"))
    assert found.scenarios == ("best",)
    assert found.requests.shape == (4, 2, 25, 1)
    assert found.requests[:, 0] == pytest.approx(10)
    assert found.requests[:, 1] == pytest.approx(2)
    assert (found.prompt_tokens > 1).all()
    assert (found.output_tokens > 1).all()


SHARES = st.lists(st.integers(1, 50), min_size=1, max_size=3)
DAY = st.lists(st.floats(0, 50), min_size=24, max_size=24).filter(lambda day: sum(day) > 1)


@settings(max_examples=40)
@given(
    shares=SHARES,
    day=DAY,
    per_year=st.floats(0.2, 8),
    factor=st.floats(0.1, 5),
    periods=st.integers(1, 7),
    length=st.sampled_from([1, 3, 12]),
    offsets=st.tuples(st.floats(-12, 14), st.floats(-12, 14)),
    peak=st.floats(1, 3),
)
def test_all_that_is_asked_is_there(
    shares: list[int],
    day: list[float],
    per_year: float,
    factor: float,
    periods: int,
    length: int,
    offsets: tuple[float, float],
    peak: float,
) -> None:
    named = dict(zip(("us", "asia", "eu"), (share / sum(shares) for share in shares), strict=False))
    split = ", ".join(f"{name}: {share!r}" for name, share in named.items())
    found = table(
        chat=f"requests_per_s: 10, regions: {{{split}}}, day: {day}, peak: {peak!r}, growth: {{per_year: {per_year}}}",
        scenarios=f"{{a: {{probability: 0.5}}, b: {{probability: 0.5, demand: {{chat: {factor!r}}}}}}}",
        periods=periods,
        length=length,
        regions=f"{{us: {{utc_offset: {offsets[0]!r}}}, asia: {{utc_offset: {offsets[1]!r}}}}}",
    )
    months = np.arange(periods * length)
    coming = np.clip((months + 1 - length) / 12, 0, 1)
    asked = 10 * per_year ** (months / 12)
    wanted = np.stack([asked, asked * (1 + (factor - 1) * coming)], axis=1)  # [months,J]
    ours = slice(0, len(named))
    assert found.monthly[:, ours].sum(axis=1) == pytest.approx(wanted)
    typical = found.requests[:, ours, :24].mean(axis=2)  # [T,K,J]
    assert typical.sum(axis=1) == pytest.approx(wanted.reshape(periods, length, 2).mean(axis=1))
    for k, share in enumerate(named.values()):
        assert typical[:, k] == pytest.approx(share * typical.sum(axis=1))
    assert found.requests[:, -1] == pytest.approx(2)
    # the design hour is an hour of some month, and no typical hour asks for more tokens
    tokens = found.prompt_tokens + found.output_tokens
    load = np.einsum("tkrj,k->trj", found.requests, tokens)
    assert (load[:, 24] >= load[:, :24].max(axis=1) * (1 - 1e-9)).all()


def test_the_design_hour_is_the_busiest_of_the_busiest_month() -> None:
    day = [1.0] * 24
    day[20] = 3.0
    grown = table(chat=f"requests_per_s: 10, peak: 1.5, day: {day}, growth: {{per_year: 4}}")
    shape = 3.0 / np.mean(day)
    last = 10 * 4 ** (np.array([2, 5, 8, 11]) / 12)
    assert grown.requests[:, 0, 24, 0] == pytest.approx(1.5 * shape * last)
    fallen = table(chat=f"requests_per_s: 10, day: {day}, growth: {{per_year: 0.25}}")
    first = 10 * 0.25 ** (np.array([0, 3, 6, 9]) / 12)
    assert fallen.requests[:, 0, 24, 0] == pytest.approx(shape * first)


def test_a_day_by_the_clock_of_its_region() -> None:
    day = [0.0] * 24
    day[9] = 24.0  # all at nine in the morning
    found = table(
        chat=f"requests_per_s: 8, regions: {{us: 0.5, asia: 0.25, eu: 0.25}}, day: {day}",
        regions="{us: {utc_offset: -6}, asia: {utc_offset: 8}, eu: {utc_offset: 1.5}}",
    )
    hours = found.requests[0, :3, :24, 0]
    assert np.flatnonzero(hours[0]).tolist() == [15]
    assert np.flatnonzero(hours[1]).tolist() == [1]
    assert hours[2, [7, 8]] == pytest.approx([24, 24]), "half of it before and half after the full hour"


def test_scenarios_choose_growth_and_factors() -> None:
    grows = "growth: {per_year: {low: 1, best: 2, high: 4}}"
    found = table(
        chat=f"requests_per_s: 10, {grows}",
        code=f"requests_per_s: 10, {grows}",
        scenarios="{low: {probability: 0.2, growth: low}, most: {probability: 0.5, demand: {default: 3, code: 1}},"
        " high: {probability: 0.3, growth: high}}",
        periods=3,
        length=12,
    )
    assert found.probability == pytest.approx([0.2, 0.5, 0.3])
    assert found.monthly[24, 0] == pytest.approx([10, 120, 160]), "a year after the first period all of it holds"
    assert found.monthly[24, 1] == pytest.approx([10, 40, 160])
    assert found.monthly[11, 0] == pytest.approx([10, 10 * 2 ** (11 / 12), 10 * 4 ** (11 / 12)])
    assert found.monthly[17, 0, 1] == pytest.approx(10 * 2 ** (17 / 12) * 2)


@given(st.floats(0.1, 10), st.floats(1.05, 100), st.floats(0, 400))
def test_an_s_curve_begins_as_growth_does_and_ends_at_its_ceiling(
    per_year: float, ceiling: float, month: float
) -> None:
    months = np.array([0.0, 0.01, month, 2e3])
    curve, plain = growth(months, per_year, ceiling), growth(months, per_year, None)
    assert curve[0] == pytest.approx(1)
    assert curve[1] - 1 == pytest.approx(plain[1] - 1, rel=0.05, abs=1e-9)
    if per_year > 1.001:
        assert 1 - 1e-9 <= curve[2] <= min(ceiling, plain[2]) * (1 + 1e-9)
    if per_year > 1.1:
        assert curve[3] == pytest.approx(ceiling)


def test_a_fall_ends_at_its_floor() -> None:
    assert growth(np.array([0.0, 1e5]), 0.5, 0.3) == pytest.approx([1, 0.3])


def test_a_forecast_is_taken_as_it_is(tmp_path: Path) -> None:
    rows = "".join(
        f"2026-{month:02d},{region},{month * k},{2 * month * k},{3 * month * k}\n"
        for month in range(1, 13)
        for k, region in ((1, "us"), (2, "asia"))
    )
    (tmp_path / "future.csv").write_text("month,region,low,best,high\n" + rows)
    text = FLEET.format(
        chat="forecast: future.csv",
        code="requests_per_s: 1",
        periods=4,
        length=3,
        regions="{}",
        scenarios="{low: {probability: 0.5, growth: low}, high: {probability: 0.5, growth: high}}",
    )
    (tmp_path / "fleet.yaml").write_text(text)
    found = demand_of(load(tmp_path / "fleet.yaml"))
    assert found.names == ("chat@us", "chat@asia", "code")
    assert found.monthly[:, 0] == pytest.approx(np.arange(1, 13)[:, None] * [1, 3])
    assert found.requests[1, 1, 5] == pytest.approx([10, 30])


@pytest.mark.parametrize(
    ("key", "csv", "words"),
    [
        (
            "forecast",
            "month,requests_per_s\n2026-01,5\n",
            "f.csv: plan.demand.chat.forecast: month: lacks 2026-02 and 10 ",
        ),
        (
            "forecast",
            "month,requests_per_s\n2026-01,x\n",
            'f.csv:2: plan.demand.chat.forecast: requests_per_s: is "x", not',
        ),
        (
            "forecast",
            "month,requests_per_s\n2026-1,5\n",
            'f.csv:2: plan.demand.chat.forecast: month: is "2026-1", not a',
        ),
        (
            "forecast",
            "month,requests_per_s\n2026-01,5\n2026-01,5\n",
            "f.csv:3: plan.demand.chat.forecast: month: gives",
        ),
        (
            "forecast",
            "month,low,best,high\n2026-01,5,4,6\n",
            "f.csv:2: plan.demand.chat.forecast: best: isn't between low",
        ),
        (
            "forecast",
            "month,rate\n2026-01,5\n",
            "f.csv:1: plan.demand.chat.forecast: has the columns month, rate; begin",
        ),
        (
            "forecast",
            "month,requests_per_s\n2026-01\n",
            "f.csv:2: plan.demand.chat.forecast: has 1 cells, the header 2",
        ),
        (
            "forecast",
            "month,region,requests_per_s\n2026-01,uss,5\n",
            'f.csv:2: plan.demand.chat.forecast: region: there is no region "uss"; did you mean "us"?',
        ),
        ("forecast", "", "f.csv:1: plan.demand.chat.forecast: is empty; begin with"),
        (
            "history",
            "month,requests_per_s\n2025-01,5\n",
            "f.csv: plan.demand.chat.history: has 1 months; give 8 at least",
        ),
        (
            "history",
            "month,requests_per_s\n2025-01,5\n2025-03,6\n",
            "f.csv:3: plan.demand.chat.history: month: is 2025-03",
        ),
        ("day", "time,requests_per_s\n07:00,5\n", "f.csv: plan.demand.chat.day: has no row in the hours 0, 1, 2"),
        (
            "day",
            "time,requests_per_s\n2026-01-01T07:00,5\n",
            'f.csv:2: plan.demand.chat.day: time: "2026-01-01T07:00" is',
        ),
        ("day", "time,requests_per_s\n25:00,5\n", 'f.csv:2: plan.demand.chat.day: time: "25:00" is no time'),
        (
            "day",
            "time,requests_per_s\n07:00,-5\n",
            "f.csv:2: plan.demand.chat.day: requests_per_s: is -5; give 0 or more",
        ),
    ],
)
def test_bad_files_are_told_with_line_and_column(tmp_path: Path, key: str, csv: str, words: str) -> None:
    (tmp_path / "f.csv").write_text(csv)
    chat = f"{key}: f.csv" + (", requests_per_s: 1" if key == "day" else "")
    text = FLEET.format(chat=chat, code="requests_per_s: 1", periods=4, length=3, regions="{}", scenarios="{}")
    (tmp_path / "fleet.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        demand_of(load(tmp_path / "fleet.yaml"))
    assert words in str(refused.value)


def test_unknown_names_are_told_together() -> None:
    with pytest.raises(InputError) as refused:
        table(chat="requests_per_s: 1, day: servegen-m-smal", code="requests_per_s: 1, day: servegen-mm-image")
    told = [str(problem) for problem in refused.value.problems]
    assert told[0].startswith('plan.demand.chat.day: "servegen-m-smal" is no file and no preset; did you mean')
    assert told[1].startswith(
        'plan.demand.code.day: "servegen-mm-image" has rate curves of 12 h, so it has no typical day'
    )


def test_growth_without_bounds_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"plan.demand.code: is more than 1e\+09 requests/s by 2029-02; give slower growth"
    ):
        table(code="requests_per_s: 1, growth: {per_year: 1000}", periods=20)


def test_a_preset_gives_its_own_day() -> None:
    found = table(chat="requests_per_s: 10, day: servegen-m-small").requests[0, 0, :24, 0]
    assert found.mean() == pytest.approx(10)
    assert found.max() > 1.4 * found.mean() > 2 * found.min()


def test_a_day_from_moments_is_their_mean_by_the_hour(tmp_path: Path) -> None:
    rows = "".join(
        f"2026-03-0{day}T{hour:02d}:30:00+02:00,{day * (hour + 1)}\n" for day in (1, 3) for hour in range(24)
    )
    (tmp_path / "day.csv").write_text("time,requests_per_s\n" + rows)
    found = table(chat=f"requests_per_s: 12.5, day: {tmp_path / 'day.csv'}").requests[0, 0, :24, 0]
    assert found == pytest.approx([(hour + 2) % 24 + 1 for hour in range(24)])


def test_a_specification_is_traffic_and_day(tmp_path: Path) -> None:
    spec = """\
name: mine
clients:
  people:
    diurnal: {mean_per_s: 3, amplitude: 1, peak: 6 h}
    prompt_tokens: {constant: 100}
    output_tokens: {constant: 7}
"""
    (tmp_path / "mine.yaml").write_text(spec)
    text = FLEET.format(
        chat="requests_per_s: 10, day: mine.yaml",
        code="requests_per_s: 1",
        periods=4,
        length=3,
        regions="{}",
        scenarios="{}",
    ).replace("servegen-m-small", "mine.yaml")
    (tmp_path / "fleet.yaml").write_text(text)
    found = demand_of(load(tmp_path / "fleet.yaml"))
    assert (found.prompt_tokens[0], found.output_tokens[0]) == (100, 7)
    hours = found.requests[0, 0, :24, 0]
    assert {int(hours.argmax()), int(hours.argmin())} <= {5, 6, 17, 18}
    assert hours.mean() == pytest.approx(10)
