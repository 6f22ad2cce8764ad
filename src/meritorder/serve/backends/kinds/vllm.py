"""vLLM's own server; names as in vLLM 0.32, and that of the KV cache also as it was before V1."""

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, COUNT_TOKENS, EMBEDDINGS, MESSAGES, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import mean, total
from meritorder.serve.backends.readings import Readings


def read(text: bytes, now: float) -> Readings | None:
    """Its gauges stand once per data-parallel rank (label `engine`): counts are summed, the KV share is the mean."""
    queued, running = total(text, b"vllm:num_requests_waiting"), total(text, b"vllm:num_requests_running")
    if queued is None or running is None:
        return None
    kv_used = mean(text, b"vllm:kv_cache_usage_perc")
    return Readings(
        queued=int(queued),
        running=int(running),
        taken=now,
        kv_used=mean(text, b"vllm:gpu_cache_usage_perc") if kv_used is None else kv_used,
    )


VLLM = Kind(
    name="vllm",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES, COUNT_TOKENS}),
    health_path="/health",
    metrics_path="/metrics",
    read=read,
    continuation="continue_final_message",
)
