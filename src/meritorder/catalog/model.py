"""`ModelSpec`: the shape of a model, and the parameters, bytes and FLOPs that follow from it.

Derivations: docs/catalog.md. Counts are of the whole model unless a name or docstring says "layer".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.catalog.formats import (
    ACTIVATION_BYTES,
    KV_BYTES,
    WEIGHT_BITS,
    WEIGHT_BYTES,
    KvPrecision,
    Precision,
)
from meritorder.catalog.shape import ModelShape

__all__ = [
    "ACTIVATION_BYTES",
    "KV_BYTES",
    "WEIGHT_BITS",
    "WEIGHT_BYTES",
    "KvPrecision",
    "ModelSpec",
    "Precision",
]


class ModelSpec(ModelShape):
    """A decoder-only model: shape (fields) and what follows from it (properties)."""

    # Layers by kind

    @property
    def full_layers(self) -> int:
        """Layers whose attention sees the whole context."""
        return self.layers - self.window_layers - self.linear_layers

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers - self.bare_layers if self.experts else 0

    @property
    def ffn_layers(self) -> int:
        """Layers with a dense feed-forward."""
        return self.layers - self.moe_layers - self.bare_layers

    # Parameters

    @property
    def attention_params(self) -> int:
        """Parameters of one layer's attention: all projections, of the full kind where there are two kinds."""
        if self.kv_lora:
            return self._latent_params + self.index_params
        queries = self.heads * (3 if self.gated_attention else 2)
        keys = self.kv_heads * (1 if self.keys_are_values else 2)
        return self.hidden * self.head_dim * (queries + keys) + self.index_params

    @property
    def window_attention_params(self) -> int:
        """Parameters of one sliding-window or chunked layer's attention."""
        queries = self.heads * (3 if self.gated_attention else 2)
        return self.hidden * self.window_dim * (queries + 2 * (self.window_kv_heads or self.kv_heads))

    @property
    def index_params(self) -> int:
        """Parameters of one layer's indexer (sparse attention): queries from their latent, one key, head weights."""
        queries = (self.q_lora or self.hidden) * self.index_heads * self.index_dim
        return queries + self.hidden * (self.index_dim + self.index_heads)

    @property
    def _latent_params(self) -> int:
        width = self.heads * self.head_dim
        queries = self.q_lora * (self.hidden + width) if self.q_lora else self.hidden * width
        keys = self.hidden * (self.kv_lora + self.rope_dim)
        return (
            queries
            + keys
            + self.heads * (self.kv_lora * (self.nope_dim + self.value_dim) + self.value_dim * self.hidden)
        )

    @property
    def window_dim(self) -> int:
        """Head width of sliding-window layers."""
        return self.window_head_dim or self.head_dim

    @property
    def mixer_params(self) -> int:
        """Parameters of attention and linear mixers over all layers."""
        windows = self.window_layers * self.window_attention_params
        return self.full_layers * self.attention_params + windows + self.linear_layers * self.linear_params

    @property
    def ffn_params(self) -> int:
        """Parameters of one dense feed-forward."""
        return self.ffn_matrices * self.hidden * self.ffn

    @property
    def expert_params(self) -> int:
        """Parameters of one expert."""
        return self.ffn_matrices * self.hidden * self.expert_ffn

    @property
    def shared_width(self) -> int:
        """Inner width of the shared experts of a layer, together."""
        return self.shared_experts * (self.shared_ffn or self.expert_ffn)

    @property
    def dense_params(self) -> int:
        """Parameters that every token uses, over all layers: mixers, dense FFN, shared experts, routers."""
        shared = self.ffn_matrices * self.hidden * self.shared_width
        mixture = self.moe_layers * (shared + self.experts * self.hidden)
        return self.mixer_params + self.ffn_layers * self.ffn_params + mixture

    @property
    def embedding_params(self) -> int:
        """Parameters of the input embedding; the output projection has as many unless it is the same matrix."""
        return self.vocab * self.hidden

    @property
    def params(self) -> int:
        """All parameters, encoders included; MTP heads on top (`mtp_params`)."""
        tables = self.embedding_params * (1 if self.tied_embeddings else 2)
        return self.dense_params + self.moe_layers * self.experts * self.expert_params + tables + self.extra_params

    @property
    def active_params(self) -> int:
        """Parameters that one token is multiplied with (the input embedding is a look-up, not counted)."""
        experts = self.moe_layers * self.active_experts * self.expert_params
        return self.dense_params + experts + self.embedding_params

    @property
    def mtp_params(self) -> int:
        """Parameters of the MTP heads: each a further layer of the last kind and a projection of two vectors."""
        shared = self.ffn_matrices * self.hidden * self.shared_width
        mixture = self.experts * (self.expert_params + self.hidden) + shared
        layer = self.attention_params + (mixture if self.experts else self.ffn_params)
        return self.mtp_layers * (layer + 2 * self.hidden**2)

    # Bytes of weights

    def dense_precision(self, precision: str) -> str:
        """Format of what isn't a routed expert: MXFP4 and int4 are formats of experts where there are any."""
        return "bf16" if precision in ("mxfp4", "int4") and self.experts else precision

    def attention_precision(self, precision: str) -> str:
        """Format of attention: published NVFP4 checkpoints leave latent attention in 16 bit."""
        return "bf16" if precision == "fp4" and self.kv_lora else self.dense_precision(precision)

    def dense_weight_bytes(self, precision: str) -> float:
        """Bytes of `dense_params`."""
        mixers = self.mixer_params * WEIGHT_BYTES[self.attention_precision(precision)]
        return mixers + (self.dense_params - self.mixer_params) * WEIGHT_BYTES[self.dense_precision(precision)]

    def expert_bytes(self, precision: str) -> float:
        """Bytes of one expert."""
        return self.expert_params * WEIGHT_BYTES[precision]

    def weight_bytes(self, precision: str) -> float:
        """Bytes of all weights stored in `precision`; embeddings, output projection and encoders stay 16 bit."""
        wide = self.embedding_params * (1 if self.tied_embeddings else 2) + self.extra_params
        experts = self.moe_layers * self.experts * self.expert_bytes(precision)
        return self.dense_weight_bytes(precision) + experts + wide * 2.0

    # Bytes of KV cache and state

    def kv_bytes_per_layer(self, precision: str) -> float:
        """KV cache bytes of one token in one full layer: keys and values, or the latent and the rotated key.

        The keys of an indexer stand beside them in 8 bit.
        """
        width = self.kv_lora + self.rope_dim if self.kv_lora else 2 * self.kv_heads * self.head_dim
        return width * KV_BYTES[precision] + self.index_dim

    def window_kv_bytes_per_layer(self, precision: str) -> float:
        """KV cache bytes of one token in one sliding-window or chunked layer."""
        return 2 * (self.window_kv_heads or self.kv_heads) * self.window_dim * KV_BYTES[precision]

    def kv_bytes_per_token(self, precision: str) -> float:
        """KV cache bytes of one token in the layers that keep the whole context."""
        return self.full_layers * self.kv_bytes_per_layer(precision)

    def window_kv_bytes(self, precision: str) -> float:
        """KV cache bytes of a whole window: what a sequence holds on top, at most, however long it is."""
        return self.window_layers * self.window * self.window_kv_bytes_per_layer(precision)

    @property
    def state_bytes(self) -> float:
        """State of the linear layers: what a sequence holds on top, however long it is; read and written per token."""
        return float(self.linear_layers * self.linear_state_bytes)

    # FLOPs

    @property
    def flops_per_token(self) -> float:
        """FLOPs of one token through all matrices, output projection included; attention comes on top."""
        return 2.0 * self.active_params

    @property
    def pair_flops(self) -> float:
        """Attention FLOPs of a prompt token looking at one other, in one full layer."""
        values = self.value_dim or self.head_dim
        return 2.0 * self.heads * (self.head_dim + values)

    @property
    def decode_pair_flops(self) -> float:
        """The same in decode: latent attention works on the cached latent itself (absorbed projections)."""
        return 2.0 * self.heads * (2 * self.kv_lora + self.rope_dim) if self.kv_lora else self.pair_flops

    @property
    def window_pair_flops(self) -> float:
        """Attention FLOPs of a token looking at one other, in one sliding-window or chunked layer."""
        return 4.0 * self.heads * self.window_dim

    @property
    def index_pair_flops(self) -> float:
        """FLOPs of an indexer for one pair, in one layer: it looks at all tokens, to choose `sparse_tokens`."""
        return 2.0 * self.index_heads * self.index_dim

    @property
    def flops_per_pair(self) -> float:
        """Attention FLOPs of a prompt token looking at one other, over the layers that see the whole context."""
        return self.pair_flops * self.full_layers

    @property
    def decode_flops_per_pair(self) -> float:
        """The same in decode."""
        return self.decode_pair_flops * self.full_layers

    @property
    def window_span(self) -> float:
        """Tokens that a token far into its context sees in a window layer: of a chunk half, on average."""
        return self.window / 2 if self.chunked else float(self.window)

    def experts_touched(self, tokens: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Expected number of routed experts of a layer that so many tokens use, each choosing at random."""
        if not self.experts:
            return np.zeros_like(tokens)
        return self.experts * (1.0 - (1.0 - self.active_experts / self.experts) ** tokens)
