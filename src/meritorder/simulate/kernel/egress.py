"""Answers on their way out of a site: they share its wire, first come, first served."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.records import Records


@inlined
def wait_for_wire(egress: Records, site: int, seconds: float, time: float) -> float:
    """Book an answer that takes so many seconds of the wire and is complete at `time`; returns how long it waits.

    `egress`: time from which each site's wire is free. An answer is booked as a whole when it ends: what it takes while
    it is made is not more than the wire has then.
    """
    begin = max(egress[site], time)
    egress[site] = begin + seconds
    return float(begin - time)
