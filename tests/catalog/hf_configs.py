"""What config.json files of known models say, as published, without what doesn't bear on the shape."""

from typing import Any


def plain(
    kind: str, layers: int, hidden: int, heads: int, kv: int, ffn: int, vocab: int, ctx: int, **more: Any
) -> dict:
    """The keys that most files have."""
    return {
        **{"model_type": kind, "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads},
        **{"num_key_value_heads": kv, "intermediate_size": ffn, "vocab_size": vocab},
        **{"max_position_embeddings": ctx, "torch_dtype": "bfloat16", **more},
    }


MLA = {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
V3 = {
    **MLA,
    **{"n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "moe_intermediate_size": 2048},
    **{"first_k_dense_replace": 3, "num_nextn_predict_layers": 1, "quantization_config": {"quant_method": "fp8"}},
}
INT4 = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}}}
MOE3 = {"num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": []}
DELTA = {
    **{"head_dim": 256, "full_attention_interval": 4, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128},
    **{"linear_num_key_heads": 16, "linear_value_head_dim": 128},
}
MAMBA = {
    **{"head_dim": 128, "mamba_num_heads": 128, "mamba_head_dim": 80, "ssm_state_size": 128},
    **{"n_groups": 8, "conv_kernel": 4},
}
LLAMA4 = {
    **{"head_dim": 128, "intermediate_size_mlp": 16384, "num_experts_per_tok": 1, "attention_chunk_size": 8192},
    "no_rope_layers": [1, 1, 1, 0] * 12,
}
OSS = {
    **{"head_dim": 64, "num_local_experts": 128, "experts_per_token": 4, "num_experts_per_tok": 4},
    **{"sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 18},
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
}

# name in the catalog -> what its config.json says
CONFIGS: dict[str, dict] = {
    "llama-3.1-8b": plain("llama", 32, 4096, 32, 8, 14336, 128256, 131072),
    "llama-3.2-1b": plain("llama", 16, 2048, 32, 8, 8192, 128256, 131072, head_dim=64, tie_word_embeddings=True),
    "mistral-nemo-12b": plain("mistral", 40, 5120, 32, 8, 14336, 131072, 131072, head_dim=128, sliding_window=None),
    "mixtral-8x7b": plain("mixtral", 32, 4096, 32, 8, 14336, 32000, 32768, num_local_experts=8, num_experts_per_tok=2),
    "qwen2.5-7b": plain("qwen2", 28, 3584, 28, 4, 18944, 152064, 32768, sliding_window=131072),
    "qwen3-32b": plain("qwen3", 64, 5120, 64, 8, 25600, 151936, 40960, head_dim=128),
    "qwen3-30b-a3b": plain(
        "qwen3_moe", 48, 2048, 32, 4, 6144, 151936, 40960, **MOE3, head_dim=128, moe_intermediate_size=768
    ),
    "qwen3-next-80b-a3b": plain(
        "qwen3_next", 48, 2048, 16, 2, 5120, 151936, 262144, **DELTA, linear_num_value_heads=32, num_experts=512,
        num_experts_per_tok=10, moe_intermediate_size=512, shared_expert_intermediate_size=512,
    ),
    "qwen3.5-397b-a17b": {
        "model_type": "qwen3_5_moe",
        "text_config": {
            key: value
            for key, value in plain(
                "qwen3_5_moe_text", 60, 4096, 32, 2, 0, 248320, 262144, **DELTA, linear_num_value_heads=64,
                layer_types=(["linear_attention"] * 3 + ["full_attention"]) * 15, num_experts=512,
                num_experts_per_tok=10, moe_intermediate_size=1024, shared_expert_intermediate_size=1024,
                mtp_num_hidden_layers=1,
            ).items()
            if key != "intermediate_size"
        },
        "vision_config": {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304},
    },
    "deepseek-v2-lite": plain(
        "deepseek_v2", 27, 2048, 16, 16, 10944, 102400, 163840, **{**MLA, "q_lora_rank": None}, n_routed_experts=64,
        num_experts_per_tok=6, n_shared_experts=2, moe_intermediate_size=1408, first_k_dense_replace=1,
    ),
    "deepseek-r1": plain("deepseek_v3", 61, 7168, 128, 128, 18432, 129280, 163840, **V3),
    "deepseek-v3.2": plain(
        "deepseek_v32", 61, 7168, 128, 128, 18432, 129280, 163840, **V3, index_n_heads=64, index_head_dim=128,
        index_topk=2048,
    ),
    "kimi-k2.5": {
        "model_type": "kimi_k25",
        "text_config": plain(
            "kimi_k2", 61, 7168, 64, 64, 18432, 163840, 262144,
            **{**V3, "n_routed_experts": 384, "first_k_dense_replace": 1, "num_nextn_predict_layers": 0},
        )
        | {"quantization_config": INT4},
        "vision_config": {"vt_hidden_size": 1152, "vt_num_hidden_layers": 27, "vt_intermediate_size": 4304},
    },
    "glm-4.7": plain(
        "glm4_moe", 92, 5120, 96, 8, 12288, 151552, 202752, head_dim=128, n_routed_experts=160, num_experts_per_tok=8,
        n_shared_experts=1, moe_intermediate_size=1536, first_k_dense_replace=3, num_nextn_predict_layers=1,
    ),
    "glm-5": plain(
        "glm_moe_dsa", 78, 6144, 64, 64, 12288, 154880, 202752, kv_lora_rank=512, q_lora_rank=2048,
        qk_rope_head_dim=64, qk_nope_head_dim=192, v_head_dim=256, index_n_heads=32, index_head_dim=128,
        index_topk=2048, n_routed_experts=256, num_experts_per_tok=8, n_shared_experts=1,
        moe_intermediate_size=2048, first_k_dense_replace=3, num_nextn_predict_layers=1,
    ),
    "minimax-m2.5": plain(
        "minimax_m2", 62, 3072, 48, 8, 1536, 200064, 196608, head_dim=128, num_local_experts=256, num_experts_per_tok=8,
        quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]},
    ),
    "gpt-oss-120b": plain("gpt_oss", 36, 2880, 64, 8, 2880, 201088, 131072, **OSS),
    "gemma-2-27b": plain("gemma2", 46, 4608, 32, 16, 36864, 256000, 8192, head_dim=128, sliding_window=4096),
    "gemma-3-27b": {
        "model_type": "gemma3",
        "text_config": plain(
            "gemma3_text", 62, 5376, 32, 16, 21504, 262208, 131072, head_dim=128, sliding_window=1024
        ),
        "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27, "intermediate_size": 4304},
    },
    "gemma-4-31b": {
        "model_type": "gemma4",
        "text_config": plain(
            "gemma4_text", 60, 5376, 32, 16, 21504, 262144, 262144, head_dim=256, sliding_window=1024,
            layer_types=(["sliding_attention"] * 5 + ["full_attention"]) * 10, global_head_dim=512,
            num_global_key_value_heads=4, attention_k_eq_v=True,
        ),
    },
    "nemotron-nano-9b-v2": plain(
        "nemotron_h", 56, 4480, 40, 8, 15680, 131072, 131072, **MAMBA,
        hybrid_override_pattern="M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
    ),
    "llama-4-scout": {
        "model_type": "llama4",
        "text_config": plain(
            "llama4_text", 48, 5120, 40, 8, 8192, 202048, 10485760, **LLAMA4, num_local_experts=16,
            interleave_moe_layer_step=1,
        ),
        "vision_config": {"hidden_size": 1408, "num_hidden_layers": 34, "intermediate_size": 5632},
    },
    "llama-4-maverick": {
        "model_type": "llama4",
        "text_config": plain(
            "llama4_text", 48, 5120, 40, 8, 8192, 202048, 1048576, **LLAMA4, num_local_experts=128,
            interleave_moe_layer_step=2,
        ),
    },
    "starcoder2-15b": plain(
        "starcoder2", 40, 6144, 48, 4, 24576, 49152, 16384, sliding_window=4096, tie_word_embeddings=False
    ),
    "phi-3-mini": plain("phi3", 32, 3072, 32, 32, 8192, 32064, 4096, sliding_window=2047),
    "bloom-176b": {
        **{"model_type": "bloom", "n_layer": 70, "n_embed": 14336, "num_attention_heads": 112, "vocab_size": 250880},
        "seq_length": 2048,
    },
}  # fmt: skip
