from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.problems import InputError
from meritorder.workload.statistics.measures import index_of_dispersion, spearman
from meritorder.workload.statistics.prefix import reuse
from meritorder.workload.synthesis.arrivals import (
    RateCurve,
    _remembered,
    arrivals,
    mean_rate,
    renewals,
    through,
    weibull_shape,
)
from meritorder.workload.synthesis.distribution import Distribution, link_ranks
from meritorder.workload.synthesis.spec import Client, Gaps, TrafficSpec, parse_spec
from meritorder.workload.synthesis.synthesize import expected_rate, synthesize
from meritorder.workload.trace import Trace

LENGTHS = {"prompt_tokens": {"exponential": 500}, "output_tokens": {"exponential": 100}}
CHAT = {
    "per_s": 0.5,
    "prompt_tokens": {"lognormal": {"median": 600, "sigma": 1}},
    "output_tokens": {"exponential": 100},
    "shared_prefix": [
        {"name": "system", "tokens": 100, "variants": 3, "zipf": 1},
        {"name": "tools", "tokens": 60, "variants": 2},
    ],
    "sessions": {
        "turns": {"quantiles": {"at": [0, 1], "values": [1, 9]}},
        "pause_s": {"exponential": 30},
        "new_tokens": {"exponential": 200},
        "rewrite": {"probability": 0.1, "keep": {"constant": 0.5}, "new_tokens": {"exponential": 300}},
        "side": {
            "probability": 0.1,
            "keep": {"constant": 0.1},
            "new_tokens": {"exponential": 300},
            "turns": {"constant": 2},
        },
        "context": {
            "limit_tokens": {"constant": 3000},
            "keep": {"constant": 0.05},
            "new_tokens": {"constant": 500},
        },
    },
}
CLOSED = {
    **CHAT,
    "sessions": {
        **CHAT["sessions"],  # type: ignore[dict-item]
        "closed_loop": True,
        "nominal_service": {"base": 1.0, "per_output_token": 0.01},
    },
}


def client(**keys: Any) -> Client:
    return Client.model_validate({**LENGTHS, **keys})


def spec(block_tokens: int = 0, **clients: dict[str, Any]) -> TrafficSpec:
    return TrafficSpec.model_validate({"name": "test", "block_tokens": block_tokens, "clients": clients})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(a: Trace, b: Trace) -> bool:
    columns = ("arrival_s", "prompt_tokens", "output_tokens", "session", "turn", "after", "think_s", "blocks")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns)


# Arrivals


@pytest.mark.parametrize(("process", "cv"), [("poisson", 1.0), ("gamma", 0.5), ("gamma", 3.0), ("weibull", 2.5)])
def test_gaps_have_their_coefficient_of_variation(process: Any, cv: float) -> None:
    gaps = np.diff(renewals(Gaps(process=process, cv=cv), 200_000, rng()))
    assert gaps.mean() == pytest.approx(1, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05)


@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0, 4.0])
def test_counts_have_the_variance_of_renewal_theory(cv: float) -> None:
    # Index of dispersion of counts tends to cv^2 for windows of many gaps.
    times = arrivals(client(per_s=50, gaps={"process": "gamma", "cv": cv}), 1.0, 0.0, 40_000, rng(1))
    assert index_of_dispersion(times, 20) == pytest.approx(cv**2, rel=0.1)


