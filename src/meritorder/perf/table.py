"""`IterationTable`: the only thing that kernel, gateway and planner know about a machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class IterationTable:
    """Time and energy of one engine iteration of one replica.

    An iteration holds `B` decoding sequences with `K` tokens in their KV caches together, and `P` prompt
    tokens that attend to `A` token pairs: a chunk of `p` tokens behind `c` cached ones adds `p*c + p*(p+1)/2`.

        t = step_s[B+P] + prefill_s[P] + decode_s[B] + decode_kv_s[B] * K + pair_s * A     (seconds)
            + mixed_kv_s * K where P > 0: attention reads KV caches slower in the company of prompts
        e = step_j[B+P] + prefill_j[P] + decode_j[B] + decode_kv_j[B] * K + pair_j * A     (joules above idle)

    Energy above idle: a replica draws `idle_w` always, and `e` on top for every iteration.
    Being affine in K, n decode iterations have a closed form (see `simulate/kernel/jump.py`).

    Shapes: `step_*`, `prefill_*`: token_budget + 1; `decode_*`: max_sequences + 1. Entry 0 of `prefill_*`
    and `decode_*` is 0. All entries finite and >= 0; an iteration with work takes time > 0.
    """

    step_s: Floats
    prefill_s: Floats
    decode_s: Floats
    decode_kv_s: Floats
    pair_s: float
    step_j: Floats
    prefill_j: Floats
    decode_j: Floats
    decode_kv_j: Floats
    pair_j: float
    idle_w: float
    mixed_kv_s: float = 0.0

    @property
    def token_budget(self) -> int:
        """Most tokens in one iteration."""
        return len(self.step_s) - 1

    @property
    def max_sequences(self) -> int:
        """Most sequences in one iteration."""
        return len(self.decode_s) - 1

    def seconds(self, decoding: int, kv_tokens: float, prompt_tokens: int = 0, pairs: float = 0.0) -> float:
        """Seconds of one iteration (see the class for the symbols)."""
        return float(
            self.step_s[decoding + prompt_tokens]
            + self.prefill_s[prompt_tokens]
            + self.decode_s[decoding]
            + self.decode_kv_s[decoding] * kv_tokens
            + self.pair_s * pairs
            + (self.mixed_kv_s * kv_tokens if prompt_tokens else 0.0)
        )

    def joules(self, decoding: int, kv_tokens: float, prompt_tokens: int = 0, pairs: float = 0.0) -> float:
        """Joules above idle of one iteration."""
        return float(
            self.step_j[decoding + prompt_tokens]
            + self.prefill_j[prompt_tokens]
            + self.decode_j[decoding]
            + self.decode_kv_j[decoding] * kv_tokens
            + self.pair_j * pairs
        )

    def __post_init__(self) -> None:
        """Refuse tables that would make time stand still or run backwards."""
        columns = (self.step_s, self.prefill_s, self.decode_s, self.decode_kv_s)
        energies = (self.step_j, self.prefill_j, self.decode_j, self.decode_kv_j)
        for values in (*columns, *energies):
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise ValueError("an iteration table needs finite entries >= 0")
        if not 0 <= self.mixed_kv_s < np.inf:
            raise ValueError("mixed_kv_s must be finite and >= 0")
        if not (self.step_s[1:] > 0).all():
            raise ValueError("an iteration with tokens must take time > 0")
