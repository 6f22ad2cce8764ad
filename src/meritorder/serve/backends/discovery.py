"""Which models a backend serves, and which of them is the one that its pool is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson


class Served(NamedTuple):
    """One model of a backend's list: its name there, and of an adapter the name of the model that it adapts."""

    name: str
    parent: str | None


def served_models(body: bytes) -> list[Served]:
    """What an answer to GET /v1/models lists; empty if it isn't one."""
    try:
        listed = orjson.loads(body)["data"]
        return [Served(entry["id"], entry.get("parent")) for entry in listed if isinstance(entry["id"], str)]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []


def the_one(served: Sequence[Served], wanted: str) -> str | None:
    """The name there of the model that the fleet file calls `wanted`: the only one, or the one of that name.

    Names are alike if their letters and digits are, without the part before a slash: `meta/Llama-3.1-8B` and
    `llama3.1-8b`. None if there are several and none, or more than one, is alike: never guess what a client gets.
    """
    own = [model.name for model in served if model.parent is None]
    if len(own) == 1:
        return own[0]
    alike = [name for name in own if _plain(name) == _plain(wanted)]
    return alike[0] if len(alike) == 1 else None


def answers_to(served: Sequence[Served], model: str | None) -> tuple[str, ...]:
    """`model` and its adapters. Other models of the same server are none of the pool's business."""
    own = [each.name for each in served if each.name == model]
    return (*own, *(each.name for each in served if model is not None and each.parent == model))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.rpartition("/")[2].lower() if letter.isalnum())
