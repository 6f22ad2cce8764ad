"""Reading event streams: untouched, in any pieces, and never past something unsound."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.serve.exchange.continuation import Continued, continuing_body
from meritorder.serve.exchange.stream import OPENAI, TYPED, Reader, Told


def chunk(text: str | None = None, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
    said = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]} | more
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\n\n"


STREAM = (
    b": ping\n\n" + chunk("Grüß ") + b"event: x\nid: 7\n" + chunk("Gott\n\n") + b"retry: 5\n\n\n"
    + chunk("", usage={"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}) + chunk(None, "stop")
    + b"data: [DONE]\n\n"
)  # fmt: skip


def read(parts: list[bytes], told: Told | None = None, choices: int = 1) -> tuple[Reader, bytes]:
    reader = Reader(told or Told(plain=True), OPENAI, choices, None)
    return reader, b"".join(reader.feed(part) for part in parts)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30), st.sampled_from([b"\n", b"\r\n"]))
def test_any_pieces_give_the_same_bytes(cuts: list[int], ends: bytes) -> None:
    stream = STREAM.replace(b"\n", ends)
    at = [0, *sorted(cuts), len(stream)]
    told = Told(plain=True)
    reader, out = read([stream[a:b] for a, b in itertools.pairwise(at)], told)
    assert out == stream
    assert (reader.done, reader.broken) == (True, "")
    assert told.text == "Grüß Gott\n\n"
    assert told.tokens == 9


@given(st.binary(max_size=200), st.integers(0, 3))
def test_whatever_comes_is_no_crash(junk: bytes, events: int) -> None:
    good = b"".join([chunk("a"), chunk("b"), chunk("c")][:events])
    reader, out = read([good + junk, b"\n\n"])
    assert out.startswith(good)
    assert reader.broken or reader.feed(chunk("d"))


@pytest.mark.parametrize(
    "event",
    [
        b"data: {\n\n", b"data: 7\n\n", b"data: []\n\n", b"nonsense\n\n", b"<html>\n\n",
        b'data: {"error": {"message": "x"}}\n\n', b'data: {"error": "x"}\n\n', b"data: [DONE]\n\n",
        b'data: {"object": "error", "error": {"code": 500}}\n\n',
    ],
)  # fmt: skip
def test_unsound_events_never_go_on(event: bytes) -> None:
    reader, out = read([chunk("a") + event + chunk("b")])
    assert reader.broken
    assert out == chunk("a")


def test_odd_json_passes_but_cannot_be_continued() -> None:
    told = Told(plain=True)
    odd = b'data: {"choices": "what", "usage": 3}\n\n'
    reader, out = read([chunk("a") + odd], told)
    assert out == chunk("a") + odd
    assert not reader.broken
    assert not told.plain


@pytest.mark.parametrize("more", [{"tool_calls": [{"index": 0}]}, {"reasoning_content": "hm"}, {"refusal": "no"}])
def test_more_than_text_cannot_be_continued(more: dict[str, object]) -> None:
    told = Told(plain=True)
    read([b"data: " + json.dumps({"choices": [{"index": 0, "delta": more}]}).encode() + b"\n\n"], told)
    assert not told.plain


def test_all_choices_have_to_finish() -> None:
    reader, _ = read([chunk("a"), chunk(None, "stop")], choices=2)
    assert not reader.complete


def test_typed_streams_end_with_their_last_event() -> None:
    told = Told(plain=False)
    reader = Reader(told, TYPED, 1, None)
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"text": "a"}},
        {"type": "message_delta", "usage": {"output_tokens": 5}},
    ]
    for event in events:
        data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        assert reader.feed(data) == data
    assert not reader.complete
    reader.feed(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert reader.complete
    assert told.usage is not None
    assert (told.usage.prompt, told.usage.output, told.tokens) == (9, 5, 1)


def test_a_long_stream_is_kept_in_little_memory() -> None:
    import sys

    told = Told(plain=True)
    reader = Reader(told, OPENAI, 1, None)
    for _ in range(10_000):
        reader.feed(chunk("word "))
    assert told.tokens == 10_000
    held = sum(sys.getsizeof(part) for part in told._parts) + sys.getsizeof(told._parts)
    assert held < 100_000


@given(st.text(alphabet=" \nab", min_size=1, max_size=12), st.data())
def test_blanks_at_the_break_come_once(text: str, data: st.DataObject) -> None:
    """A backend is given the text without its last blanks, and may write them again."""
    cut = data.draw(st.integers(1, len(text)))
    told = Told(plain=True)
    read([chunk(text[:cut])], told)
    given_text = json.loads(
        continuing_body("chat/completions", b'{"messages":[{"role":"user","content":"x"}]}', told, "assistant-last")
    )["messages"][-1]["content"]
    rest = text[len(given_text) :]
    reader = Reader(told, OPENAI, 1, Continued("chat/completions", told).edit)
    out = b"".join(reader.feed(chunk(letter)) for letter in rest) + reader.feed(chunk(None, "stop"))
    said = "".join(
        json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in out.split(b"\n\n") if event
    )
    assert text[:cut] + said == text
    assert told.text == text


def test_limits_shrink_by_what_was_said() -> None:
    told = Told(plain=True)
    read([chunk("a "), chunk("b")], told)
    body = b'{"prompt":"x","max_tokens":5,"min_tokens":1,"temperature":0.30}'
    assert continuing_body("completions", body, told, "none") == (
        b'{"prompt":"xa b","max_tokens":3,"min_tokens":0,"temperature":0.30}'
    )
    chat = continuing_body("chat/completions", b'{"messages":[]}', told, "continue_final_message")
    assert json.loads(chat) == {
        "messages": [{"role": "assistant", "content": "a b"}],
        "continue_final_message": True,
        "add_generation_prompt": False,
    }
