"""What a client reads out of a stream, however it is cut, and what it believes to be its end."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.serve.replay.stream import Stream


def event(**parts: object) -> bytes:
    return b"data: " + orjson.dumps(parts) + b"\n\n"


WHOLE = b"".join(
    (
        event(choices=[{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]),
        b": a comment\n\n",
        event(choices=[{"delta": {"content": "one"}, "finish_reason": None}]),
        event(choices=[{"delta": {"content": " two"}, "finish_reason": None}]),
        event(choices=[{"delta": {"content": " three"}, "finish_reason": "length"}]),
        event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 4}),
        b"data: [DONE]\n\n",
    )
)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8), st.booleans())
def test_cuts_change_nothing(cuts: list[int], carriage_returns: bool) -> None:
    whole = WHOLE.replace(b"\n", b"\r\n") if carriage_returns else WHOLE
    stream, before = Stream(), 0
    for at in [*sorted(cuts), len(whole)]:
        stream.read(whole[before:at], 1.0)
        before = max(before, at)
    assert (stream.pieces, stream.output_tokens, stream.ended, stream.error) == (3, 4, True, "")


def test_times_are_those_of_text() -> None:
    stream = Stream()
    for at, piece in enumerate(WHOLE.split(b"\n\n")[:-1]):
        stream.read(piece + b"\n\n", float(at))
    assert (stream.first, stream.last) == (2.0, 4.0), "a role is no text, and neither are usage and [DONE]"


def test_completions_count_too() -> None:
    stream = Stream()
    stream.read(event(choices=[{"text": "one"}]) + event(choices=[{"text": " two"}]), 3.0)
    assert (stream.output_tokens, stream.first, stream.ended) == (2, 3.0, False)


@pytest.mark.parametrize(
    "bad", [b'data: {"choices": 3}\n\n', b"data: nonsense\n\n", event(error={"message": "out of it"})]
)
def test_an_error_in_a_stream_is_one(bad: bytes) -> None:
    stream = Stream()
    stream.read(bad, 1.0)
    assert stream.error
