"""Settings of the inference engine in the fleet file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from meritorder.fleet.part import Number, Part, Positive, Switch
from meritorder.fleet.spill import SpillSwitch
from meritorder.units import Seconds


class Engine(Part):
    """Settings of the inference engine of one replica, in vLLM's terms."""

    name: Literal["", "vllm", "sglang", "trtllm"] = Field(
        default="", description="The engine, whose measured kernels and host times then hold; absent: an average one."
    )
    version: str = Field(
        default="", max_length=80, description="Its version, for example `0.19.0`; of one never measured, the nearest."
    )
    max_sequences: Positive = Field(default=256, description="Most sequences in one iteration (vLLM: max_num_seqs).")
    token_budget: Positive = Field(
        default=8192, description="Most tokens in one iteration (vLLM: max_num_batched_tokens)."
    )
    kv_block_tokens: Positive = Field(default=16, description="Tokens per block of KV cache.")
    kv_blocks: Positive | None = Field(
        default=None, description="The engine's own count of KV blocks; computed if absent."
    )
    prefix_caching: Switch = Field(
        default=True, description="Keep KV blocks of finished prompts for later ones that begin alike."
    )
    spill: SpillSwitch = Field(
        default=None,
        description="Move them to a slower memory before they are forgotten (vLLM: KV offloading); `true`: that of "
        "the catalog's machine.",
    )
    scheduling: Literal["fcfs", "priority"] = Field(
        default="fcfs", description="Order of waiting requests in the engine."
    )
    reserve_prompt: Switch = Field(
        default=True,
        description="Admit a prompt only if KV blocks for all of it are free, not just for its first chunk "
        "(vLLM: scheduler_reserve_full_isl).",
    )
    memory_fraction: Number = Field(default=0.9, gt=0, le=1, description="Part of the memory the engine may use.")
    max_context: Positive | None = Field(
        default=None,
        description="Most tokens (prompt + output) of a request; absent: the model's context, limited by KV.",
    )
    request_overhead: Seconds | None = Field(
        default=None,
        description="Front end's delay per request before the engine sees it; absent: that of the engine by its "
        "`name`, without one 0.",
    )
    prompt_token_overhead: Seconds | None = Field(
        default=None, description="The same, per prompt token (tokenising); absent: likewise."
    )
    output_token_overhead: Seconds = Field(
        default=0.0, description="Front end's delay per produced token, on delivery."
    )

    @model_validator(mode="after")
    def _only_cached_prefixes_spill(self) -> Self:
        if self.spill is not None and not self.prefix_caching:
            raise ValueError("has `spill` without `prefix_caching`, so there is nothing to move; drop the one")
        return self

    @model_validator(mode="after")
    def _a_batch_must_fit(self) -> Self:
        if self.token_budget < self.max_sequences:
            raise ValueError(
                f"token_budget {self.token_budget} is less than max_sequences {self.max_sequences}: "
                "a full batch of decoding sequences would not fit in one iteration; raise the one or lower the other"
            )
        return self
