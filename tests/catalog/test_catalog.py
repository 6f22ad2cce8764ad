"""The catalog is complete, sourced, and in the order that physics demands."""

import pytest
from pydantic import ValidationError

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.facts import FACTS
from meritorder.catalog.load import accelerator_entries, accelerators, figures, incomplete, model_source, models
from meritorder.units import FROM_FILE, parse

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


def test_at_least_28_systems_and_25_models():
    assert len(accelerators()) >= 28
    assert len(models()) >= 25
    assert set(incomplete()) == {"rubin-ultra", "rubin-cpx", "jalapeno"}
    assert accelerators().keys() | incomplete().keys() == accelerator_entries().keys()


@pytest.mark.parametrize("name", accelerator_entries())
def test_every_figure_is_one_that_is_known(name):
    keys = {key for key in figures(name) if "." not in key}
    assert keys <= Accelerator.model_fields.keys() | FACTS.keys()
    entry = accelerator_entries()[name]
    assert all(entry[key] for key in ("title", "vendor", "family", "status", "since", "coolant"))


@pytest.mark.parametrize("name", accelerators())
def test_ranges_hold_their_value(name):
    for key, figure in figures(name).items():
        if figure.low is not None and figure.value != "":
            numbers = [float(str(x).split()[0]) for x in (figure.low, figure.value, figure.high)]
            units = {str(x).partition(" ")[2] for x in (figure.low, figure.value, figure.high)}
            assert len(units) == 1, key
            assert numbers == sorted(numbers), key


@pytest.mark.parametrize("name", accelerators())
def test_sparse_flops_are_more_than_dense_ones(name):
    found, chip = figures(name), accelerators()[name]
    for bits in (16, 8, 4):
        sparse = found.get(f"sparse_flops_{bits}")
        if sparse is not None:
            assert parse(sparse.value, "FLOP/s") > chip.flops(bits)
    if "tdp" in found:
        assert parse(found["tdp"].value, "W") <= chip.max
    if "peak" in found:
        assert parse(found["peak"].value, "W") >= chip.max


def test_a_wafer_computes_in_16_bit_whatever_is_stored():
    cs3 = accelerators()["cs-3"]
    assert [cs3.compute_bits(bits) for bits in (16, 8, 4)] == [16, 16, 16]
    assert figures("cs-3")["stored"].value == "fp16, fp8, fp4"
    assert figures("cs-3")["sparse_flops_16"].value == "125 PFLOP/s"
    assert cs3.wafer.kv_node == 6e12


def test_machines_without_data_say_from_whom_they_borrow():
    fitted = {"a100", "h100", "h200", "b200", "b300", "gb200", "gb300", "l40s", "rtx-pro-6000", "rtx-4090"}
    for name in accelerators().keys() - fitted - {"cs-2", "cs-3", "cs-4"}:
        kin = accelerator_entries()[name]["coefficients"]
        assert any(one in note.lower() for note in accelerators()[name].notes for one in kin), name


def test_a_machine_uses_the_first_fit_that_has_a_coefficient():
    source = {"title": "a fit", "date": "2026-11"}
    figure = {"value": "7 us", "source": "fit", "confidence": "high"}
    nine = {**figure, "value": "9 us"}
    fit = {
        "sources": {"fit": source},
        "accelerators": {"l40s": {"prefill_fixed": figure}, "h100": {"prefill_fixed": nine, "decode_fixed": figure}},
    }
    found = figures("l40s", fit)
    assert (found["gpu.prefill_fixed"].value, found["gpu.decode_fixed"].value) == ("7 us", "7 us")
    assert figures("h100", fit)["gpu.prefill_fixed"].value == "9 us"


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
    [guessed] = [note for note in accelerators()["groq-lpu"].notes if "guesses without a range" in note]
    assert "allreduce_fixed" in guessed
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
