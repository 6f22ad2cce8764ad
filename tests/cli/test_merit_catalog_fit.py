"""`merit catalog fit`, as people and scripts call it."""

import json

import pytest

from meritorder.cli.main import run


def test_json_has_value_and_range(capsys):
    assert run(["catalog", "fit", "llama-3.3-70b", "cs-3", "--context", "4096", "--sessions", "100", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["binds"] == "KV cache"
    assert facts["tok_s_total"]["low"] < facts["tok_s_total"]["value"] < facts["tok_s_total"]["high"]
    assert facts["tok_s_total"]["value"] == pytest.approx(100 * facts["tok_s_per_user"]["value"])
    assert facts["chips"]["value"] >= facts["chips_for_weights"] == 4
    assert facts["parked"]["sessions"] > 100


def test_people_read_the_range_beside_the_figure(capsys):
    assert run(["catalog", "fit", "llama-3.1-70b", "cs-3"]) == 0
    out = capsys.readouterr().out
    assert "4 needed for the weights alone" in out
    assert "32 kW to 100 kW" in out


def test_ranges_of_power_stand_beside_it_on_gpus(capsys):
    assert run(["catalog", "fit", "llama-3.1-8b", "h100", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["idle_w"]["low"], facts["idle_w"]["high"]) == tuple(facts["ranges"]["idle"].values())
    assert facts["idle_w"]["low"] < facts["idle_w"]["value"] < facts["idle_w"]["high"]
    assert run(["catalog", "fit", "llama-3.1-8b", "h100"]) == 0
    assert "250 W to 450 W" in capsys.readouterr().out


def test_the_layout_is_told_and_users_too_slow_to_read_are_noted(capsys):
    assert run(["catalog", "fit", "deepseek-r1", "gb300", "--sessions", "5000"]) == 0
    assert "1 x tensor 1 x data 16, expert 16; 4 needed" in capsys.readouterr().out
    assert run(["catalog", "fit", "llama-3.1-405b", "rtx-4090", "--sessions", "1000"]) == 0
    told = capsys.readouterr()
    assert "stages of tensor 4" in told.out
    assert "less than the 5 tok/s that people read" in told.err


def test_drafts_make_a_lone_user_faster(capsys):
    rates = []
    for drafts in ("0", "4"):
        assert run(["catalog", "fit", "llama-3.1-70b", "cs-3", "--draft-tokens", drafts, "--json"]) == 0
        rates.append(json.loads(capsys.readouterr().out)["tok_s_per_user_alone"]["value"])
    assert rates[1] > 2 * rates[0]


def test_time_for_a_parked_session_to_come_back(capsys):
    # notes of analysts: 32K tokens of a 70 KB cache, 2.2 GB, in about 15 ms on CS-3 and 7 ms on CS-4
    for chip, seconds in (("cs-3", 15e-3), ("cs-4", 7e-3)):
        assert run(["catalog", "fit", "kimi-k2.6", chip, "--context", "32768", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        per_byte = facts["parked"]["return_s_one_link"] / facts["session_bytes"]
        assert 2.2e9 * per_byte == pytest.approx(seconds, rel=0.1)


def test_no_parked_session_comes_back_before_it_is_asked_for(capsys):
    assert run(["catalog", "fit", "llama-3.2-1b", "cs-3", "--context", "1", "--json"]) == 0
    assert 10e-6 < json.loads(capsys.readouterr().out)["parked"]["return_s"] < 15e-6  # two hops of 5 us


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "llama-3.1-8b cs-33",
            'fit: there is no accelerator "cs-33" in the catalog; did you mean "cs-3"?',
        ),
        (
            "lama-3.1-8b cs-3",
            'fit: there is no model "lama-3.1-8b" in the catalog; did you mean "llama-3.1',
        ),
        ("xyz cs-3", 'merit catalog fit: there is no model "xyz" in the catalog; see `merit catalog --models`'),
        ("h100 llama-3.1-8b", "h100 and llama-3.1-8b are the wrong way round; `merit catalog fit llama-3.1-8b h100`"),
        ("H100 Qwen/Qwen3-32B", "are the wrong way round; `merit catalog fit Qwen/Qwen3-32B H100`"),
        ("llama-3.1-8b cs-3 --weights fp5", 'there is no format "fp5"'),
        ("llama-3.1-8b cs-3 --kv fp5", 'there is no format "fp5"'),
        ("llama-3.1-8b cs-3 --context 200000", "give at most 131072"),
    ],
)
def test_wrong_words_are_told(words, said, capsys):
    assert run(["catalog", "fit", *words.split()]) == 2
    assert said in capsys.readouterr().err
