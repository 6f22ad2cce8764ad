"""`state.yaml`: what has been ordered and built, from which `merit plan --from-state` goes on. Editable by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from meritorder.fleet.document import Document
from meritorder.fleet.extend import read_file
from meritorder.fleet.part import Name, Part, Positive
from meritorder.fleet.plan.span import Month
from meritorder.fleet.schema import Fleet
from meritorder.fleet.wording import in_words
from meritorder.plan.outputs.orders import EVERY, Order
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.units import FROM_FILE, Joules


class Systems(Part):
    """Systems of an offer."""

    offer: Name = Field(description="Under `plan.offers`.")
    site: Name = Field(description="Under `plan.sites`.")
    systems: Positive = Field(description="How many.")
    option: Annotated[int, Field(ge=0)] = Field(default=0, description="Of them from the offer's option.")
    ordered: Month = Field(description="When.")
    delivered: Month = Field(description="When they came, or will come.")


class Blocks(Part):
    """Power blocks of a site."""

    site: Name = Field(description="Under `plan.sites`.")
    block: Name = Field(description="Under `plan.sites.SITE.blocks`.")
    blocks: Positive = Field(description="How many.")
    ordered: Month = Field(description="When.")
    delivered: Month = Field(description="When they carried power, or will.")


class Batteries(Part):
    """A battery at a site's meter."""

    site: Name = Field(description="Under `plan.sites`.")
    energy: Joules = Field(gt=0, description="Energy, e.g. `40 MWh`.")
    ordered: Month = Field(description="When.")
    delivered: Month = Field(description="When.")


class State(Part):
    """What is there beside what the fleet file says of the horizon's start."""

    fleet: str = Field(default="", max_length=200, description="Whose it is.")
    as_of: Month = Field(description="What was ordered before this month is done; later orders are planned anew.")
    systems: tuple[Systems, ...] = Field(default=(), description="Systems by delivery.")
    blocks: tuple[Blocks, ...] = Field(default=(), description="Power blocks by delivery.")
    batteries: tuple[Batteries, ...] = Field(default=(), description="Batteries by delivery.")

    @property
    def done(self) -> State:
        """The same without orders that would be placed at `as_of` or later."""
        return self.model_copy(
            update={
                "systems": tuple(row for row in self.systems if row.ordered < self.as_of),
                "blocks": tuple(row for row in self.blocks if row.ordered < self.as_of),
                "batteries": tuple(row for row in self.batteries if row.ordered < self.as_of),
            }
        )


_HEAD = """\
# What has been ordered and built, for `merit plan FLEET --from-state` with this file.
# Orders from before `as_of` are done and are not paid again; those of that month and later are the plan's intentions
# and are planned anew. When time has passed: set `as_of`, and correct what came otherwise (dates, numbers).
# What stood at the start of the horizon stands in the fleet file and is not repeated here.
"""


def state_of(fleet: Fleet, as_of: str, orders: Sequence[Order], before: State | None) -> State:
    """The state that a plan leaves: what had been done `before`, and its orders as far as all scenarios share them."""
    kept = before.done if before else State(as_of=as_of)
    common = [order for order in orders if order.scenario == EVERY]
    systems = tuple(
        Systems(
            offer=order.what,
            site=order.site,
            systems=max(round(order.count), 1),
            option=round(order.option),
            ordered=order.ordered,
            delivered=order.delivered,
        )
        for order in common
        if order.kind == "systems"
    )
    blocks = tuple(
        Blocks(
            site=order.site,
            block=order.what,
            blocks=round(order.count),
            ordered=order.ordered,
            delivered=order.delivered,
        )
        for order in common
        if order.kind == "blocks"
    )
    batteries = tuple(
        Batteries(site=order.site, energy=order.energy_j, ordered=order.ordered, delivered=order.delivered)
        for order in common
        if order.kind == "battery"
    )
    return State(
        fleet=fleet.name,
        as_of=as_of,
        systems=kept.systems + systems,
        blocks=kept.blocks + blocks,
        batteries=kept.batteries + batteries,
    )


def text_of(state: State) -> str:
    """The state as YAML with a head that says how to use it."""
    tree = state.model_dump(mode="json", exclude_defaults=True)
    for row, battery in zip(tree.get("batteries", ()), state.batteries, strict=False):
        row["energy"] = f"{battery.energy / 3.6e9!r} MWh"
    head = {key: tree.pop(key) for key in ("fleet", "as_of") if key in tree}
    lines = [yaml.safe_dump(head, sort_keys=False, allow_unicode=True)]
    for key, rows in tree.items():  # an entry a line: easy to edit and to compare
        entries = (yaml.safe_dump(row, sort_keys=False, default_flow_style=True, width=1000).strip() for row in rows)
        lines.append(f"{key}:\n" + "".join(f"  - {entry}\n" for entry in entries))
    return _HEAD + "".join(lines)


def read_state(path: Path, fleet: Fleet) -> State:
    """The state in a file. Raises InputError with all that is wrong in it, or doesn't fit the fleet's plan."""
    document = read_file(path)
    problems = list(document.problems)
    try:
        state = State.model_validate(document.data, context=FROM_FILE)
    except ValidationError as error:
        raise InputError([*problems, *in_words(error, document, document.data, State)]) from None
    problems += _misfits(state, document, fleet)
    if problems:
        raise InputError(problems)
    return state


def _misfits(state: State, document: Document, fleet: Fleet) -> list[Problem]:
    """Names that the plan doesn't know, dates out of order."""
    asked = fleet.plan
    assert asked is not None
    problems: list[Problem] = []

    def known(place: tuple[str | int, ...], name: str, names: Iterable[str]) -> None:
        if name not in names:
            problems.append(document.problem(place, f'"{name}" is not in the plan', did_you_mean(name, names)))

    kinds: dict[str, Sequence[Systems | Blocks | Batteries]]
    kinds = {"systems": state.systems, "blocks": state.blocks, "batteries": state.batteries}
    for kind, rows in kinds.items():
        for index, row in enumerate(rows):
            place = (kind, index)
            known((*place, "site"), row.site, asked.sites)
            if isinstance(row, Systems):
                known((*place, "offer"), row.offer, asked.offers)
            if isinstance(row, Blocks) and row.site in asked.sites:
                known((*place, "block"), row.block, asked.sites[row.site].blocks)
            if row.delivered < row.ordered:
                problems.append(
                    document.problem((*place, "delivered"), f"is before {row.ordered}, when it was ordered")
                )
            if isinstance(row, Systems) and row.option > row.systems:
                problems.append(document.problem((*place, "option"), f"is more than all {row.systems} systems"))
    return problems
