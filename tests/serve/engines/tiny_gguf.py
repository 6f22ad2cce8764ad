"""A language model of a few thousand random weights that llama.cpp really serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HIDDEN, HEADS, KV_HEADS, FFN, LAYERS = 64, 2, 1, 96, 2


def byte_letters() -> list[str]:
    """GPT-2's letters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def write_tiny(path: Path) -> Path:
    from gguf import GGUFWriter, TokenType

    rng = np.random.default_rng(0)
    tokens = [*byte_letters(), "th", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens += [f"spare{i}" for i in range(1024 - len(tokens))]  # exact-length prompts take ids up to 1,000
    writer: Any = GGUFWriter(str(path), "llama")
    writer.add_name("Tiny")
    writer.add_file_type(0)
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    kinds = [TokenType.CONTROL if token.startswith("<|") else TokenType.NORMAL for token in tokens]
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)

    def weight(name: str, *shape: int) -> None:
        data = np.ones(shape) if len(shape) == 1 else rng.normal(0, 0.05, shape)
        writer.add_tensor(name, data.astype(np.float32))

    weight("token_embd.weight", len(tokens), HIDDEN)
    weight("output_norm.weight", HIDDEN)
    head = HIDDEN // HEADS
    for layer in range(LAYERS):
        weight(f"blk.{layer}.attn_norm.weight", HIDDEN)
        weight(f"blk.{layer}.ffn_norm.weight", HIDDEN)
        weight(f"blk.{layer}.attn_q.weight", HIDDEN, HIDDEN)
        weight(f"blk.{layer}.attn_k.weight", KV_HEADS * head, HIDDEN)
        weight(f"blk.{layer}.attn_v.weight", KV_HEADS * head, HIDDEN)
        weight(f"blk.{layer}.attn_output.weight", HIDDEN, HIDDEN)
        weight(f"blk.{layer}.ffn_gate.weight", FFN, HIDDEN)
        weight(f"blk.{layer}.ffn_up.weight", FFN, HIDDEN)
        weight(f"blk.{layer}.ffn_down.weight", HIDDEN, FFN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
