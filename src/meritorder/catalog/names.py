"""`model_of`, `machine_of`: the catalog's names of models and machines that others call by ids and labels of theirs."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from meritorder.catalog.load import accelerators, models
from meritorder.problems import InputError, Problem

# Parts of a name that say how a model was tuned, packed or run, not which shape it has.
_NOISE = frozenset(
    (
        *("instruct", "chat", "it", "hf", "thinking", "instant", "versatile", "meta", "nvidia", "edge"),
        *("fp8", "fp4", "nvfp4", "mxfp4", "bf16", "fp16", "int4", "int8", "awq", "gptq", "w4a16", "dynamic", "kv"),
        *("v0.1", "v0.2", "v0.3", "0528", "0324", "2407", "99", "99.9", "4k", "8k", "8192"),
    )
)
_ALIASES = {
    "llama4scout17b16e": "llama-4-scout",
    "llama4maverick17b128e": "llama-4-maverick",
    "llama4maverick400ba17b": "llama-4-maverick",
    "llama3.1/3.270b": "llama-3.1-70b",
    "mistralnemo": "mistral-nemo-12b",
    "mistrallarge": "mistral-large-2",
    "codegemma1.12b": "codegemma-2b",
    "bloom": "bloom-176b",
    "qwen3coder480b": "qwen3-coder-480b-a35b",
    "qwen3235b": "qwen3-235b-a22b",
    "glm4.7355ba32b": "glm-4.7",
    "kimik2.61ta32b": "kimi-k2.6",
}

# GPUs as operator and serving tables call them.
SYSTEMS = {
    "a100_sxm": "a100",
    "h100_sxm": "h100",
    "h200_sxm": "h200",
    "b200_sxm": "b200",
    "b300_sxm": "b300",
    "gb200": "gb200",
    "gb300": "gb300",
    "l40s": "l40s",
}
_LABELS = {"a100-80gb": "a100", "rtxpro6000": "rtx-pro-6000", "rtx4090": "rtx-4090", **SYSTEMS}


def machine_of(label: str) -> str:
    """The catalog's name of the GPU called `label` ("b200_sxm", "A100-80GB"). Raises InputError for anything else."""
    plain = label.strip().lower()
    name = _LABELS.get(plain, plain)
    found = accelerators().get(name)
    if found is None:
        raise InputError(Problem(f"the catalog can't simulate {label!r}", fix="`merit catalog` lists all machines"))
    if found.kind != "gpu":
        raise InputError(Problem(f"{label!r} is no GPU", fix="this table is about GPUs; see `merit catalog`"))
    return name


def model_of(label: str) -> str:
    """The catalog's name of the model called `label` ("Qwen/Qwen3-32B-FP8"). Raises InputError for an unknown one."""
    plain = label.strip()
    if " " not in plain:
        plain = plain.rpartition("/")[2]  # the owner in front of a Hugging Face id
    words = [word for word in re.split(r"[-_\s()]+", plain.lower()) if word and word not in _NOISE]
    key = "".join(words)
    name = _ALIASES.get(key) or _squeezed().get(key)
    if name is None:
        near = get_close_matches(key, _squeezed(), n=3, cutoff=0.5)
        fix = "`merit catalog --models` lists all"
        if near:
            fix = f"near: {', '.join(_squeezed()[one] for one in near)}; {fix}"
        raise InputError(Problem(f"the catalog has no model called {label!r}", fix=fix))
    return name


@cache
def _squeezed() -> dict[str, str]:
    return {name.replace("-", ""): name for name in models()}
