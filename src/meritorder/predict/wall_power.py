"""What a server with eight accelerators draws at the wall: boards, host, fans, losses of its power supplies.

No audited wall power is among the calibration data. The host's figures are typical ones of such servers: two
processors under light load 400 W, 32 memory modules 200 W, links between the boards 300 W, network and storage 250 W.
Fans of an air-cooled box take a tenth of its heat, those of a liquid-cooled one 2 %; supplies of the Titanium class
lose 4 % near half load.
"""

from __future__ import annotations

from meritorder.catalog.accelerator import Accelerator
from meritorder.perf.energy import board_watts

HOST = 1150.0  # watts of a server of eight boards, boards and fans left out
BOARDS = 8
FANS_AIR, FANS_LIQUID = 0.10, 0.02  # shares of boards and host
SUPPLY = 0.96  # efficiency of the power supplies

# Servers whose accelerators are cooled by liquid (Lenovo product guides: Neptune direct water cooling).
LIQUID = ("SR780a",)


def wall_watts(chip: Accelerator, above_idle: float, chips: int, system: str) -> float:
    """Watts at the wall of `chips` accelerators that draw `above_idle` watts over idle; `system`: the server's name."""
    boards = chips * board_watts(chip, above_idle)
    host = HOST * chips / BOARDS
    liquid = chip.coolant != "air" or any(name in system for name in LIQUID)
    return (boards + host) * (1.0 + (FANS_LIQUID if liquid else FANS_AIR)) / SUPPLY
