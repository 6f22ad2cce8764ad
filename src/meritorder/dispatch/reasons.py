"""Why a policy chose the replica it chose, in words for reports, headers and logs."""

from __future__ import annotations

REASONS = (
    "none",
    "next in turn",
    "drawn at random",
    "fewest requests",
    "fewest tokens",
    "fastest predicted",
    "prefix cached there",
    "cheapest that meets its targets",
    "cheapest, prefix cached there",
    "least harm: no replica meets its targets",
    "no replica could serve it acceptably",
    "too long for every pool of its model",
    "every replica of its pools is down",
    "every usable replica is full",
    "least further power: the site is near its limit",
    "its sites are short of power",
)

(
    NONE,
    TURN,
    RANDOM,
    REQUESTS,
    TOKENS,
    FASTEST,
    PREFIX,
    CHEAPEST,
    CHEAPEST_PREFIX,
    LEAST_HARM,
    SHED,
    TOO_LONG,
    NONE_USABLE,
    FULL,
    LEAST_POWER,
    POWER_SHORT,
) = range(len(REASONS))
