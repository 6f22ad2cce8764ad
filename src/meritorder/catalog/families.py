"""From the keys of a Hugging Face config.json to a model's shape, one function per family of architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from meritorder.catalog.config_keys import Keys

Shape: TypeAlias = dict[str, Any]


def dense(c: Keys) -> Shape:
    """Grouped-query attention and a gated feed-forward: Llama, Mistral, Qwen, Gemma, Phi-3."""
    return {**_attention(c), **_windows(c), "ffn": c.count("intermediate_size")}


def tied(c: Keys) -> Shape:
    """Gemma: the output projection is the embedding, whether the file says so or not."""
    shape = {**dense(c), "tied_embeddings": c.flag("tie_word_embeddings", default=True)}
    if "num_global_key_value_heads" in c or "global_head_dim" in c:  # Gemma 4: global layers are shaped otherwise
        shape |= {"window_kv_heads": shape["kv_heads"], "window_head_dim": shape["head_dim"]}
        shape["kv_heads"] = c.count("num_global_key_value_heads", default=shape["kv_heads"])
        shape["head_dim"] = c.count("global_head_dim", default=shape["head_dim"])
        shape["keys_are_values"] = c.flag("attention_k_eq_v")
    if c.count("num_experts", default=0):  # beside a dense feed-forward that every token uses
        shape |= {
            **{"experts": c.count("num_experts"), "active_experts": c.count("top_k_experts", "num_experts_per_tok")},
            **{"expert_ffn": c.count("moe_intermediate_size"), "shared_experts": 1, "shared_ffn": shape.pop("ffn")},
        }
    return shape


def classic(c: Keys) -> Shape:
    """A feed-forward of two matrices: StarCoder2."""
    return {**dense(c), "ffn_matrices": 2, "tied_embeddings": c.flag("tie_word_embeddings", default=True)}


def bloom(c: Keys) -> Shape:
    """BLOOM: as many key/value heads as query heads, names of its own."""
    hidden, heads = c.count("hidden_size", "n_embed"), c.count("n_head", "num_attention_heads")
    return {
        **{"layers": c.count("n_layer", "num_hidden_layers"), "hidden": hidden, "heads": heads, "kv_heads": heads},
        **{"head_dim": hidden // max(heads, 1), "ffn": 4 * hidden, "ffn_matrices": 2, "vocab": c.count("vocab_size")},
        **{"tied_embeddings": True, "max_context": c.count("seq_length", default=2048)},
    }


def experts(c: Keys) -> Shape:
    """Experts in all layers but those named as dense: Mixtral, Qwen MoE, gpt-oss, MiniMax-M2."""
    shape = {**_attention(c), **_windows(c)}
    step = max(1, c.count("decoder_sparse_step", default=1))
    plain = c.entries("mlp_only_layers")
    layers = shape["layers"]
    shape["dense_layers"] = sum(layer in plain or (layer + 1) % step > 0 for layer in range(min(layers, 10_000)))
    if shape["dense_layers"]:
        shape["ffn"] = c.count("intermediate_size")
    shape |= {"experts": c.count("num_local_experts", "num_experts")}
    shape |= {"active_experts": c.count("num_experts_per_tok", "experts_per_token")}
    shape |= {"expert_ffn": c.count("moe_intermediate_size", "intermediate_size")}
    shared = c.count("shared_expert_intermediate_size", "shared_intermediate_size", default=0)
    width = 0 if shared == shape["expert_ffn"] else shared
    return shape | ({"shared_experts": 1, "shared_ffn": width} if shared else {})


def deepseek(c: Keys) -> Shape:
    """Shared and routed experts after a few dense layers: GLM-4.x; with latent attention DeepSeek, Kimi, GLM-5."""
    shape = _latent(c) if "kv_lora_rank" in c else _attention(c)
    shape |= {"ffn": c.count("intermediate_size"), "mtp_layers": c.count("num_nextn_predict_layers", default=0)}
    if c.count("n_routed_experts", default=0):
        shape |= {
            "experts": c.count("n_routed_experts"),
            "active_experts": c.count("num_experts_per_tok"),
            "shared_experts": c.count("n_shared_experts", default=0),
            "expert_ffn": c.count("moe_intermediate_size"),
            "dense_layers": c.count("first_k_dense_replace", default=0),
        }
    return shape


def delta_net(c: Keys) -> Shape:
    """Gated delta net in three layers of four, gated attention in the fourth: Qwen3-Next and Qwen3.5."""
    shape = experts(c) if c.count("num_experts", default=0) else dense(c)
    keys = c.count("linear_num_key_heads") * c.count("linear_key_head_dim")
    heads, width, depth = (
        c.count("linear_num_value_heads"),
        c.count("linear_value_head_dim"),
        c.count("linear_key_head_dim"),
    )
    every = max(1, c.count("full_attention_interval", default=4))
    kinds = c.entries("layer_types")
    linear = kinds.count("linear_attention") if kinds else shape["layers"] - shape["layers"] // every
    values, hidden = heads * width, shape["hidden"]
    return shape | {
        "gated_attention": c.flag("attn_output_gate", default=True),
        "linear_layers": linear,
        "linear_params": hidden * (2 * keys + 2 * values + 2 * heads) + values * hidden,
        # the state in 32 bit, and the last positions of the convolution over queries, keys and values in 16
        "linear_state_bytes": heads * width * depth * 4 + (2 * keys + values) * _kernel(c, "linear_conv_kernel_dim"),
        "mtp_layers": c.count("mtp_num_hidden_layers", "num_nextn_predict_layers", default=0),
    }


def nemotron(c: Keys) -> Shape:
    """Nemotron-H: Mamba2 (M), attention (*), feed-forward (-) and expert (E) blocks that stand alone."""
    words = {"mamba": "M", "attention": "*", "mlp": "-", "moe": "E"}
    blocks = c.text("hybrid_override_pattern") or "".join(
        words.get(str(x), "?") for x in c.entries("layers_block_type")
    )
    if not blocks or set(blocks) - set("M*-E"):
        c.wrong("hybrid_override_pattern", "is missing or has unknown blocks", "give one of M, *, - or E per block")
        blocks = "M*-"
    shape = _attention(c)
    mixers, mamba = blocks.count("M") + blocks.count("*"), blocks.count("M")
    feeds, mixtures = blocks.count("-"), blocks.count("E")
    shape |= {"layers": mixers, "bare_layers": max(0, mixers - feeds - mixtures), "ffn_matrices": 2}
    if feeds or not mixtures:
        shape["ffn"] = c.count("intermediate_size")
    if mixtures:
        shape |= {
            **{"dense_layers": feeds, "experts": c.count("n_routed_experts")},
            **{"active_experts": c.count("num_experts_per_tok"), "expert_ffn": c.count("moe_intermediate_size")},
            **{"shared_experts": c.count("n_shared_experts", default=1)},
            **{"shared_ffn": c.count("moe_shared_expert_intermediate_size", default=0)},
        }
    heads, state, hidden = c.count("mamba_num_heads"), c.count("ssm_state_size"), shape["hidden"]
    inner = heads * c.count("mamba_head_dim")
    groups = 2 * c.count("n_groups", default=8) * state
    return shape | {
        "linear_layers": mamba,
        "linear_params": hidden * (2 * inner + groups + heads) + inner * hidden,
        "linear_state_bytes": inner * state * 4 + (inner + groups) * _kernel(c, "conv_kernel"),
    }


def llama4(c: Keys) -> Shape:
    """Llama 4: one shared expert beside the routed ones, chunked attention but in layers without rotary embedding."""
    shape = _attention(c)
    layers, step = shape["layers"], max(1, c.count("interleave_moe_layer_step", default=1))
    rotary = c.entries("no_rope_layers")  # 1 where there is a rotary embedding
    chunk = c.count("attention_chunk_size", default=8192)
    chunked = sum(bool(one) for one in rotary) if rotary else layers - layers // 4
    return shape | {
        **{"experts": c.count("num_local_experts"), "active_experts": c.count("num_experts_per_tok")},
        **{"shared_experts": 1, "expert_ffn": c.count("intermediate_size"), "dense_layers": layers - layers // step},
        **({"ffn": c.count("intermediate_size_mlp")} if step > 1 else {}),
        **{"window": chunk, "window_layers": chunked, "chunked": True},
    }


def _attention(c: Keys) -> Shape:
    hidden, heads = c.count("hidden_size"), c.count("num_attention_heads")
    return {
        **{"layers": c.count("num_hidden_layers"), "hidden": hidden, "heads": heads},
        **{"kv_heads": c.count("num_key_value_heads", default=heads)},
        **{"head_dim": c.count("head_dim", default=hidden // max(heads, 1)), "vocab": c.count("vocab_size")},
        **{"tied_embeddings": c.flag("tie_word_embeddings")},
        **{"max_context": c.count("max_position_embeddings", "max_sequence_length")},
    }


def _latent(c: Keys) -> Shape:
    rope, nope = c.count("qk_rope_head_dim"), c.count("qk_nope_head_dim")
    sparse = "index_topk" in c
    return {
        **_attention(c),
        **{"kv_heads": 1, "head_dim": nope + rope, "kv_lora": c.count("kv_lora_rank")},
        **{"q_lora": c.count("q_lora_rank", default=0), "rope_dim": rope, "nope_dim": nope},
        **{"value_dim": c.count("v_head_dim"), "sparse_tokens": c.count("index_topk", default=0)},
        **{key: c.count(name) if sparse else 0 for key, name in _INDEXER.items()},
    }


# Keys (where they aren't 0) of shapes that no field describes: such a model would be read wrongly.
UNKNOWN_SHAPES = {
    "moe_latent_size": "experts behind a narrower projection",
    "num_kv_shared_layers": "layers that share a KV cache",
    "hidden_size_per_layer_input": "embeddings of their own for each layer",
}

_INDEXER = {"index_heads": "index_n_heads", "index_dim": "index_head_dim"}


def _windows(c: Keys) -> Shape:
    """Sliding-window layers. A window in all layers is left out: contexts up to it are right."""
    window = c.count("sliding_window", default=0)
    layers, kinds = c.count("num_hidden_layers"), c.entries("layer_types")
    if kinds:
        sliding = kinds.count("sliding_attention")
    elif "sliding_window_pattern" in c or c.text("model_type").startswith("gemma3"):
        sliding = layers - layers // max(1, c.count("sliding_window_pattern", default=6))
    elif c.text("model_type") in ("gemma2", "gpt_oss"):
        sliding = (layers + 1) // 2
    else:
        return {}
    return {"window": window, "window_layers": sliding} if window and 0 < sliding < layers else {}


def _kernel(c: Keys, name: str) -> int:
    """Bytes per channel that a convolution remembers: all its taps but one, in 16 bit."""
    return 2 * max(0, c.count(name, default=4) - 1)


FAMILIES: dict[str, Callable[[Keys], Shape]] = {
    **dict.fromkeys(("llama", "mistral", "mistral3", "ministral3", "qwen2", "qwen3", "qwen3_vl_text", "phi3"), dense),
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma3_text", "gemma4", "gemma4_text"), tied),
    **dict.fromkeys(
        ("mixtral", "qwen2_moe", "qwen3_moe", "qwen3_vl_moe_text", "gpt_oss", "minimax_m2", "minimax"), experts
    ),
    **{"qwen3_omni_moe_text": experts, "starcoder2": classic, "bloom": bloom, "nemotron_h": nemotron},
    **dict.fromkeys(
        ("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "kimi_k25", "glm4_moe", "glm_moe_dsa"), deepseek
    ),
    **dict.fromkeys(("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"), delta_net),
    **dict.fromkeys(("llama4", "llama4_text"), llama4),
}
