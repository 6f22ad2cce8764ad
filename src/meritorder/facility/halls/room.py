"""What a hall's rows hold, and how many more systems of one kind each has room for, limit by limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.catalog.housing import suits
from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand

Ints = npt.NDArray[np.int64]

SPACE, POWER, COOLING = "space", "power", "cooling"
DENSITY, HEIGHT, COOLANT = "density", "height", "coolant"

_MANY = 10**9
_SLACK = 1e-9  # of a system: what float sums may lose


class Room:
    """The rows of one hall and what stands in them."""

    def __init__(self, hall: HallRows, kinds: Sequence[Stand]) -> None:
        self.hall, self.kinds = hall, kinds
        self.systems = np.zeros((len(kinds), hall.rows), np.int64)
        self._per_rack = np.array([max(1, hall.per_rack(kind)) for kind in kinds])[:, None]
        self._places = np.array([kind.places for kind in kinds])[:, None]
        heat = [hall.heat(kind) for kind in kinds]
        self._each = np.array([[kind.watts, *pair] for kind, pair in zip(kinds, heat, strict=True)])
        self.used = np.zeros((3, hall.rows))  # watts, heat in the coolant, heat in the air, of each row
        self.places = np.zeros(hall.rows, np.int64)  # taken

    def put(self, kind: int, systems: Ints) -> None:
        """Let so many systems of kind `kind` stand in each row ([rows]), beside what stands there."""
        before = self._racks(kind)
        self.systems[kind] += systems
        self.places += (self._racks(kind) - before) * self._places[kind]
        self.used += np.outer(self._each[kind], systems)

    def _racks(self, kind: int) -> Ints:
        return np.asarray(-(-self.systems[kind] // self._per_rack[kind]))

    @property
    def racks(self) -> Ints:
        """Racks of each kind in each row, [kinds, rows]."""
        return np.asarray(-(-self.systems // self._per_rack))

    @property
    def watts(self) -> float:
        """IT nameplate of what stands in the hall."""
        return float(self.used[0].sum())

    def never(self, kind: int) -> str:
        """Why no machine of a kind can ever stand here: coolant, density or height; empty: it can."""
        stand, hall = self.kinds[kind], self.hall
        if not suits(stand.coolant, hall.coolant):
            return COOLANT
        if stand.watts > hall.rack_w * (1 + _SLACK):
            return DENSITY
        if stand.units > hall.rack_units:
            return HEIGHT
        return ""

    def more(self, kind: int) -> dict[str, Ints]:
        """Further systems of a kind that each row has room for by space, power and cooling alone, each [rows]."""
        stand, hall = self.kinds[kind], self.hall
        rows, k = hall.rows, int(self._per_rack[kind, 0])
        if self.never(kind):
            return {cause: np.zeros(rows, np.int64) for cause in (SPACE, POWER, COOLING)}
        in_part_filled = self._racks(kind) * k - self.systems[kind]
        space = (hall.places - self.places) // stand.places * k + in_part_filled
        watts, heat, air = self._each[kind]
        power = _fits(hall.row_w - self.used[0], watts, rows)
        cooling = np.minimum(
            _fits(hall.cooling_w - self.used[1], heat, rows), _fits(hall.air_w - self.used[2], air, rows)
        )
        return {SPACE: space, POWER: power, COOLING: cooling}

    def hall_more(self, kind: int) -> int:
        """Further systems that the hall's own power allows."""
        return int(_fits(np.array([self.hall.power_w - self.watts]), self._each[kind][0], 1)[0])


def _fits(free: npt.NDArray[np.float64], each: float, rows: int) -> Ints:
    if each <= 0:
        return np.full(rows, _MANY)
    return np.floor(np.clip(free / each, 0.0, _MANY) + _SLACK).astype(np.int64)
