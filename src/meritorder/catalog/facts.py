"""What else the catalog knows of accelerators: figures that the cost models don't read, and what they mean."""

from __future__ import annotations

FACTS = {
    "sparse_flops_16": "FP16/BF16 as marketed for sparse matrices",
    "sparse_flops_8": "FP8 or INT8 as marketed for sparse matrices",
    "sparse_flops_4": "FP4 as marketed for sparse matrices",
    "stored": "formats it keeps weights in",
    "sram": "memory on the chip",
    "ddr": "DDR memory beside it",
    "scale_out": "network beyond the scale-up link",
    "peak": "power, design peak of wiring and breakers",
    "tdp": "power, the chip without its share of host and fans",
    "coolant_supply": "warmest coolant at the inlet",
    "coolant_flow": "coolant per kW of heat",
    "system_chips": "chips of one system: a node, a rack, a box",
    "systems_per_rack": "systems of a rack, if its power and height allow",
    "racks_per_system": "racks that one system fills",
    "rack_units": "height of a system in a rack",
    "rack_places": "places in a row that a rack takes",
    "rack_typical": "power of a rack, typical",
    "rack_max": "power of a rack, most",
    "air_share": "part of its heat that goes to the hall's air",
    "purchase_usd": "price of the whole system, USD",
    "rental_usd_per_hour": "rental price of one accelerator, USD/h",
}
