"""`Learned`: what the answers of a service have taught about its next request."""

from __future__ import annotations

WEIGHT = 0.05  # of the newest answer


class Learned:
    """Smoothed over the answers that said their usage."""

    __slots__ = ("bytes_per_token", "output_tokens")

    def __init__(self) -> None:
        self.bytes_per_token = 4.0  # of the prompt's JSON text
        self.output_tokens = 256.0

    def prompt(self, text_bytes: int, tokens: int) -> None:
        """A prompt of so many bytes had so many tokens."""
        # images and cached conversations would carry it far off
        seen = text_bytes / tokens
        seen = 1.0 if seen < 1.0 else 16.0 if seen > 16.0 else seen
        self.bytes_per_token += WEIGHT * (seen - self.bytes_per_token)

    def output(self, tokens: int) -> None:
        """An answer had so many tokens."""
        self.output_tokens += WEIGHT * (tokens - self.output_tokens)
