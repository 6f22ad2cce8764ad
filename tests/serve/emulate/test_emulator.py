"""Emulated endpoints as clients see them: real sockets, real time, OpenAI's forms, and always said to be emulated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import openai
import orjson
import pytest
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.emulated_fleet import MODEL, STEP_S, ask, emulated, events, quick_fleet, send

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hello " * 20}], "max_tokens": 5, "ignore_eos": True}


def test_a_whole_answer_counts_its_tokens() -> None:
    async def client() -> None:
        async with emulated(quick_fleet()) as emulator:
            status, headers, body = await ask(emulator.url("quick", 1), "/v1/chat/completions", CHAT)
        answer = orjson.loads(body)
        assert (status, headers["x-merit-emulated"]) == (200, "1")
        assert answer["system_fingerprint"] == "emulated"
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": "1 2 3 4 5"}
        assert answer["choices"][0]["finish_reason"] == "length"
        usage = answer["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (30, 5, 35)

    uvloop.run(client())


def test_a_stream_has_a_token_per_event_and_ends_properly() -> None:
    async def client() -> None:
        asked = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        async with emulated(quick_fleet()) as emulator:
            _, headers, body = await ask(emulator.url("quick", 0), "/v1/chat/completions", asked)
            _, _, plain = await ask(
                emulator.url("quick", 0),
                "/v1/completions",
                {"prompt": [7] * 12, "max_tokens": 3, "ignore_eos": True, "stream": True},
            )
        assert headers["content-type"].startswith("text/event-stream")
        role, *tokens, usage = events(body)
        assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(event["choices"][0]["delta"]["content"] for event in tokens) == "1 2 3 4 5"
        assert [event["choices"][0]["finish_reason"] for event in tokens] == [None] * 4 + ["length"]
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] == 5
        assert {event["system_fingerprint"] for event in events(body)} == {"emulated"}
        assert [event["choices"][0]["text"] for event in events(plain)] == ["1", " 2", " 3"]

    uvloop.run(client())


def test_openai_s_own_client_is_content() -> None:
    async def client() -> None:
        async with emulated(quick_fleet()) as emulator:
            api = openai.AsyncOpenAI(base_url=emulator.url("quick", 0) + "/v1", api_key="none")
            assert [model.id async for model in api.models.list()] == [MODEL]
            messages: Any = CHAT["messages"]
            stream = await api.chat.completions.create(model=MODEL, messages=messages, max_tokens=400, stream=True)
            text = "".join([event.choices[0].delta.content or "" async for event in stream])
            count = len(text.split())
            assert text == " ".join(str(number) for number in range(1, count + 1))
            with pytest.raises(openai.NotFoundError, match=MODEL):
                await api.chat.completions.create(model="another", messages=messages)
            await api.close()

    uvloop.run(client())


def test_a_continued_text_is_counted_on() -> None:
    """Where a broken stream is taken up elsewhere, one can read in the text whether a token was lost or came twice."""

    async def client() -> None:
        async with emulated(quick_fleet()) as emulator:
            asked = {**CHAT, "messages": [*CHAT["messages"], {"role": "assistant", "content": "1 2 3"}]}  # type: ignore[misc]
            _, _, chat = await ask(emulator.url("quick", 0), "/v1/chat/completions", asked)
            _, _, plain = await ask(
                emulator.url("quick", 0),
                "/v1/completions",
                {"prompt": "Count: 1 2", "max_tokens": 2, "ignore_eos": True},
            )
        assert orjson.loads(chat)["choices"][0]["message"]["content"] == " 4 5 6 7 8"
        assert orjson.loads(plain)["choices"][0]["text"] == " 3 4"

    uvloop.run(client())


def test_requests_share_iterations_and_wait_for_seats() -> None:
    """Two at a time: the third has its tokens only when one of the first has ended."""

    async def client() -> None:
        async with emulated(quick_fleet(max_sequences=2)) as emulator:
            started = time.monotonic()

            async def one() -> float:
                asked = {"prompt": [1] * 10, "max_tokens": 20, "ignore_eos": True}
                await ask(emulator.url("quick", 0), "/v1/completions", asked)
                return time.monotonic() - started

            first, second, third = await asyncio.gather(*(one() for _ in range(3)))
        assert abs(first - second) < 5 * STEP_S
        assert first >= 20 * STEP_S
        assert third >= 40 * STEP_S

    uvloop.run(client())


def test_time_can_run_faster() -> None:
    async def client() -> None:
        asked = {"prompt": [1], "max_tokens": 1000, "ignore_eos": True}
        async with emulated(quick_fleet(), speed=100.0) as emulator:
            started = time.monotonic()
            await ask(emulator.url("quick", 0), "/v1/completions", asked)
            assert 0.1 < time.monotonic() - started < 5.0, "ten seconds of the fleet"

    uvloop.run(client())


def test_a_prefix_that_was_computed_before_is_cached_per_replica() -> None:
    async def client() -> None:
        asked = {"prompt": list(range(100)), "max_tokens": 1, "ignore_eos": True}
        async with emulated(quick_fleet()) as emulator:
            cached = []
            for replica in (0, 0, 1):
                _, _, body = await ask(emulator.url("quick", replica), "/v1/completions", asked)
                cached.append(orjson.loads(body)["usage"]["prompt_tokens_details"]["cached_tokens"])
        assert cached == [0, 96, 0]

    uvloop.run(client())


def samples(text: bytes) -> dict[str, float]:
    """Values of `/metrics` by name, histograms by their counts and sums."""
    families = text_string_to_metric_families(text.decode())
    return {s.name: s.value for f in families for s in f.samples if "le" not in s.labels}


async def until(url: str, holds: Callable[[dict[str, float]], bool]) -> None:
    """Wait until the metrics of a replica are so."""
    for _ in range(200):
        if holds(samples((await ask(url, "/metrics"))[2])):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(samples((await ask(url, "/metrics"))[2]))


def test_a_client_that_leaves_frees_its_place() -> None:
    async def client() -> None:
        async with emulated(quick_fleet(max_sequences=1)) as emulator:
            url = emulator.url("quick", 0)
            asked = {"prompt": [1] * 50, "max_tokens": 5000, "ignore_eos": True}
            _, running = await send(url, "/v1/completions", asked)
            _, waiting = await send(url, "/v1/completions", {**asked, "stream": True})
            await until(url, lambda m: (m["vllm:num_requests_running"], m["vllm:num_requests_waiting"]) == (1, 1))
            waiting.close()
            await until(url, lambda m: m["vllm:num_requests_waiting"] == 0)
            running.close()
            await until(url, lambda m: m["vllm:num_requests_running"] == 0 and m["vllm:kv_cache_usage_perc"] == 0.0)

    uvloop.run(client())


def test_metrics_are_vllm_s() -> None:
    async def client() -> None:
        async with emulated(quick_fleet()) as emulator:
            url = emulator.url("quick", 0)
            await ask(url, "/v1/chat/completions", CHAT)
            found = samples((await ask(url, "/metrics"))[2])
            assert (await ask(url, "/health"))[0] == 200
        assert found["vllm:prompt_tokens_total"] == 30
        assert found["vllm:generation_tokens_total"] == 5
        assert found["vllm:time_to_first_token_seconds_count"] == 1
        assert found["vllm:time_to_first_token_seconds_sum"] == pytest.approx(STEP_S + 30 * 1e-4)
        assert found["vllm:inter_token_latency_seconds_count"] == 4
        assert found["vllm:inter_token_latency_seconds_sum"] == pytest.approx(4 * (STEP_S + 1e-4))

    uvloop.run(client())


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/completions", b"{", 400, "not what was expected"),
        ("/v1/completions", {}, 400, "prompt"),
        ("/v1/completions", {"prompt": ["a", "b"]}, 400, "one prompt"),
        ("/v1/completions", {"prompt": [-1]}, 400, "one prompt"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, 400, "at least 1"),
        ("/v1/completions", {"prompt": [1] * 17_000}, 400, "16000 tokens"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 16_000}, 400, "16000 tokens"),
        ("/v1/chat/completions", {"messages": []}, 400, "messages"),
        ("/v1/chat/completions", {**CHAT, "n": 2}, 400, "one answer"),
        ("/v1/chat/completions", {**CHAT, "model": "another"}, 404, MODEL),
        ("/v1/embeddings", {"input": "a"}, 404, "embeddings"),
    ],
)
def test_what_is_not_emulated_is_refused_clearly(path: str, body: object, status: int, words: str) -> None:
    async def client() -> None:
        async with emulated(quick_fleet()) as emulator:
            got, headers, answer = await ask(emulator.url("quick", 0), path, body)
        assert (got, headers["x-merit-emulated"]) == (status, "1")
        assert words in orjson.loads(answer)["error"]["message"]

    uvloop.run(client())


def test_there_are_as_many_replicas_as_the_fleet_has() -> None:
    async def client() -> None:
        async with emulated(quick_fleet(replicas=3000)) as emulator:
            base = emulator.url("quick", 0).removesuffix("/p/quick/0")
            overview = orjson.loads((await ask(base, "/"))[2])
            assert (await ask(base, "/health"))[0] == 200
            assert overview["pools"]["quick"] == {"model": MODEL, "replicas": 3000}
            for replica, status in (("2999", 200), ("3000", 404), ("-1", 404), ("x", 404)):
                assert (await ask(f"{base}/p/quick/{replica}", "/v1/models"))[0] == status
            assert not emulator._machines, "replicas that nobody asked for tokens cost nothing"

    uvloop.run(client())


def test_a_slow_reader_gets_everything_in_the_end() -> None:
    """What a client doesn't read is kept as a number, and written when it reads on."""

    async def client() -> None:
        asked: dict[str, Any] = {"prompt": [1], "max_tokens": 15_000, "ignore_eos": True, "stream": True}
        async with emulated(quick_fleet(max_sequences=1), speed=1000.0) as emulator:
            reader, writer = await send(emulator.url("quick", 0), "/v1/completions", asked)
            await until(emulator.url("quick", 0), lambda m: m["vllm:generation_tokens_total"] == 15_000)
            body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")[2]
            writer.close()
        assert body.count(b'"text":') == 15_000
        assert body.endswith(b"0\r\n\r\n")

    uvloop.run(client())
