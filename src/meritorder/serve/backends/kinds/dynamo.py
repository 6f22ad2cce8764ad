"""The frontend of NVIDIA Dynamo, with all the workers behind it as one replica."""

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import mean, total
from meritorder.serve.backends.readings import Readings


def read(text: bytes, now: float) -> Readings | None:
    """Requests in flight include those that still wait for their first token (`queued`)."""
    queued, inflight = (
        total(text, b"dynamo_frontend_queued_requests"),
        total(text, b"dynamo_frontend_inflight_requests"),
    )
    if queued is None or inflight is None:
        return None
    return Readings(
        queued=int(queued),
        running=max(0, int(inflight - queued)),
        taken=now,
        kv_used=mean(text, b"dynamo_component_gpu_cache_usage_percent"),
    )


DYNAMO = Kind(
    name="dynamo",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS}),
    health_path="/health",
    metrics_path="/metrics",
    read=read,
    continuation="none",  # before August 2026 it read past the fields and began a new answer
)
