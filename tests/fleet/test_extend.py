"""`extends`: merging, removing, chains, circles, and lines that lead to the right file."""

from __future__ import annotations

from pathlib import Path

import pytest

from meritorder.fleet.dispatch import LeastTokens, MeritOrder
from meritorder.fleet.load import load, loads
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError


@pytest.fixture
def folder(tmp_path: Path, small: str) -> Path:
    (tmp_path / "small.yaml").write_text(small + "dispatch: {policy: merit-order, margin: 0.5}\n")
    return tmp_path


def over(folder: Path, text: str, name: str = "over.yaml") -> Fleet:
    (folder / name).write_text(text)
    return load(folder / name)


def complaints(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        over(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_same_fleet_with_another_policy_is_two_lines(folder: Path) -> None:
    fleet = over(folder, "extends: small.yaml\ndispatch: {policy: least-tokens}\n")
    assert fleet.dispatch == LeastTokens(), "parameters of the other policy are gone"
    assert fleet.name == "over"
    assert fleet.pools == load(folder / "small.yaml").pools


def test_the_same_policy_keeps_the_parameters_not_given(folder: Path) -> None:
    fleet = over(folder, "extends: small.yaml\ndispatch: {pack: false}\n")
    assert fleet.dispatch == MeritOrder(margin=0.5, pack=False)


def test_mappings_merge_and_new_entries_come_last(folder: Path) -> None:
    big = "{site: north, accelerator: b200, model: llama-3.1-8b, replicas: 1}"
    text = f"extends: small.yaml\npools:\n  fast: {{replicas: 7}}\n  big: {big}\n"
    fleet = over(folder, text)
    assert fleet.pools["fast"].replicas == 7
    assert fleet.pools["fast"].accelerator == "h100"
    assert list(fleet.pools) == ["fast", "big"]


def test_null_removes(folder: Path) -> None:
    fleet = over(folder, "extends: small.yaml\nservices: {chat: {slo: {ttft: null}}}\ndispatch: null\n")
    assert fleet.services["chat"].slo.ttft is None
    assert fleet.services["chat"].slo.token_rate == 30.0
    assert fleet.dispatch == MeritOrder()


def test_removing_what_is_not_there_is_a_slip(folder: Path) -> None:
    told = complaints(folder, "extends: small.yaml\npools:\n  fsat: null\n")
    assert told == ['over.yaml:3: pools.fsat: is removed but was never there; did you mean "fast"?']


def test_a_machine_can_be_exchanged_for_a_measured_one(folder: Path) -> None:
    measured = "{host_s: 0.1, idle_w: 1, busy_w: 2, kv_tokens: 100, usd_per_hour: 0, weight_bytes: null}"
    text = f"extends: small.yaml\npools: {{fast: {{accelerator: null, measured: {measured}}}}}\n"
    fleet = over(folder, text)
    assert fleet.pools["fast"].measured is not None
    assert fleet.accelerators == {}


def test_chains_and_folders(folder: Path) -> None:
    (folder / "sub").mkdir()
    over(folder, "extends: small.yaml\npools: {fast: {replicas: 3, tensor: 2}}\n", "middle.yaml")
    fleet = over(folder, "extends: ../middle.yaml\npools: {fast: {replicas: 4}}\n", "sub/top.yaml")
    assert (fleet.pools["fast"].replicas, fleet.pools["fast"].tensor) == (4, 2)


def test_circles_are_told(folder: Path) -> None:
    (folder / "a.yaml").write_text("extends: over.yaml\n")
    told = complaints(folder, "\nextends: a.yaml\n")
    assert told == [
        "a.yaml:1: extends: goes in a circle: over.yaml -> a.yaml -> over.yaml; let one of them stand alone"
    ]
    assert "goes in a circle: over.yaml -> over.yaml" in complaints(folder, "extends: over.yaml")[0]


def test_lines_lead_to_the_file_where_it_is_written(folder: Path) -> None:
    (folder / "small.yaml").write_text((folder / "small.yaml").read_text().replace("0.05", "x"))
    told = complaints(folder, "extends: small.yaml\npools:\n  fast:\n    replicas: 0\n")
    assert told[0].startswith("over.yaml:4: pools.fast.replicas: is 0")
    assert told[1].startswith("small.yaml:3: sites.north.usd_per_kwh: is")


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("smal.yaml", 'smal.yaml: extended by over.yaml:1: does not exist; did you mean "small.yaml"?'),
        ("[small.yaml]", "over.yaml:1: extends: is not a file name; write `extends: other.yaml`"),
        ("", "over.yaml:1: extends: is not a file name; write `extends: other.yaml`"),
        (".", "extended by over.yaml:1: is a directory"),
        ("list.yaml", "list.yaml:1: extended by over.yaml:1: is a list, not a mapping"),
    ],
)
def test_what_cannot_be_extended(folder: Path, target: str, complaint: str) -> None:
    (folder / "list.yaml").write_text("- a\n")
    told = complaints(folder, f"extends: {target}\n")
    assert len(told) == 1
    assert complaint in told[0]


def test_text_extends_from_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert loads("extends: small.yaml").pools == load("small.yaml").pools
