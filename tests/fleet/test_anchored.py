from __future__ import annotations

from pathlib import Path

from meritorder.fleet.anchored import anchored
from meritorder.fleet.gateway import Endpoint, Gateway, Tls
from meritorder.fleet.load import load

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "laptop.yaml"


def test_relative_paths_are_seen_from_the_fleet_file() -> None:
    fleet = load(EXAMPLE)
    endpoint = Endpoint(urls=("http://a",), ca="ca.pem", key="file:secret.txt")
    gateway = Gateway(
        tls=Tls(certificate="c.pem", key="/etc/k.pem"),
        record="traffic",
        record_salt="env:SALT",
        database="sqlite:///k.db",
    )
    pools = {name: pool.model_copy(update={"endpoint": endpoint}) for name, pool in fleet.pools.items()}
    got = anchored(fleet.model_copy(update={"pools": pools, "gateway": gateway}), Path("/fleets"))
    there = next(iter(got.pools.values())).endpoint
    assert there is not None
    assert (there.ca, there.key) == ("/fleets/ca.pem", "file:/fleets/secret.txt")
    assert got.gateway.tls == Tls(certificate="/fleets/c.pem", key="/etc/k.pem")
    assert (got.gateway.record, got.gateway.record_salt) == ("/fleets/traffic", "env:SALT")
    assert got.gateway.database == "sqlite:////fleets/k.db"


def test_what_names_no_file_stays() -> None:
    fleet = load(EXAMPLE)
    gateway = Gateway(database="postgresql://u@h/n")
    got = anchored(fleet.model_copy(update={"gateway": gateway}), Path("/fleets"))
    assert got.gateway == gateway
    assert got.pools == fleet.pools
