"""Speculative decoding: expected tokens, what it costs, and what stays as it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from meritorder.catalog.load import accelerators, engines, models
from meritorder.fleet.schema import Engine, Pool
from meritorder.fleet.speculation import Speculation
from meritorder.perf.placement import Placement, unnamed_engine
from meritorder.perf.speculative import machine_table

MEASURED = {"host_s": 1e-3, "idle_w": 1.0, "busy_w": 2.0, "kv_tokens": 100, "usd_per_hour": 0.0}

rates = st.lists(st.floats(0, 1), min_size=1, max_size=4).map(tuple)


def _place(chip="h100", model="llama-3.1-70b", tensor=4, pipeline=1, sequences=32, budget=512):
    shape = models()[model]
    machine = accelerators()[chip]
    engine = unnamed_engine(machine, engines())
    return Placement(machine, shape, tensor, pipeline, shape.weights, "fp16", sequences, budget, engine=engine)


@st.composite
def speculations(draw):
    acceptance = draw(rates)
    drafted = draw(st.integers(len(acceptance), 6))
    return Speculation(draft_tokens=drafted, acceptance=acceptance, draft_cost=draw(st.floats(0, 0.5)))


def test_expected_tokens_by_hand():
    assert Speculation(draft_tokens=3, acceptance=(0.8, 0.5)).tokens_per_pass == pytest.approx(1 + 0.8 + 0.4 + 0.2)


@given(speculations())
def test_expected_tokens_lie_between_one_and_all(speculation):
    assert 1 <= speculation.tokens_per_pass <= speculation.draft_tokens + 1


@given(st.integers(1, 8), st.floats(0, 1), st.floats(0, 1))
def test_better_drafts_and_more_of_them_yield_more(drafted, low, high):
    low, high = sorted((low, high))
    worse = Speculation(draft_tokens=drafted, acceptance=(low,))
    assert worse.tokens_per_pass <= Speculation(draft_tokens=drafted, acceptance=(high,)).tokens_per_pass
    assert worse.tokens_per_pass <= Speculation(draft_tokens=drafted + 1, acceptance=(low,)).tokens_per_pass


@given(speculations(), st.sampled_from(["h100", "cs-3"]), st.integers(1, 32))
@settings(max_examples=40, deadline=None)
def test_a_pass_costs_at_least_as_much_as_without_drafts(speculation, chip, batch):
    place = _place(chip, tensor=4 if chip == "h100" else 1, pipeline=1 if chip == "h100" else 5)
    plain, table = machine_table(place), machine_table(place, speculation)
    whole = table.seconds(batch, 0) * speculation.tokens_per_pass
    assert whole >= plain.seconds(batch, 0) * (1 - 1e-9)
    assert table.joules(batch, 0) * speculation.tokens_per_pass >= plain.joules(batch, 0) * (1 - 1e-9)
    assert table.decode_kv_s[batch] * speculation.tokens_per_pass == pytest.approx(plain.decode_kv_s[batch])


@given(speculations(), st.integers(1, 512), st.floats(0, 1e6))
@settings(max_examples=40, deadline=None)
def test_prompts_cost_what_they_did(speculation, tokens, pairs):
    plain, table = machine_table(_place()), machine_table(_place(), speculation)
    assert table.seconds(0, 0, tokens, pairs) == pytest.approx(plain.seconds(0, 0, tokens, pairs))
    assert table.joules(0, 0, tokens, pairs) == pytest.approx(plain.joules(0, 0, tokens, pairs))


@given(speculations(), st.sampled_from(["h100", "cs-3"]), st.integers(0, 32), st.integers(0, 400), st.floats(0, 4000))
@settings(max_examples=60, deadline=None)
def test_power_lies_between_idle_and_maximum(speculation, chip, batch, prompt, cached):
    if batch + prompt == 0:
        return
    place = _place(chip, tensor=4 if chip == "h100" else 1, pipeline=1 if chip == "h100" else 5)
    table = machine_table(place, speculation)
    work = (batch, batch * cached, prompt, prompt * cached)
    watts = table.idle_w + table.joules(*work) / table.seconds(*work)
    # prompts beside checked drafts are added, not computed together: their watts can pass the maximum by some percents
    most = 1.06 if batch and prompt else 1.0 + 1e-9
    assert place.chip.idle * place.chips <= watts <= place.chip.max * place.chips * most


def test_the_tables_keep_their_sizes():
    plain = machine_table(_place())
    table = machine_table(_place(), Speculation(draft_tokens=5, acceptance=(0.7,)))
    assert (table.max_sequences, table.token_budget) == (plain.max_sequences, plain.token_budget)
    assert table.idle_w == plain.idle_w


def test_drafts_without_acceptance_only_cost():
    table = machine_table(_place(), Speculation(draft_tokens=4, acceptance=(0.0,), draft_cost=0.1))
    plain = machine_table(_place())
    assert table.seconds(1, 0) >= 1.39 * plain.seconds(1, 0)


@pytest.mark.parametrize(("chip", "tensor", "pipeline"), [("h100", 4, 1), ("cs-3", 1, 4)])
def test_a_lone_user_of_a_dense_70b_gets_more_than_twice_the_tokens(chip, tensor, pipeline):
    place = _place(chip, tensor=tensor, pipeline=pipeline)
    speculation = Speculation(draft_tokens=4, acceptance=(0.75,), draft_cost=0.05)
    gain = machine_table(place).seconds(1, 1000) / machine_table(place, speculation).seconds(1, 1000)
    assert 2 < gain < speculation.tokens_per_pass


def test_it_pays_less_under_load():
    place = _place("cs-3", tensor=1, pipeline=4, sequences=256, budget=2048)
    plain = machine_table(place)
    table = machine_table(place, Speculation(draft_tokens=4, acceptance=(0.75,)))
    gain = [plain.seconds(batch, 0) / table.seconds(batch, 0) for batch in (1, 16, 256)]
    assert gain[0] > gain[1] > gain[2]
    assert gain[2] < 1


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"engine": Engine(max_sequences=256, token_budget=1024)}, "give at least 1280"),
        ({"accelerator": None, "measured": MEASURED}, "drop the one"),
    ],
)
def test_what_does_not_go_together_is_refused(pool, said):
    fields = {"site": "a", "accelerator": "h100", "model": "m", "replicas": 1, **pool}
    with pytest.raises(ValidationError, match=said):
        Pool(speculation=Speculation(draft_tokens=4, acceptance=(0.8,)), **fields)


def test_more_rates_than_tokens_are_refused():
    with pytest.raises(ValidationError, match="give one for each position at most"):
        Speculation(draft_tokens=1, acceptance=(0.8, 0.7))