def test_counts_up_to_a_border_vary_and_their_mean_is_exact() -> None:
    # A generator that rescales gaps to end at the border of a window would have no variance here.
    model = client(windows={"window": "10 s", "per_s": [2, 8]}, gaps={"process": "gamma", "cv": 2})
    counts = np.array([np.histogram(arrivals(model, 1, 0, 20, rng(k)), [0, 10, 20])[0] for k in range(4000)])
    assert counts.mean(axis=0) == pytest.approx([20, 80], rel=0.03)
    assert counts.var(axis=0) / counts.mean(axis=0) == pytest.approx([4, 4], rel=0.25)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.5, 3.0, 40.0]), min_size=1, max_size=8),
    st.floats(0.3, 6),
    st.floats(0, 500),
    st.integers(0, 2**31),
)
def test_arrivals_are_sorted_inside_and_never_where_the_rate_is_zero(
    rates: list[float], cv: float, start: float, seed: int
) -> None:
    edges = start + np.arange(len(rates) + 1) * 7.0
    times = through(RateCurve(edges, np.array(rates)), Gaps(process="gamma", cv=cv), rng(seed))
    assert (np.diff(times) >= 0).all()
    assert ((times >= edges[0]) & (times <= edges[-1])).all()
    piece = np.clip(((times - start) // 7).astype(int), 0, len(rates) - 1)
    on_border = np.isclose((times - start) / 7, np.rint((times - start) / 7))
    assert (np.array(rates)[piece][~on_border] > 0).all()


def test_rate_factor_scales_the_mean_and_keeps_the_gaps() -> None:
    model = client(per_s=10, gaps={"process": "gamma", "cv": 3})
    times = arrivals(model, 0.1, 0, 100_000, rng())
    assert len(times) == pytest.approx(100_000, rel=0.05)
    assert np.diff(times).std() / np.diff(times).mean() == pytest.approx(3, rel=0.05)


def test_merged_clients_come_nearer_to_poisson() -> None:
    # Many independent bursty sources together: gaps look Poisson, counts keep each one's dispersion.
    many = spec(a={**LENGTHS, "count": 200, "per_s": 0.5, "gaps": {"process": "gamma", "cv": 2}})
    times = synthesize(many, 0, duration_s=2000).arrival_s
    assert 1 < np.diff(times).std() / np.diff(times).mean() < 1.4
    assert index_of_dispersion(times, 40) == pytest.approx(4, rel=0.5)


def test_daily_wave_and_windows_that_start_again() -> None:
    wave = client(diurnal={"mean_per_s": 5, "amplitude": 0.8, "peak": "14 h"})
    counts, _ = np.histogram(arrivals(wave, 1, 0, 86_400, rng()), np.arange(25) * 3600)
    assert counts[14] == pytest.approx(5 * 1.8 * 3600, rel=0.05)
    assert counts[2] == pytest.approx(5 * 0.2 * 3600, rel=0.1)
    windows = client(windows={"window": "1 min", "per_s": [1, 3]})
    assert mean_rate(windows, 0, 240) == pytest.approx(2)
    assert mean_rate(windows, 60, 90) == pytest.approx(3)
    assert mean_rate(windows, -60, 0) == pytest.approx(3)


def test_drift_keeps_the_mean_and_spreads_the_rate() -> None:
    model = client(per_s=20, drift=[{"cv": 0.5, "memory": "60 s"}])
    times = arrivals(model, 1, 0, 200_000, rng())
    assert len(times) / 200_000 == pytest.approx(20, rel=0.05)
    # Windows far shorter than the memory see nearly the full variance: 1 + rate x w x cv^2.
    assert index_of_dispersion(times, 2) == pytest.approx(1 + 20 * 2 * 0.25, rel=0.15)


def test_bursts_keep_the_mean_and_leave_silence() -> None:
    model = client(per_s=2, on_off={"on_s": {"exponential": 10}, "off_s": {"exponential": 40}})
    times = arrivals(model, 1, 0, 100_000, rng())
    assert len(times) / 100_000 == pytest.approx(2, rel=0.1)
    seconds = np.bincount(times.astype(int), minlength=100_000)
    assert (seconds == 0).mean() == pytest.approx(0.8, abs=0.04)


@given(st.floats(0.1, 20))
def test_weibull_shape_gives_the_cv(cv: float) -> None:
    k = weibull_shape(cv)
    second = math.exp(math.lgamma(1 + 2 / k) - 2 * math.lgamma(1 + 1 / k))
    assert math.sqrt(second - 1) == pytest.approx(cv, rel=1e-6)


# Lengths


@pytest.mark.parametrize(
    ("family", "mean"),
    [
        ({"constant": 7}, 7),
        ({"exponential": 120}, 120),
        ({"lognormal": {"median": 100, "sigma": 0.5}}, 100 * math.exp(0.125)),
        ({"pareto": {"minimum": 10, "alpha": 3}}, 15),
        ({"quantiles": {"at": [0, 0.5, 1], "values": [0, 10, 100]}}, 30),
        ({"mixture": [{"weight": 3, "constant": 1}, {"weight": 1, "exponential": 9}]}, 3),
        ({"exponential": 100, "maximum": 50, "minimum": 20}, 20 + 100 * (math.exp(-0.2) - math.exp(-0.5))),
    ],
)
def test_means_and_samples_agree(family: dict[str, Any], mean: float) -> None:
    law = Distribution.model_validate(family)
    assert law.mean() == pytest.approx(mean, rel=0.01)
    assert law.sample(rng(), 200_000).mean() == pytest.approx(mean, rel=0.02)


def test_a_maximum_is_a_pile_up() -> None:
    values = Distribution.model_validate({"exponential": 100, "maximum": 100}).sample(rng(), 50_000)
    assert (values == 100).mean() == pytest.approx(math.exp(-1), abs=0.01)


def test_lengths_inside_a_client_are_not_secretly_linked() -> None:
    trace = synthesize(spec(a={**LENGTHS, "per_s": 20}), 3, duration_s=2000)
    assert abs(spearman(trace.prompt_tokens, trace.output_tokens) or 0) < 0.02
    # Nor with the order of arrival, nor from one request to the next.
    assert abs(spearman(trace.prompt_tokens[1:], trace.prompt_tokens[:-1]) or 0) < 0.02


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.95, 0.95), st.integers(0, 1000))
def test_copula_gives_the_rank_correlation_and_keeps_the_values(rho: float, seed: int) -> None:
    a, b = rng(seed).lognormal(5, 1, 20_000), rng(seed + 1).exponential(3, 20_000)
    linked_a, linked_b = link_ranks(a, b, rho, rng(seed + 2))
    assert spearman(linked_a, linked_b) == pytest.approx(rho, abs=0.03)
    assert np.array_equal(np.sort(linked_a), np.sort(a))
    assert np.array_equal(np.sort(linked_b), np.sort(b))


