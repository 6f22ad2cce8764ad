"""trtllm-serve; its Prometheus text is there with `return_perf_metrics` and `enable_iter_perf_stats` only.

Its plain /metrics is left alone: JSON of the last iterations, which are gone from there once somebody has read them.
"""

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import mean, total
from meritorder.serve.backends.readings import Readings


def read(text: bytes, now: float) -> Readings | None:
    """Counts are summed over ranks, shares are means."""
    queued, running = total(text, b"trtllm_num_requests_waiting"), total(text, b"trtllm_num_requests_running")
    if queued is None or running is None:
        return None
    return Readings(
        queued=int(queued),
        running=int(running),
        taken=now,
        kv_used=mean(text, b"trtllm_kv_cache_utilization"),
    )


TENSORRT_LLM = Kind(
    name="tensorrt-llm",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES}),
    health_path="/health",
    metrics_path="/prometheus/metrics",
    read=read,
)
