"""The data model in Python, and the JSON Schema that editors get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from meritorder.fleet.dispatch import POLICIES
from meritorder.fleet.document import read_document
from meritorder.fleet.file_schema import SHIPPED, file_schema
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Slo

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == file_schema(), (
        "stale: run `merit schema > src/meritorder/fleet/fleet.schema.json`"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid_for_an_editor(validator: Any, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=")
    assert (path.parent / text.splitlines()[0].partition("$schema=")[2]).resolve() == SHIPPED
    validator.validate(read_document(text, path.name).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("replicas: 2", "replica: 2"),
        ("replicas: 2", "replicas: 0"),
        ("20 ms", "20"),
        ("20 ms", "20 W"),
        ("1 s", "1"),
        ("services:", "dispatch: {policy: fair}\nservices:"),
        ("services:", "dispatch: {policy: random, margin: 1}\nservices:"),
        ("services:", "models: {own: {layers: 3}}\nservices:"),
        ("    site: north\n", ""),
    ],
)
def test_an_editor_sees_what_the_loader_refuses(validator: Any, small: str, old: str, new: str) -> None:
    validator.validate(read_document(small, "f").data)
    assert not validator.is_valid(read_document(small.replace(old, new, 1), "f").data)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("extends: a.yaml\ndispatch: {policy: round-robin}", True),
        ("extends: a.yaml\ndispatch: {margin: 0.5}", True),
        ("extends: a.yaml\npools: {fast: {replicas: 3}, slow: null}", True),
        ("extends: a.yaml\npools: {fast: {replica: 3}}", False),
        ("extends: 3", False),
        ("dispatch: {policy: round-robin}", False),
        ("extends: a.yaml\nmodels: {own: {base: qwen3-32b, layers: 3}}", True),
    ],
)
def test_files_that_extend_others_may_leave_things_out(validator: Any, text: str, valid: bool) -> None:
    assert validator.is_valid(read_document(text, "f").data) is valid


def test_every_key_of_the_fleet_is_described() -> None:
    for part in (Fleet, Pool, Engine, Service, Slo):
        missing = [name for name, field in part.model_fields.items() if not field.description]
        assert not missing, f"{part.__name__} has keys without a description"


def test_each_policy_has_the_name_it_is_listed_under() -> None:
    for name, policy in POLICIES.items():
        assert policy().model_dump()["policy"] == name
        assert policy.__doc__


def test_a_fleet_does_not_change(small: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Engine().max_sequences = 3
    with pytest.raises(ValidationError, match="max_sequenzes"):
        Engine(max_sequenzes=3)  # type: ignore[call-arg]
