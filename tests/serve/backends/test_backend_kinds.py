"""What each kind of backend says of itself is read as it means it."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from meritorder.fleet.gateway import Kind as KindName
from meritorder.serve.backends.kinds import KINDS, Kind
from meritorder.serve.backends.prometheus_text import mean, samples, total
from meritorder.serve.backends.readings import Readings, Timings

METRICS = Path(__file__).parent / "metrics"

EXPECTED = {
    "vllm": Readings(queued=3, running=20, taken=5.0, kv_used=0.36),
    "vllm_before_v1": Readings(queued=7, running=1, taken=5.0, kv_used=0.25),
    # three and five on the two engines: not the line of all, of one priority, or of another rank of the same engine
    "sglang": Readings(queued=3, running=8, taken=5.0, kv_used=0.04),
    "tensorrt_llm": Readings(queued=2, running=6, taken=5.0, kv_used=0.62),
    # in flight are those that wait, too
    "dynamo": Readings(queued=7, running=3, taken=5.0),
}


def metrics(name: str) -> bytes:
    return (METRICS / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("name", EXPECTED)
def test_metrics_are_read(name: str) -> None:
    kind = KINDS[name.removesuffix("_before_v1").replace("_", "-")]
    got, expected = kind.read(metrics(name), 5.0), EXPECTED[name]
    assert got is not None
    for field in Readings.__slots__:
        value = getattr(expected, field)
        assert getattr(got, field) == (pytest.approx(value) if isinstance(value, float) else value), field


def test_the_metrics_of_a_real_llama_cpp_server_are_read() -> None:
    got = KINDS["llama-cpp"].read(metrics("llama_cpp"), 5.0)
    assert got is not None
    assert (got.queued, got.running, got.kv_used) == (5, 2, None)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"<html>",
        b"\xff\xfe",
        b'[{"iter": 1}]',
        b"vllm:num_requests_running{",
        b"sglang:num_queue_reqs nan\n",
    ],
)
def test_a_page_that_is_no_such_metrics_gives_no_readings(kind: Kind, text: bytes) -> None:
    assert kind.read(text, 5.0) is None


def test_every_kind_of_the_fleet_file_is_there() -> None:
    assert set(KINDS) == set(get_args(KindName))
    assert all(name == kind.name for name, kind in KINDS.items())


@pytest.mark.parametrize("name", [path.stem for path in METRICS.glob("*.txt")])
def test_sums_are_those_of_prometheus_own_parser(name: str) -> None:
    sums: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(metrics(name).decode()):
        for sample in family.samples:
            if sample.name in metrics(name).decode():  # it lets the names of counters end in _total
                sums[sample.name] += sample.value
    assert {sample: total(metrics(name), sample.encode()) for sample in sums} == pytest.approx(dict(sums))


label_values = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=12)


@given(st.dictionaries(label_values, st.floats(-1e12, 1e12), min_size=1, max_size=4), label_values)
def test_whatever_labels_hold_the_right_samples_are_found(values: dict[str, float], model: str) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("running", 'running{engine="9"} 1', ["engine", "model"], registry=registry)
    other = Gauge("running_now", "another one", ["engine"], registry=registry)
    for engine, value in values.items():
        gauge.labels(engine, model).set(value)
        other.labels(engine).set(1e6)
    text = generate_latest(registry)
    assert total(text, b"running") == pytest.approx(sum(values.values()))
    assert mean(text, b"running") == pytest.approx(sum(values.values()) / len(values))
    assert len(list(samples(text, b"running"))) == len(values)


def test_reading_a_big_page_takes_next_to_nothing() -> None:
    """The event loop must not feel 40,000 lines."""
    big = b"".join(b'vllm:e2e_request_latency_seconds_bucket{le="%d",model_name="m"} 1.0\n' % i for i in range(20_000))
    text = big + metrics("vllm") + big
    began = time.perf_counter()
    for _ in range(5):
        KINDS["vllm"].read(text, 0.0)
    assert (time.perf_counter() - began) / 5 < 0.02


def test_times_that_backends_write_into_their_answers() -> None:
    llama = {"timings": {"cache_n": 31, "prompt_n": 1, "prompt_ms": 5.54, "predicted_n": 3, "predicted_ms": 10.394}}
    assert KINDS["llama-cpp"].timings(llama) == Timings(prompt_s=0.00554, output_s=0.010394, cached_tokens=31)
    cerebras = {"time_info": {"queue_time": 0.25, "prompt_time": 0.001, "completion_time": 0.5, "total_time": 0.76}}
    assert KINDS["cerebras"].timings(cerebras) == Timings(queue_s=0.25, prompt_s=0.001, output_s=0.5)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("said", [None, {}, [], 7, {"prompt_ms": "x"}, {"queue_time": None, "prompt_time": 1}])
def test_an_answer_without_proper_times_says_nothing(kind: Kind, said: object) -> None:
    assert kind.timings({}) is None
    assert kind.timings({"timings": said, "time_info": said}) is None
