"""How fast the embedded engines are on this machine: a short sweep and fit, once, kept for later."""

from __future__ import annotations

import asyncio
import json
import platform
from pathlib import Path
from typing import Any

import uvloop

from meritorder.calibrate import sweep
from meritorder.calibrate.asking import Asker
from meritorder.calibrate.design import Limits, design
from meritorder.calibrate.fit import fit
from meritorder.calibrate.look import look
from meritorder.calibrate.profile import profile_of
from meritorder.calibrate.rows import Rows, averaged, noise
from meritorder.files import write_text
from meritorder.fleet.measured import Profile
from meritorder.serve.engines.engine import Engine
from meritorder.serve.http.client import Upstream
from meritorder.units import FROM_FILE

_SWEEP_S = 12.0
_TIMEOUT_S = 600.0
_TOKENS = (300, 500)  # the smallest vocabularies have these
_LONGEST = 512  # tokens of a prompt


def remembered(engine: Engine, file: Path) -> Profile:
    """The engine's profile, measured once for each model, machine and setting: what was found is kept in `file`."""
    settings = engine.settings
    weights = Path(settings.weights)
    limits = f"{settings.slots}x{settings.context}x{settings.token_budget} {settings.threads} threads"
    about = f"{weights.name} {weights.stat().st_size} {limits} {_processor()}"
    try:
        return _read(json.loads(file.read_text(encoding="utf-8"))[about])
    except (OSError, ValueError, KeyError, TypeError):
        found = measure(engine)
        write_text(file, json.dumps({about: found}))
        return _read(found)


def measure(engine: Engine) -> dict[str, Any]:
    """Measure a running engine as its clients would; it should serve nobody else meanwhile."""
    return uvloop.run(_measure(engine))


async def _measure(engine: Engine) -> dict[str, Any]:
    settings = engine.settings
    limits = Limits(settings.slots, settings.token_budget, min(settings.context, _LONGEST))
    upstream = Upstream(engine.url, loop=asyncio.get_running_loop())
    headers = f"authorization: Bearer {settings.key}\r\n".encode()
    try:
        asker = Asker(upstream, settings.model, headers, engine.url, _TIMEOUT_S, tokens=_TOKENS)
        pace = await look(asker, limits.sequences, limits.context)
        swept = design(limits, pace, _SWEEP_S)
        found = await sweep.run(swept, asker, limits.budget, pace, lambda share: None)
    finally:
        upstream.close()
    floor = noise(found)
    rows = Rows.of(averaged(found))
    return profile_of(
        fit(rows, floor[0]),
        rows,
        floor,
        kv_tokens=settings.slots * settings.context,
        engine={"max_sequences": settings.slots, "token_budget": settings.token_budget},
        source={"model": settings.model, "engine": "llama.cpp"},
        inputs={},
    )


def _read(profile: dict[str, Any]) -> Profile:
    return Profile.model_validate(profile, context=FROM_FILE)


def _processor() -> str:
    """The processor's name, where it can be found."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
