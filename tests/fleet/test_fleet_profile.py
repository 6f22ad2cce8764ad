"""Machines from profiles: found beside the fleet file, under what it says itself; wrong ones are told with lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meritorder.fleet.load import load
from meritorder.fleet.measured import MeasuredCoefficients
from meritorder.fleet.schema import Engine
from meritorder.perf.compile import compile_replica
from meritorder.perf.measured import along, measured_table
from meritorder.problems import InputError

PROFILE = """\
measured:
  host_s: 0.001
  decode_s:
  - [1, 0.01]
  - [4, 0.03]
  prompt_s: [[1, 0.002], [101, 0.102]]
  kv_s: [[1, 1.0e-06], [4, 3.0e-06]]
  kv_tokens: 9000
  busy_w: 20
  range: {sequences: 4, iteration_tokens: 101, context: 500}
engine: {max_sequences: 4, token_budget: 101, request_overhead: 3 ms}
source: {model: any}
"""

FLEET = """\
sites: {{here: {{usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 0.1}}}}
pools:
  one:
    site: here
    model: llama-3.1-8b
    replicas: 1
    measured: {measured}
    engine: {{max_context: 500{engine}}}
services: {{all: {{model: llama-3.1-8b}}}}
"""


def fleet_file(folder: Path, profile: str = PROFILE, measured: str = "./p.yaml", engine: str = "") -> Path:
    (folder / "p.yaml").write_text(profile)
    path = folder / "fleet.yaml"
    path.write_text(FLEET.format(measured=measured, engine=engine))
    return path


def test_a_profile_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    fleet = load(fleet_file(tmp_path))
    pool = fleet.pools["one"]
    assert pool.measured is not None
    assert pool.measured.decode_s == ((1, 0.01), (4, 0.03))
    assert (pool.engine.max_sequences, pool.engine.request_overhead) == (4, 0.003)
    replica = compile_replica(fleet, "one")
    assert replica.notes == ()
    assert replica.table.seconds(2, 100.0) == pytest.approx(0.001 + 0.01 + 0.02 / 3 + 100 * (1e-6 + 2e-6 / 3))
    assert replica.table.seconds(1, 0.0, 51, 999.0) == pytest.approx(0.001 + 0.01 + 0.052)


def test_what_the_fleet_file_says_comes_first(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, measured="{base: p.yaml, busy_w: 99, kv_tokens: 4000}", engine=", max_sequences: 9")
    path.write_text(path.read_text().replace("max_context: 500", "max_context: 700, token_budget: 300"))
    fleet = load(path)
    pool = fleet.pools["one"]
    assert pool.measured is not None
    assert (pool.measured.busy_w, pool.measured.kv_tokens, pool.measured.host_s) == (99, 4000, 0.001)
    notes = compile_replica(fleet, "one").notes
    assert len(notes) == 3  # sequences, tokens and context are beyond what was measured
    assert all("extrapolated" in note for note in notes)


def test_a_profile_that_an_extended_file_names_lies_beside_that_file(tmp_path: Path) -> None:
    fleet_file(tmp_path)
    above = tmp_path / "inside" / "over.yaml"
    above.parent.mkdir()
    above.write_text("extends: ../fleet.yaml\nname: Over\n")
    measured = load(above).pools["one"].measured
    assert measured is not None
    assert measured.kv_tokens == 9000


@pytest.mark.parametrize(
    ("was", "now", "where", "what"),
    [
        ("kv_tokens", "kv_tokenz", "p.yaml:8", "is not a known key"),
        ("host_s: 0.001", "host_s: -1", "p.yaml:2", "is -1"),
        ("[4, 0.03]", "[1, 0.03]", "p.yaml:1", "decode_s goes from 1 to 1"),
        ("engine:", "motor:", "p.yaml:11", "is not a known key"),
        ("token_budget: 101", "token_budget: 2", "fleet.yaml:8", "token_budget 2 is less than max_sequences 4"),
        ("busy_w: 20", "idle_w: 20", "p.yaml:1", "busy_w 0 is less than idle_w 20"),
    ],
)
def test_what_is_wrong_in_a_profile_is_told_with_its_line(
    tmp_path: Path, was: str, now: str, where: str, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(fleet_file(tmp_path, PROFILE.replace(was, now)))
    assert any(p.where.endswith(where) and what in p.what for p in caught.value.problems), caught.value


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        load(fleet_file(tmp_path, measured="q.yaml"))
    assert "fleet.yaml:7" in caught.value.problems[0].key
    assert "p.yaml" in caught.value.problems[0].fix


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        load(fleet_file(tmp_path, measured=f"./{'n' * 300}.yaml"))


def test_only_profiles_are_suggested(tmp_path: Path) -> None:
    """Not `fleet.yaml`, which lies beside it and is no profile."""
    path = fleet_file(tmp_path, measured="./nope.yaml")
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.problems[0].fix == 'did you mean "p.yaml"?'
    (tmp_path / "p.yaml").unlink()
    (tmp_path / "note.yaml").write_text("some: thing\n")
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.problems[0].fix == "`merit calibrate URL --output nope.yaml` writes one"


def test_curves_go_straight_and_on() -> None:
    at = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    assert along(((2, 1.0), (4, 3.0)), at).tolist() == [1.0, 1.0, 1.0, 3.0, 7.0]
    assert along(((2, 3.0), (4, 1.0)), at).tolist() == [3.0, 3.0, 3.0, 1.0, 1.0]  # never below 0, however far
    assert along((), at).tolist() == [0.0] * 5


def test_power_that_was_not_given_is_told(tmp_path: Path) -> None:
    fleet = load(fleet_file(tmp_path, PROFILE.replace("  busy_w: 20\n", "")))
    assert compile_replica(fleet, "one").notes == ("its power was not given: energy counts as 0",)


def test_time_always_passes() -> None:
    with pytest.raises(ValueError, match="no time"):
        MeasuredCoefficients(kv_tokens=1)
    only_curves = MeasuredCoefficients(decode_s=((1, 0.1),), prompt_s=((1, 0.2),), kv_tokens=1)
    table = measured_table(only_curves, Engine(max_sequences=2, token_budget=4))
    assert all(table.seconds(b, 0.0, p) > 0 for b, p in ((1, 0), (0, 1), (2, 2)))
