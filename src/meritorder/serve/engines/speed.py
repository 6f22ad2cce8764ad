"""How fast an engine is on this machine: a few seconds of measuring, once, as a start for what is learnt later."""

from __future__ import annotations

import json
import platform
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meritorder.files import write_text
from meritorder.serve.engines.engine import Engine

_PROMPT = 192  # tokens
_OUTPUT = 25
_TIMEOUT_S = 600.0
_REPEATS = 2  # the best counts: whatever else runs only ever makes it slower


@dataclass(frozen=True)
class Speed:
    """Seconds of an iteration: `host_s + per_token_s * (decoding + prompt tokens) + per_sequence_s * decoding`."""

    host_s: float
    per_token_s: float
    per_sequence_s: float


def fitted(prompt_s: float, alone_s: float, full_s: float, slots: int) -> Speed:
    """From the times of a prompt of `_PROMPT` tokens, of a token alone, and of a token while all slots are busy.

    llama.cpp's time isn't affine in the batch; a line through its ends is near enough for a few slots.
    """
    slope = min(max((full_s - alone_s) / (slots - 1), 0.02 * alone_s), 0.95 * alone_s) if slots > 1 else 0.5 * alone_s
    host = alone_s - slope
    per_token = min(max((prompt_s - host) / _PROMPT, 0.01 * slope), slope)
    return Speed(float(f"{host:.3g}"), float(f"{per_token:.3g}"), float(f"{slope - per_token:.3g}"))


def measure(engine: Engine) -> Speed:
    """Measure a running engine that serves nobody else."""
    prompt = alone = full = float("inf")
    slots = engine.settings.slots
    with ThreadPoolExecutor(slots) as together:
        for turn in range(_REPEATS):
            prompt = min(prompt, _timings(engine, _PROMPT, 1, turn)["prompt_ms"] * 1e-3)
            alone = min(alone, _per_token_s(engine, turn))
            at_once = [together.submit(_per_token_s, engine, slot) for slot in range(slots)]
            full = min(full, max(each.result() for each in at_once))
    return fitted(prompt, alone, full, slots)


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


def _per_token_s(engine: Engine, turn: int) -> float:
    return _timings(engine, 8, _OUTPUT, turn)["predicted_ms"] * 1e-3 / (_OUTPUT - 1)


def _timings(engine: Engine, prompt: int, output: int, turn: int) -> dict[str, float]:
    """What the engine says of a request of exactly so many tokens, none of them cached."""
    first = 300 + 11 * turn
    asked = {"prompt": list(range(first, first + prompt)), "n_predict": output, "ignore_eos": True}
    request = urllib.request.Request(
        f"{engine.url}/completion",
        data=json.dumps({**asked, "cache_prompt": False}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {engine.settings.key}"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        said: dict[str, Any] = json.load(answer)
    return dict(said["timings"])


def _processor() -> str:
    """The processor's name, where it can be found."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
