"""A calibration of a live endpoint from the first look to the check."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop

from meritorder.calibrate import check, sweep
from meritorder.calibrate.asking import Asker
from meritorder.calibrate.check import LOADS, Lengths
from meritorder.calibrate.design import Limits, Pace, Sweep, design
from meritorder.calibrate.fit import fit
from meritorder.calibrate.look import find_budget, find_manner, look
from meritorder.calibrate.profile import fleet_of, profile_of
from meritorder.calibrate.rows import Row, Rows, averaged, noise
from meritorder.calibrate.told import Told, ask_about
from meritorder.problems import InputError, Problem
from meritorder.serve.http.client import Upstream

_SEQUENCES = 16  # tried at a time where the endpoint doesn't say how many it runs
_BUDGET = 8192  # where no prompt was split
_CONTEXT = 2048  # tried where it doesn't say
_LONGEST = 2048  # tokens of a prompt: further measurements would cost more than they tell


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; None: as the endpoint says."""

    url: str
    model: str | None = None
    headers: bytes = b""
    sequences: int | None = None
    budget: int | None = None
    context: int | None = None
    kv_tokens: int | None = None
    seconds: float = 180.0  # of the sweep
    check_seconds: float = 180.0  # 0: no check
    tolerance: float = 0.1
    usd_per_mtok: tuple[float, float] = (0.0, 0.0)  # prompt and output tokens
    inputs: Mapping[str, float] = field(default_factory=dict)  # power and price, for the profile
    timeout_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """What it will cost: requests and seconds of sweep and check, tokens and USD of both together."""

    sweep_requests: int
    sweep_s: float
    check_requests: int
    check_s: float
    prompt_tokens: int
    output_tokens: int
    usd: float


Step = Callable[[str], AbstractContextManager[Callable[[float], None]]]
Keep = Callable[[Mapping[str, Any]], None]


def calibrate(wanted: Wanted, agree: Callable[[Estimate], bool], step: Step, keep: Keep) -> dict[str, Any] | None:
    """The profile, None where the user does not agree to its cost.

    `step(what)` shows how far a part of it is. `keep(profile)` is called when there is one, and again after the check.
    Raises InputError where the endpoint can't be measured.
    """
    return uvloop.run(_calibrate(wanted, agree, step, keep))


async def _calibrate(
    wanted: Wanted, agree: Callable[[Estimate], bool], step: Step, keep: Keep
) -> dict[str, Any] | None:
    loop = asyncio.get_running_loop()
    upstream = Upstream(wanted.url, loop=loop, most_idle=10_000)
    try:
        told = await ask_about(upstream, wanted.headers, wanted.url, wanted.model)
        kv_tokens = wanted.kv_tokens or told.kv_tokens
        if kv_tokens is None:
            fix = "give --kv-tokens; engines log it when they start"
            raise InputError(Problem("does not say how many tokens of KV cache it has", wanted.url, fix=fix))
        asker = Asker(upstream, told.model, wanted.headers, wanted.url, wanted.timeout_s, wanted.seed)
        with step("a first look"):
            limits, pace = await _first_look(wanted, told, asker)
        lengths = Lengths(longest_prompt=min(512, limits.context // 2), longest_output=min(128, limits.context // 4))
        swept = design(limits, pace, wanted.seconds, wanted.seed)
        if not agree(_estimate(wanted, swept, pace, limits, lengths)):
            return None
        with step(f"sweep of {len(swept.rounds)} rounds") as advance:
            rows = await sweep.run(swept, asker, limits.budget, pace, advance, wanted.seed)
        profile = _profile(wanted, told, kv_tokens, limits, asker, rows)
        keep(profile)
        if wanted.check_seconds > 0.0:
            await _check(wanted, profile, limits, lengths, asker, upstream, step)
            keep(profile)
        return profile
    finally:
        upstream.close()


async def _first_look(wanted: Wanted, told: Told, asker: Asker) -> tuple[Limits, Pace]:
    """How the endpoint takes requests, its limits, and about how fast it is."""
    sequences = wanted.sequences or min(told.sequences or _SEQUENCES, 64)
    context = min(wanted.context or told.context or _CONTEXT, told.context or math.inf)
    await find_manner(asker)
    longest = min(int(context), _LONGEST)
    pace = await look(asker, sequences, longest)
    budget = wanted.budget or told.budget or await find_budget(asker, longest - 64) or _BUDGET
    return Limits(sequences, max(budget, sequences), longest), pace


def _estimate(wanted: Wanted, swept: Sweep, pace: Pace, limits: Limits, lengths: Lengths) -> Estimate:
    prompt = lengths.prompt * math.exp(0.5 * lengths.prompt_spread**2)
    output = lengths.output * math.exp(0.5 * lengths.output_spread**2)
    full = limits.sequences
    each_s = prompt * pace.prompt_token_s + output * pace.decode_s(full) / full
    loads = wanted.check_seconds * sum(LOADS) / len(LOADS)
    checks = math.ceil(loads / each_s)
    prompts, outputs = swept.prompt_tokens + int(checks * prompt), swept.output_tokens + int(checks * output)
    usd = (prompts * wanted.usd_per_mtok[0] + outputs * wanted.usd_per_mtok[1]) / 1e6
    return Estimate(swept.requests, swept.seconds, checks, wanted.check_seconds, prompts, outputs, usd)


def _profile(
    wanted: Wanted, told: Told, kv_tokens: int, limits: Limits, asker: Asker, found: list[Row]
) -> dict[str, Any]:
    floor = noise(found)
    rows = Rows.of(averaged(found))
    fitted = fit(rows, floor[0], wanted.seed)
    manner = asker.manner
    return profile_of(
        fitted,
        rows,
        floor,
        kv_tokens=kv_tokens,
        engine={"max_sequences": limits.sequences, "token_budget": limits.budget},
        source={
            "endpoint": wanted.url,
            "model": told.model,
            "engine": told.engine,
            "version": told.version or "not told",
            "prompts": "tokens" if manner.tokens else "text",
            "exact_answers": manner.ignore_eos,
        },
        inputs=wanted.inputs,
    )


async def _check(
    wanted: Wanted,
    profile: dict[str, Any],
    limits: Limits,
    lengths: Lengths,
    asker: Asker,
    upstream: Upstream,
    step: Step,
) -> None:
    """Put the result of the check into the profile."""
    if not asker.manner.ignore_eos:
        profile["check"] = {"passed": None, "why": "the endpoint ends answers when it likes: no load can be repeated"}
        return
    fleet = fleet_of(profile, limits.context)
    with step("simulating the check's loads"):
        planned = check.plan(fleet, replace(lengths), wanted.check_seconds, seed=wanted.seed + 1)
    with step(f"check at {', '.join(f'{load:.0%}' for load in LOADS)} load") as advance:
        loop = asyncio.get_running_loop()
        loads = await check.run(planned, fleet, asker, upstream, wanted.headers, loop, advance)
    most = check.worst(loads)
    profile["check"] = {
        "passed": most <= wanted.tolerance,
        "tolerance": wanted.tolerance,
        "worst_mean": None if math.isinf(most) else most,
        "capacity_requests_per_s": planned.capacity,
        "loads": loads,
    }
