"""Texts that many prompts begin with: a tree of layers, whose variants are popular by Zipf's law."""

from __future__ import annotations

import numpy as np

from meritorder.workload.synthesis.spec import Client, TrafficSpec
from meritorder.workload.trace import Ints, Longs

# A path names the variant of each layer from the front: (("system", 3), ("tools", 0)).
Path = tuple[tuple[str, int], ...]


class SharedTexts:
    """Every path of shared text that prompts of a workload can begin with, cut into blocks.

    Only full blocks of a path's text are shared. Paths are numbered as they are drawn; `-1` is no shared text.
    """

    def __init__(self, spec: TrafficSpec) -> None:
        self._block_tokens = max(spec.block_tokens, 1)
        self._number: dict[Path, int] = {}
        self._slot: dict[tuple[Path, int], int] = {}
        self._slots_of: list[list[int]] = []

    def tokens(self, client: Client) -> int:
        """Length of the shared text in front of this client's prompts, tokens."""
        return sum(layer.tokens for layer in client.shared_prefix)

    def draw(self, client: Client, n: int, rng: np.random.Generator) -> Longs:
        """The number of the path of each of `n` sessions."""
        if not client.shared_prefix or not n:
            return np.full(n, -1, np.int64)
        chosen = np.zeros((n, len(client.shared_prefix)), np.int64)
        for k, layer in enumerate(client.shared_prefix):
            weights = 1.0 / np.arange(1, layer.variants + 1) ** layer.zipf
            chosen[:, k] = rng.choice(layer.variants, n, p=weights / weights.sum())
        different, which = np.unique(chosen, axis=0, return_inverse=True)
        numbers = np.array([self._number_of(client, row.tolist()) for row in different], np.int64)
        return numbers[which.reshape(-1)]

    def tables(self) -> tuple[Longs, Longs, Ints]:
        """`path_start`, `path_slots` and `slot_id`, as `chain_blocks` takes them."""
        start = np.concatenate(([0], np.cumsum([len(slots) for slots in self._slots_of]))).astype(np.int64)
        slots = np.array([slot for path in self._slots_of for slot in path], np.int64)
        return start, slots, np.full(len(self._slot), -1, np.int32)

    def _number_of(self, client: Client, variants: list[int]) -> int:
        path: Path = tuple((layer.name, v) for layer, v in zip(client.shared_prefix, variants, strict=True))
        if path in self._number:
            return self._number[path]
        ends = np.cumsum([layer.tokens for layer in client.shared_prefix])
        slots = []
        for block in range(int(ends[-1]) // self._block_tokens):
            # A block belongs to the layer in which it ends; its id hangs on all variants up to there.
            depth = int(np.searchsorted(ends, (block + 1) * self._block_tokens)) + 1
            slots.append(self._slot.setdefault((path[:depth], block), len(self._slot)))
        self._number[path] = len(self._slots_of)
        self._slots_of.append(slots)
        return self._number[path]
