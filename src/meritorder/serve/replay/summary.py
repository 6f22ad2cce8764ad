"""A replay in numbers: how requests ended, how long they took, whether they were sent in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.serve.replay.attempt import OUTCOMES
from meritorder.serve.replay.measured import Measured
from meritorder.simulate.spread import Groups, spread
from meritorder.workload.trace import Trace

_WHYS = 5  # reasons of failures that are told, the most frequent first


def summarise(
    measured: Measured, trace: Trace, services: Sequence[str], service: npt.NDArray[np.int32]
) -> dict[str, Any]:
    """Everything that is printed of a replay; `service` (n) indexes `services`. Latencies in seconds."""
    completed = measured.of("completed")
    latencies = measured.latencies()
    groups = Groups(service, len(services))
    spreads = {name: groups.spreads(values) for name, values in latencies.items()}
    span_s = float(np.nanmax(measured.finish_s, initial=0.0) - np.nanmin(measured.arrival_s, initial=0.0))
    output = int(measured.output_tokens[completed].sum())
    told = measured.prompt_tokens > 0
    asked = trace.prompt_tokens[completed & told].sum()
    return {
        "requests": len(trace),
        **{name: int(measured.of(name).sum()) for name in OUTCOMES},
        "stopped_early": measured.interrupted,
        "span_s": span_s,
        "requests_per_s": float(completed.sum() / span_s) if span_s > 0 else None,
        "output_tokens": output,
        "output_tokens_per_s": output / span_s if span_s > 0 else None,
        **{name: spread(values) for name, values in latencies.items()},
        "by_service": {
            name: {
                "requests": int((service == i).sum()),
                "completed": int(completed[service == i].sum()),
                **{latency: spreads[latency][i] for latency in spreads},
            }
            for i, name in enumerate(services)
        },
        "by_pool": dict(Counter(pool for pool in measured.pool if pool)),
        # how much later than its time a request was sent; latencies count from its time all the same
        "sent_late_s": spread(measured.sent_s - measured.arrival_s),
        # answers shorter or longer than the trace's: the endpoint doesn't know ignore_eos
        "other_length": int((measured.output_tokens != trace.output_tokens)[completed].sum()),
        # prompt tokens as the endpoint counted them / the trace's
        "prompt_ratio": float(measured.prompt_tokens[completed & told].sum() / asked) if asked else None,
        "why": dict(Counter(why for why in measured.why if why).most_common(_WHYS)),
    }
