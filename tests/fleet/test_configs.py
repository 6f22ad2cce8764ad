"""`model: ./config.json` in fleet files."""

import json

import pytest
from tests.catalog.hf_configs import CONFIGS

from meritorder.catalog.load import models
from meritorder.fleet.load import load
from meritorder.problems import InputError

FLEET = """
sites: {here: {usd_per_kwh: 80 USD/MWh, kg_per_kwh: 0.3}}
pools:
  one: {site: here, accelerator: h200, tensor: 2, model: ./qwen/config.json, replicas: 1}
  two: {site: here, accelerator: h200, tensor: 2, model: mine, replicas: 1}
models:
  mine: {base: qwen/config.json, max_context: 8192}
services:
  chat: {model: qwen/config.json}
  short: {model: mine}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen" / "config.json").write_text(json.dumps(CONFIGS["qwen3-32b"]))
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path


def test_a_config_is_a_model_wherever_one_may_be_named(folder):
    fleet = load(folder / "fleet.yaml")
    assert set(fleet.models) == {"qwen/config.json", "mine"}
    assert fleet.pools["one"].model == fleet.services["chat"].model == "qwen/config.json"
    assert fleet.models["qwen/config.json"].params == models()["qwen3-32b"].params
    assert (fleet.models["mine"].layers, fleet.models["mine"].max_context) == (64, 8192)
    assert fleet.pools["one"].weights == "bf16"


def test_the_path_is_seen_from_the_file_that_names_it(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "over.yaml").write_text("extends: ../fleet.yaml\npools: {one: {replicas: 2}}\n")
    assert load(folder / "sub" / "over.yaml").pools["one"].model == "qwen/config.json"


def test_two_files_with_like_paths_are_two_models(folder):
    (folder / "sub" / "qwen").mkdir(parents=True)
    (folder / "sub" / "qwen" / "config.json").write_text(json.dumps(CONFIGS["llama-3.1-8b"]))
    over = "pools: {two: {model: ./qwen/config.json}}\nservices: {short: {model: qwen/config.json}}\n"
    (folder / "sub" / "over.yaml").write_text(f"extends: ../fleet.yaml\n{over}")
    fleet = load(folder / "sub" / "over.yaml")
    assert fleet.pools["one"].model == "qwen/config.json"
    assert fleet.pools["two"].model == fleet.services["short"].model == "2/qwen/config.json"
    assert fleet.models["2/qwen/config.json"].layers == 32


def test_what_is_wrong_in_a_config_is_told_with_its_file(folder):
    (folder / "qwen" / "config.json").write_text(json.dumps({**CONFIGS["qwen3-32b"], "vocab_size": None}))
    with pytest.raises(InputError) as caught:
        load(folder / "fleet.yaml")
    [problem] = caught.value.problems
    assert (problem.where, problem.key, problem.what) == (
        str(folder / "qwen" / "config.json"),
        "vocab_size",
        "is missing",
    )


def test_a_config_that_is_not_there_is_told_with_who_names_it(folder):
    (folder / "qwen" / "config.json").unlink()
    with pytest.raises(InputError, match=r"named by .*fleet.yaml:4: can't be read: no such file"):
        load(folder / "fleet.yaml")


def test_a_machine_without_published_figures_says_what_is_missing(folder):
    (folder / "fleet.yaml").write_text(FLEET.replace("accelerator: h200", "accelerator: jalapeno", 1))
    with pytest.raises(InputError, match=r"jalapeno.*can't be simulated: nobody has published its FLOP/s"):
        load(folder / "fleet.yaml")
