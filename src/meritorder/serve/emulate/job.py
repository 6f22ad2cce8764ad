"""One request in an emulated engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from meritorder.simulate.oracle.request import Request


def _nobody(tokens: int) -> None:
    """No client listens yet, or any more."""


@dataclass(eq=False)
class Job(Request):
    """The stepwise simulator's request, with a client that waits for its tokens.

    Times are emulated seconds; `arrival` is when the front end had it.
    """

    each: bool = False  # the client gets every token as it is made, else all when the last is
    ends: Literal["stop", "length"] = "length"  # why it has no more tokens then
    on_tokens: Callable[[int], None] = _nobody  # so many tokens of it are with the client now
    handed: int = 0  # tokens that have left the engine
    latest: float = math.nan  # when the latest left the front end

    def forget_client(self) -> None:
        """Nobody wants its tokens any more."""
        self.on_tokens = _nobody
