"""`Learned`: what the answers of a service have taught about its next request."""

from __future__ import annotations

WEIGHT = 0.05  # of the newest answer
LEAST_BYTES, MOST_BYTES = 2.0, 8.0  # per token


class Learned:
    """Smoothed over the answers that said their usage."""

    __slots__ = ("bytes_per_token", "output_tokens")

    def __init__(self) -> None:
        self.bytes_per_token = 4.0  # of the prompt's JSON text
        self.output_tokens = 256.0

    def prompt(self, text_bytes: int, tokens: int) -> None:
        """A prompt of so many bytes had so many tokens."""
        # Images would carry it far off, and it decides what others are charged whose backend doesn't say its usage.
        seen = text_bytes / tokens
        seen = LEAST_BYTES if seen < LEAST_BYTES else MOST_BYTES if seen > MOST_BYTES else seen
        self.bytes_per_token += WEIGHT * (seen - self.bytes_per_token)

    def output(self, tokens: int) -> None:
        """An answer had so many tokens."""
        self.output_tokens += WEIGHT * (tokens - self.output_tokens)
