"""Outages: who falls with what, when it is back, and how often."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from fault_fleet import FIRST, FLEET, Drawn

from meritorder.facility.halls.seats import placement
from meritorder.facility.parts import parts_of
from meritorder.fleet.load import loads
from meritorder.perf.replica import Replica
from meritorder.problems import InputError
from meritorder.simulate.faults.causes import CAUSES
from meritorder.simulate.faults.outage import DOWN, KINDS, NORMAL, PART_DOWN, PART_UP, SLOW, UP, Outages
from meritorder.simulate.faults.schedule import outages

DAY = 86400.0
QUICK = "engine_start: 10 s, load_rate: 1 GB/s"  # 16 GB of weights on two chips: 18 s


def struck(found: Outages, index: int) -> list[int]:
    one = found.outages[index]
    return sorted(found.hit[one.first : one.first + one.count].tolist())


@pytest.mark.parametrize(
    ("fault", "replicas"),
    [
        ("what: engine, name: nodes, number: 5", [5]),
        ("what: machine, name: nodes, number: 1", [4, 5, 6, 7]),  # four replicas of two on a node of eight
        ("what: machine, name: wafers, number: 6", [9]),  # wafer 6 is of the second pipeline
        ("what: pipeline, name: wafers, number: 2", [10]),
        ("what: machine, name: racks, number: 20", [31]),  # trays of four, one replica each
        ("what: machine, name: wide, number: 3", [48]),  # two nodes a replica
        ("what: rack, name: toronto/liquid-45c, number: 1", list(range(29, 47))),
        ("what: site, name: dallas", list(range(11))),
        ("what: supplier, name: NVIDIA", [*range(8), *range(11, 47)]),
    ],
)
def test_what_falls_with_what(drawn: Drawn, fault: str, replicas: list[int]) -> None:
    found = drawn(f"{{at: [{{{fault}, start: 100 s, duration: 50 s}}], {QUICK}}}", DAY)
    assert found.outages.time[0] == 100.0
    assert KINDS[found.outages.kind[0]] == "down"
    assert struck(found, 0) == replicas
    assert CAUSES[found.outages.cause[0]] == fault.split()[1].rstrip(",")
    # back: repaired at 150 s, then the engine's start and each chip's part of the weights
    back = Counter()
    for index in range(1, len(found.outages)):
        assert found.outages.kind[index] == UP
        for replica in struck(found, index):
            back[replica] = found.outages.time[index]
    chips = {**dict.fromkeys(range(8), 2), **dict.fromkeys(range(8, 47), 4), **dict.fromkeys(range(47, 49), 16)}
    assert back == {replica: pytest.approx(150 + 10 + 16 / chips[replica]) for replica in replicas}


def test_a_fault_without_duration_is_never_repaired(drawn: Drawn) -> None:
    found = drawn("{at: [{what: engine, name: nodes, start: 1 h}]}", DAY)
    assert len(found.outages) == 1
    assert found.outages.until[0] == math.inf


def test_a_slow_machine_slows_all_of_its_replicas(drawn: Drawn) -> None:
    found = drawn("{at: [{what: slow, name: nodes, number: 0, start: 1 h, duration: 1 h, factor: 2.5}]}", DAY)
    assert found.outages.kind.tolist() == [SLOW, NORMAL]
    assert found.outages.factor.tolist() == [2.5, 2.5]
    assert struck(found, 0) == struck(found, 1) == [0, 1, 2, 3]


def test_a_brown_out_leaves_a_part_of_a_feed(one_replica: Replica) -> None:
    """A feed that is lost keeps nothing; only feeds can have something left."""

    def found(fault: str) -> Outages:
        text = FLEET.replace("toronto: {", "toronto: {facility: {}, ") + f"faults: {{at: [{{{fault}}}]}}\n"
        fleet = loads(text)
        made = {name: replace(one_replica, weight_bytes=16e9, max_w=5000.0) for name in fleet.pools}
        placed = placement(fleet, made)
        return outages(fleet, tuple(made.values()), placed, parts_of(fleet, placed), DAY, 0)

    dim = found("what: feed, name: toronto, start: 1 h, duration: 1 h, left: 0.4")
    assert dim.outages.kind.tolist() == [PART_DOWN, PART_UP]
    assert dim.outages.factor.tolist() == [0.4, 0.4]
    assert found("what: feed, name: toronto, start: 1 h, duration: 1 h").outages.factor.tolist() == [0.0, 0.0]
    with pytest.raises(InputError, match="only a `feed`"):
        found("what: chiller, name: toronto, start: 1 h, left: 0.4")


@pytest.mark.parametrize("seed", range(4))
def test_every_fall_is_followed_by_one_rise_and_all_in_order(drawn: Drawn, seed: int) -> None:
    """Down counts never fall below zero, and end at zero; slow ones likewise."""
    rates = ", ".join(
        f"{{what: {what}, mtbf: {mtbf} h, mttr: 2 h, window: 30 min}}"
        for what, mtbf in (("engine", 20), ("machine", 40), ("rack", 50), ("row", 100), ("site", 200))
    )
    more = "{what: supplier, mtbf: 100 h, window: 1 h}, {what: slow, mtbf: 30 h}, {what: pipeline, mtbf: 90 h}"
    found = drawn(f"{{rates: [{rates}, {more}]}}", 20 * DAY, seed)
    assert len(found.outages) > 1000
    assert (np.diff(found.outages.time) >= 0).all()
    down, slow = np.zeros(49, int), np.zeros(49, int)
    for one in found.outages:
        members = found.hit[one.first : one.first + one.count]
        assert len(set(members.tolist())) == one.count
        np.add.at(down, members, {DOWN: 1, UP: -1}.get(int(one.kind), 0))
        np.add.at(slow, members, {SLOW: 1, NORMAL: -1}.get(int(one.kind), 0))
        assert down.min() >= 0
        assert slow.min() >= 0
    assert not down.any()
    assert not slow.any()


@pytest.mark.parametrize(
    ("what", "pool", "things", "mtbf_h"),
    [
        ("engine", "nodes", 8, 100.0),
        ("machine", "nodes", 2, 100.0),
        ("machine", "wafers", 12, 100.0),
        ("pipeline", "wafers", 3, 100.0 / 4),  # four wafers fall together, and fail four times as often
        ("machine", "racks", 36, 100.0),
    ],
)
def test_failures_come_as_often_as_their_rate_says(
    drawn: Drawn, what: str, pool: str, things: int, mtbf_h: float
) -> None:
    """Renewals with exponential times and repairs of mean 10 h: things x time / (mtbf + mttr), to four sigma."""
    days = 365 * 3
    found = drawn(f"{{rates: [{{what: {what}, pools: [{pool}], mtbf: 100 h, mttr: 10 h}}]}}", days * DAY)
    falls = int((found.outages.kind == DOWN).sum())
    expected = things * days * 24 / (mtbf_h + 10)
    assert abs(falls - expected) < 4 * math.sqrt(expected)


def test_things_fail_independently(drawn: Drawn) -> None:
    """Counts of two machines per day are uncorrelated; gaps of all machines together are those of a Poisson process."""
    found = drawn("{rates: [{what: machine, pools: [wafers], mtbf: 20 h, mttr: 1 min}]}", 1000 * DAY)
    falls = found.outages[found.outages.kind == DOWN]
    pipeline = found.hit[falls.first]
    counts = np.array([np.bincount((falls.time[pipeline == r] // DAY).astype(int), minlength=1000) for r in (8, 9, 10)])
    correlation = np.corrcoef(counts)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 4 / math.sqrt(1000)
    gaps = np.diff(falls.time)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.05)


def test_another_pool_changes_no_fault_of_the_others(drawn: Drawn) -> None:
    rates = "{rates: [{what: engine, mtbf: 50 h}, {what: machine, mtbf: 90 h, mttr: 3 h}, {what: slow, mtbf: 70 h}]}"
    more = "  nodes-2: {site: dallas, accelerator: h100, model: llama-3.1-8b, tensor: 2, replicas: 40}\n"
    before, after = drawn(rates, 30 * DAY), drawn(rates, 30 * DAY, more=more)
    assert len(after.outages) > 1.5 * len(before.outages)

    def told(found: Outages) -> set[tuple[float, int, int, int]]:
        return {
            (float(one.time), int(one.kind), int(one.cause), replica)
            for one in found.outages
            for replica in found.hit[one.first : one.first + one.count].tolist()
            if replica < 49
        }

    assert told(before) == told(after)
    other = drawn(rates, 30 * DAY, seed=1)
    assert told(before) != told(other)


def test_a_spare_takes_over_after_loading_weights(drawn: Drawn) -> None:
    """The first failure takes the spare, the second one waits for the first one's repair."""
    two = "{what: machine, name: wafers, number: 0, start: 1 h, duration: 10 h}, "
    two += "{what: machine, name: wafers, number: 4, start: 2 h, duration: 20 h}"
    found = drawn(f"{{at: [{two}], spares: {{wafers: 1}}, detection: 5 s, {QUICK}}}", DAY)
    load = 10 + 4
    moments = {struck(found, i)[0]: found.outages.time[i] for i in range(4) if found.outages.kind[i] == UP}
    assert moments == {8: pytest.approx(3600 + 5 + load), 9: pytest.approx(11 * 3600 + load)}


