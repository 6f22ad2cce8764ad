"""From engines to the fleet file that serves them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from meritorder.calibrate.embedded import remembered
from meritorder.fleet.load import load, loads
from meritorder.fleet.measured import MeasuredCoefficients
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError
from meritorder.serve.engines import local, weights
from meritorder.serve.engines.engine import Engine, Settings
from meritorder.serve.engines.fleet_file import Doorway, LocalPool, fleet_text
from meritorder.serve.engines.gguf_model import read_model

DOORWAY = Doorway("127.0.0.1:8000", "127.0.0.1:8001", "sqlite:////tmp/k.db")


def test_a_model_of_ones_own_is_read_served_measured_and_written_down(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plan = local.own_model(tiny)
    assert plan.model == "Tiny-model"
    with local.running(plan, tmp_path / "up", print) as engines:
        fleet = load(local.write_fleet(plan, engines, tmp_path / "up", DOORWAY, remembered))
        pool = fleet.pools["local"]
        assert pool.endpoint is not None
        assert pool.endpoint.urls == (engines[0].url,)
        assert pool.measured is not None
        assert 0 < compile_replica(fleet, "local").table.seconds(1, 10.0) < 1
        [kind, _, key] = (pool.endpoint.key or "").partition(":")
        assert kind == "file"
        assert Path(key).read_text() == engines[0].settings.key
        assert stat.S_IMODE(Path(key).stat().st_mode) == 0o600
    assert fleet.gateway.listen == "127.0.0.1:8000"
    assert {service.live.tier for service in fleet.services.values()} == {"default", "priority", "flex"}
    assert all(engine.pid is None for engine in engines)


def test_speed_is_measured_once_for_a_machine_and_model(tiny: Path, tmp_path: Path) -> None:
    engine = Engine(Settings("e", "tiny", str(tiny), "k", context=512, slots=2), tmp_path / "log", print)
    try:
        engine.wait_ready()
        first = remembered(engine, tmp_path / "speed.json")
    finally:
        engine.stop()
    assert first.engine.max_sequences == 2
    assert first.measured.range.sequences == 2
    assert remembered(engine, tmp_path / "speed.json") == first  # nobody is there to be measured any more
    (tmp_path / "speed.json").write_text(json.dumps({"another machine": {}}))
    with pytest.raises(InputError, match="refused"):
        remembered(engine, tmp_path / "speed.json")


def test_odd_names_are_still_yaml(tiny: Path) -> None:
    _, spec = read_model(tiny)
    machine = MeasuredCoefficients(host_s=0.1, decode_s=((1, 0.1), (2, 0.2)), kv_tokens=1)
    pool = LocalPool("local", "x", Settings("local", "1e3", "w", "k"), machine, 0.001, 10**8, "fp4")
    for model in ("1e3", "true", "a-b", "0x10"):
        fleet = loads(fleet_text("Yes: #1", model, spec, [pool], None))
        assert list(fleet.models) == [model]
        assert fleet.name == "Yes: #1"
        assert fleet.pools["local"].measured is not None
        assert fleet.pools["local"].measured.decode_s == ((1, 0.1), (2, 0.2))


def test_the_example_is_what_is_written_for_the_small_model() -> None:
    """`examples/up.yaml` is the fleet of `merit up` with the coefficients of a laptop, without endpoints."""
    example = Path(__file__).parents[3] / "examples" / "up.yaml"
    comments, _, body = example.read_text().partition("name: ")
    assert comments.startswith("# ")
    fleet = load(example)
    pools = [
        LocalPool(
            settings.name,
            about,
            settings,
            p.measured,
            p.engine.request_overhead,
            int(p.measured.weight_bytes or 0),
            precision,
        )
        for settings, precision, about in local.small_model().engines
        if (p := fleet.pools[settings.name]).measured
    ]
    assert "name: " + body == fleet_text("Desk", local.SMOLLM2, local.SMOLLM2_SHAPE, pools, None)


def test_files_that_hold_no_model_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        local.own_model(tmp_path / "none.gguf")
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"not a model at all, but long enough to have a header" * 9)
    with pytest.raises(InputError, match="can't be read as GGUF"):
        local.own_model(bad)


@pytest.mark.slow
def test_the_small_model_answers_in_both_formats(tmp_path: Path) -> None:
    """With the weights that `merit up` really uses; they are fetched if they aren't here yet."""
    import httpx

    if not weights.place(weights.F16).exists():
        try:
            weights.fetch()
        except InputError as error:
            pytest.skip(str(error))
        for kind in (weights.Q4, weights.F16):
            weights.make(kind, lambda share: None)
    with local.running(local.small_model(), tmp_path, print) as engines:
        for engine in engines:
            body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
            answer = httpx.post(
                f"{engine.url}/v1/chat/completions",
                json={**body, "max_tokens": 24},
                headers={"authorization": f"Bearer {engine.settings.key}"},
                timeout=60,
            )
            assert "paris" in answer.json()["choices"][0]["message"]["content"].lower()
