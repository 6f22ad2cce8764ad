"""What became of a service's requests besides being served: lost, refused and held, with the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.faults.causes import CAUSES, NONE_USABLE, SHORT_OF_POWER
from meritorder.simulate.result import Status
from meritorder.simulate.spread import spread

if TYPE_CHECKING:
    from meritorder.simulate.result import Result


def fates(result: Result, mine: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Of the requests in the mask `mine`.

    `lost_by_cause`, `refused_by_cause`: counts. `retried`: sent anew because a machine failed, and `saved`: those of
    them that completed. `held`: {requests, held_s: spread}, kept waiting in the gateway for power, price or carbon.
    `availability`: the share that was neither lost nor refused for want of power or machines.
    """
    status, cause = result.status[mine], result.cause[mine]
    lost, refused = cause[status == Status.LOST], cause[status == Status.SHED]
    again = result.attempts[mine] > 0
    held = result.parked_s[mine]
    failed = len(lost) + int(np.isin(refused, (SHORT_OF_POWER, NONE_USABLE)).sum())
    return {
        "lost_by_cause": by_cause(lost),
        "refused_by_cause": by_cause(refused),
        "retried": int(again.sum()),
        "saved": int((again & (status == Status.COMPLETED)).sum()),
        "held": {"requests": int((held > 0).sum()), "held_s": spread(held[held > 0])},
        "availability": 1.0 - failed / len(status) if len(status) else None,
    }


def by_cause(causes: npt.NDArray[np.uint8]) -> dict[str, int]:
    """Counts by the name of the cause, the most frequent first."""
    counts = np.bincount(causes, minlength=len(CAUSES))
    found = {name or "not said": int(count) for name, count in zip(CAUSES, counts, strict=False) if count}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
