"""A fleet file with the replicas of its pools, or everything that is wrong in it with the lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meritorder.fleet.document import Document
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.problems import Problem


def load_fleet(path: str) -> tuple[Fleet, dict[str, Replica]]:
    """The fleet of a file and each pool's replica. Raises InputError, also where a model doesn't fit."""
    fleet, replicas, _ = load_with_document(path)
    return fleet, replicas


def load_with_document(path: str, *, plans: bool = False) -> tuple[Fleet, dict[str, Replica], Document]:
    """`load_fleet`, and the document that knows on which line each key stands.

    With `plans` also fleets that have only a plan yet, and services that only its offers serve.
    """
    from meritorder.fleet.load import load_with_lines
    from meritorder.perf.compile import compile_replica
    from meritorder.problems import InputError

    fleet, document = load_with_lines(path)
    if not plans:
        refuse_plans(fleet, document)
    replicas: dict[str, Replica] = {}
    problems: list[Problem] = []
    for name in fleet.pools:
        try:
            replicas[name] = compile_replica(fleet, name)
        except InputError as error:
            for problem in error.problems:
                inside = problem.key.removeprefix(f"pools.{name}").strip(".")
                place = ("pools", name, *(inside.split(".") if inside else ()))
                problems.append(document.problem(place, problem.what, problem.fix))
    if problems:
        raise InputError(problems)
    return fleet, replicas, document


def refuse_plans(fleet: Fleet, document: Document) -> None:
    """Raise InputError where there are no machines yet, or none for a service: the plan has to be made first."""
    from meritorder.problems import InputError

    first = "run `merit plan` first, which writes a fleet file a period"
    if not fleet.pools:
        raise InputError(document.problem((), "has no pools, only a plan", first))
    served = {pool.model for pool in fleet.pools.values()}
    without = {name: service.model for name, service in fleet.services.items() if service.model not in served}
    if without:
        raise InputError(
            document.problem(("services", name, "model"), f"no pool serves {model}, only the plan's offers", first)
            for name, model in without.items()
        )


def refuse_roles(fleet: Fleet, document: Document) -> None:
    """Raise InputError where pools have a role: one backend answers a request, prompt and all."""
    from meritorder.problems import InputError

    split = [name for name, pool in fleet.pools.items() if pool.role != "both"]
    if split:
        fix = "declare backends that split prompts from decoding behind one address as one pool without `role`"
        raise InputError(
            document.problem(("pools", name, "role"), f'is "{fleet.pools[name].role}", which is only simulated', fix)
            for name in split
        )


@contextmanager
def located(document: Document) -> Iterator[None]:
    """Problems of what a plan names get the line of the fleet file, where they have no line of a file of their own."""
    from dataclasses import replace
    from pathlib import Path

    from meritorder.problems import InputError

    try:
        yield
    except InputError as error:
        problems = []
        for problem in error.problems:
            key = problem.key.partition(": ")[0]
            own = Path(problem.where.rpartition(":")[0] or problem.where).is_file()
            line = document.where(tuple(key.split(".")))
            problems.append(problem if own or not key.startswith("plan.") else replace(problem, where=line))
        raise InputError(problems) from None
