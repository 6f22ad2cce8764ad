"""`merit policies`: the dispatch policies, their parameters and where they come from."""

from __future__ import annotations

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the dispatch policies with their parameters and sources."""
    from rich.text import Text

    from meritorder.cli.output import print_json, results, table
    from meritorder.fleet.dispatch import POLICIES

    facts = {
        name: {
            "what": (cls.__doc__ or "").strip().splitlines()[0],
            "parameters": {
                key: {"default": field.default, "what": field.description}
                for key, field in cls.model_fields.items()
                if key != "policy"
            },
        }
        for name, cls in POLICIES.items()
    }
    if as_json:
        print_json(facts)
        return
    shown = table("Dispatch policies", ("policy", "parameter", ">default", "what it does"))
    for name, fact in facts.items():
        shown.add_row(Text(name, style="bold"), "", "", Text(str(fact["what"])))
        for key, parameter in fact["parameters"].items():  # type: ignore[attr-defined]
            shown.add_row("", key, str(parameter["default"]), Text(parameter["what"]))
    results().print(shown)
    results().print(Text("Formulas and sources: docs/policies.md"), style="dim")
