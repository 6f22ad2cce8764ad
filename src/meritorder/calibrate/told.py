"""What an endpoint tells about itself: its engine, models, and limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.serve.http.client import FetchError, Upstream, fetch

_CACHE = re.compile(r"^vllm:cache_config_info\{([^}]*)\}", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Told:
    """None: it doesn't say."""

    model: str
    engine: str = "openai"
    version: str | None = None
    sequences: int | None = None  # at a time
    budget: int | None = None  # tokens in an iteration
    context: int | None = None  # tokens of a request
    kv_tokens: int | None = None


async def ask_about(upstream: Upstream, headers: bytes, where: str, model: str | None) -> Told:
    """What it tells. Raises InputError where it can't be asked, or has no such model."""
    listed = await _get(upstream, b"/v1/models", headers)
    if isinstance(listed, str):
        fix = "is the endpoint up? give its address without /v1"
        raise InputError(Problem(f"can't be reached: {listed}", where, fix=fix))
    models = _models(listed)
    if model is None and len(models) != 1:
        names = ", ".join(list(models)[:8]) or "none"
        raise InputError(Problem(f"which model? it lists {names}", where, fix="name one with --model"))
    if model is not None and models and model not in models:
        raise InputError(Problem(f'has no model "{model}"', where, fix=did_you_mean(model, models)))
    name = next(iter(models)) if model is None else model
    told = Told(name, context=models.get(name))
    for asked in (_llama_cpp, _vllm, _sglang):
        if (found := await asked(upstream, headers, told)) is not None:
            return found
    return told


async def _llama_cpp(upstream: Upstream, headers: bytes, told: Told) -> Told | None:
    props = _object(await _get(upstream, b"/props", headers))
    slots = _count(props.get("total_slots"))
    if slots is None:
        return None
    settings = props.get("default_generation_settings")
    context = _count(settings.get("n_ctx")) if isinstance(settings, dict) else None
    kv_tokens = slots * context if context else None
    version = str(props["build_info"]) if props.get("build_info") else None
    return replace(told, engine="llama.cpp", version=version, sequences=slots, context=context, kv_tokens=kv_tokens)


async def _vllm(upstream: Upstream, headers: bytes, told: Told) -> Told | None:
    metrics = await _get(upstream, b"/metrics", headers)
    if not isinstance(metrics, bytes) or not (found := _CACHE.search(metrics.decode("utf-8", "replace"))):
        return None
    labels = dict(_LABEL.findall(found.group(1)))
    kv_tokens = _count(labels.get("kv_cache_size_tokens"))
    blocks, size = _count(labels.get("num_gpu_blocks")), _count(labels.get("block_size"))
    if kv_tokens is None and blocks and size:
        kv_tokens = blocks * size
    version = _object(await _get(upstream, b"/version", headers)).get("version")
    return replace(told, engine="vLLM", version=str(version) if version else None, kv_tokens=kv_tokens)


async def _sglang(upstream: Upstream, headers: bytes, told: Told) -> Told | None:
    info = _object(await _get(upstream, b"/get_server_info", headers))
    if "max_running_requests" not in info and "chunked_prefill_size" not in info:
        return None
    return replace(
        told,
        engine="SGLang",
        version=str(info["version"]) if info.get("version") else None,
        sequences=_count(info.get("max_running_requests")),
        budget=_count(info.get("chunked_prefill_size")),
        context=told.context or _count(info.get("context_length")),
        kv_tokens=_count(info.get("max_total_num_tokens")),
    )


async def _get(upstream: Upstream, path: bytes, headers: bytes) -> bytes | str:
    """The body, or in words why there is none."""
    try:
        status, _, body = await fetch(upstream, b"GET", path, headers)
    except (FetchError, TimeoutError) as error:
        return str(error) or "no answer"
    if status in (401, 403) and path == b"/v1/models":
        raise InputError(Problem(f"answers {status}", upstream.base or "endpoint", fix="give its key with --key"))
    return body if status == 200 else f"it answers {status} to GET {path.decode()}"


def _models(body: bytes) -> dict[str, int | None]:
    """Names of the models listed, with their context where it is told."""
    listed = _object(body).get("data")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return {str(entry.get("id")): _count(entry.get("max_model_len")) for entry in entries}


def _object(body: bytes | str) -> dict[str, Any]:
    if isinstance(body, str):
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int | None:
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if number > 0 else None
