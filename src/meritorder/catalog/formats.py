"""Number formats of weights and KV cache: bytes as stored, bits as multiplied."""

from __future__ import annotations

from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["fp16", "bf16", "fp8", "int8", "fp4", "mxfp4", "int4"]
KvPrecision: TypeAlias = Literal["fp16", "fp8"]

# Bytes of a stored weight, block scales included: NVFP4 has an 8-bit scale per 16 weights, MXFP4 one per 32,
# int4 (AWQ, GPTQ, compressed-tensors) a 16-bit one per 32 to 128 weights: the finest is taken.
WEIGHT_BYTES: dict[str, float] = {
    **{"fp16": 2, "bf16": 2, "fp8": 1, "int8": 1},
    **{"fp4": 0.5625, "mxfp4": 0.53125, "int4": 0.5625},
}
# Bits of the arithmetic, where the chip has it. int4 weights are widened and multiplied in 16 bit (w4a16).
WEIGHT_BITS: dict[str, int] = {"fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4, "mxfp4": 4, "int4": 16}
KV_BYTES: dict[str, float] = {"fp16": 2, "fp8": 1}
ACTIVATION_BYTES = 2.0
