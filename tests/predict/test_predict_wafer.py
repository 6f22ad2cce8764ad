"""Tables about wafers: every row answered or refused with a reason, cross-validated errors within our promise."""

import csv
from pathlib import Path

import numpy as np
import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.wafer_port import WAFER_PORT
from meritorder.predict.wafer_service import WAFER_CALL, WAFER_SPEED, WAFER_TEST

FORMS = [
    (WAFER_PORT, "wafer_waferllm"),
    (WAFER_TEST, "wafer_cerebras_llama33_70b_api"),
    (WAFER_CALL, "wafer_api_timings"),
    (WAFER_SPEED, "wafer_speeds"),
]
PORT = {
    "model": "LLaMA2-13B",
    "device": "WSE-2",
    "system": "WaferLLM",
    "n_gpus": "",
    "context": "4096",
    "metric": "tpr",
}
SPEED = {"provider": "Cerebras", "model": "Qwen3-32B", "date": "2026-01", "kind": "AA", "precision": ""}


def ask(form, **row):
    [answer] = form.predict([row], catalog(), lambda count: None)
    return answer


@pytest.mark.parametrize(("form", "name"), FORMS)
def test_every_row_of_the_scoring_sets_is_answered(form, name, shared: Path):
    with (shared / "perf" / f"{name}_heldout_inputs.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert rows
    assert form.needs <= set(rows[0])
    for row, answer in zip(rows, form.predict(rows, catalog(), lambda count: None), strict=True):
        if "naive" in row.get("system", ""):
            assert not answer.values
            assert "not modelled" in answer.note
        else:
            assert set(answer.values) == set(form.adds)
            assert all(np.isfinite(value) and value > 0 for value in answer.values.values())


def test_a_whole_request_is_its_two_phases():
    prefill = ask(WAFER_PORT, **PORT, phase="prefill", cores_side="750").values["value"]
    decode = ask(WAFER_PORT, **{**PORT, "context": str(4096 + 64)}, phase="decode", cores_side="375").values["value"]
    whole = ask(WAFER_PORT, **PORT, phase="e2e 4096/128", cores_side="750/375").values["value"]
    assert whole == pytest.approx(128 / (4096 / prefill + 128 / decode))


def test_more_gpus_use_more_energy_than_the_wafer_in_decode():
    row = {
        **PORT,
        "device": "A100/WSE-2",
        "system": "ratio",
        "metric": "energy_ratio",
        "phase": "decode",
        "cores_side": "",
    }
    one, eight = (ask(WAFER_PORT, **{**row, "n_gpus": gpus}).values["value"] for gpus in ("1", "8"))
    assert one < eight


def test_a_vendors_figure_is_above_what_others_measure():
    measured = ask(WAFER_SPEED, **SPEED).values["tok_s_per_user"]
    both = ask(WAFER_SPEED, **{**SPEED, "kind": "vendor+AA"}).values["tok_s_per_user"]
    claimed = ask(WAFER_SPEED, **{**SPEED, "kind": "vendor docs"}).values["tok_s_per_user"]
    assert measured < both < claimed < 1.8 * measured


def test_speculative_decoding_explains_the_70b():
    model = {"model": "Llama 3.3 70B"}
    before = ask(WAFER_SPEED, **{**SPEED, **model, "date": "2024-08"}).values["tok_s_per_user"]
    since = ask(WAFER_SPEED, **{**SPEED, **model}).values["tok_s_per_user"]
    assert since > 1.7 * before


def test_longer_prompts_delay_short_answers_most():
    row = {"prompt_type": "long_input_short_output", "completion_tokens": "40"}
    short, long = (ask(WAFER_TEST, **row, prompt_tokens=tokens).values for tokens in ("500", "4000"))
    assert long["server_decode_tok_s"] < short["server_decode_tok_s"]
    assert long["server_prompt_ms"] > 6 * short["server_prompt_ms"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"provider": "Groq"}, "only services on CS-3"), ({"model": "Nobody 1T"}, "no model called")],
)
def test_what_is_not_modelled_says_so(changes, said):
    answer = ask(WAFER_SPEED, **{**SPEED, **changes})
    assert not answer.values
    assert said in answer.note


def test_cross_validated_errors_keep_within_the_aim(shared: Path):
    from scripts.machine_fit.data import Data
    from scripts.validation.run import run
    from scripts.validation.wafer import studies

    verdicts = [v for study in studies() for v in run(study, Data(shared / "perf"), lambda line: None) if not v.fold]
    assert {v.study.name for v in verdicts if v.metric.aim} >= {"WaferLLM, unseen model", "CS-3 service, unseen model"}
    for verdict in verdicts:
        assert verdict.metric.floor is None or verdict.ours.mean <= verdict.metric.floor
        assert verdict.ours.unanswered == 0
