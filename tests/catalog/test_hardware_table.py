"""The catalog against the collected table of 30 systems: nothing left out, no figure mistyped."""

import csv

import pytest

from meritorder.catalog.load import accelerator_entries, figures
from meritorder.units import parse

NAMES = {
    **{"cerebras_cs2": "cs-2", "cerebras_cs3": "cs-3", "cerebras_cs4": "cs-4", "nvidia_dgx_a100": "a100"},
    **{"nvidia_dgx_h100": "h100", "nvidia_hgx_h200": "h200", "nvidia_dgx_b200": "b200", "nvidia_dgx_b300": "b300"},
    **{"nvidia_gb200_nvl72": "gb200", "nvidia_gb300_nvl72": "gb300", "nvidia_vr_nvl72": "vera-rubin"},
    **{"nvidia_vr_cpx": "rubin-cpx", "nvidia_rubin_ultra_kyber": "rubin-ultra", "nvidia_groq3_lpx": "groq-3-lpu"},
    **{"amd_mi300x_8": "mi300x", "amd_mi325x_8": "mi325x", "amd_mi355x_8": "mi355x", "amd_helios_mi455x": "mi455x"},
    **{"google_tpu_v5e": "tpu-v5e", "google_tpu_v5p": "tpu-v5p", "google_tpu_v6e": "tpu-v6e", "google_tpu7x": "tpu7x"},
    **{"aws_trn2_ultra": "trainium2", "aws_trn3_nl72x2": "trainium3", "aws_inf2_48xl": "inferentia2"},
    **{"groq_rack_v1": "groq-lpu", "sambanova_sn40l": "sn40l", "sambanova_sn50": "sn50", "intel_gaudi3_8": "gaudi-3"},
    "openai_jalapeno_rack": "jalapeno",
}
# column -> figure, its unit, units in the table's own, how near (binary gigabytes are 7 % more)
COLUMNS = {
    "dense_fp16_bf16_tflops_per_accel": ("flops_16", "FLOP/s", 1e12, 0.01),
    "dense_fp8_or_int8_tflops_per_accel": ("flops_8", "FLOP/s", 1e12, 0.01),
    "dense_fp4_tflops_per_accel": ("flops_4", "FLOP/s", 1e12, 0.01),
    "main_mem_capacity_gb_per_accel": ("memory", "B", 1e9, 0.08),
    "main_mem_bandwidth_tb_s_per_accel": ("bandwidth", "B/s", 1e12, 0.03),
    "accel_tdp_w": ("tdp", "W", 1.0, 0.01),
    "coolant_supply_max_c": ("coolant_supply", "degC", 1.0, 0.0),
    "owner_cost_usd_per_accel_hr": ("usd_per_hour", "USD/h", 1.0, 0.1),
    "scaleup_domain_accels": ("domain", "", 1.0, 0.0),
}
# where the catalog knows better, or means another thing, and why
OTHERWISE = {
    ("a100", "flops_8"): "INT8, left out",
    ("cs-3", "flops_8"): "computes in 16 bit",
    ("vera-rubin", "flops_4"): "50 PFLOP/s with compression, 35 dense",
    ("cs-4", "flops_8"): "computes in 16 bit",
    ("cs-4", "domain"): "a wafer is one machine",
    ("cs-3", "tdp"): "of the whole system",
    ("cs-4", "tdp"): "of the whole system",
}


def test_every_row_and_figure_is_in_the_catalog(shared):
    with (shared / "hardware.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["system_id"] for row in rows} == set(NAMES)
    assert set(NAMES.values()) <= accelerator_entries().keys()
    compared = 0
    for row in rows:
        name = NAMES[row["system_id"]]
        found = figures(name)
        for column, (key, unit, scale, near) in COLUMNS.items():
            if not row[column] or (name, key) in OTHERWISE:
                continue
            assert key in found, f"{name} has no {key}"
            value = parse(found[key].value, unit)
            assert value == pytest.approx(float(row[column]) * scale, rel=near or 1e-9), f"{name}: {key}"
            compared += 1
    assert compared > 150
