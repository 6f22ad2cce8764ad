"""Where a replica's times lean on kernels of another machine, or on shapes that nobody measured."""

from __future__ import annotations

from meritorder.catalog.model import WEIGHT_BITS, WEIGHT_BYTES
from meritorder.perf.kernels import measured_kernel
from meritorder.perf.layers import block_scales
from meritorder.perf.operators.efficiency import outside
from meritorder.perf.placement import Placement


def doubts(place: Placement, context: int) -> tuple[str, ...]:
    """In words, for a placement whose requests hold up to `context` tokens; empty where all was measured.

    Machines without any measured kernel say so in their own notes.
    """
    chip, found = place.chip, []
    if not chip.operators:
        return ()
    bits, blocks = chip.compute_bits(WEIGHT_BITS[place.weights]), block_scales(place, place.weights)
    product = measured_kernel(chip, "gemm", bits, blocks)
    if product is None:
        found.append(f"no measured matrix products in {bits} bit: plain roofline")
    else:
        found += [f"iterations: {what}" for what in outside(product, m=place.token_budget)]
    if place.model.experts:
        experts = measured_kernel(chip, "experts", bits, blocks, WEIGHT_BYTES[place.weights])
        if experts is None:
            found.append("no measured expert kernels: plain roofline")
        elif experts.borrowed:
            found.append(f"expert kernels are those of {experts.borrowed}")
    caches = chip.operators.get("decode_bf16" if place.kv == "fp16" else "decode_fp8")
    if caches is not None:
        found += outside(caches, context=context)
    together = max(place.tensor, place.expert, place.data)
    links = chip.operators.get("all_reduce_graph") or chip.operators.get("all_reduce_nccl")
    if together > 1 and links is not None:
        found += outside(links, chips=together)
    return tuple(found)
