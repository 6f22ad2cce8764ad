"""Where replicas stand: rows, racks, systems and shares."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.facility.halls.facts import hall_facts
from meritorder.facility.halls.seats import placement
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError

FLEET = """
sites:
  a: {{usd_per_kwh: 0.05, kg_per_kwh: 0.3{site}}}
pools:
  wafers: {{site: a, accelerator: cs-3, model: llama-3.1-70b, pipeline: 5, replicas: {wafers}}}
  racks: {{site: a, accelerator: gb200, model: llama-3.1-70b, tensor: 8, replicas: {racks}}}
  nodes: {{site: a, accelerator: h200, model: llama-3.1-70b, tensor: 2, replicas: {nodes}}}
services: {{s: {{model: llama-3.1-70b}}}}
"""


def placed(site="", wafers=3, racks=10, nodes=5):
    fleet = loads(FLEET.format(site=site, wafers=wafers, racks=racks, nodes=nodes))
    return placement(fleet, {name: compile_replica(fleet, name) for name in fleet.pools})


def test_a_site_without_a_building_has_one_row_for_each_class_of_coolant():
    got = placed()
    assert [hall.coolant for hall in got.halls] == ["air", "liquid-21c", "liquid-45c"]
    assert got.counts.tolist() == [[0, 15, 0], [0, 0, 2], [2, 0, 0]]  # 9 replicas of 8 chips in a rack of 72
    assert np.isinf(got.row_limit_w).all()
    assert got.row_limit_c.tolist() == [30.0, 21.0, 45.0]
    assert got.row_air_share == pytest.approx([1.0, 0.1, 0.13])


def test_systems_racks_and_replicas_of_one_pool_follow_one_another():
    got = placed()
    assert len(got.rack_row) == 8 + 2 + 1  # two wafers a rack, a rack of 72 chips, four nodes a rack
    assert got.system_rack[:5].tolist() == [0, 0, 1, 1, 2]
    assert got.racks_of(1).tolist() == [2, 3, 4]  # wafers 5 to 9
    of = got.replica_systems[got.replica_system_of[3 + 8] : got.replica_system_of[3 + 10]]
    assert of.tolist() == [15, 16]  # the ninth and the tenth replica of 8 chips


def test_shares_of_a_replica_sum_to_one_and_a_row_carries_what_stands_in_it():
    got = placed(site=", facility: {}", wafers=40, racks=200, nodes=700)
    sums = np.add.reduceat(got.seats.share, got.seat_of[:-1])
    assert sums == pytest.approx(np.ones(940))
    assert got.row_nameplate_w.max() <= 1.5e6
    assert got.row_limit_w == pytest.approx(got.row_nameplate_w)
    assert got.counts.sum(axis=1).tolist() == [200, 23, 175]
    watts = np.array([stand.watts for stand in got.stands])
    assert np.bincount(got.system_row, minlength=got.rows).tolist() == got.counts.sum(axis=0).tolist()
    assert watts @ got.counts == pytest.approx(got.row_nameplate_w)
    # racks are no fuller than they may be, and none is empty
    systems = np.bincount(got.system_rack, minlength=len(got.rack_row))
    most = np.array([stand.per_rack for stand in got.stands])[got.rack_pool]
    assert ((systems > 0) & (systems <= most)).all()


def test_thousands_of_systems_are_placed_at_once():
    got = placed(site=", facility: {}", wafers=3500, racks=9000, nodes=16000)
    assert len(got.system_rack) == 22500
    assert len(got.seat_of) == 28501


def test_a_site_with_halls_and_no_machines_has_empty_rows():
    halls = ", facility: {halls: {z: {coolant: air, rows: 2, racks: 3, rack_power: 30 kW, row_power: 60 kW}}}"
    text = FLEET.format(site="", wafers=1, racks=1, nodes=1)
    text = text.replace("pools:", "  b: {usd_per_kwh: 0.05, kg_per_kwh: 0.3" + halls + "}\npools:", 1)
    fleet = loads(text)
    got = placement(fleet, {name: compile_replica(fleet, name) for name in fleet.pools})
    assert got.row_site.tolist() == [0, 0, 0, 1, 1]
    assert got.row_nameplate_w[3:].tolist() == [0.0, 0.0]
    assert got.row_limit_w[3:].tolist() == [60e3, 60e3]
    [facts] = hall_facts(got)
    # two nodes of 10.2 kW in each of three racks, five of them in a row of 60 kW
    assert (facts["deployable"], facts["further_systems"]) == ("h200", {"h200": 10})
    assert facts["stranded_w"]["power"] == pytest.approx(2 * 9e3)


def test_oversubscription_lets_more_stand_than_a_row_can_feed():
    hall = "{coolant: liquid-21c, rows: 1, racks: 9, rack_power: 60 kW, row_power: 100 kW}"

    def tried(over):
        site = f", facility: {{power: {{oversubscription: {over}}}, halls: {{z: {hall}}}}}"
        text = FLEET.format(site=site, wafers=1, racks=1, nodes=1).splitlines()
        fleet = loads("\n".join(line for line in text if not line.strip().startswith(("racks:", "nodes:"))))
        return placement(fleet, {name: compile_replica(fleet, name) for name in fleet.pools})

    with pytest.raises(InputError, match=r"5 of its 5 systems of cs-3.*more `row_power` would do"):
        tried(1.0)
    got = tried(1.4)  # five wafers of 27 kW
    assert got.row_limit_w.tolist() == pytest.approx([100e3])
    assert got.row_nameplate_w.tolist() == [135e3]
