"""What became of a service's requests besides being served: lost, refused, sent anew and held, with the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.availability import pools_availability, requests_by_cause
from meritorder.simulate.faults.causes import CAUSES, NONE_USABLE, SHORT_OF_POWER
from meritorder.simulate.result import Status
from meritorder.simulate.spread import spread

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

_WANTING = frozenset(CAUSES[cause] for cause in (SHORT_OF_POWER, NONE_USABLE))


def fates(result: Result, mine: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Of the requests in the mask `mine`.

    `lost_by_cause`, `refused_by_cause`: counts. `sent_anew`: because a machine failed; `delayed`: those of them that
    completed. `held`: {requests, held_s: spread}, kept waiting in the gateway for power, price or carbon.
    `availability`: the share that was neither lost nor refused for want of power or machines.
    """
    known = requests_by_cause(result, mine)
    held = result.parked_s[mine]
    held = held[held > 0]
    refused = sum(count for cause, count in known["refused_by_cause"].items() if cause in _WANTING)
    failed = known["ended"][Status.LOST.name.lower()] + refused
    return {
        **{key: known[key] for key in ("lost_by_cause", "refused_by_cause", "sent_anew", "delayed")},
        "held": {"requests": len(held), "held_s": spread(held)},
        "availability": 1.0 - failed / known["requests"] if known["requests"] else None,
    }


def downtimes(result: Result) -> dict[str, dict[str, Any]]:
    """By pool: `availability` (share of replica time up), `falls`, `down_s` of its replicas together, `down_by_cause`.

    Empty where nothing was to break.
    """
    return {
        row["pool"]: {
            "availability": row["availability"],
            "falls": row["falls"],
            "down_s": row["replica_down_s"],
            "down_by_cause": row["replica_down_s_by_cause"],
        }
        for row in pools_availability(result)
    }


NO_DOWNTIME: dict[str, Any] = {"availability": 1.0, "falls": 0, "down_s": 0.0, "down_by_cause": {}}