def test_copula_in_a_trace() -> None:
    trace = synthesize(spec(a={**LENGTHS, "per_s": 20, "spearman": -0.5}), 3, duration_s=1000)
    assert spearman(trace.prompt_tokens, trace.output_tokens) == pytest.approx(-0.5, abs=0.03)


# Sessions and prefixes


@pytest.mark.parametrize("chat", [CHAT, CLOSED], ids=["open", "closed"])
def test_links_blocks_and_order_are_valid(chat: dict[str, Any]) -> None:
    trace = synthesize(spec(16, chat=chat, other={**LENGTHS, "per_s": 1.0}), 5, duration_s=900)
    n = len(trace)
    index = np.arange(n)
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert (trace.after < index).all()
    assert trace.closed_loop == (chat is CLOSED)
    linked = trace.after >= 0
    assert (trace.session[linked] == trace.session[trace.after[linked]]).all()
    assert (trace.turn[linked] == trace.turn[trace.after[linked]] + 1).all()
    assert (trace.think_s[~linked] == 0).all()
    assert (np.diff(trace.block_start) == trace.prompt_tokens // 16).all()
    assert len(np.unique(trace.blocks)) == trace.unique_blocks
    for session in np.unique(trace.session[trace.session >= 0]):
        assert trace.turn[trace.session == session].tolist() == list(range((trace.session == session).sum()))
    reuse(trace)  # raises where ids are not chained


def test_later_turns_find_their_history() -> None:
    plain = {**CHAT["sessions"], "rewrite": None, "side": None, "context": None}  # type: ignore[dict-item]
    trace = synthesize(spec(16, chat={**CHAT, "sessions": plain}), 5, duration_s=2000)
    hit = reuse(trace).hit_tokens_by_request(len(trace))
    for session in range(20):
        own = np.flatnonzero(trace.session == session)
        before = trace.prompt_tokens[own][:-1]
        assert (hit[own][1:] == before // 16 * 16).all()


def test_shared_text_is_shared_by_variant() -> None:
    one = {**CHAT, "sessions": None, "per_s": 5, "prompt_tokens": {"constant": 400}}
    trace = synthesize(spec(16, a=one), 1, duration_s=400)
    firsts = trace.blocks[trace.block_start[:-1]]
    variants, counts = np.unique(firsts, return_counts=True)
    assert len(variants) == 3
    assert np.sort(counts / len(trace))[::-1] == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.04)
    # 160 tokens of shared text are ten full blocks; the eleventh is each prompt's own.
    last_shared = trace.blocks[trace.block_start[:-1] + 9]
    assert len(np.unique(last_shared)) == 6
    assert len(np.unique(trace.blocks[trace.block_start[:-1] + 10])) == len(trace)


def test_clients_share_texts_of_the_same_name() -> None:
    one = {**CHAT, "sessions": None, "prompt_tokens": {"constant": 400}, "per_s": 3}
    trace = synthesize(spec(16, a=one, b=one), 1, duration_s=200)
    assert len(np.unique(trace.blocks[trace.block_start[:-1]])) == 3


def test_context_limit_is_kept() -> None:
    plain = {**CHAT["sessions"], "rewrite": None, "side": None}  # type: ignore[dict-item]
    small = {**CHAT, "prompt_tokens": {"constant": 1000}, "sessions": plain}
    trace = synthesize(spec(16, a=small), 1, duration_s=2000)
    assert trace.prompt_tokens.max() <= 3000


def test_opening_turns_add_more() -> None:
    plan = {
        "turns": {"constant": 6},
        "pause_s": {"constant": 1},
        "new_tokens": {"constant": 10},
        "opening": {"turns": 2, "new_tokens": {"constant": 1000}},
    }
    one = {**LENGTHS, "per_s": 1, "prompt_tokens": {"constant": 500}, "sessions": plan}
    trace = synthesize(spec(a=one), 1, duration_s=100)
    assert trace.prompt_tokens[trace.session == 3].tolist() == [500, 1500, 2500, 2510, 2520, 2530]


def test_an_edit_far_in_front_keeps_the_length_but_not_the_prefix() -> None:
    plan = {
        "turns": {"constant": 2},
        "pause_s": {"constant": 1},
        "new_tokens": {"constant": 64},
        "rewrite": {"probability": 1, "keep": {"constant": 0.25}},
    }
    one = {**LENGTHS, "per_s": 1, "prompt_tokens": {"constant": 640}, "sessions": plan}
    trace = synthesize(spec(16, a=one), 1, duration_s=100)
    second = np.flatnonzero(trace.turn == 1)
    assert set(trace.prompt_tokens[second].tolist()) == {704}
    assert set(reuse(trace).hit_tokens_by_request(len(trace))[second].tolist()) == {160}


def test_closed_loop_sessions_run_to_their_end_with_their_think_times() -> None:
    trace = synthesize(spec(0, chat={**CLOSED, "shared_prefix": []}), 2, duration_s=300)
    assert trace.arrival_s[trace.after < 0].max() < 300
    linked = np.flatnonzero(trace.after >= 0)
    before = trace.after[linked]
    nominal = 1.0 + 0.01 * trace.output_tokens[before] + trace.think_s[linked]
    assert trace.arrival_s[linked] - trace.arrival_s[before] == pytest.approx(nominal, abs=1e-3)


def test_warm_up_lets_sessions_be_under_way() -> None:
    def early(warmup: float) -> float:
        plan = {**CHAT["sessions"], "warmup": warmup}  # type: ignore[dict-item]
        traces = [synthesize(spec(16, a={**CHAT, "sessions": plan}), k, duration_s=600) for k in range(20)]
        return float(np.mean([(t.arrival_s < 60).sum() for t in traces]))

    expected = expected_rate(spec(16, a=CHAT), 600) * 60
    assert early(1000) == pytest.approx(expected, rel=0.1)
    assert early(0) < 0.6 * expected


# The whole


def test_same_seed_same_bits_and_other_seed_other_bits() -> None:
    everything = spec(16, chat=CHAT, closed=CLOSED, other={**LENGTHS, "per_s": 1.0})
    first = synthesize(everything, 7, duration_s=300)
    assert same(first, synthesize(everything, 7, duration_s=300))
    assert not same(first, synthesize(everything, 8, duration_s=300))


def test_another_client_leaves_the_others_as_they_were() -> None:
    a, b = {**LENGTHS, "per_s": 1.0, "service": "a"}, {**LENGTHS, "per_s": 2.0, "service": "b"}
    alone = synthesize(spec(a=a), 7, duration_s=300)
    both = synthesize(spec(b=b, a=a), 7, duration_s=300)
    chosen = both.service == both.services.index("a")
    assert np.array_equal(both.arrival_s[chosen], alone.arrival_s)
    assert np.array_equal(both.prompt_tokens[chosen], alone.prompt_tokens)


@pytest.mark.parametrize("rate", [None, 3.0])
def test_number_of_requests_is_exact(rate: float | None) -> None:
    trace = synthesize(spec(16, chat=CHAT, other={**LENGTHS, "per_s": 1.0}), 1, requests=5000, rate_per_s=rate)
    assert len(trace) == 5000
    if rate:
        assert 5000 / trace.duration_s == pytest.approx(rate, rel=0.2)
    reuse(trace)


def test_a_rate_scales_all_clients_alike() -> None:
    three = spec(a={**LENGTHS, "per_s": 1.0}, b={**LENGTHS, "per_s": 3.0, "service": "b"})
    trace = synthesize(three, 1, duration_s=2000, rate_per_s=40)
    counts = np.bincount(trace.service)
    assert counts / 2000 == pytest.approx([10, 30], rel=0.05)


def test_fast_enough() -> None:
    import time

    big = spec(a={**LENGTHS, "per_s": 1000.0, "gaps": {"process": "gamma", "cv": 2}})
    started = time.perf_counter()
    trace = synthesize(big, 1, duration_s=500)
    assert len(trace) / (time.perf_counter() - started) > 500_000  # about 2.5 million on a quiet core


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"duration_s": 10.0, "requests": 10}, "give one of them"),
        ({"duration_s": 0.0}, "--duration: is 0"),
        ({"requests": -1}, "--requests: is -1"),
        ({"rate_per_s": math.nan}, "--rate: is nan"),
        ({"duration_s": 1e-9}, "nobody sent a request"),
        ({"duration_s": 1e12}, "more than 300,000,000 requests at once"),
        ({"requests": 10**12}, "more than 300,000,000 requests at once"),
    ],
)
def test_impossible_wishes_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        synthesize(spec(a={**LENGTHS, "per_s": 1.0}), 1, **arguments)


