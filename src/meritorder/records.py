"""Arrays of records that read the same in compiled and in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Records = Any  # numpy's recarray; its fields have no static types


def records(n: int, dtype: npt.DTypeLike) -> Records:
    """`n` zeroed records, aligned; fields are attributes of each record and of the whole array."""
    return np.zeros(n, np.dtype(dtype, align=True)).view(np.recarray)
