"""TensorRT-LLM: its iteration log (`print_iter_log`), or its iteration statistics as JSON (`GET /metrics`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from meritorder.calibrate.logs import Logged, even_pairs
from meritorder.calibrate.rows import Iteration

_LINE = re.compile(
    r"iter = (?P<number>\d+),.*?(?<!_)rank = (?P<rank>\d+),.*?host_step_time = (?P<host>\d+\.?\d*) ?ms, "
    r"prev_device_step_time = (?P<device>\d+\.?\d* ?ms|N/A).*?states = \{(?P<states>[^}]*)\}"
)
_STATE = re.compile(r"'(\w+)': (\d+)")


def read(lines: Iterable[str], kv_tokens: int | None) -> Logged:
    """Either form."""
    log = Logged(kv_tokens=kv_tokens)
    before: tuple[int, Iteration] | None = None  # number and content of the iteration before this line
    for line in lines:
        text = line.strip()
        if "iter = " in text:
            found = _LINE.search(text)
            if found is None:
                log.unread = log.unread or text
                continue
            if found["rank"] != "0":
                continue
            states = {name: int(value) for name, value in _STATE.findall(found["states"])}
            number, device = int(found["number"]), found["device"]
            if before is not None and number == before[0] + 1 and device != "N/A" and before[1] is not _NOTHING:
                log.iterations.append((float(device.rstrip(" ms")) / 1e3, before[1]))
            before = (number, _logged(states, log))
        elif text[:1] in ("{", "["):
            _read_statistics(text, log)
    return log


_NOTHING = Iteration(0, 0.0, 0, 0.0)


def _logged(states: dict[str, int], log: Logged) -> Iteration:
    """What an iteration of the log held."""
    prompts, tokens = states.get("num_ctx_requests", 0), states.get("num_ctx_tokens", 0)
    decoding = states.get("num_generation_tokens", 0)
    if not tokens + decoding:
        return _NOTHING
    if "cached_kv_tokens" not in states:
        log.kv_known = False
    return Iteration(decoding, float(states.get("cached_kv_tokens", 0)), tokens, even_pairs(tokens, prompts))


def _read_statistics(text: str, log: Logged) -> None:
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        log.unread = log.unread or text
        return
    for entry in told if isinstance(told, list) else [told]:
        try:
            _read_entry(entry, log)
        except (TypeError, ValueError):  # a figure that is no number
            log.unread = log.unread or text


def _read_entry(entry: Any, log: Logged) -> None:
    batch: Any = entry.get("inflightBatchingStats") if isinstance(entry, dict) else None
    latency = entry.get("iterLatencyMS") if isinstance(entry, dict) else None
    if not isinstance(batch, dict) or not latency:
        return
    prompts, tokens = int(batch.get("numContextRequests", 0)), int(batch.get("numCtxTokens", 0))
    decoding = int(batch.get("numGenRequests", 0))
    if not tokens + decoding:
        return
    held = 0.0
    cache = entry.get("kvCacheStats")
    if isinstance(cache, dict) and cache.get("tokensPerBlock"):
        size = int(cache["tokensPerBlock"])
        log.kv_tokens = log.kv_tokens or int(cache.get("maxNumBlocks", 0)) * size or None
        held = max(float(cache.get("usedNumBlocks", 0)) * size - tokens, 0.0) if decoding else 0.0
    else:
        log.kv_known = False
    log.iterations.append((float(latency) / 1e3, Iteration(decoding, held, tokens, even_pairs(tokens, prompts))))
