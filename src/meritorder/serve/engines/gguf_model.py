"""What a GGUF file says about the model in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from meritorder.catalog.model import ModelSpec, Precision
from meritorder.problems import InputError, Problem

_PRECISIONS: dict[int, Precision] = {0: "fp16", 1: "fp16", 7: "int8", 32: "bf16"}  # by file type; all others: 4 bits


def read_model(path: Path) -> tuple[str, ModelSpec]:
    """Name and shape of the model in a GGUF file. Raises InputError where it isn't a language model's."""
    from gguf import GGUFReader

    try:
        fields: dict[str, Any] = GGUFReader(str(path)).fields
    except (OSError, ValueError) as error:
        fix = "give a GGUF file, of the first part where there are several"
        raise InputError(Problem(f"can't be read as GGUF: {error}", where=str(path), fix=fix)) from error

    def said(key: str, default: Any = None) -> Any:
        value = fields[key].contents() if key in fields else default
        return max(value) if isinstance(value, list) and key.startswith(family) else value

    family = said("general.architecture") if "general.architecture" in fields else ""
    hidden, heads = said(f"{family}.embedding_length"), said(f"{family}.attention.head_count")
    if not hidden or not heads:
        fix = "give a language model that llama.cpp serves"
        raise InputError(Problem("holds no language model", where=str(path), fix=fix))
    experts = said(f"{family}.expert_count", 0)
    shape = {
        "title": str(said("general.name", path.stem))[:80],
        "layers": said(f"{family}.block_count"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": said(f"{family}.attention.head_count_kv", heads),
        "head_dim": said(f"{family}.attention.key_length", hidden // heads),
        "ffn": said(f"{family}.feed_forward_length", 0),
        "experts": experts,
        "active_experts": said(f"{family}.expert_used_count", 0) if experts else 0,
        "expert_ffn": said(f"{family}.expert_feed_forward_length", 0) if experts else 0,
        "vocab": len(fields["tokenizer.ggml.tokens"].data) if "tokenizer.ggml.tokens" in fields else None,
        "max_context": said(f"{family}.context_length"),
        "weights": _PRECISIONS.get(said("general.file_type", 2), "fp4"),
    }
    try:
        spec = ModelSpec.model_validate(shape)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'shape'}: {e['msg']}" for e in error.errors())
        raise InputError(Problem(f"describes a model that can't be used: {wrong}", where=str(path))) from error
    return re.sub(r"[^\w.+-]+", "-", path.stem).lstrip("-.+")[:80] or "model", spec
