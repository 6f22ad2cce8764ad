"""The clients that people use, against the gateway: they need not know that it is one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import anthropic
import openai
import pytest
from tests.serve.exchange.rig import Rig, rig, words
from tests.serve.fake_backend import Act, FakeBackend

Pair = tuple[Rig, list[FakeBackend]]
WHOLE = words(0, 8)
USER = [{"role": "user", "content": "count"}]


@pytest.fixture(scope="module")
def two():
    with rig(2) as pair:
        yield pair


@pytest.fixture
def client(two: Pair):
    with openai.OpenAI(base_url=f"{two[0].url}/v1", api_key="any", max_retries=0) as client:
        yield client


def test_openai_chat(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="chat", messages=USER, service_tier="auto")
    assert reply.choices[0].message.content == WHOLE
    assert reply.service_tier == "default"
    assert reply._request_id


def test_openai_stream_that_breaks_and_goes_on(two: Pair, client: openai.OpenAI) -> None:
    two[1][0].acts.append(Act("die-mid", after=3, token_s=0.01))
    stream = client.chat.completions.create(
        model="chat", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == WHOLE
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


def test_openai_stream_that_cannot_go_on(two: Pair, client: openai.OpenAI) -> None:
    two[1][0].acts.append(Act("die-mid", after=3, token_s=0.01))
    stream = client.chat.completions.create(model="chat", messages=USER, stream=True, logprobs=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_openai_others(client: openai.OpenAI) -> None:
    assert client.completions.create(model="chat", prompt="count").choices[0].text == WHOLE
    assert client.embeddings.create(model="chat", input="a", encoding_format="float").data[0].embedding == [0.5, 0.25]
    assert client.responses.create(model="chat", input="count").output_text == WHOLE
    events = list(client.responses.create(model="chat", input="count", stream=True))
    assert events[-1].type == "response.completed"
    assert "chat" in [model.id for model in client.models.list()]
    assert client.models.retrieve("llama-3.1-8b").id == "llama-3.1-8b"


def test_openai_errors(two: Pair, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="nothing", messages=USER)
    assert error.value.code == "model_not_found"
    assert error.value.request_id
    two[1][0].acts.append(Act("status", status=400, body=b'{"error":{"message":"no","code":"bad"}}'))
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="chat", messages=USER)
    assert bad.value.code == "bad"


def test_anthropic(two: Pair) -> None:
    with anthropic.Anthropic(base_url=two[0].url, api_key="any", max_retries=0) as client:
        message = client.messages.create(model="chat", max_tokens=8, messages=USER)
        assert message.content[0].text == WHOLE
        with client.messages.stream(model="chat", max_tokens=8, messages=USER) as stream:
            assert "".join(stream.text_stream) == WHOLE
        assert client.messages.count_tokens(model="chat", messages=USER).input_tokens > 0
        assert "chat" in [model.id for model in client.models.list()]
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="nothing", max_tokens=8, messages=USER)
        two[1][0].acts.append(Act("die-mid", after=3, token_s=0.01))
        with (
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(model="chat", max_tokens=8, messages=USER) as stream,
        ):
            "".join(stream.text_stream)


def test_the_document_is_one(two: Pair) -> None:
    import jsonschema

    document = two[0].get("/openapi.json").json
    assert set(document["paths"]) >= {f"/v1/{api}" for api in ("chat/completions", "completions", "messages")}
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert json.dumps(document)


@pytest.mark.slow
def test_schemathesis_finds_nothing(two: Pair, tmp_path: Path) -> None:
    """Requests made from the document, valid and not: no error of our own, and every answer as documented."""
    command = (
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{two[0].url}/openapi.json"),
        *("--max-examples", "30", "--seed", "1", "--no-color", "--request-timeout", "15"),
        # what the gateway doesn't know it passes on, and a model's name may not exist
        *("--exclude-checks", "negative_data_rejection,positive_data_acceptance"),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
