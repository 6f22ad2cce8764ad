"""What was simulated once is found again, and only that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from capacity_fleet import capacity_fleet

from meritorder.plan.capacity import Capacity, Key, capacities, cases_of, store
from meritorder.plan.capacity import measure as measuring
from meritorder.plan.capacity import runs as running
from meritorder.plan.capacity.traffic import traffic_of

KEY = Key("node", "", "chat")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and one pool only. The kernel's machine code stays where it is."""
    from meritorder.compiled import cache_folder

    cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(measuring, "SIZES", (4,))
    monkeypatch.setattr(running, "EFFORTS", (1_500, 2_000, 3_000))


def test_a_hit_is_the_same_and_simulates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a file that was damaged is made anew."""
    fleet = capacity_fleet(tmp_path)
    first = capacities(fleet, cases_of(fleet))[KEY]
    (file,) = store.cache_folder().glob("*.json")
    file.write_text(file.read_text()[:-40])
    again = capacities(fleet, cases_of(fleet))[KEY]
    assert again == first
    monkeypatch.setattr("meritorder.plan.capacity.runs.simulate", lambda *a, **k: pytest.fail("simulated"))
    assert capacities(fleet, cases_of(fleet))[KEY] == first


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"key": ["a"], "decode": null}', "null"])
def test_what_cannot_be_read_counts_as_nothing(text: str) -> None:
    """However it is damaged."""
    store.cache_folder().mkdir(parents=True)
    (store.cache_folder() / "x.json").write_text(text)
    assert store.load("x") is None
    assert store.load("y") is None


def test_a_capacity_survives_the_disk() -> None:
    """With its other side and all."""
    side = Capacity(KEY, "m", (1, 2), (0.0, 0.1), ((1.0, 0.5), (2.0, 0.1)), errors=(0.1, 0.2), notes=("a",))
    pair = Capacity(KEY, "m", (1,), (0.0,), ((3.0,),), ttft_s=0.5, ends=(0.5, 2.0), decode=side)
    store.save("x", pair)
    assert store.load("x") == pair


def test_the_name_hangs_on_everything(tmp_path: Path) -> None:
    """Machine, model, run, service level, traffic, dispatch, seed; not on what the plan asks for or pays."""

    def name(path: str = "", value: Any = None, seed: int = 0) -> str:
        def apply(data: dict[str, Any]) -> None:
            *parts, last = path.split("/")
            for part in parts:
                data = data.setdefault(part, {})
            data[last] = value

        fleet = capacity_fleet(tmp_path, apply if path else None)
        case = cases_of(fleet)[0]
        return store.fingerprint(fleet, case, traffic_of(fleet, case.service, 0), seed)

    same = name()
    others = [
        name(seed=1),
        name("accelerators/h100", {"base": "h100", "memory": "60 GB"}),
        name("models/llama-3.1-8b", {"base": "llama-3.1-8b", "max_context": 5000}),
        name("plan/offers/node/runs/llama-3.1-8b", {"tensor": 2}),
        name("plan/offers/node/runs/llama-3.1-8b", {"engine": {"max_sequences": 64}}),
        name("plan/offers/node/chips", 4),
        name("services/chat/slo/ttft", "300 ms"),
        name("services/chat/overload", "shed"),
        name("plan/demand/chat/traffic", "servegen-m-large"),
        name("dispatch", {"policy": "least-request"}),
    ]
    assert len({same, *others}) == len(others) + 1
    assert same == name("plan/offers/node/price", "100 kUSD") == name("plan/demand/chat/requests_per_s", 99)
    assert same == name("services/chat/value_usd_per_mtok", 0)
