"""Which engines run on this machine, from the weights there are to the fleet file that serves them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from meritorder.catalog.model import ModelSpec
from meritorder.files import write_text
from meritorder.fleet.measured import Profile
from meritorder.problems import InputError, Problem
from meritorder.serve.engines import weights
from meritorder.serve.engines.engine import Engine, Settings
from meritorder.serve.engines.fleet_file import Doorway, LocalPool, fleet_text

SMOLLM2 = "smollm2-135m"
SMOLLM2_SHAPE = ModelSpec(
    title="SmolLM2 135M Instruct",
    layers=30,
    hidden=576,
    heads=9,
    kv_heads=3,
    head_dim=64,
    ffn=1536,
    vocab=49152,
    tied_embeddings=True,
    max_context=8192,
)

_DRY = 0.8  # of the small model
_MOST_CONTEXT = 4096  # of a model of the user's own: more would fill the memory with KV cache
_CPU_FLAGS = {"avx2", "fma", "f16c", "bmi2"}  # what llama.cpp in its wheel is compiled for


@dataclass(frozen=True)
class Plan:
    """What is to run: name and shape of the model, and each engine with words about it."""

    title: str
    model: str
    shape: ModelSpec
    engines: Sequence[tuple[Settings, str, str]]  # settings, number format for the fleet file, what it is


def check_machine() -> None:
    """Raises InputError where the embedded engines can't run."""
    missing = [name for name in ("xllamacpp", "gguf") if find_spec(name) is None]
    if missing:
        fix = "install it with `pip install 'meritorder[local]'`"
        raise InputError(Problem(f"needs the package {missing[0]}", where="merit up", fix=fix))
    try:
        flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    except OSError:
        return  # not Linux: its wheel is built for every machine of its kind
    if flags and (lacking := _CPU_FLAGS - set(flags.split())):
        fix = "run `merit emulate` on a fleet file instead"
        raise InputError(Problem(f"this processor lacks {', '.join(sorted(lacking))}", where="merit up", fix=fix))


def small_model() -> Plan:
    """The model that comes with it, as 4-bit and as 16-bit weights: one quick, one that answers better."""
    cores = _cores()
    apart = len(cores) > 1
    key = secrets.token_urlsafe(24)
    fast, careful = (
        Settings(name, SMOLLM2, str(weights.place(kind)), key, core=core, dry=_DRY)
        for name, kind, core in (
            ("quick", weights.Q4, cores[-1] if apart else None),
            ("careful", weights.F16, cores[-2] if apart else None),
        )
    )
    about = ("4-bit weights: quick, and wrong more often", "16-bit weights: slower, and right more often")
    return Plan("Desk", SMOLLM2, SMOLLM2_SHAPE, ((fast, "fp4", about[0]), (careful, "fp16", about[1])))


def own_model(path: Path) -> Plan:
    """A GGUF file of the user's own on one engine that has all cores but one. Raises InputError."""
    from meritorder.serve.engines.gguf_model import read_model

    if not path.is_file():
        raise InputError(Problem("is not there", where=str(path), fix="name a GGUF file"))
    model, shape = read_model(path)
    settings = Settings(
        name="local",
        model=model,
        weights=str(path.resolve()),
        key=secrets.token_urlsafe(24),
        context=min(shape.max_context, _MOST_CONTEXT),
        threads=max(1, len(_cores()) - 1),
    )
    return Plan(model, model, shape, ((settings, shape.weights, f"llama.cpp, {settings.threads} threads"),))


@contextmanager
def running(plan: Plan, folder: Path, tell: Callable[[str], None]) -> Iterator[list[Engine]]:
    """The plan's engines, ready; logs go to `folder`. They are stopped at the end. Raises InputError."""
    folder.mkdir(parents=True, exist_ok=True)
    engines = [Engine(settings, folder / f"{settings.name}.log", tell) for settings, _, _ in plan.engines]
    try:
        for engine in engines:
            engine.wait_ready()
        yield engines
    finally:
        with ThreadPoolExecutor(len(engines)) as together:
            list(together.map(Engine.stop, engines))


def write_fleet(
    plan: Plan, engines: Sequence[Engine], folder: Path, doorway: Doorway, measure: Callable[[Engine, Path], Profile]
) -> Path:
    """Measure the engines (the first time on this machine) and write the fleet file that serves them.

    `measure(engine, file)` gives what it measures, or what the file keeps of an earlier time.
    """
    weights.home().mkdir(parents=True, exist_ok=True)
    files = [weights.home() / f"{Path(engine.settings.weights).name}.measured.json" for engine in engines]
    profiles = list(map(measure, engines, files))  # one after the other: a busy neighbour would make both slower
    pools = []
    for (settings, precision, about), engine, profile in zip(plan.engines, engines, profiles, strict=True):
        key = folder / f"{settings.name}.key"
        _write_secret(key, settings.key)
        pool = LocalPool(
            name=settings.name,
            about=about,
            settings=settings,
            machine=profile.measured,
            request_overhead_s=profile.engine.request_overhead or 0.0,
            weight_bytes=Path(settings.weights).stat().st_size,
            precision=precision,
            url=engine.url,
            key=f"file:{key}",
        )
        pools.append(pool)
    path = folder / "fleet.yaml"
    write_text(path, fleet_text(plan.title, plan.model, plan.shape, pools, doorway))
    return path


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def _cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
