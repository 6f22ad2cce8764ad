"""vLLM's log with `--enable-logging-iteration-details`: a line for every iteration."""

from __future__ import annotations

import re
from collections.abc import Iterable

from meritorder.calibrate.logs import Logged, even_pairs
from meritorder.calibrate.rows import Iteration

_LINE = re.compile(
    r"Iteration\(\d+\): (?P<prompts>\d+) context requests?, (?P<tokens>\d+) context tokens?, "
    r"(?P<decoding>\d+) generation requests?, (?P<generated>\d+) generation tokens?, "
    r"iteration elapsed time: (?P<ms>\d+\.?\d*) ms(?P<dummy> \(dummy\))?"
    r"(?:, \w+ KV cache usage: (?P<usage>\d+\.?\d*)%)?"
)
_CACHE = re.compile(r"KV cache size: ([\d,]+) tokens")


def read(lines: Iterable[str], kv_tokens: int | None) -> Logged:
    """KV tokens come from the share of the cache in use (whole blocks, rounded to 0.1 %), if its size is known."""
    log = Logged(kv_tokens=kv_tokens)
    for line in lines:
        if log.kv_tokens is None and (size := _CACHE.search(line)):
            log.kv_tokens = int(size.group(1).replace(",", ""))
        if "Iteration(" not in line:
            continue
        found = _LINE.search(line)
        if found is None:
            log.unread = log.unread or line.strip()
            continue
        prompts, tokens, decoding, generated = (
            int(found[key]) for key in ("prompts", "tokens", "decoding", "generated")
        )
        if found["dummy"] or not tokens + decoding or generated > decoding:
            continue  # other ranks' work, or speculative decoding, whose tokens are no sequences
        held = 0.0
        if found["usage"] and log.kv_tokens:
            held = float(found["usage"]) / 100.0 * log.kv_tokens if decoding else 0.0
        else:
            log.kv_known = False
        log.iterations.append(
            (float(found["ms"]) / 1e3, Iteration(decoding, held, tokens, even_pairs(tokens, prompts)))
        )
    if log.kv_known and log.iterations:
        log.notes.append("KV tokens are from the cache's use, in whole blocks, prompts under way included")
    return log
