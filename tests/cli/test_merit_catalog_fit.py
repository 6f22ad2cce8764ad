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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("llama-3.1-8b cs-33", 'there is no accelerator "cs-33"'),
        ("lama cs-3", "the catalog has no model called"),
        ("llama-3.1-8b cs-3 --weights fp5", 'there is no format "fp5"'),
        ("llama-3.1-8b cs-3 --kv fp5", 'there is no format "fp5"'),
        ("llama-3.1-8b cs-3 --context 200000", "give at most 131072"),
    ],
)
def test_wrong_words_are_told(words, said, capsys):
    assert run(["catalog", "fit", *words.split()]) == 2
    assert said in capsys.readouterr().err
