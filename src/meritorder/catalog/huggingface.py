"""A Hugging Face `config.json` read as a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from meritorder.catalog.config_keys import Keys
from meritorder.catalog.families import FAMILIES, UNKNOWN_SHAPES
from meritorder.catalog.model import ModelSpec, Precision
from meritorder.problems import InputError, Problem, did_you_mean

_MAX_BYTES = 4_000_000
_DTYPES: dict[str, Precision] = {"float16": "fp16", "bfloat16": "bf16", "float32": "bf16"}
_FIX = "give the config.json that was published with the weights"


def read_config(path: Path, shown: str = "") -> ModelSpec:
    """The model of a config.json; `shown` names the file in messages. Raises InputError with all that is wrong."""
    where = shown or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Problem(f"can't be read: {reason.lower()}", where, fix=_FIX)) from None
    if len(raw) > _MAX_BYTES:
        raise InputError(Problem(f"is larger than {_MAX_BYTES / 1e6:g} MB", where, fix=_FIX))
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(Problem("is not JSON", where + line, fix=_FIX)) from None
    if not isinstance(data, Mapping):
        raise InputError(Problem("is not a mapping", where, fix=_FIX))
    return model_from_config(data, where)


def model_from_config(data: Mapping[str, Any], where: str = "config.json") -> ModelSpec:
    """The model that a config.json describes. Raises InputError with all that is missing or wrong."""
    problems: list[Problem] = []
    whole = Keys(data, where, problems)
    text = _language_part(whole)
    family = text.text("model_type") or whole.text("model_type")
    read = FAMILIES.get(family)
    if read is None:
        what = f'is "{family}", which can\'t be read' if family else "is missing"
        fix = did_you_mean(family, FAMILIES) if family else _FIX
        raise InputError(
            Problem(what, where, f"{text.inside}model_type", f"{fix}; or write the model out under `models`")
        )
    for key, what in UNKNOWN_SHAPES.items():
        if text.count(key, default=0):
            text.wrong(key, f"means {what}, which can't be described", "write a like model out under `models`")
    shape = read(text)
    shape["extra_params"] = _encoders(whole)
    shape["weights"] = _weights(text if "quantization_config" in text else whole, text)
    shape["title"] = (whole.text("_name_or_path", "name") or family)[:80]
    if problems:
        raise InputError(problems)
    try:
        return ModelSpec.model_validate(shape)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'shape'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise InputError(Problem(f"describes a model that can't be: {'; '.join(wrong)}", where, fix=_FIX)) from None


def _language_part(whole: Keys) -> Keys:
    """Where the language model is described: models with eyes and ears have it one or two levels down."""
    thinker = whole.part("thinker_config") or whole
    return thinker.part("text_config", "llm_config", "language_config") or thinker


def _encoders(whole: Keys) -> int:
    """Parameters of vision and audio encoders, from their layers alone: patches and connectors are left out."""
    total = 0
    owner = whole.part("thinker_config") or whole
    for name in ("vision_config", "audio_config"):
        part = owner.part(name)
        if part is None:
            continue
        hidden = part.count("hidden_size", "d_model", "vt_hidden_size", default=0)
        layers = part.count("depth", "num_hidden_layers", "encoder_layers", "vt_num_hidden_layers", default=0)
        inner = part.count("intermediate_size", "encoder_ffn_dim", "vt_intermediate_size", default=4 * hidden)
        total += layers * (4 * hidden**2 + 2 * hidden * inner)
    return total


def _weights(config: Keys, text: Keys) -> Precision:
    """The number format of the weights, from `quantization_config` or the type of the tensors."""
    packed = config.part("quantization_config", "quantization")  # the latter of MLX
    if packed is None:
        named = text.text("dtype", "torch_dtype") or config.text("dtype", "torch_dtype") or "bfloat16"
        return _DTYPES.get(named.removeprefix("torch."), "bf16")
    method, algorithm = packed.text("quant_method").lower(), packed.text("quant_algo").lower()
    if method in ("fp8", "fbgemm_fp8") or algorithm.startswith("fp8"):
        return "fp8"
    if method == "mxfp4":
        return "mxfp4"
    if "nvfp4" in algorithm:
        return "fp4"
    bits, floating = packed.count("bits", default=0), False
    for group in (packed.part("config_groups") or packed).data.values():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            said, floating = weights.get("num_bits"), weights.get("type") == "float"
            bits = said if isinstance(said, int) else 0
    found: dict[tuple[int, bool], Precision] = {
        (4, False): "int4",
        (8, False): "int8",
        (8, True): "fp8",
        (4, True): "fp4",
    }
    if (bits, floating) in found:
        return found[bits, floating]
    packed.wrong(
        "quant_method",
        f'"{method or algorithm}" can\'t be read',
        "known: fp8, mxfp4, modelopt, awq, gptq, compressed-tensors",
    )
    return "bf16"
