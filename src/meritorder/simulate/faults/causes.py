"""Why a request was lost or refused, or a replica down: what stands in `Result.cause`."""

from __future__ import annotations

from meritorder.fleet.faults import BREAKS

CAUSES = (
    "",  # nothing: it was neither lost nor refused
    *BREAKS,
    # what the building and the gateway do to requests
    "overheated",  # a row too hot: its machines are off
    "no power",  # a row without power
    "short of power",  # refused: the sites of its pools may not draw more
    "none usable",  # refused: every replica of its pools is down
    "overloaded",  # refused by the dispatch policy
)
(
    NO_CAUSE,
    ENGINE,
    MACHINE,
    PIPELINE,
    RACK,
    ROW,
    CDU,
    PUMP,
    CHILLER,
    TOWER,
    FEED,
    GRID,
    SITE,
    LINK,
    SUPPLIER,
    SLOWED,
    OVERHEATED,
    UNPOWERED,
    SHORT_OF_POWER,
    NONE_USABLE,
    OVERLOADED,
) = range(len(CAUSES))