def test_endless_lengths_and_turns_are_refused() -> None:
    wild = {"lognormal": {"median": 1e300, "sigma": 20}}
    with pytest.raises(InputError, match="a length is above"):
        synthesize(spec(a={**LENGTHS, "per_s": 1.0, "prompt_tokens": wild}), 1)
    plan = {**CHAT["sessions"], "turns": {"pareto": {"minimum": 4e6, "alpha": 3}}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match="turns together"):
        synthesize(spec(16, a={**CHAT, "per_s": 0.01, "sessions": {**plan, "warmup": 3e4}}), 1, duration_s=2000)


def test_nobody_ever_sends() -> None:
    with pytest.raises(InputError, match="no client ever sends"):
        synthesize(spec(a={**LENGTHS, "per_s": 0.0}), 1)


# The file

GOOD = """
name: mine
clients:
  web:
    per_s: 3
    gaps: {process: gamma, cv: 2}
    prompt_tokens: {exponential: 500}
    output_tokens: {exponential: 100}
"""


def test_a_good_file() -> None:
    assert parse_spec(GOOD, "mine.yaml").clients["web"].gaps.cv == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.replace("per_s: 3", "per_s: -3"), "mine.yaml:5: clients.web.per_s: is -3; give at least 0"),
        (lambda t: t.replace("per_s: 3", "rate: 3"), "clients.web.rate: is not a known key"),
        (lambda t: t.replace("exponential: 500", "exponentiel: 500"), 'did you mean "exponential"?'),
        (lambda t: t.replace("exponential: 500", "exponential: 500, constant: 1"), "give exactly one of constant"),
        (lambda t: t.replace("gamma", "poisson"), "a poisson process has 1, say gamma or weibull"),
        (lambda t: t.replace("per_s: 3", "windows: {window: 600, per_s: [1]}"), "600 without a unit"),
        (lambda t: t.replace("per_s: 3", "windows: {window: 0 s, per_s: [1]}"), "give at least 0.01 s"),
        (lambda t: t.replace("exponential: 500", "quantiles: {at: [0, 2], values: [1, 2]}"), "from 0 to 1"),
        (lambda t: t.replace("cv: 2", "cv: .nan"), "clients.web.gaps.cv"),
        (lambda t: "", "is empty"),
        (lambda t: "- 1", "mine.yaml:1"),
        (lambda t: "name: x\nclients: {}", "clients: is empty"),
        (lambda t: t + "    shared_prefix: [{name: s, tokens: 10}]\n", "give block_tokens"),
    ],
)
def test_faults_are_named_with_their_line(change: Callable[[str], str], text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_spec(change(GOOD), "mine.yaml")
    assert text in str(error.value), str(error.value)


def test_all_faults_at_once() -> None:
    with pytest.raises(InputError) as error:
        parse_spec(GOOD.replace("per_s: 3", "per_s: -3").replace("cv: 2", "cv: 0"), "mine.yaml")
    assert len(error.value.problems) == 2


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=3)
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_message_and_never_a_crash(data: st.DataObject) -> None:
    import json

    tree = json.loads(json.dumps({"name": "x", "block_tokens": 16, "clients": {"chat": CHAT, "closed": CLOSED}}))
    for _ in range(data.draw(st.integers(1, 3))):
        node, key = tree, "clients"
        while isinstance(node[key], (dict, list)) and node[key] and data.draw(st.integers(0, 5)):
            node = node[key]
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
        node[key] = data.draw(JUNK)
        if not isinstance(tree.get("clients"), dict) or not tree["clients"]:
            break
    problems: tuple[Any, ...] = ()
    try:
        parse_spec(json.dumps(tree), "damaged.yaml")
    except InputError as error:
        problems = error.problems
    assert all("damaged.yaml" in problem.where for problem in problems)


@pytest.mark.parametrize("n", [1, 199, 200, 201, 1234])
def test_memory_of_a_drift_equals_its_recursion(n: int) -> None:
    noise, keep, level, plain = rng().standard_normal(n), math.exp(-0.05), 0.0, []
    for shock in noise:
        level = keep * level + shock
        plain.append(level)
    assert _remembered(noise, keep) == pytest.approx(plain, rel=1e-9, abs=1e-9)
