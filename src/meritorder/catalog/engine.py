"""Inference engines: what one engine in one version adds to the kernels of a machine.

Coefficients are products: a base, times the factor of every term whose conditions hold ("engine vllm", "vllm 0.19.0",
"sglang with 8-bit weights on chips with 4-bit arithmetic"). An engine, version, machine or model that nobody measured
so gets what is known of its relatives. A version that was fitted as a whole (`WholeEngine`) comes before such terms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from meritorder.catalog.accelerator import Accelerator
from meritorder.units import Seconds

# Coefficients in seconds; every other name of a term is a factor on a kind of kernel.
COEFFICIENTS = ("host", "sequence", "layer", "expert_layer", "linear_layer", "mixed")
# `kernels` of a placement whose model was profiled kernel by kernel on its chip (`catalog/layers.py`).
PROFILED = "profiled"
# What a client's first token waits for, beside what an iteration table says (see `FirstToken`).
FIRST_TOKEN = ("request", "prompt_token", "prefill", "lookahead", "burst", "queue", "crowd")

# Models of one shape are one model to an engine.
SAME_SHAPE = {"deepseek-r1": "deepseek-v3", "deepseek-v3.1": "deepseek-v3", "kimi-k2.5": "kimi-k2"}


class FirstToken(BaseModel):
    """How a closed-loop client's time to first token follows from that of the simulated server, `t` in seconds.

    `t = request + prompt_token x tokens + prefill x (prompt alone) + lookahead x (iteration) + burst x (simulated wait
    of the clients' common start) + queue x (simulated wait later) + crowd x clients x (prompt alone)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: Seconds = 0.0
    prompt_token: Seconds = 0.0
    prefill: float = Field(default=1.0, ge=0)
    lookahead: float = Field(default=1.0, ge=0)
    burst: float = Field(default=0.1, ge=0)
    queue: float = Field(default=0.9, ge=0)
    crowd: float = Field(default=0.0, ge=0)


class EngineProfile(BaseModel):
    """One engine in one version on one machine; every default is neutral: kernels alone.

    A factor multiplies the time that the operator models give for a kind of kernel: engines ship other kernels than
    those that were measured, and wrap them in quantising, routing and copying that the measurement leaves out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    version: str = ""
    host: Seconds = Field(default=0.0, description="engine time of an iteration")
    host_sequence: Seconds = Field(default=0.0, description="the same per decoding sequence")
    layer: Seconds = Field(default=0.0, description="norms, rotary embedding and gaps of a layer")
    expert_layer: Seconds = Field(default=0.0, description="routing and gaps of an expert layer, on top")
    linear_layer: Seconds = Field(default=0.0, description="convolution, gates and gaps of a linear layer, on top")
    mixed: Seconds = Field(default=0.0, description="more of an iteration that holds prompt tokens")
    narrow_layer: Seconds = Field(default=0.0, description="quantising in a layer with 8-bit weights, on top")
    prompt_layer: Seconds = Field(default=0.0, description="more of a layer in an iteration that holds prompt tokens")
    prompt_token: Seconds = Field(default=0.0, description="the same per prompt token that is computed")
    tensor_byte: Seconds = Field(default=0.0, description="per byte of the all-reduces of more than two chips, on top")
    captured: int = Field(default=0, description="tokens of the largest captured graph: up to there, sizes are padded")
    profiled: bool = Field(default=False, description="goes with kernels that were profiled model by model")
    link_fixed: Seconds = Field(default=0.0, description="an all-reduce beside profiled kernels, per call")
    link_byte: Seconds = Field(default=0.0, description="the same, per byte")
    factors: dict[str, float] = Field(default={}, description="kind of kernel -> factor on its time (absent: 1)")
    first_token: FirstToken = FirstToken()
    notes: tuple[str, ...] = Field(default=(), description="what is borrowed: another version, no data")

    def factor(self, kind: str) -> float:
        """The factor on the time of this kind of kernel."""
        return self.factors.get(kind, 1.0)


@dataclass(frozen=True)
class EngineTerm:
    """Factors that hold where every condition does; `all` and `first_all` scale everything of their sort."""

    when: Mapping[str, str]
    factors: Mapping[str, float]


@dataclass(frozen=True)
class WholeEngine:
    """One version as fitted to runs of whole servers, whose every request was simulated: no terms of relatives.

    `when`: what a placement's conditions have to be, each one of several values. `figures`: seconds of fields of the
    profile, `request` of its first token, and factors on kinds of kernels.
    """

    when: Mapping[str, tuple[str, ...]]
    figures: Mapping[str, float]

    def holds(self, told: Mapping[str, str]) -> bool:
        """Whether the conditions are this version's."""
        return all(
            _same(told.get(key, ""), values) if key == "version" else told.get(key) in values
            for key, values in self.when.items()
        )

    def profile(self, told: Mapping[str, str], notes: tuple[str, ...] = ()) -> EngineProfile:
        """The profile. Its waits are those of the simulator: no share of them is the engine's."""
        apart = (*KERNEL_KINDS, "request")
        fields = {name: value for name, value in self.figures.items() if name not in apart}
        return EngineProfile(
            name=told["engine"],
            version=told.get("version", ""),
            host_sequence=0.0,
            profiled=self.when.get("kernels") == (PROFILED,),
            factors={name: value for name, value in self.figures.items() if name in KERNEL_KINDS},
            first_token=FirstToken(request=self.figures.get("request", 0.0), burst=1.0, queue=1.0),
            notes=notes,
            **fields,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Engines:
    """What is known about engines: versions as a whole, base coefficients, terms, when each version was measured."""

    base: Mapping[str, float] = field(default_factory=dict)
    terms: tuple[EngineTerm, ...] = ()
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # engine -> version -> month
    whole: tuple[WholeEngine, ...] = ()

    def profile(self, conditions: Mapping[str, str], month: str = "") -> EngineProfile:
        """The profile under `conditions` (see `conditions`); of a version never measured, the nearest one's."""
        engine, version = conditions["engine"], conditions.get("version", "")
        known = self.versions.get(engine, {})
        notes = []
        for one in self.whole:
            if one.holds(conditions):
                return one.profile(conditions)
        if known and version not in known:
            nearest = nearest_version(version, month, known)
            notes.append(f"{engine} {version or 'of unknown version'}: coefficients of {nearest}")
            conditions = {**conditions, "version": nearest}
            for one in self.whole:
                if one.holds(conditions):
                    return one.profile({**conditions, "version": version}, tuple(notes))
        if not known:
            notes.append(f"{engine}: no data of this engine, coefficients of an average one")
        return _profile(self._products(conditions), engine, version, tuple(notes))

    def average(self) -> EngineProfile:
        """What all engines share, for one that nobody named; what its front end takes isn't known."""
        return _profile(self._products({}), "", "", ()).model_copy(update={"first_token": FirstToken()})

    def _products(self, conditions: Mapping[str, str]) -> dict[str, float]:
        found = dict(self.base)
        for term in self.terms:
            if all(conditions.get(key) == value for key, value in term.when.items()):
                for kind, factor in term.factors.items():
                    found[kind] = found.get(kind, 1.0) * factor
        return found


def conditions(engine: str, version: str, chip: Accelerator, model: str, weights: str, **more: str) -> dict[str, str]:
    """Conditions of a placement as the terms name them; a chip is known by its narrowest arithmetic."""
    narrowest = "4" if chip.flops_4 else "8" if chip.flops_8 else "16"
    shape = SAME_SHAPE.get(model, model)
    return {"engine": engine, "version": version, "arithmetic": narrowest, "model": shape, "weights": weights, **more}


def _same(version: str, others: tuple[str, ...]) -> bool:
    """Whether it is one of the others; `0.19` is `0.19.0`."""
    mine = _numbers(version)
    return version in others or (bool(mine) and any(not _distance(mine, _numbers(other)) for other in others))


def nearest_version(version: str, month: str, known: Mapping[str, str]) -> str:
    """The nearest of the known versions: by number, or by month where it has none (nightly builds).

    Older major numbers than any known one belong to something around the engine (TensorRT-LLM under a version of
    Dynamo): the month goes before them. Without number and month it is the newest release.
    """
    numbered = {name: _numbers(name) for name in known if _numbers(name)}
    dated = {name: _months(known[name]) for name in known if known[name]}
    wanted = _numbers(version)
    foreign = bool(wanted and numbered) and wanted[0] < min(numbers[0] for numbers in numbered.values())
    if month and dated and (not wanted or foreign):
        return min(dated, key=lambda name: (abs(dated[name] - _months(month)), name))
    if wanted and numbered:
        return min(numbered, key=lambda name: (_distance(wanted, numbered[name]), name))
    if numbered:
        return max(numbered, key=lambda name: (_weighed(numbered[name]), name))
    return max(known, key=lambda name: (known[name], name))


def _numbers(version: str) -> tuple[int, ...]:
    """`0.5.10.post1` -> (0, 5, 10, 1); nothing for a name or a month."""
    if not re.match(r"v?\d+\.\d+", version):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", version))[:4]


def _weighed(numbers: tuple[int, ...]) -> float:
    """The numbers of a version as one, in whose order versions follow one another."""
    return sum(number * 100.0 ** (3 - place) for place, number in enumerate(numbers))


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    return abs(_weighed(one) - _weighed(other))


def _months(month: str) -> int:
    year, _, number = month.partition("-")
    return int(year) * 12 + int(number or 1)


def _profile(found: Mapping[str, float], engine: str, version: str, notes: tuple[str, ...]) -> EngineProfile:
    scale, first = found.get("all", 1.0), found.get("first_all", 1.0)
    seconds: dict[str, Any] = {name: found[name] * scale for name in COEFFICIENTS if name in found}
    if "sequence" in seconds:
        seconds["host_sequence"] = seconds.pop("sequence")
    waits = {name: found[f"first_{name}"] * first for name in FIRST_TOKEN if f"first_{name}" in found}
    known = {*COEFFICIENTS, "all", "first_all", *(f"first_{name}" for name in FIRST_TOKEN)}
    factors = {kind: factor * scale for kind, factor in found.items() if kind not in known}
    if scale != 1.0:
        factors = {**dict.fromkeys(KERNEL_KINDS, scale), **factors}
    return EngineProfile(
        name=engine, version=version, factors=factors, first_token=FirstToken(**waits), notes=notes, **seconds
    )


KERNEL_KINDS = (
    *("gemm_16", "gemm_8", "gemm_4", "experts_16", "experts_8", "experts_4"),
    *("attention", "prefill", "state", "link", "elementwise"),
)
