"""`merit check` on halls: tables, JSON, the page, and machines that find no room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.cli.main import run

HALLS = Path(__file__).parents[2] / "examples" / "halls.yaml"


def over(folder: Path, text: str) -> str:
    path = folder / "over.yaml"
    path.write_text(f"extends: {HALLS}\n{text}")
    return str(path)


def test_it_says_what_stands_where_and_what_is_stranded(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(HALLS), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    halls = {hall["hall"]: hall for hall in facts["halls"]}
    assert list(halls) == ["wafers", "nvl72", "nodes-a", "nodes-b"]
    assert sum(hall["nameplate_w"] for hall in halls.values()) == pytest.approx(facts["max_w"])
    for hall in halls.values():
        used = hall["nameplate_w"] + hall["deployable_w"] + sum(hall["stranded_w"].values())
        assert used == pytest.approx(hall["power_w"])
        assert sum(group["count"] for group in hall["row_groups"]) == hall["rows"]
    # no row has more than a third of the wafers, and a pipeline of five stays in its row
    for group in halls["wafers"]["row_groups"]:
        for racks in group["racks"]:
            assert racks["systems"] <= 0.34 * 60
            assert racks["systems"] % 5 == 0
    # 125 kW of air carry the residual heat of seven racks, not of the eight that the row has power for
    nvl72 = halls["nvl72"]
    assert nvl72["stranded_w"]["cooling"] == pytest.approx(3 * 2 * 131976)
    # two nodes of 10.2 kW in a rack of 25 kW, and no more
    nodes = halls["nodes-a"]["pools"]["h200"]
    assert nodes["systems"] == 2 * nodes["racks"]
    assert halls["nodes-a"]["stranded_w"]["density"] > 0
    on_feeds = [halls[name]["nameplate_w"] for name in ("nodes-a", "nodes-b")]
    assert min(on_feeds) > 0.9 * max(on_feeds)
    assert "hall nvl72 of dallas: 829 kW of 3.6 MW can't be used, most of it because of cooling" in facts["warnings"]


def test_tables_name_halls_and_causes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(HALLS)]) == 0
    told = capsys.readouterr().out
    for word in ("nodes-b", "liquid-45c", "32 of 50", "30 cs-3", "density", "h200 23, b200 8"):
        assert word in told


def test_machines_without_room_are_told_with_their_line_and_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = over(tmp_path, "pools:\n  nvl72: {replicas: 400}\n")
    assert run(["check", path]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}:3: pools.nvl72: 2 of its 23 systems of gb200 (2 racks, 264 kW) find no room")
    assert "nvl72 has 3 of 3 rows at their cooling of 1.2 MW and 125 kW in its air" in line
    assert line.endswith("more `row_cooling` or `row_air`, or more `rack_power` would do")


def test_a_site_without_halls_gets_such_as_hold_its_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "sites: {dallas: {facility: {halls: null}}}\npools:\n"
    free = "".join(f"  {pool}: {{spread: null}}\n" for pool in ("wafer", "h200", "b200"))
    path = over(tmp_path, text + free)
    assert run(["check", path, "--json", "--report", str(tmp_path / "halls.html")]) == 0
    halls = json.loads(capsys.readouterr().out)["halls"]
    assert [hall["coolant"] for hall in halls] == ["air", "liquid-21c", "liquid-45c"]
    assert not any(hall["given"] or "stranded_w" in hall for hall in halls)
    assert "made to hold its machines" in (tmp_path / "halls.html").read_text()
    # a share per feed asks for halls
    assert run(["check", over(tmp_path, text + "  wafer: {replicas: 12}\n")]) == 2
    assert (
        "pools.h200.spread: asks for a share per row, hall or feed, but its site has no halls"
        in capsys.readouterr().err
    )


def test_coolant_that_nobody_states_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wafer = "{accelerator: cs-4, replicas: 1, spread: null}"
    path = over(
        tmp_path,
        f"sites: {{dallas: {{facility: {{halls: null}}}}}}\npools: {{wafer: {wafer}, h200: null, b200: null}}\n",
    )
    assert run(["check", path]) == 0
    assert "cs-4: cooled by liquid, a guess of 21 C at its inlet puts it on liquid-21c" in capsys.readouterr().out


def test_a_hall_on_a_feed_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = over(tmp_path, "sites: {dallas: {facility: {halls: {nodes-b: {feeds: [2]}}}}}\n")
    assert run(["check", path]) == 2
    assert "has the hall nodes-b on feed 2, but its feeds are 0 to 1" in capsys.readouterr().err


def test_machines_that_could_draw_more_than_their_site_has_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = "{grid: 4 MW, power: {capacity: 3 MW, oversubscription: 1.5}}"
    path = over(tmp_path, f"sites: {{dallas: {{power_limit: 5 MW, facility: {shared}}}}}\n")
    assert run(["check", path, "--json"]) == 0
    told = [line for line in json.loads(capsys.readouterr().out)["warnings"] if line.startswith("site")]
    assert told == [
        "site dallas: its machines can draw 4.75 MW, more than its `facility.power.capacity` of 4.5 MW",
        "site dallas: its machines can draw 4.75 MW, more than its `facility.grid` of 4 MW",
    ]


def test_replicas_that_leave_chips_of_their_machines_idle_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = over(tmp_path, "pools:\n  wafer: {accelerator: cs-4, pipeline: 4, replicas: 2, spread: null}\n")
    path_text = Path(path).read_text() + "sites: {dallas: {facility: {halls: {wafers: {rack_power: 200 kW}}}}}\n"
    Path(path).write_text(path_text)
    assert run(["check", path, "--json"]) == 0
    [warning] = [w for w in json.loads(capsys.readouterr().out)["warnings"] if "stand idle" in w]
    assert warning.startswith("pool wafer: a replica of 4 takes 2 systems of 3 to itself: 4 cs-4 stand idle")
