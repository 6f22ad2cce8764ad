"""Prompts of exact lengths for a trace that holds none: equal where its prefix blocks are, else all different."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.workload.trace import Trace

# Every vocabulary has these, behind the special tokens that some have in front.
_FIRST_TOKEN, _TOKENS = 1_000, 20_000

# With the space behind it, each is one token in usual vocabularies, and four bytes.
WORDS = np.frombuffer(
    b"the and for are but not you all any can had her was one our out day get has him his how man new now old see two "
    b"way who boy did its let put say she too use act add age ago air arm art ask bad bag bar bed big bit box buy car "
    b"cat cup cut die dog dry due ear eat egg end eye far fat few fit fly fun gas god gun guy hat hit hot ice ill job ",
    dtype="S4",
)


class Prompts:
    """The prompts of a trace, the same for the same `seed`: another seed shares no cached prefix with it."""

    def __init__(self, trace: Trace, seed: int = 0) -> None:
        self._trace = trace
        self._salt = np.uint64(seed + 1) << np.uint64(32)

    def tokens(self, request: int) -> npt.NDArray[np.int64]:
        """The prompt of a request as token ids, int64 [its prompt tokens]."""
        return (self._draws(request) % np.uint64(_TOKENS)).astype(np.int64) + _FIRST_TOKEN

    def text(self, request: int) -> str:
        """The prompt of a request as text of about as many tokens: four bytes each."""
        return bytes(WORDS[self._draws(request) % np.uint64(len(WORDS))].tobytes()).decode()

    def _draws(self, request: int) -> npt.NDArray[np.uint64]:
        """A random number for each of its tokens, which block and place in it (or else the request) decide."""
        trace, length = self._trace, int(self._trace.prompt_tokens[request])
        size = trace.block_tokens
        blocks = trace.blocks[trace.block_start[request] : trace.block_start[request + 1]].astype(np.uint64)
        shared = (blocks[:, None] * np.uint64(size) + np.arange(size, dtype=np.uint64)).ravel()[:length]
        # half of the numbers are for tokens of blocks, half for tokens of one request
        own = (np.uint64(1) << np.uint64(63)) | (np.uint64(request) << np.uint64(32))
        rest = own + np.arange(length - len(shared), dtype=np.uint64)
        return _mixed(np.concatenate([shared, rest]) ^ _mixed(np.array([self._salt])))


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64's finalizer: near numbers become far ones."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
