"""Engines by name and version, and splits of a model, as a fleet file names them."""

import pytest

from meritorder.catalog.engine import nearest_version
from meritorder.catalog.load import accelerators, engines, models
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site
from meritorder.perf.compile import compile_replica
from meritorder.perf.placement import NEUTRAL, unnamed_engine
from meritorder.problems import InputError


def _replica(accelerator="b200", model="deepseek-r1", engine=None, **pool):
    fleet = Fleet(
        name="f",
        models={model: models()[model]},
        accelerators={accelerator: accelerators()[accelerator]},
        sites={"s": Site(usd_per_kwh=0.1, kg_per_kwh=0.3)},
        pools={
            "p": Pool(
                **{"site": "s", "accelerator": accelerator, "model": model, "replicas": 1, "weights": "fp8"},
                engine=engine or Engine(),
                **pool,
            )
        },
        services={"a": Service(model=model)},
    )
    return compile_replica(fleet, "p")


@pytest.mark.parametrize(
    ("version", "month", "nearest"),
    [
        ("0.5.10.post1", "", "0.5.9"),
        ("0.5.1", "", "0.5.6"),
        ("nightly-dev", "2026-03", "0.5.9"),
        ("glm5-hopper", "2025-12", "0.5.6"),
        ("", "", "0.5.9"),
    ],
)
def test_a_version_without_data_takes_the_nearest(version, month, nearest):
    assert nearest_version(version, month, {"0.5.6": "2025-12", "0.5.9": "2026-03"}) == nearest


@pytest.mark.parametrize(
    ("engine", "version", "month", "nearest"),
    [
        ("sglang", "0.6.0", "", "0.5.9"),
        ("vllm", "1.0", "", "0.19.0"),
        ("vllm", "0.20", "", "0.19.0"),
        ("vllm", "0.8", "2026-04", "0.11.2"),
        ("vllm", "", "", "0.19.0"),
        ("vllm", "nightly", "", "0.19.0"),
        ("vllm", "nightly", "2025-10", "2025-10"),
        ("sglang", "", "", "0.5.9"),
        ("trtllm", "2.0.0", "", "1.3.0rc5"),
        ("trtllm", "0.8.1.post2", "2026-02", "1.2.0rc2.post2"),
        ("trtllm", "0.8.1.post2", "", "1.0.0rc3"),
        ("trtllm", "1.2", "", "1.2.0rc2"),
    ],
)
def test_of_the_engines_measured_the_nearest_version_is_the_neighbour(engine, version, month, nearest):
    assert nearest_version(version, month, engines().versions[engine]) == nearest


def test_versions_without_a_month_are_no_neighbours_in_time():
    assert nearest_version("nightly", "2026-01", {"0.12.0": "", "0.11.2": "2025-10"}) == "0.11.2"


def test_engine_and_version_change_the_table_and_borrowed_ones_are_told():
    known = _replica(engine=Engine(name="sglang", version="0.5.9"), tensor=8)
    other = _replica(engine=Engine(name="trtllm", version="1.2.0rc6.post2"), tensor=8)
    assert known.table.seconds(32, 32e3) != other.table.seconds(32, 32e3)
    assert not [note for note in known.notes if "coefficients of" in note and "sglang" in note]
    unknown = _replica(engine=Engine(name="sglang", version="0.5.10"), tensor=8)
    assert "sglang 0.5.10: coefficients of 0.5.9" in unknown.notes


def test_every_engine_of_the_schema_was_measured():
    assert set(engines().versions) == {"vllm", "sglang", "trtllm"}


def test_attention_copies_hold_more_sessions_than_tensor_parallel():
    split = _replica(tensor=8)
    copies = _replica(data_parallel=8, expert_parallel=8)
    assert copies.accelerators == split.accelerators == 8
    assert copies.kv_tokens > 4 * split.kv_tokens


@pytest.mark.parametrize("split", [{"tensor": 4, "expert_parallel": 3}, {"tensor": 4, "expert_parallel": 8}])
def test_experts_that_do_not_divide_are_refused(split):
    with pytest.raises(InputError, match="expert"):
        _replica(**split)


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"engine": Engine(version="0.5.9")}, "pools.p.engine.version"),
        ({"accelerator": "cs-3", "engine": Engine(name="vllm"), "pipeline": 5}, "pools.p.engine.name"),
        ({"expert_parallel": 8, "tensor": 8}, "pools.p.expert_parallel"),
    ],
)
def test_what_has_no_effect_is_refused(told, key):
    with pytest.raises(InputError) as refused:
        _replica(model="llama-3.1-70b", **told)
    assert [problem.key for problem in refused.value.problems] == [key]
    assert all(problem.fix for problem in refused.value.problems)


def test_a_stage_stays_within_the_link():
    with pytest.raises(InputError, match="data_parallel"):
        _replica(tensor=8, data_parallel=2)


def test_a_pool_without_engine_has_an_average_one_between_those_measured():
    unnamed = _replica(model="llama-3.1-70b", tensor=8).table.seconds(32, 32e3)
    named = [
        _replica(model="llama-3.1-70b", tensor=8, engine=Engine(name=name)).table.seconds(32, 32e3)
        for name in engines().versions
    ]
    assert 0.8 * min(named) < unnamed < 1.2 * max(named)
    assert engines().average().host > 0


def test_a_machine_with_software_of_its_own_keeps_its_times():
    chip = accelerators()["groq-lpu"]
    assert chip.gpu.host == pytest.approx(50e-6)
    assert unnamed_engine(chip, engines()) == NEUTRAL
    assert unnamed_engine(accelerators()["h100"], engines()) == engines().average()
