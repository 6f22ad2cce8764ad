"""How fast an engine is on this machine: a few seconds of measuring, once, as a start for what is learnt later."""

from __future__ import annotations

import json
import platform
import time
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, linear_regression

from meritorder.files import write_text
from meritorder.serve.engines.engine import Engine

_PROMPTS = (32, 96, 224)  # tokens
_OUTPUT = 24
_TIMEOUT_S = 600.0
_REPEATS = 3


@dataclass(frozen=True)
class Speed:
    """Seconds of an iteration: `host_s + per_token_s * (decoding + prompt tokens) + per_sequence_s * decoding`."""

    host_s: float
    per_token_s: float
    per_sequence_s: float


def fitted(first_s: Mapping[int, float], gap_s: Mapping[int, float]) -> Speed:
    """From the time to the first token by prompt length, and between two tokens by streams at a time.

    Lines of least squares. What a prompt takes apart from its tokens is the server's and no iteration's.
    """
    per_token, _ = _line(first_s)
    if len(gap_s) > 1:
        slope, host = _line(gap_s)
        slope = min(max(slope, 0.02 * gap_s[1]), 0.95 * gap_s[1])  # noise must not make time stand still
        host = max(host, gap_s[1] - slope)
    else:
        slope = host = 0.5 * gap_s[1]
    per_token = min(max(per_token, 0.01 * slope), slope)
    return Speed(float(f"{host:.3g}"), float(f"{per_token:.3g}"), float(f"{slope - per_token:.3g}"))


def measure(engine: Engine) -> Speed:
    """Measure a running engine as its clients would, by streams; it should serve nobody else meanwhile."""
    slots = engine.settings.slots
    with ThreadPoolExecutor(slots) as together:

        def gap(streams: int, turn: int) -> float:
            """Mean time between two tokens while so many streams decode."""
            times = list(together.map(lambda i: _token_times(engine, _PROMPTS[0], turn + i), range(streams)))
            begin, end = max(each[0] for each in times), min(each[-1] for each in times)
            together_s = [[t for t in each if begin <= t <= end] for each in times]
            spans = [span for span in together_s if len(span) > 1] or times  # so fast that one ended before another
            return fmean((span[-1] - span[0]) / (len(span) - 1) for span in spans)

        gap(1, 0)  # the first one warms up
        gaps = {b: fmean(gap(b, 10 * turn + 100 * b) for turn in range(_REPEATS)) for b in range(1, slots + 1)}
    first = {p: fmean(_first_token_s(engine, p, turn) for turn in range(_REPEATS)) for p in _PROMPTS}
    return fitted(first, gaps)


def remembered(engine: Engine, file: Path) -> Speed:
    """`measure`, but once for each model, machine and setting: what was found is kept in `file`."""
    settings = engine.settings
    weights = Path(settings.weights)
    about = f"{weights.name} {weights.stat().st_size} {settings.slots}x{settings.threads} {_processor()}"
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return Speed(**known[about])
    except (OSError, ValueError, KeyError, TypeError):
        found = measure(engine)
        write_text(file, json.dumps({about: asdict(found)}))
        return found


def _line(points: Mapping[int, float]) -> tuple[float, float]:
    """Slope and value at 0 of the line of least squares."""
    slope, value = linear_regression(list(points), list(points.values()))
    return slope, value


def _first_token_s(engine: Engine, prompt: int, turn: int) -> float:
    began = time.perf_counter()
    return _token_times(engine, prompt, turn, output=1)[0] - began


def _token_times(engine: Engine, prompt: int, turn: int, output: int = _OUTPUT) -> list[float]:
    """When each token of a streamed answer came; the prompt has exactly so many tokens, none of them cached."""
    tokens = [300 + (37 * turn + 7 * i) % 200 for i in range(prompt)]  # every vocabulary has these
    asked = {"prompt": tokens, "max_tokens": output, "ignore_eos": True, "stream": True}
    request = urllib.request.Request(
        f"{engine.url}/v1/completions",
        data=json.dumps({**asked, "cache_prompt": False}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {engine.settings.key}"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        return [time.perf_counter() for line in answer if line.startswith(b"data: {")][:output]


def _processor() -> str:
    """The processor's name, where it can be found."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
