"""From a fit to the machine profile that fleet files name, and to a fleet of that one machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from meritorder.calibrate.fit import Fitted
from meritorder.calibrate.rows import Rows
from meritorder.catalog.model import ModelSpec
from meritorder.files import write_text
from meritorder.fleet.measured import Profile
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site

_DOUBTFUL = 0.1  # noise of repeats or held-out error beyond which a profile says so
_HEAD = "# A machine profile, written by `merit calibrate`; a pool of a fleet file names it: `measured: ./{}`\n"


def profile_of(
    fitted: Fitted,
    rows: Rows,
    noise: tuple[float, float],
    *,
    kv_tokens: int,
    engine: Mapping[str, int],
    source: Mapping[str, object],
    inputs: Mapping[str, float],
) -> dict[str, Any]:
    """The profile as plain data in the order of the file. `engine`: settings that are known; `inputs`: power and price
    as given; `noise`: of single iterations and of repeats.
    """
    context = rows.kv_tokens / rows.decoding.clip(1)
    longest = max(float(context.max(initial=0.0)), float(rows.summed(rows.prompt_tokens).max(initial=0.0)))
    reach = {
        "sequences": int(rows.decoding.max(initial=0)),
        "iteration_tokens": int((rows.decoding + rows.prompt_tokens).max(initial=0)),
        "context": int(longest),
    }
    curves = {
        name: [list(point) for point in value] if isinstance(value, tuple) else value
        for name, value in fitted.coefficients.items()
        if value or name == "host_s"
    }
    front = {}
    if rows.first_token.any():
        front["request_overhead"] = f"{1e3 * fitted.request_s:.4g} ms"
        if fitted.prompt_token_s:
            front["prompt_token_overhead"] = f"{1e6 * fitted.prompt_token_s:.4g} us"
    quality: dict[str, Any] = {
        "form": fitted.form,
        "rows": fitted.rows,
        "error_held_out": fitted.error,
        "bias_held_out": fitted.bias,
        "error_fitted": fitted.own_error,
        "noise_of_an_iteration": noise[0],
        "noise_of_repeats": noise[1],
        "uncertainty": fitted.uncertainty,
        "error_held_out_by_form": fitted.tried,
    }
    quality = {name: _short(value) for name, value in quality.items()}
    if doubts := _doubts(fitted.error, noise[1]):
        quality["notes"] = doubts
    return {
        "measured": {
            **curves,
            "kv_tokens": kv_tokens,
            **inputs,
            "range": {name: most for name, most in reach.items() if most > 0},
        },
        "engine": {**engine, **front},
        "source": {**source, "date": datetime.now(UTC).date().isoformat()},
        "quality": quality,
    }


def write_profile(path: Path, profile: Mapping[str, Any]) -> None:
    """Write it as a whole or not at all. Raises InputError where it can't be written."""
    body = yaml.safe_dump(dict(profile), sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
    write_text(path, _HEAD.format(path.name) + body)


def fleet_of(profile: Mapping[str, Any], context: int) -> Fleet:
    """A fleet of that one machine, to predict with."""
    from meritorder.units import FROM_FILE

    read = Profile.model_validate(dict(profile), context=FROM_FILE)
    known = read.engine.model_dump(exclude_none=True)
    shape = ModelSpec(
        title="as measured", layers=1, hidden=64, heads=1, kv_heads=1, head_dim=64, ffn=64, vocab=64,
        max_context=context,
    )  # fmt: skip
    pool = Pool(
        site="here",
        model="measured",
        replicas=1,
        measured=read.measured,
        engine=Engine(**{**known, "max_context": context, "prefix_caching": False}),
    )
    return Fleet(
        name="measured",
        models={"measured": shape},
        sites={"here": Site(usd_per_kwh=0.0, kg_per_kwh=0.0)},
        pools={"machine": pool},
        services={"load": Service(model="measured")},
    )


def _doubts(error: float, repeats: float) -> list[str]:
    """What speaks against the profile; both are relative, NaN: not known."""
    found = []
    if repeats > _DOUBTFUL:
        why = "something else ran on the machine or asked the endpoint; measure again when it is still"
        found.append(f"noise of repeats is {repeats:.1%}: {why}")
    if error > _DOUBTFUL:
        why = "predictions can be as far off; measure for longer, on a machine that does nothing else"
        found.append(f"error where held out is {error:.1%}: {why}")
    return found


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.3g}")
    return value
