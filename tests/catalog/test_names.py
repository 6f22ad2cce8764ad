"""Names of models as others write them."""

import csv

import pytest

from meritorder.catalog.load import models
from meritorder.catalog.names import model_of
from meritorder.problems import InputError


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Qwen/Qwen3-32B", "qwen3-32b"),
        ("nvidia/Qwen3-32B-NVFP4", "qwen3-32b"),
        ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", "qwen3-235b-a22b-2507"),
        ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic", "llama-4-scout"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("llama2-70b-99.9", "llama-2-70b"),
        ("Kimi K2.6 1T-A32B", "kimi-k2.6"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "nemotron-nano-12b-v2-vl"),
        ("mistralai/Mistral-Nemo-Instruct-2407", "mistral-nemo-12b"),
    ],
)
def test_labels_of_others(label, name):
    assert model_of(label) == name


def test_every_name_of_the_catalog_names_itself():
    assert [model_of(name) for name in models()] == list(models())


def test_an_unknown_model_is_told_with_its_neighbours():
    with pytest.raises(InputError, match=r"no model called 'Qwen/Qwen3-33B'.*qwen3-32b"):
        model_of("Qwen/Qwen3-33B")


def test_all_labels_of_the_data_are_known(shared):
    labels = set()
    for file in sorted((shared / "perf").glob("*.csv")):
        with file.open(encoding="utf-8") as lines:
            for row in csv.DictReader(line for line in lines if not line.startswith("#")):
                labels |= {row.get(column) or "" for column in ("model", "model_path", "model_id")}
    strangers = ("GEMV", "energy", "unknown")
    known = {model_of(label) for label in labels if label and not label.startswith(strangers)}
    assert len(known) > 40
