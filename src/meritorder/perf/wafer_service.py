"""A public service on wafers: how many wafers it gives a model, and how fast it answers one user."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.model import ModelSpec
from meritorder.perf.placement import Placement
from meritorder.perf.wafer import pair_seconds, pipeline_latency, token_slot

# Speculative decoding needs a much smaller model of the same family: none for models below this.
SMALLEST_WITH_DRAFT = 1e10


def service_placement(chip: Accelerator, model: ModelSpec) -> Placement:
    """The fewest wafers whose SRAM holds the weights, whole layers on each; one short request at a time."""
    usable = chip.memory * chip.wafer.sram
    weights = model.weight_bytes(model.weights)
    wafers = max(1, math.ceil(weights / usable))
    place = Placement(chip, model, 1, wafers, model.weights, "fp16", 1, 1)
    while weights * place.slowest_stage > usable and place.pipeline < model.layers:
        place = replace(place, pipeline=place.pipeline + 1)
    return place


def user_seconds(place: Placement, service: Mapping[str, float], speculates: bool = True) -> float:
    """Seconds per token of one user. `service`: the fitted setup (`accepted`, `accepted_experts`, `draft`).

    With speculative decoding a pass takes `latency + draft` and yields several tokens on average; it is used where it
    pays.
    """
    latency = pipeline_latency(place)
    if not speculates or place.model.params < SMALLEST_WITH_DRAFT:
        return latency
    accepted = service["accepted_experts" if place.model.moe_layers else "accepted"]
    return min(latency, (latency + service["draft"]) / accepted)


def prompt_seconds(place: Placement, tokens: float) -> float:
    """Seconds of one prompt on idle wafers: the pipeline's latency, a slot per token, attention between them."""
    pairs = tokens * (tokens + 1) / 2
    return pipeline_latency(place) + tokens * token_slot(place) + pairs * pair_seconds(place)


def answer_seconds(place: Placement, service: Mapping[str, float], prompt: float, tokens: float) -> float:
    """Seconds of `tokens` tokens of one call. `call`: single calls are slower than what is published.

    With a draft model the answer starts after that has read the prompt, too (`start` per token of it).
    """
    reads = prompt * service["start"] if place.model.params >= SMALLEST_WITH_DRAFT else 0.0
    return tokens * user_seconds(place, service) * service["call"] + reads


def vendor_share(kind: str) -> float:
    """1 for a vendor's figure, 0 for one that others measured, 0.5 where both say the same."""
    return 0.5 if "AA" in kind and "vendor" in kind else float("vendor" in kind)
