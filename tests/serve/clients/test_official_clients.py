"""The clients that people use, as they come from PyPI, on a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.serve.fake_backend import Act, FakeBackend
from tests.serve.faults.processes import WORDS, Serving, fleet_of, serving

pytestmark = pytest.mark.slow

TEXT = "".join(f"w{i} " for i in range(WORDS))
MESSAGES = [{"role": "user", "content": "count"}]


@pytest.fixture(scope="module")
def backend() -> Iterator[FakeBackend]:
    with FakeBackend() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(backend: FakeBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    fleet = fleet_of([backend.url])
    flex = {"model": "llama-3.1-8b", "share": 0.5, "priority": 5, "live": {"names": ["chat"], "tier": "flex"}}
    fleet["services"]["chat"] |= {"share": 0.5}
    fleet["services"]["cheap"] = flex
    with serving(tmp_path_factory.mktemp("clients"), fleet) as running:
        yield running


@pytest.fixture(autouse=True)
def usual(backend: FakeBackend) -> None:
    backend.usual = Act("ok")


class TestOpenAI:
    @pytest.fixture
    def client(self, gateway: Serving):
        from openai import OpenAI

        with OpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0, timeout=20) as client:
            yield client

    def test_chat(self, client) -> None:
        answer = client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=WORDS)
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].finish_reason
        assert answer.usage.completion_tokens == WORDS
        assert answer._request_id

    def test_chat_streamed_with_usage(self, client) -> None:
        options = {"include_usage": True}
        stream = client.chat.completions.create(
            model="chat", messages=MESSAGES, max_tokens=WORDS, stream=True, stream_options=options
        )
        chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
        assert chunks[-1].usage.completion_tokens == WORDS

    def test_completions(self, client) -> None:
        answer = client.completions.create(model="chat", prompt="count", max_tokens=WORDS)
        assert answer.choices[0].text == TEXT
        stream = client.completions.create(model="chat", prompt="count", max_tokens=WORDS, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == TEXT

    def test_responses(self, client) -> None:
        answer = client.responses.create(model="chat", input="count", max_output_tokens=WORDS)
        assert answer.output_text == TEXT
        with client.responses.stream(model="chat", input="count", max_output_tokens=WORDS) as stream:
            assert "".join(e.delta for e in stream if e.type == "response.output_text.delta") == TEXT

    def test_embeddings(self, client) -> None:
        answer = client.embeddings.create(model="chat", input="count", encoding_format="float")
        assert len(answer.data[0].embedding) > 0

    def test_models(self, client) -> None:
        names = {model.id for model in client.models.list()}
        assert {"chat", "cheap"} <= names
        assert client.models.retrieve("chat").id == "chat"

    def test_tools_structured_output_and_logprobs_reach_the_backend_untouched(self, client, backend) -> None:
        schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
        client.chat.completions.create(
            model="chat", messages=MESSAGES, tools=tools, response_format=schema, logprobs=True, top_logprobs=3
        )
        got = backend.requests[-1].json
        assert got["tools"] == tools
        assert got["response_format"] == schema
        assert (got["logprobs"], got["top_logprobs"]) == (True, 3)
        assert got["model"] == "fake-model"  # as the backend knows it

    def test_service_tier(self, client) -> None:
        for asked, served in (("flex", "flex"), ("default", "default"), ("auto", "default")):
            raw = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES, service_tier=asked)
            assert raw.headers["x-service-tier"] == served

    def test_errors_are_what_the_client_knows(self, client) -> None:
        import openai

        with pytest.raises(openai.NotFoundError) as no_model:
            client.chat.completions.create(model="no-such-model", messages=MESSAGES)
        assert no_model.value.code == "model_not_found"
        assert no_model.value.request_id
        with pytest.raises(openai.BadRequestError):
            client.post("/chat/completions", body={"model": 3}, cast_to=object)

    def test_an_error_of_the_backend_comes_as_it_is(self, client, backend) -> None:
        import openai

        backend.usual = Act(
            "status", status=400, body=b'{"error":{"message":"too long","type":"invalid_request_error"}}'
        )
        with pytest.raises(openai.BadRequestError, match="too long"):
            client.chat.completions.create(model="chat", messages=MESSAGES)

    def test_a_client_that_leaves_ends_its_request(self, client, backend) -> None:
        import time

        backend.usual = Act("ok", token_s=0.05)
        delays = []
        for _ in range(5):  # the least counts: other work may hold up any one of them
            stream = client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=400, stream=True)
            next(iter(stream))
            cut = len(backend.cut_at)
            left = time.monotonic()
            stream.close()
            while len(backend.cut_at) == cut:
                assert time.monotonic() - left < 2
                time.sleep(0.005)
            delays.append(backend.cut_at[-1] - left)
        assert min(delays) < 0.1


class TestAnthropic:
    @pytest.fixture
    def client(self, gateway: Serving):
        from anthropic import Anthropic

        with Anthropic(base_url=gateway.url, api_key="unused", max_retries=0, timeout=20) as client:
            yield client

    def test_messages(self, client) -> None:
        answer = client.messages.create(model="chat", messages=MESSAGES, max_tokens=WORDS)
        assert answer.content[0].text == TEXT
        with client.messages.stream(model="chat", messages=MESSAGES, max_tokens=WORDS) as stream:
            assert "".join(stream.text_stream) == TEXT

    def test_errors_are_what_the_client_knows(self, client) -> None:
        import anthropic

        with pytest.raises(anthropic.NotFoundError) as no_model:
            client.messages.create(model="no-such-model", messages=MESSAGES, max_tokens=5)
        assert no_model.value.body["type"] == "error"

    def test_count_tokens(self, client) -> None:
        assert client.messages.count_tokens(model="chat", messages=MESSAGES).input_tokens > 0


class TestLiteLLM:
    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")

    def options(self, gateway: Serving) -> dict[str, object]:
        options = {"model": "openai/chat", "api_base": f"{gateway.url}/v1", "api_key": "unused", "messages": MESSAGES}
        return {**options, "max_tokens": WORDS, "num_retries": 0}

    def test_chat(self, gateway: Serving) -> None:
        import litellm

        assert litellm.completion(**self.options(gateway)).choices[0].message.content == TEXT
        stream = litellm.completion(**self.options(gateway), stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXT

    def test_chat_asynchronously(self, gateway: Serving) -> None:
        import litellm

        answer = asyncio.run(litellm.acompletion(**self.options(gateway)))
        assert answer.choices[0].message.content == TEXT
