"""Kernels by shape: what must hold for every machine, and how far they are from measurements left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.load import accelerators
from meritorder.catalog.operators import operators
from meritorder.perf import kernels
from meritorder.perf.attention_lines import CONTEXTS, decode_line, latent_line, prefill_line
from meritorder.perf.operators.attention import Heads, decode_seconds, prefill_seconds
from meritorder.perf.operators.efficiency import factor, outside
from meritorder.perf.operators.experts import ExpertLayer, loads
from meritorder.perf.operators.gemm import gemm_seconds
from meritorder.perf.operators.sampled import rising, sampled

MEASURED = sorted(name for name, chip in accelerators().items() if chip.operators and chip.kernels == name)
PLAIN = sorted(name for name, chip in accelerators().items() if chip.kind == "gpu" and not chip.operators)
TOKENS = np.arange(1.0, 4097.0)
WIDTHS = st.sampled_from([256, 1024, 2560, 4096, 7168, 14336, 28672])

machines = st.sampled_from([*MEASURED, *PLAIN])


def _bits(chip):
    return [bits for bits in (16, 8, 4) if chip.compute_bits(bits) == bits]


def test_every_measured_machine_has_its_kernels_and_others_their_rooflines():
    assert {"a100", "h100", "h200", "b200", "b300", "gb200", "gb300", "l40s"} == set(MEASURED)
    for name in MEASURED:
        assert {"gemm_bf16", "prefill_bf16", "decode_bf16", "all_reduce_graph"} <= set(accelerators()[name].operators)
    assert "mi300x" in PLAIN
    assert accelerators()["h200-nvl"].kernels == "h200"


@given(machines, WIDTHS, WIDTHS, st.data())
@settings(max_examples=40, deadline=None)
def test_a_product_takes_no_less_with_more_rows_and_never_beats_the_arithmetic(name, n, k, data):
    chip = accelerators()[name]
    bits = data.draw(st.sampled_from(_bits(chip)))
    cost = kernels.gemm(chip, TOKENS, n, k, {16: 2.0, 8: 1.0, 4: 0.5625}[bits], bits)
    assert (np.diff(cost.seconds) >= -1e-15).all()
    assert (cost.seconds > 0).all()
    assert (cost.seconds >= 2 * TOKENS * n * k / chip.flops(bits) * 0.999).all()
    assert (np.diff(cost.joules) >= -1e-12).all()


@pytest.mark.parametrize("name", MEASURED)
def test_weights_beyond_the_cache_are_not_read_faster_than_memory_allows(name):
    chip = accelerators()[name]
    seconds = kernels.gemm(chip, np.ones(1), 65536, 16384, 2.0, 16).seconds[0]
    assert seconds > 65536 * 16384 * 2 / chip.bandwidth


@given(st.sampled_from(MEASURED), st.sampled_from([1, 2, 4, 8]), st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=40, deadline=None)
def test_decode_lines_are_close_to_the_kernel_and_rise(name, kv_heads, doublings):
    chip, heads = accelerators()[name], Heads(kv_heads * 2.0**doublings, kv_heads)
    sequences = np.arange(0.0, 257.0)
    fixed, token = decode_line(chip, sequences, heads, "fp16")
    assert (fixed.seconds > 0).all()
    assert (token.seconds > 0).all()
    for context in CONTEXTS:
        assert (np.diff(fixed.seconds + token.seconds * sequences * context) >= -1e-15).all()
    fit = chip.operators["decode_bf16"]
    batch = np.array([4.0, 16.0, 64.0, 256.0])
    real = decode_seconds(chip, fit, batch, np.full(4, 4096.0), heads)
    line = fixed.seconds[[4, 16, 64, 256]] + token.seconds[[4, 16, 64, 256]] * batch * 4096
    cold = fit.coefficients["fixed"] + 512.0 * kv_heads * batch * 4096 / chip.bandwidth
    assert np.median(np.abs(line / np.maximum(real, cold) - 1)) < 0.3
    assert (line > 0.9 * 512.0 * kv_heads * batch * 4096 / chip.bandwidth).all()


@given(st.sampled_from(MEASURED), st.sampled_from([(8, 1), (16, 2), (32, 8), (64, 8)]))
@settings(max_examples=20, deadline=None)
def test_prefill_lines_are_the_kernel_for_one_prompt(name, heads):
    chip, shape = accelerators()[name], Heads(*map(float, heads))
    rest, pair = prefill_line(chip, TOKENS, shape, "fp16")
    real = prefill_seconds(chip, chip.operators["prefill_bf16"], np.ones(1), TOKENS, shape)
    line = rest.seconds + pair.seconds * TOKENS * (TOKENS + 1) / 2
    assert np.median(np.abs(line / real - 1)) < 0.1
    assert (np.diff(rest.seconds) >= 0).all()
    assert pair.seconds[0] >= 4 * shape.queries * 128 / chip.flops_16 * 0.999


@pytest.mark.parametrize("name", [*MEASURED, *PLAIN[:3]])
def test_latent_attention_reads_one_vector_for_all_heads(name):
    chip, sequences = accelerators()[name], np.array([64.0])
    fixed, token = latent_line(chip, sequences, 16.0, 512.0, 64.0, "fp16")
    assert token.seconds[0] > (512 + 64) * 2 / chip.bandwidth * 0.9
    _, all_heads = latent_line(chip, sequences, 128.0, 512.0, 64.0, "fp16")
    assert all_heads.seconds[0] > token.seconds[0]
    assert fixed.seconds[0] > 0


LAYERS = st.builds(
    ExpertLayer,
    st.sampled_from([2048.0, 4096.0, 7168.0]),
    st.sampled_from([768.0, 2048.0]),
    st.sampled_from([2.0, 8.0]),
    st.sampled_from([64.0, 256.0]),
    st.sampled_from([1.0, 4.0]),
    st.sampled_from([1.0, 8.0]),
    st.just(3.0),
    st.booleans(),
)


@given(machines, LAYERS)
@settings(max_examples=40, deadline=None)
def test_expert_layers_take_no_less_with_more_tokens(name, layer):
    cost = kernels.experts(accelerators()[name], TOKENS, layer, 2.0, 16)
    assert (np.diff(cost.seconds) >= -1e-15).all()
    assert (cost.seconds > 0).all()
    least = 2 * TOKENS * layer.top / layer.spread * layer.params / accelerators()[name].flops_16
    assert (cost.seconds >= 0.999 * least).all()


@given(LAYERS, st.floats(1, 20000))
@settings(max_examples=60, deadline=None)
def test_no_more_experts_are_touched_than_there_are_nor_than_rows(layer, tokens):
    rows, touched = loads(np.array([tokens]), layer)
    local = layer.count / layer.spread
    assert (touched <= 1).all()
    assert (touched >= 0).all()
    assert touched.mean() * local <= tokens * layer.top * 1.001
    handled = (rows * touched).mean() * local
    assert handled <= tokens * layer.top * 1.01
    if layer.spread == 1 and not layer.skewed and tokens * layer.top >= layer.count:
        assert handled == pytest.approx(tokens * layer.top)


@given(machines, st.sampled_from([2, 4, 8]))
@settings(max_examples=30, deadline=None)
def test_collectives_take_no_less_with_more_bytes(name, chips):
    chip, sizes = accelerators()[name], np.geomspace(256, 2**30, 60)
    for collective in (kernels.all_reduce, kernels.all_gather, kernels.reduce_scatter):
        seconds = collective(chip, sizes, chips).seconds
        assert (np.diff(seconds) >= -1e-15).all()
        assert seconds[0] > 0


def test_maps_are_continuous_and_held_beyond_their_ends():
    fit = accelerators()["h100"].operators["gemm_bf16"]
    far = [np.array([value]) for value in (1e6, 1e6, 1e6)]
    ends = [np.array([float(knots[-1])]) for knots in fit.axes.values()]
    assert factor(fit, *far) == pytest.approx(factor(fit, *ends))
    for knot in fit.axes["m"]:
        below, above = (factor(fit, np.array([knot * share]), 4096.0, 4096.0)[0] for share in (1 - 1e-7, 1 + 1e-7))
        assert below == pytest.approx(above, rel=1e-4)
    assert outside(fit, m=1.0, n=4096.0, k=4096.0) == []
    assert outside(fit, m=1e6, n=4096.0, k=4096.0) == ["m 1e+06 is outside 1 to 16384"]


def test_host_bound_measurements_are_not_taken_into_serving():
    chip = accelerators()["l40s"]
    shape = (np.ones(1), np.array(1024.0), np.array(1024.0), 1.0, 8)
    fit = chip.operators["gemm_fp8_block"]
    assert gemm_seconds(chip, fit, *shape, graph=False) > 2e-4
    assert gemm_seconds(chip, fit, *shape) < 1e-4


def test_sampling_is_exact_for_few_tokens_and_never_falls():
    falls = sampled(lambda m: 100.0 - m, np.arange(1.0, 2001.0))
    assert (np.diff(falls) >= 0).all()
    stairs = sampled(lambda m: np.ceil(m / 256), np.arange(1.0, 2001.0))
    assert stairs == pytest.approx(np.ceil(np.arange(1.0, 2001.0) / 256))
    assert rising(np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx([1.0, 2.5, 2.5, 4.0])


def test_a_document_of_another_fit_is_read_like_the_bundled_one():
    entry = {"coefficients": {"a": 1.0}, "axes": {"x": [1, 2]}, "values": "0 100", "source": "operators"}
    document = {"machines": {"own": {"kernel": {**entry, "rows": 2, "median": 0.0, "mean": 0.0}}}}
    fit = operators("own", document)["kernel"]
    assert factor(fit, np.array([1.0, 2.0, 4.0])) == pytest.approx(np.exp([0.0, 0.1, 0.1]))
    assert not operators("other", document)
