"""How much KV cache fits beside the weights."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.perf.placement import Placement


@dataclass(frozen=True)
class Memory:
    """Bytes of the fullest chip of a replica, and the KV blocks that follow. `missing` > 0: it does not fit."""

    usable: float  # what the engine may use
    weights: float
    reserve: float  # context, graphs, activations, windows of sliding-window layers, states of linear layers
    block: float  # one KV block
    blocks: int

    @property
    def missing(self) -> float:
        """Bytes by which the weights and one KV block exceed the memory; 0 where they fit."""
        return max(0.0, self.weights + self.reserve + self.block - self.usable)


def memory(place: Placement, memory_fraction: float, block_tokens: int) -> Memory:
    """The memory of the fullest chip: `memory_fraction` holds for GPUs, a wafer has its own usable share."""
    chip, model = place.chip, place.model
    share = place.slowest_stage / place.tensor
    if chip.kind == "wafer":
        usable, reserve = chip.memory * chip.wafer.sram, 0.0
    else:
        # Two vectors of hidden width a token: the growth of vLLM's own reserve with its token budget.
        activations = place.token_budget * model.hidden * 4.0
        usable, reserve = chip.memory * memory_fraction, chip.gpu.memory_reserve + activations
    held = model.window_kv_bytes(place.kv) * place.kv_copies + model.state_bytes
    reserve += place.max_sequences * held * share
    weights = model.weight_bytes(place.weights) * share
    block = model.kv_bytes_per_token(place.kv) * place.kv_copies * share * block_tokens
    blocks = max(0, int((usable - weights - reserve) // block))
    return Memory(usable, weights, reserve, block, blocks)
