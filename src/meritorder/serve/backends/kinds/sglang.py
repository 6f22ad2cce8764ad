"""SGLang's server; names as in SGLang 0.5. Its metrics are there with `--enable-metrics` only."""

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import histogram_mean, mean, total
from meritorder.serve.backends.readings import Readings


def read(text: bytes, now: float) -> Readings | None:
    """Counts are summed over ranks, shares are means."""
    queued, running = total(text, b"sglang:num_queue_reqs"), total(text, b"sglang:num_running_reqs")
    if queued is None or running is None:
        return None
    kv_tokens = total(text, b"sglang:max_total_num_tokens")
    return Readings(
        queued=int(queued),
        running=int(running),
        taken=now,
        kv_used=mean(text, b"sglang:token_usage"),
        kv_tokens=int(kv_tokens) if kv_tokens else None,
        hit_rate=mean(text, b"sglang:cache_hit_rate"),
        ttft_s=histogram_mean(text, b"sglang:time_to_first_token_seconds"),
        tpot_s=histogram_mean(text, b"sglang:inter_token_latency_seconds"),
    )


SGLANG = Kind(
    name="sglang",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES}),
    health_path="/health",
    metrics_path="/metrics",
    read=read,
    continuation="continue_final_message",
)
