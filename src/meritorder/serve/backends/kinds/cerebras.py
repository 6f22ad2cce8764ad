"""The Cerebras Inference API.

Its metrics are of the last whole minute and only for dedicated endpoints, so they aren't read: `time_info` in every
answer says the queue of right now.
"""

from collections.abc import Mapping
from typing import Any

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, Kind
from meritorder.serve.backends.readings import Timings


def timings(final: Mapping[str, Any]) -> Timings | None:
    """`time_info` in every answer and in the last chunk of every stream, in seconds."""
    said = final.get("time_info")
    if not isinstance(said, dict):
        return None
    try:
        queue_s, prompt_s, output_s = (float(said[f"{part}_time"]) for part in ("queue", "prompt", "completion"))
    except (KeyError, TypeError, ValueError):
        return None
    return Timings(queue_s=queue_s, prompt_s=prompt_s, output_s=output_s)


CEREBRAS = Kind(
    name="cerebras",
    apis=frozenset({CHAT, COMPLETIONS}),
    every_s=30.0,  # its list of models counts against the key's rate limit
    timings=timings,
    queue_threshold="queue_threshold",  # 50..20000, for the tiers flex and auto
)
