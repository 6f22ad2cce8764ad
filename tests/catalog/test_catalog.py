"""The catalog is complete, sourced, and in the order that physics demands."""

import pytest
from pydantic import ValidationError

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import accelerators, figures, model_source, models
from meritorder.units import FROM_FILE

CONFIDENCE = {"high", "medium", "low", "guess"}


def test_the_machines_and_models_that_fleets_name_are_there():
    machines = {"a100", "h100", "h200", "b200", "gb300", "mi300x", "mi355x", "cs-3", "cs-4"}
    assert machines <= accelerators().keys()
    assert {"llama-3.1-8b", "llama-3.1-70b", "gpt-oss-120b", "qwen3-32b", "qwen3-235b-a22b"} <= models().keys()
    assert all(name == name.lower() for name in [*accelerators(), *models()])


@pytest.mark.parametrize("name", accelerators())
def test_every_figure_has_source_date_and_confidence(name):
    found = figures(name)
    kind = accelerators()[name].kind
    assert any(key.startswith(f"{kind}.") for key in found)
    for key, figure in found.items():
        assert figure.source, key
        assert figure.date.startswith("20"), key
        assert figure.confidence in CONFIDENCE, key
        assert (figure.low is None) == (figure.high is None), key


@pytest.mark.parametrize("name", models())
def test_every_model_has_a_source(name):
    source = model_source(name)
    assert source.source
    assert source.confidence in CONFIDENCE


def test_vendor_claims_are_marked():
    assert figures("cs-4")["bandwidth"].claim
    assert not figures("cs-3")["usd_per_hour"].claim


def test_what_is_a_range_or_borrowed_is_said():
    assert any("decode_slot" in note and "0.2 to 5" in note for note in accelerators()["cs-3"].notes)
    assert any("no calibration data" in note for note in accelerators()["mi300x"].notes)


def test_figures_are_dense_and_si():
    h100 = accelerators()["h100"]
    assert h100.flops_16 == 989e12
    assert h100.bandwidth == 3.35e12
    assert h100.memory == 80 * 2**30
    assert accelerators()["cs-3"].flops_16 == 15.625e15  # not the 125 of sparse matrices


def test_arithmetic_has_the_width_of_the_weights_where_the_chip_can():
    h100, b200, a100 = (accelerators()[name] for name in ("h100", "b200", "a100"))
    assert [chip.compute_bits(4) for chip in (a100, h100, b200)] == [16, 16, 4]
    assert [chip.compute_bits(16) for chip in (a100, h100, b200)] == [16, 16, 16]
    assert [chip.compute_bits(8) for chip in (a100, h100, b200)] == [16, 8, 8]
    assert b200.flops(4) == 9000e12


def test_a_machine_can_be_written_out():
    written = {
        "kind": "gpu",
        "flops_16": "100 TFLOP/s",
        "memory": "48 GB",
        "bandwidth": "1 TB/s",
        "idle": "50 W",
        "typical": "200 W",
        "max": "300 W",
        "usd_per_hour": 0.5,
    }
    chip = Accelerator.model_validate(written, context=FROM_FILE)
    assert chip.gpu.gemm_16.bandwidth > 0
    with pytest.raises(ValidationError):
        Accelerator.model_validate({**written, "typical": "400 W"}, context=FROM_FILE)
    with pytest.raises(ValidationError):
        Accelerator.model_validate({**written, "bandwidth": 1}, context=FROM_FILE)
