"""SGLang's log: "Decode batch" lines, the mean of some iterations each, and "Prefill batch" lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

from meritorder.calibrate.logs import Logged, even_pairs
from meritorder.calibrate.rows import Iteration

_DECODE = re.compile(
    r"Decode batch.*?#running-req: (?P<running>\d+).*?#token: (?P<held>\d+).*?token usage: (?P<usage>\d+\.?\d*)"
    r".*?gen throughput \(token/s\): (?P<rate>\d+\.?\d*)"
)
_PREFILL = re.compile(r"Prefill batch.*?#new-seq: (?P<new>\d+), #new-token: (?P<tokens>\d+)")
_CACHED = re.compile(r"#cached-token: (\d+)")
_QUEUE = re.compile(r"#queue-req: (\d+)")
_INPUT = re.compile(r"input throughput \(token/s\): (\d+\.?\d*)")
_CACHE = re.compile(r"max_total_num_tokens=(\d+)")


def read(lines: Iterable[str], kv_tokens: int | None) -> Logged:
    """A decode line tells its iterations' mean time only where no prompt came since the decode line before it, with as
    many sequences. A prefill line tells how long the prefill before it took, where requests waited all that while.
    """
    log = Logged(kv_tokens=kv_tokens)
    running_before = -1  # of the decode line before this one; -1: a prompt came since
    waiting: tuple[int, float] | None = None  # tokens and pairs of the prefill before this line, if others waited
    for line in lines:
        if log.kv_tokens is None and (size := _CACHE.search(line)):
            log.kv_tokens = int(size.group(1))
        if "Decode batch" in line:
            waiting = None
            found = _DECODE.search(line)
            if found is None:
                log.unread = log.unread or line.strip()
                continue
            running, rate = int(found["running"]), float(found["rate"])
            if running == running_before and rate > 0.0:
                log.iterations.append((running / rate, Iteration(running, float(found["held"]), 0, 0.0)))
            running_before = running
        elif "Prefill batch" in line:
            running_before = -1
            found = _PREFILL.search(line)
            if found is None:
                log.unread = log.unread or line.strip()
                continue
            rate_told = _INPUT.search(line)
            if waiting is not None and rate_told and float(rate_told.group(1)) > 0.0:
                seconds = waiting[0] / float(rate_told.group(1))
                log.iterations.append((seconds, Iteration(0, 0.0, waiting[0], waiting[1])))
            tokens, new = int(found["tokens"]), int(found["new"])
            cached, queue = _CACHED.search(line), _QUEUE.search(line)
            others = tokens > 0 and queue is not None and int(queue.group(1)) > 0
            pairs = even_pairs(tokens, new) + tokens * (int(cached.group(1)) if cached else 0) / max(new, 1)
            waiting = (tokens, pairs) if others else None
    log.notes.append("decode lines are means of the iterations between two lines; there are no mixed iterations")
    return log
