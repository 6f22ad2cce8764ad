"""Meritorder: one fleet model, one cost model, one dispatch policy, three clocks."""

__version__ = "0.1.0"
