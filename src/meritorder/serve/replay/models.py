"""The name of the model that each request of a replay asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from meritorder.problems import InputError, Problem
from meritorder.serve.http.client import FetchError, Upstream, fetch


async def served(upstream: Upstream, headers: bytes, where: str) -> list[str]:
    """The names that the endpoint lists at /v1/models. Raises InputError where it can't be asked."""
    try:
        status, _, body = await fetch(upstream, b"GET", b"/v1/models", headers)
    except (FetchError, TimeoutError) as error:
        what = f"can't be reached: {str(error) or 'no answer'}"
        raise InputError(Problem(what, where, fix="is the endpoint up? give its address without /v1")) from None
    if status != 200:
        fix = "give the endpoint's key with --key" if status in (401, 403) else "name its model with --model"
        raise InputError(Problem(f"answers {status} to GET /v1/models", where, fix=fix))
    try:
        return [str(model["id"]) for model in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InputError(Problem("lists no models", where, fix="name its model with --model")) from None


def choose(
    names: Sequence[str],
    services: Sequence[str],
    models: Sequence[str],
    service: npt.NDArray[np.int32],
    where: str,
) -> list[str]:
    """For each request (n): its service's name, if the endpoint lists it, else the service's model, else the only one.

    `models`: by service, "" where unknown. Raises InputError where none of these is listed.
    """
    found: list[str] = []
    problems = []
    for name, model in zip(services, models, strict=True):
        known = next((n for n in (name, model) if n in names), names[0] if len(names) == 1 else "")
        if not known:
            listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "none"
            what = f'which model is service "{name}"? it lists {listed}'
            problems.append(Problem(what, where, fix="name one with --model"))
        found.append(known)
    if problems:
        raise InputError(problems)
    return [found[i] for i in service]
