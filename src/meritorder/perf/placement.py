"""`Placement`: one replica of a model on its chips, as the cost models see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.engine import EngineProfile, Engines
from meritorder.catalog.model import ModelSpec

NEUTRAL = EngineProfile()


def unnamed_engine(chip: Accelerator, known: Engines) -> EngineProfile:
    """The engine where none is named: an average one; a machine whose own host time is known runs its own software."""
    return known.average() if chip.kind == "gpu" and chip.gpu.host is None else NEUTRAL


@dataclass(frozen=True)
class Placement:
    """A model on `pipeline` stages of `tensor x data` chips, with number formats and the batch limits of its engine.

    Attention is split over `tensor` chips and repeated `data` times (data-parallel attention), each copy with its own
    sequences. Experts lie on all chips of a stage: `expert` groups that hold different experts, each of which splits
    its experts' matrices over the chips in it.
    """

    chip: Accelerator
    model: ModelSpec
    tensor: int
    pipeline: int
    weights: str
    kv: str
    max_sequences: int
    token_budget: int
    data: int = 1
    expert: int = 1
    engine: EngineProfile = NEUTRAL

    @property
    def stage_chips(self) -> int:
        """Chips of one pipeline stage."""
        return self.tensor * self.data

    @property
    def chips(self) -> int:
        """Chips of the replica."""
        return self.stage_chips * self.pipeline

    @property
    def expert_tensor(self) -> int:
        """Chips over which the matrices of one expert are split."""
        return self.stage_chips // self.expert

    @property
    def slowest_stage(self) -> float:
        """Share of the model that the fullest stage holds: layers don't divide evenly."""
        layers = self.model.layers
        return math.ceil(layers / self.pipeline) / layers

    @property
    def uneven(self) -> float:
        """How much longer than a mean stage the fullest one takes: it sets the pace of all."""
        return self.slowest_stage * self.pipeline

    @property
    def kv_copies(self) -> float:
        """How often a token's KV cache is stored in its stage: with more chips than KV heads, heads are copied."""
        return self.kv_heads_per_chip * self.tensor / self.model.kv_heads

    @property
    def kv_heads_per_chip(self) -> int:
        """KV heads that one chip keeps (latent attention has one, which every chip keeps whole)."""
        return math.ceil(self.model.kv_heads / self.tensor)
