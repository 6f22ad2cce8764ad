"""`merit catalog`: lists, filters, and shows one with its sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.catalog.hf_configs import CONFIGS

from meritorder.catalog.load import accelerator_entries, accelerators, figures, models
from meritorder.cli.main import run

Capture = pytest.CaptureFixture[str]


def told(capsys: Capture, *arguments: str) -> str:
    assert run(["catalog", *arguments]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    return out.out


def facts(capsys: Capture, *arguments: str) -> dict:
    found: dict = json.loads(told(capsys, *arguments, "--json"))
    return found


def refused(capsys: Capture, *arguments: str) -> str:
    assert run(["catalog", *arguments]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    return out.err


def names(rows: list[dict]) -> list[str]:
    return [row["name"] for row in rows]


def test_everything_is_listed(capsys: Capture) -> None:
    text = told(capsys)
    found = facts(capsys)
    assert names(found["accelerators"]) == list(accelerator_entries())
    assert names(found["models"]) == list(models())
    assert all(name in text for name in (*accelerator_entries(), *models()))
    assert [row["name"] for row in found["accelerators"] if row["can_be_simulated"]] == list(accelerators())


def test_rows_have_the_figures_that_machines_are_built_from(capsys: Capture) -> None:
    for row in facts(capsys, "--accelerators")["accelerators"]:
        if row["can_be_simulated"]:
            chip = accelerators()[row["name"]]
            assert [row[key] for key in ("memory", "bandwidth", "flops_16", "flops_8", "max", "usd_per_hour")] == [
                *(chip.memory, chip.bandwidth, chip.flops_16, chip.flops_8, chip.max, chip.usd_per_hour)
            ]


@pytest.mark.parametrize(
    ("arguments", "machines", "some_models"),
    [
        (("--models",), 0, {"qwen3-32b"}),
        (("--accelerators",), len(accelerator_entries()), set()),
        (("--kind", "wafer"), 3, set()),
        (("--kind", "tpu"), 4, set()),
        (("--kind", "mla"), 0, {"deepseek-r1", "kimi-k2.5", "glm-5"}),
        (("--vendor", "amd"), 4, set()),
        (("--min-memory", "300 GB"), 2, set()),
        (("cerebras", "liquid"), 3, set()),
        (("kimi",), 0, {"kimi-k2.5"}),
        (("list", "kimi"), 0, {"kimi-k2.5"}),
    ],
)
def test_filters(arguments: tuple[str, ...], machines: int, some_models: set[str], capsys: Capture) -> None:
    found = facts(capsys, *arguments)
    assert len(found["accelerators"]) == machines
    assert some_models <= set(names(found["models"]))
    assert bool(found["models"]) == bool(some_models)


@pytest.mark.parametrize("name", accelerator_entries())
def test_every_machine_shows_every_figure_with_its_source(name: str, capsys: Capture) -> None:
    found = facts(capsys, "show", name)
    shown = {**found["figures"], **found["coefficients"]}
    for key, figure in figures(name).items():
        one = shown[key.rpartition(".")[2]]
        assert (one["value"], one["source"], one["confidence"]) == (figure.value, figure.source, figure.confidence)
        assert one["date"] == figure.date
    text = told(capsys, "show", name)
    assert all(key in text for key in shown)


def test_dense_and_sparse_flops_stand_apart_with_the_source(capsys: Capture) -> None:
    text = told(capsys, "show", "cs-3")
    assert "15.625 PFLOP/s" in text
    assert "125 PFLOP/s" in text
    assert "21 C" in text
    assert "the vendor's claim" in text


def test_kernels_are_shown_with_their_error_and_range(capsys: Capture) -> None:
    found = facts(capsys, "show", "h100")["kernels"]
    for name, kernel in accelerators()["h100"].operators.items():
        assert (found[name]["rows"], found[name]["median_error"]) == (kernel.rows, kernel.median)
        assert set(found[name]["ranges"]) == set(kernel.axes)
        assert found[name]["borrowed"] == kernel.borrowed
    assert "gemm_bf16" in told(capsys, "show", "h100")
    assert facts(capsys, "show", "h100-nvl")["kernels"]["gemm_bf16"]["borrowed"] == "h100"


def test_a_machine_without_published_figures_says_so(capsys: Capture) -> None:
    assert "nobody has published its FLOP/s" in told(capsys, "show", "jalapeno")
    assert facts(capsys, "show", "jalapeno")["missing"]


@pytest.mark.parametrize("name", models())
def test_every_model_is_shown(name: str, capsys: Capture) -> None:
    found, model = facts(capsys, "show", name), models()[name]
    assert (found["params"], found["active_params"]) == (model.params, model.active_params)
    assert found["kv_bytes_per_token"] == model.kv_bytes_per_token("fp16")
    layers = found["layers"]
    assert sum(row["layers"] for row in layers) == model.layers
    kept = [row for row in layers if row["kind"].startswith(("full", "latent"))]
    assert sum(row["layers"] * row["kv_bytes_per_token"] for row in kept) == pytest.approx(found["kv_bytes_per_token"])
    assert found["confidence"] in told(capsys, "show", name)


def test_a_hugging_face_id_is_a_name_too(capsys: Capture) -> None:
    assert facts(capsys, "show", "moonshotai/Kimi-K2.5")["name"] == "kimi-k2.5"


def test_a_config_is_shown(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIGS["glm-5"]))
    found = facts(capsys, "show", str(file))
    assert (found["params"], found["source"]) == (models()["glm-5"].params, str(file))
    assert "read from" in told(capsys, "show", str(file))
    file.write_text("{}")
    assert f"{file}: model_type: is missing" in refused(capsys, "show", str(file))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("show", "h1000"), 'there is no "h1000" in the catalog; did you mean "h100"'),
        (
            ("show", "nothing-like-it"),
            'show: there is no "nothing-like-it" in the catalog; see `merit catalog`',
        ),
        (("shwo", "h100"), 'nothing in the catalog fits "shwo h100"; did you mean "show"'),
        (("--kind", "moo"), 'nothing in the catalog has kind "moo"'),
        (("--min-memory", "huge"), '--min-memory: is "huge", not a quantity'),
        (("--min-memory", "100 TB"), "nothing in the catalog has so much memory"),
    ],
)
def test_what_can_not_be_found_is_told(arguments: tuple[str, ...], what: str, capsys: Capture) -> None:
    assert what in refused(capsys, *arguments)


def test_the_help_names_what_chooses(capsys: Capture) -> None:
    text = told(capsys, "--help")
    assert all(option in text for option in ("--models", "--accelerators", "--kind", "--vendor", "--min-memory"))
