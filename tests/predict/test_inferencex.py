"""InferenceX rows: what their sizes mean, and that every row of the scoring inputs gets an answer."""

import csv
import math

import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.closed_loop import loop_trace, server, told
from meritorder.predict.inferencex import Split, point, squared
from meritorder.predict.inferencex_form import INFERENCEX, TPOT, TTFT

ROW = {
    **{"backend": "vllm", "backend_version": "0.19.0", "model_path": "MiniMaxAI/MiniMax-M2.5", "system": "b200_sxm"},
    **{"precision": "fp8", "mode": "agg", "isl": "1024", "osl": "1024", "batch_size": "32.0", "concurrency": "32.0"},
    **{"tp_size": "4.0", "pp_size": "1.0", "attention_dp_size": "1.0", "moe_tp_size": "4.0", "moe_ep_size": "1.0"},
    **{"measured": "2026-04-22", "origin": "inferencex"},
}


@pytest.mark.parametrize(
    ("sizes", "split"),
    [
        ((8, 1, 8, 1), Split(8, 1, 1, 1)),
        ((8, 1, 1, 8), Split(8, 1, 8, 1)),
        ((64, 1, 8, 8), Split(8, 1, 8, 1)),
        ((16, 1, 4, 4), Split(4, 1, 4, 1)),
        ((1, 8, 1, 8), Split(1, 8, 8, 1)),
        ((1, 64, 8, 8), Split(1, 8, 8, 1)),
        ((4, 4, 1, 16), Split(1, 4, 4, 1)),
        ((2, 2, 1, 4), Split(1, 2, 2, 1)),
    ],
)
def test_sizes_that_count_the_same_chips_twice(sizes, split):
    assert squared(*sizes, 1) == split


def test_more_clients_wait_longer_and_more_chips_answer_sooner():
    def answer(**changes):
        return INFERENCEX.predict([{**ROW, **changes}], catalog(), lambda n: None)[0].values

    few, many = answer(), answer(concurrency="256.0", batch_size="256.0")
    assert few[TPOT] < many[TPOT]
    assert few[TTFT] < many[TTFT]
    wide = answer(tp_size="8.0", moe_tp_size="8.0")
    assert wide[TPOT] < few[TPOT]


def test_an_engine_version_nobody_measured_answers_like_the_nearest_and_says_so():
    known, unknown = ({**ROW, "backend_version": version} for version in ("0.19.0", "0.19.7"))
    sure, borrowed = INFERENCEX.predict([known, unknown], catalog(), lambda n: None)
    assert borrowed.values == pytest.approx(sure.values)
    assert "coefficients of 0.19.0" in borrowed.note
    assert not sure.note


def test_lengths_are_drawn_from_80_to_100_percent():
    loop = server(point(ROW), catalog(), catalog().engines.profile(told(point(ROW), catalog())))
    trace = loop_trace(loop)
    assert len(trace) == 320
    assert 818 <= trace.prompt_tokens.min() < 860
    assert 990 < trace.prompt_tokens.max() <= 1024
    assert (trace.after >= 0).sum() == 320 - 32


def test_an_unknown_model_says_why():
    (answer,) = INFERENCEX.predict([{**ROW, "model_path": "someone/something"}], catalog(), lambda n: None)
    assert not answer.values
    assert "someone/something" in answer.note


def test_every_scoring_row_gets_an_answer(shared):
    with (shared / "perf/e2e_inferencex_heldout_inputs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for row in rows:
        run = point(row)
        profile = catalog().engines.profile(told(run, catalog()), run.month)
        assert server(run, catalog(), profile).place.chips >= 1
    for answer in INFERENCEX.predict(rows[::160], catalog(), lambda n: None):
        assert all(math.isfinite(answer.values[name]) and answer.values[name] > 0 for name in (TTFT, TPOT)), answer.note
