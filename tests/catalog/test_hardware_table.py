"""The catalog against the collected table of 30 systems: nothing left out, no figure mistyped."""

import csv

import pytest

from meritorder.catalog.load import accelerator_entries, accelerators, figures
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
    "rack_density_typical_kw": ("rack_typical", "W", 1e3, 0.01),
    "rack_density_max_kw": ("rack_max", "W", 1e3, 0.01),
}
# where the catalog knows better, or means another thing, and why
OTHERWISE = {
    ("a100", "flops_8"): "INT8, left out",
    ("cs-3", "flops_8"): "computes in 16 bit",
    ("vera-rubin", "flops_4"): "50 PFLOP/s with compression, 35 dense",
    ("cs-4", "flops_8"): "computes in 16 bit",
    ("mi355x", "rack_typical"): "of 64 GPUs; the table has a rack of 64 and one of 96 to 128",
    ("mi355x", "rack_max"): "the same",
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


def test_racks_draw_what_stands_in_them(shared):
    """Systems, racks and rack units as the table has them; chips times their power is the rack's within 6 %."""
    with (shared / "hardware.csv").open(encoding="utf-8") as lines:
        rows = {NAMES[row["system_id"]]: row for row in csv.DictReader(lines)}
    for name, chip in accelerators().items():
        stands, found = chip.stands, figures(name)
        assert chip.housing is not None, name
        rack = stands.part_chips * stands.parts_per_rack * chip.max
        assert rack == pytest.approx(parse(found["rack_max"].value, "W"), rel=0.06), name
        if name not in rows:
            continue
        row = rows[name]
        if row["racks_per_system"] and row["accels_per_system"] == str(stands.system_chips):
            per_rack = 1 / float(row["racks_per_system"])
            assert stands.systems_per_rack == per_rack if per_rack >= 1 else stands.racks_per_system == 1 / per_rack, (
                name
            )
        if row["rack_units_per_system"] and name not in ("groq-lpu", "trainium2"):  # by node, and by rack
            assert stands.rack_units == int(row["rack_units_per_system"]), name
        air = row["cooling_type"].startswith("air")
        assert (stands.air_share == 1.0) == (chip.coolant == "air"), name
        assert not air or chip.coolant == "air", name
