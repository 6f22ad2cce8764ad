"""What else the catalog knows of accelerators: figures that the cost models don't read, and what they mean."""

from __future__ import annotations

FACTS = {
    "sparse_flops_16": "FP16/BF16 as marketed for sparse matrices: not reached by dense models",
    "sparse_flops_8": "FP8 or INT8 as marketed for sparse matrices",
    "sparse_flops_4": "FP4 as marketed for sparse matrices",
    "stored": "formats in which it keeps weights, where they differ from those it computes in",
    "sram": "memory on the chip: last-level cache, or all there is",
    "ddr": "DDR memory beside it",
    "scale_out": "network out of the scale-up domain, per chip, one direction",
    "peak": "design peak: what wiring and breakers must bear for moments",
    "tdp": "the chip alone, without its share of host, network and fans",
    "coolant_supply": "warmest coolant at the inlet",
    "coolant_flow": "coolant per kW of heat",
    "purchase_usd": "price of the whole system in USD",
    "rental_usd_per_hour": "rental price of one accelerator in USD per hour",
}
