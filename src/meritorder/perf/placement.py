"""`Placement`: one replica of a model on its chips, as the cost models see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.model import ModelSpec


@dataclass(frozen=True)
class Placement:
    """A model on `pipeline` stages of `tensor` chips each, with number formats and the batch limits of its engine."""

    chip: Accelerator
    model: ModelSpec
    tensor: int
    pipeline: int
    weights: str
    kv: str
    max_sequences: int
    token_budget: int

    @property
    def chips(self) -> int:
        """Chips of the replica."""
        return self.tensor * self.pipeline

    @property
    def slowest_stage(self) -> float:
        """Share of the model that the fullest stage holds: layers don't divide evenly."""
        layers = self.model.layers
        return math.ceil(layers / self.pipeline) / layers if self.pipeline <= layers else 1 / self.pipeline

    @property
    def kv_copies(self) -> float:
        """How often the KV cache is stored: with more chips in a stage than KV heads, heads are copied."""
        return self.kv_heads_per_chip * self.tensor / self.model.kv_heads

    @property
    def kv_heads_per_chip(self) -> int:
        """KV heads that one chip keeps."""
        return math.ceil(self.model.kv_heads / self.tensor)
