"""Which of the models that a backend lists is the one that its pool is for."""

from __future__ import annotations

import pytest

from meritorder.serve.backends.discovery import Served, answers_to, served_models, the_one


def test_a_list_of_models_is_read_with_its_adapters() -> None:
    body = b'{"object":"list","data":[{"id":"base","parent":null},{"id":"sql-lora","parent":"base"},{"id":7}]}'
    assert served_models(body) == [Served("base", None), Served("sql-lora", "base")]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"data":7}', b'{"data":[7]}', b'{"data":[{}]}', b"\xff", b"null"]
)
def test_another_answer_lists_nothing(body: bytes) -> None:
    assert served_models(body) == []


def models(*names: str) -> list[Served]:
    return [Served(name, None) for name in names]


@pytest.mark.parametrize(
    ("served", "wanted", "expected"),
    [
        (models("/models/q4.gguf"), "smollm2-135m", "/models/q4.gguf"),
        (models("llama3.1-8b", "llama-3.3-70b"), "llama-3.1-8b", "llama3.1-8b"),
        (models("a/Llama-3.1-8B", "other"), "llama-3.1-8b", "a/Llama-3.1-8B"),
        ([*models("base"), Served("adapter", "base")], "whatever", "base"),
        (models("one", "two"), "three", None),
        (models("a/one", "b/one"), "one", None),
        ([], "one", None),
    ],
)
def test_the_only_one_or_the_one_of_that_name_and_never_a_guess(
    served: list[Served], wanted: str, expected: str | None
) -> None:
    assert the_one(served, wanted) == expected


def test_a_pool_answers_to_its_model_and_adapters_of_it_but_to_no_other_model_of_the_server() -> None:
    served = [*models("mine", "other"), Served("sql", "mine"), Served("foreign", "other")]
    assert answers_to(served, "mine") == ("mine", "sql")
    assert answers_to(served, "not-there") == ()
    assert answers_to(served, None) == ()