def test_a_small_crew_repairs_one_after_the_other(drawn: Drawn) -> None:
    """With one technician repairs at a site never overlap; with none to wait for, they do."""
    rate = "rates: [{what: machine, pools: [wafers], mtbf: 30 h, mttr: 10 h, spread: 0}]"
    alone, all_at_once = drawn(f"{{{rate}, crew: 1, {QUICK}}}", 20 * DAY), drawn(f"{{{rate}, {QUICK}}}", 20 * DAY)
    for found, waits in ((alone, True), (all_at_once, False)):
        ends = np.sort(found.outages.time[found.outages.kind == UP])
        assert (np.diff(ends).min() >= 36000 - 1e-6) == waits
    assert len(alone.outages) < len(all_at_once.outages)


def test_a_bad_release_is_stopped_before_it_reaches_all(drawn: Drawn) -> None:
    """Rolled out over 10 h and stopped after 5 h: about half of the 38 machines, each down until then."""
    release = "{what: supplier, name: NVIDIA, start: 1 h, duration: 5 h, window: 10 h}"
    found = drawn(f"{{at: [{release}], {QUICK}}}", DAY)
    falls = found.outages[found.outages.kind == DOWN]
    assert 8 <= len(falls) <= 30
    assert falls.time.min() >= 3600
    assert falls.time.max() < 6 * 3600
    assert np.ptp(falls.time) > 3600
    assert (found.outages.time[found.outages.kind == UP] >= 6 * 3600).all()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("what: machine, name: wafer", ['there is no pool "wafer"', 'did you mean "wafers"?', "faults.at.0.name"]),
        ("what: machine, name: nodes, number: 2", ["is 2, but nodes has 2", "count from 0"]),
        ("what: site", ["several have a site: dallas, toronto"]),
        ("what: supplier, name: Nvidia", ['there is no supplier "Nvidia"', "NVIDIA"]),
    ],
)
def test_faults_that_name_nothing_are_refused(drawn: Drawn, fault: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        drawn(f"{{at: [{{{fault}, start: 0 s}}]}}", DAY)
    told = " ".join(str(problem) for problem in refused.value.problems)
    for word in words:
        assert word in told


def test_the_catalogs_rates_are_scaled_to_the_machine(drawn: Drawn) -> None:
    """Of eight H100 6,300 h, of a tray of four GB200 twice that, of a wafer 10,000 h: in 30 years, to four sigma."""
    found = drawn("{rates: [{what: machine}]}", 30 * 365 * DAY)
    falls = found.outages[found.outages.kind == DOWN]
    pool = np.searchsorted(sorted(FIRST.values()), found.hit[falls.first], side="right") - 1
    hours = 30 * 365 * 24
    expected = [2 * hours / 6349, 12 * hours / 10024, 36 * hours / 12687, 4 * hours / 6349]
    for index, mean in enumerate(expected):
        assert abs((pool == index).sum() - mean) < 4 * math.sqrt(mean)
