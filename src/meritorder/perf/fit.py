"""Whether a model can be split and fits as a pool asks, and what to write instead where it doesn't."""

from __future__ import annotations

from dataclasses import replace

from meritorder.catalog.model import WEIGHT_BYTES
from meritorder.fleet.schema import Pool
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement
from meritorder.problems import InputError, Problem
from meritorder.units import show


def check_parallelism(place: Placement, name: str, key: str) -> None:
    """Raise InputError where the chips can't share the model like that; `name`: the accelerator's."""
    chip, model, problems = place.chip, place.model, []
    if chip.kind == "wafer" and place.tensor > 1:
        fix = "leave it out and give `pipeline: N` wafers"
        problems.append(Problem("tensor parallelism stays on one wafer", key=f"{key}.tensor", fix=fix))
    elif chip.kind == "wafer" and place.stage_chips * place.expert > 1:
        problems.append(Problem("is for GPUs", key=f"{key}.data_parallel", fix="leave it and expert_parallel out"))
    elif place.stage_chips > chip.domain:
        what = f"needs {place.stage_chips} chips together with data_parallel, but" if place.data > 1 else ""
        what = what or f"is {place.tensor}, but the scale-up link of {name} joins {chip.domain} chips"
        problems.append(Problem(what, key=f"{key}.tensor", fix=f"give at most {chip.domain}, and `pipeline` for more"))
    elif model.heads % place.tensor:
        what = f"is {place.tensor}, which does not divide the {model.heads} attention heads"
        near = max(n for n in range(1, place.tensor) if model.heads % n == 0)
        problems.append(Problem(what, key=f"{key}.tensor", fix=f"give for example {near}"))
    if place.stage_chips % place.expert or model.experts % place.expert:
        what = f"is {place.expert}: {place.stage_chips} chips hold {model.experts} experts of a layer"
        problems.append(Problem(what, key=f"{key}.expert_parallel", fix="give a divisor of both, 1 for a dense model"))
    if place.pipeline > model.layers:
        what = f"is {place.pipeline}, but the model has {model.layers} layers, and a stage holds whole layers"
        problems.append(Problem(what, key=f"{key}.pipeline", fix=f"give at most {model.layers}"))
    if problems:
        raise InputError(problems)


def check_pool(pool: Pool, kind: str, experts: int, key: str) -> None:
    """Raise InputError where the pool says what would have no effect on its machine: "gpu", "wafer" or "measured"."""
    problems = []
    if pool.engine.name and kind != "gpu":
        what = "is for GPUs of the catalog, not " + ("a wafer" if kind == "wafer" else "a measured machine")
        problems.append(Problem(what, key=f"{key}.engine.name", fix="leave name and version out"))
    elif pool.engine.version and not pool.engine.name:
        what, fix = "is given without the engine's name", "add `name`: vllm, sglang or trtllm"
        problems.append(Problem(what, key=f"{key}.engine.version", fix=fix if kind == "gpu" else "leave it out"))
    if pool.expert_parallel > 1 and not experts:
        what = f"is {pool.expert_parallel}, but {pool.model} has no experts"
        problems.append(Problem(what, key=f"{key}.expert_parallel", fix="leave it out"))
    if pool.caps and kind == "measured":
        what = "are set for a measured machine, whose times hold for one power limit only"
        problems.append(Problem(what, key=f"{key}.caps", fix="drop them"))
    if problems:
        raise InputError(problems)


def check_power_cap(place: Placement, limit: float, name: str, key: str) -> None:
    """Raise InputError where the chip can't run at the power limit under `key`; `name`: the accelerator's."""
    idle, most = place.chip.board
    if place.chip.kind == "wafer":
        what, fix = "is set for a wafer: nobody has published how one slows down", "drop it"
    elif not idle + 0.2 * (most - idle) <= limit <= most:
        what = (
            f"is {show(limit, 'W', 3)}, but {name} draws {show(idle, 'W', 3)} waiting and {show(most, 'W', 3)} at most"
        )
        fix = f"give {show(idle + 0.2 * (most - idle), 'W', 3)} to {show(most, 'W', 3)}"
    else:
        return
    raise InputError(Problem(what, key=key, fix=fix))


def does_not_fit(place: Placement, fraction: float, block_tokens: int, pool: Pool, key: str) -> InputError:
    """The error that says how much memory is missing and what would fit."""
    held = memory(place, fraction, block_tokens)
    what = (
        f"{pool.model} in {place.weights} does not fit: a chip would hold {show(held.weights, 'B', 3)} of weights and "
        f"{show(held.reserve, 'B', 3)} beside them, {pool.accelerator} has {show(held.usable, 'B', 3)} to use; "
        f"{show(held.missing, 'B', 3)} are missing"
    )
    ways = [_larger(place, fraction, block_tokens), _fewer_bits(place, fraction, block_tokens)]
    found = " or ".join(way for way in ways if way)
    fix = f"{found} would fit" if found else "take an accelerator with more memory, or smaller max_sequences"
    return InputError(Problem(what, key=key, fix=fix))


def _larger(place: Placement, fraction: float, block_tokens: int) -> str:
    """The least parallelism that fits: tensor degrees of the scale-up domain, then pipeline stages."""
    if place.chip.kind == "gpu":
        for tensor in range(place.tensor + 1, place.chip.domain + 1):
            power_of_two = tensor & (tensor - 1) == 0
            if (
                power_of_two
                and not place.model.heads % tensor
                and _fits(replace(place, tensor=tensor), fraction, block_tokens)
            ):
                return f"`tensor: {tensor}`"
    for stages in range(place.pipeline + 1, place.model.layers + 1):
        if _fits(replace(place, pipeline=stages), fraction, block_tokens):
            return f"`pipeline: {stages}`"
    return ""


def _fewer_bits(place: Placement, fraction: float, block_tokens: int) -> str:
    """The widest narrower number format of the weights that fits."""
    for weights in ("fp8", "fp4"):
        narrower = WEIGHT_BYTES[weights] < WEIGHT_BYTES[place.weights]
        if narrower and _fits(replace(place, weights=weights), fraction, block_tokens):
            return f"`weights: {weights}`"
    return ""


def _fits(place: Placement, fraction: float, block_tokens: int) -> bool:
    return not memory(place, fraction, block_tokens).missing
