"""`ModelShape`: the figures that describe a decoder-only model, as in its config.json, and how they go together."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meritorder.catalog.formats import Precision


class ModelShape(BaseModel):
    """Layers of attention (or a linear mixer) and feed-forward, dense or with experts.

    Biases, norms, convolutions and gates (together below 0.1 % of the parameters) are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    layers: int = Field(ge=1, description="layers with attention or with a linear mixer")
    hidden: int = Field(ge=1)
    heads: int = Field(ge=1, description="query heads")
    kv_heads: int = Field(ge=1, description="key/value heads; 1 for latent attention, whose cache all heads share")
    head_dim: int = Field(ge=1, description="width of a query head; nope_dim + rope_dim for latent attention")
    gated_attention: bool = Field(default=False, description="a gate as wide as the queries (Qwen3-Next, Qwen3.5)")
    keys_are_values: bool = Field(default=False, description="full attention has no value projection (Gemma 4)")
    kv_lora: int = Field(default=0, ge=0, description="latent attention (MLA): width of the cached latent; 0: none")
    q_lora: int = Field(default=0, ge=0, description="MLA: width of the queries' latent; 0: queries are projected once")
    rope_dim: int = Field(default=0, ge=0, description="MLA: rotated part of a key, cached beside the latent")
    nope_dim: int = Field(default=0, ge=0, description="MLA: part of a key that isn't rotated")
    value_dim: int = Field(default=0, ge=0, description="MLA: width of a value head")
    sparse_tokens: int = Field(default=0, ge=0, description="sparse attention: tokens attended to at most; 0: all")
    index_heads: int = Field(default=0, ge=0, description="sparse attention: heads of the indexer that chooses them")
    index_dim: int = Field(default=0, ge=0, description="sparse attention: width of an indexer's head")
    linear_layers: int = Field(
        default=0, ge=0, description="layers with linear attention or a state-space mixer: a state, no KV cache"
    )
    linear_params: int = Field(default=0, ge=0, description="parameters of one such mixer")
    linear_state_bytes: int = Field(default=0, ge=0, description="state of one such layer per sequence, in bytes")
    ffn: int = Field(default=0, ge=0, description="inner width of the dense feed-forward layers")
    ffn_matrices: int = Field(default=3, ge=2, le=3, description="3: gated (SwiGLU), 2: classic")
    bare_layers: int = Field(default=0, ge=0, description="layers without feed-forward (Nemotron-H)")
    experts: int = Field(default=0, ge=0, description="routed experts of a layer; 0: a dense model")
    active_experts: int = Field(default=0, ge=0, description="routed experts that a token uses")
    shared_experts: int = Field(default=0, ge=0, description="experts that every token uses, beside the routed ones")
    expert_ffn: int = Field(default=0, ge=0, description="inner width of an expert")
    shared_ffn: int = Field(default=0, ge=0, description="inner width of a shared expert; 0: that of the others")
    dense_layers: int = Field(
        default=0, ge=0, description="layers of a mixture model that have a dense feed-forward instead"
    )
    vocab: int = Field(ge=1)
    tied_embeddings: bool = False
    window: int = Field(default=0, ge=0, description="tokens that sliding-window layers look back")
    window_layers: int = Field(default=0, ge=0, description="layers with sliding-window or chunked attention")
    window_kv_heads: int = Field(default=0, ge=0, description="their key/value heads; 0: as in the other layers")
    window_head_dim: int = Field(default=0, ge=0, description="their head width; 0: as in the other layers")
    chunked: bool = Field(default=False, description="they see their own chunk of `window` tokens only (Llama 4)")
    mtp_layers: int = Field(default=0, ge=0, description="heads that predict further tokens (MTP), not in `params`")
    extra_params: int = Field(default=0, ge=0, description="vision or audio encoders: memory, no work in decode")
    max_context: int = Field(ge=1)
    weights: Precision = "bf16"

    @model_validator(mode="after")
    def _shape_is_whole(self) -> Self:
        faults = [*self._attention_faults(), *self._feed_forward_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _attention_faults(self) -> list[str]:
        faults = []
        latent = (self.kv_lora, self.rope_dim, self.nope_dim, self.value_dim)
        if self.heads % self.kv_heads or (self.window_kv_heads and self.heads % self.window_kv_heads):
            faults.append("heads must be a multiple of kv_heads")
        if any(latent) and not all(latent):
            faults.append("latent attention needs kv_lora, rope_dim, nope_dim and value_dim")
        elif self.kv_lora and (self.kv_heads != 1 or self.head_dim != self.nope_dim + self.rope_dim):
            faults.append("latent attention has kv_heads 1 and head_dim = nope_dim + rope_dim")
        if self.q_lora and not self.kv_lora:
            faults.append("q_lora needs kv_lora")
        if len({bool(x) for x in (self.sparse_tokens, self.index_heads, self.index_dim)}) > 1:
            faults.append("sparse_tokens, index_heads and index_dim go together")
        if len({bool(x) for x in (self.linear_layers, self.linear_params, self.linear_state_bytes)}) > 1:
            faults.append("linear_layers, linear_params and linear_state_bytes go together")
        if self.window_layers + self.linear_layers > self.layers:
            faults.append("window_layers and linear_layers together can't exceed layers")
        if bool(self.window) != bool(self.window_layers):
            faults.append("window and window_layers go together")
        if not self.window and (self.chunked or self.window_kv_heads or self.window_head_dim):
            faults.append("chunked, window_kv_heads and window_head_dim need window_layers")
        return faults

    def _feed_forward_faults(self) -> list[str]:
        faults = []
        if self.experts and not (0 < self.active_experts <= self.experts and self.expert_ffn):
            faults.append("a model with experts needs active_experts (1 to experts) and expert_ffn")
        fields = (self.active_experts, self.shared_experts, self.expert_ffn, self.shared_ffn, self.dense_layers)
        if not self.experts and any(fields):
            faults.append("expert fields need experts")
        if self.shared_ffn and not self.shared_experts:
            faults.append("shared_ffn needs shared_experts")
        if (not self.experts or self.dense_layers) and not self.ffn:
            faults.append("dense layers need ffn")
        if self.dense_layers + self.bare_layers > self.layers:
            faults.append("dense_layers and bare_layers can't exceed layers")
        return faults
