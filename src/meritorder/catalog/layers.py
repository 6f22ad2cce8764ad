"""`LayerTimes`: how long the kernels of one model take on one GPU, as they were profiled, shape by shape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field

Microseconds: TypeAlias = Annotated[float, Field(ge=0)]
Point: TypeAlias = tuple[int, Microseconds]


class LayerTimes(BaseModel):
    """Microseconds that one GPU needs for its share of the model; straight lines between the points.

    `B` sequences decode with `K` tokens in their KV caches together, `P` prompt tokens attend to `A` token pairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accelerator: str
    model: str
    tensor: int = Field(ge=1, description="chips that share every matrix")
    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    dense: tuple[Point, ...] = Field(description="a layer without attention and experts, by tokens")
    ends: tuple[Point, ...] = Field(description="embedding and last norm, by tokens")
    head: tuple[Point, ...] = Field(description="output projection and sampling, by sequences")
    attention: tuple[Point, ...] = Field(description="attention of a layer beside its reading of KV caches, by B")
    kv: tuple[Point, ...] = Field(description="a layer's reading of a thousand tokens of KV cache, by B")
    mixed_kv: Microseconds = Field(description="the same, further, in iterations with prompts")
    prompt_token: Microseconds = Field(description="attention of a layer per prompt token")
    pairs: Microseconds = Field(description="attention of a layer per million token pairs")
    experts: int = Field(default=0, ge=0, description="experts of a layer; 0: none")
    active_experts: int = Field(default=0, ge=0)
    mixture: tuple[tuple[int, int, Microseconds], ...] = Field(
        default=(), description="experts of a layer, by tokens and experts touched"
    )
    source: str
    note: str = ""


@cache
def layer_times() -> Mapping[tuple[str, str, int], LayerTimes]:
    """All profiles of the catalog, by accelerator, model and tensor degree."""
    text = resources.files("meritorder.catalog").joinpath("data/layers.yaml").read_text("utf-8")
    found = (LayerTimes.model_validate(entry) for entry in yaml.load(text, Loader=_Loader)["layers"])
    return {(times.accelerator, times.model, times.tensor): times for times in found}


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
