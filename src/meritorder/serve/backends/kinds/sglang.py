"""SGLang's server; names as in SGLang 0.5. Its metrics are there with `--enable-metrics` only."""

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import samples
from meritorder.serve.backends.readings import Readings


def read(text: bytes, now: float) -> Readings | None:
    """Counts are summed over engines, shares are means."""
    queued, running = engines(text, b"sglang:num_queue_reqs"), engines(text, b"sglang:num_running_reqs")
    if not queued or not running:
        return None
    kv_used = engines(text, b"sglang:token_usage")
    return Readings(
        queued=int(sum(queued)),
        running=int(sum(running)),
        taken=now,
        kv_used=sum(kv_used) / len(kv_used) if kv_used else None,
    )


def engines(text: bytes, name: bytes) -> list[float]:
    """A gauge's value per engine (data-parallel rank).

    The ranks of one engine may all show it, each priority has a line of its own beside that of all, and a line without
    a rank may stand beside those with: any sum over all lines would be too high.
    """
    lines = [
        (labels, value)
        for labels, value in samples(text, name)
        if not labels.get(b"priority")
        and all(labels.get(rank) in (None, b"", b"0") for rank in (b"tp_rank", b"pp_rank", b"moe_ep_rank"))
    ]
    ranked = [value for labels, value in lines if labels.get(b"dp_rank")]
    return ranked or [value for _, value in lines]


SGLANG = Kind(
    name="sglang",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES}),
    health_path="/health",
    metrics_path="/metrics",
    read=read,
    continuation="continue_final_message",
)
