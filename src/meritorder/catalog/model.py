"""`ModelSpec`: the shape of a transformer, and the bytes and FLOPs that follow from it."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Precision: TypeAlias = Literal["fp16", "bf16", "fp8", "int8", "fp4", "mxfp4"]
KvPrecision: TypeAlias = Literal["fp16", "fp8"]

# Bytes of a stored weight, block scales included: NVFP4 has an 8-bit scale per 16 weights, MXFP4 one per 32.
WEIGHT_BYTES: dict[str, float] = {"fp16": 2, "bf16": 2, "fp8": 1, "int8": 1, "fp4": 0.5625, "mxfp4": 0.53125}
WEIGHT_BITS: dict[str, int] = {"fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4, "mxfp4": 4}
KV_BYTES: dict[str, float] = {"fp16": 2, "fp8": 1}
ACTIVATION_BYTES = 2.0


class ModelSpec(BaseModel):
    """A decoder-only transformer with grouped-query attention, dense or with experts (SwiGLU: three matrices).

    Biases and norms (below 0.1 % of the parameters) are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)
    ffn: int = Field(default=0, ge=0, description="inner width of the dense feed-forward layers")
    experts: int = Field(default=0, ge=0, description="routed experts of a layer; 0: a dense model")
    active_experts: int = Field(default=0, ge=0, description="routed experts that a token uses")
    shared_experts: int = Field(default=0, ge=0, description="experts that every token uses, beside the routed ones")
    expert_ffn: int = Field(default=0, ge=0, description="inner width of an expert")
    dense_layers: int = Field(
        default=0, ge=0, description="layers of a mixture model that have a dense feed-forward instead"
    )
    vocab: int = Field(ge=1)
    tied_embeddings: bool = False
    window: int = Field(default=0, ge=0, description="tokens that sliding-window layers look back")
    window_layers: int = Field(default=0, ge=0, description="layers with sliding-window attention")
    max_context: int = Field(ge=1)
    weights: Precision = "bf16"

    @model_validator(mode="after")
    def _shape_is_whole(self) -> Self:
        faults = []
        if self.heads % self.kv_heads:
            faults.append("heads must be a multiple of kv_heads")
        if self.experts and not (0 < self.active_experts <= self.experts and self.expert_ffn):
            faults.append("a model with experts needs active_experts (1 to experts) and expert_ffn")
        if not self.experts and (self.active_experts or self.shared_experts or self.expert_ffn or self.dense_layers):
            faults.append("expert fields need experts")
        if (not self.experts or self.dense_layers) and not self.ffn:
            faults.append("dense layers need ffn")
        if max(self.window_layers, self.dense_layers) > self.layers:
            faults.append("window_layers and dense_layers can't exceed layers")
        if bool(self.window) != bool(self.window_layers):
            faults.append("window and window_layers go together")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def full_layers(self) -> int:
        """Layers whose attention sees the whole context."""
        return self.layers - self.window_layers

    @property
    def attention_params(self) -> int:
        """Parameters of one layer's attention: Q, K, V and output projections."""
        return self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)

    @property
    def expert_params(self) -> int:
        """Parameters of one expert."""
        return 3 * self.hidden * self.expert_ffn

    @property
    def dense_params(self) -> int:
        """Parameters that every token uses, over all layers: attention, dense FFN, shared experts, routers."""
        ffn = (self.layers - self.moe_layers) * 3 * self.hidden * self.ffn
        mixture = self.moe_layers * (self.shared_experts * self.expert_params + self.experts * self.hidden)
        return self.layers * self.attention_params + ffn + mixture

    @property
    def embedding_params(self) -> int:
        """Parameters of the input embedding; the output projection has as many unless it is the same matrix."""
        return self.vocab * self.hidden

    @property
    def params(self) -> int:
        """All parameters."""
        tables = self.embedding_params * (1 if self.tied_embeddings else 2)
        return self.dense_params + self.moe_layers * self.experts * self.expert_params + tables

    @property
    def active_params(self) -> int:
        """Parameters that one token is multiplied with (the input embedding is a look-up, not counted)."""
        experts = self.moe_layers * self.active_experts * self.expert_params
        return self.dense_params + experts + self.embedding_params

    def dense_weight_bytes(self, precision: str) -> float:
        """Bytes of `dense_params`. MXFP4 is a format of experts: the rest stays 16 bit where there are experts."""
        keeps_16_bit = precision == "mxfp4" and self.experts > 0
        return self.dense_params * (2.0 if keeps_16_bit else WEIGHT_BYTES[precision])

    def expert_bytes(self, precision: str) -> float:
        """Bytes of one expert."""
        return self.expert_params * WEIGHT_BYTES[precision]

    def weight_bytes(self, precision: str) -> float:
        """Bytes of all weights stored in `precision`; embeddings and output projection stay 16 bit."""
        tables = self.embedding_params * (1 if self.tied_embeddings else 2) * 2.0
        experts = self.moe_layers * self.experts * self.expert_bytes(precision)
        return self.dense_weight_bytes(precision) + experts + tables

    def kv_bytes_per_token(self, precision: str) -> float:
        """KV cache bytes of one token in the layers that keep the whole context."""
        return self.full_layers * self.kv_bytes_per_layer(precision)

    def window_kv_bytes(self, precision: str) -> float:
        """KV cache bytes of a whole sliding window: what a sequence holds on top, at most, however long it is."""
        return self.window_layers * self.window * self.kv_bytes_per_layer(precision)

    def kv_bytes_per_layer(self, precision: str) -> float:
        """KV cache bytes of one token in one layer: a key and a value per KV head."""
        return 2 * self.kv_heads * self.head_dim * KV_BYTES[precision]

    @property
    def flops_per_token(self) -> float:
        """FLOPs of one token through all matrices, output projection included; attention comes on top."""
        return 2.0 * self.active_params

    @property
    def flops_per_pair(self) -> float:
        """Attention FLOPs of a token looking at one other, over the layers that see the whole context."""
        return 4.0 * self.heads * self.head_dim * self.full_layers

    def experts_touched(self, tokens: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Expected number of routed experts of a layer that so many tokens use, each choosing at random."""
        if not self.experts:
            return np.zeros_like(tokens)
        return self.experts * (1.0 - (1.0 - self.active_experts / self.experts) ** tokens)
