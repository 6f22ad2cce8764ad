"""`merit catalog`: the machines, models, climates and grids that fleet files may name, and where each is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from meritorder.cli import catalog_fit

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class _ListFirst(TyperGroup):
    """`merit catalog ...` without a sub-command is `merit catalog list ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        named = args and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["list", *args])


app = typer.Typer(add_completion=False, cls=_ListFirst)


app.command("fit")(catalog_fit.command)


@app.callback()
def _catalog() -> None:
    """List what fleet files may name: machines, models, climates, grids; show one with every figure and its source.

    `merit catalog WORDS` lists those in which all words occur.

    To choose: --models, --accelerators, --climates, --failures, --kind, --vendor, --min-memory; more in
    `merit catalog list --help`.
    """


@app.command("list")
def list_(
    words: Annotated[list[str] | None, typer.Argument(help="Words that must all occur.", show_default=False)] = None,
    models: Annotated[bool, typer.Option("--models", help="Models only.")] = False,
    accelerators: Annotated[bool, typer.Option("--accelerators", help="Accelerators only.")] = False,
    climates: Annotated[bool, typer.Option("--climates", help="Climates and grids only.")] = False,
    failures: Annotated[bool, typer.Option("--failures", help="How often things break only.")] = False,
    kind: Annotated[
        str,
        typer.Option(help="gpu, wafer, tpu, asic, sram, dataflow; dense, moe, mla, sparse, window, chunked, linear."),
    ] = "",
    vendor: Annotated[str, typer.Option(help="Accelerators of this vendor.")] = "",
    min_memory: Annotated[str, typer.Option(help="Accelerators with at least so much memory, e.g. `100 GB`.")] = "",
    as_json: Json = False,
) -> None:
    """List machines, models, climates, grids and rates of failures (the default)."""
    from meritorder.cli.catalog_climates import climate_rows, grid_rows, print_places
    from meritorder.cli.catalog_failures import failure_rows, print_failures
    from meritorder.cli.output import print_json

    chosen = models or accelerators or bool(kind or vendor or min_memory)
    machines = [] if models or climates or failures else _machines(words or [], kind, vendor, min_memory)
    others = accelerators or climates or failures or vendor or min_memory
    known = [] if others else _models(words or [], kind)
    places, markets = (
        [] if chosen or failures else _with_words(words or [], rows) for rows in (climate_rows(), grid_rows())
    )
    rates = [] if chosen or climates else _with_words(words or [], failure_rows())
    if not (machines or known or places or markets or rates):
        _nothing_fits(words or [], kind, vendor)
    if as_json:
        print_json({"accelerators": machines, "models": known, "climates": places, "grids": markets, "failures": rates})
        return
    from meritorder.cli.catalog_tables import print_list

    print_places(places, markets)
    if rates:
        print_failures(rates)
    if machines or known:
        print_list(machines, known)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(help="Name in the catalog, Hugging Face id, or a config.json.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Show one machine, model, climate, grid or kind of fault with every figure, its source, date and range."""
    from meritorder.catalog.load import accelerator_entries
    from meritorder.cli.catalog_climates import place_facts, print_place
    from meritorder.cli.catalog_facts import accelerator_facts
    from meritorder.cli.catalog_failures import failure_facts, print_failure
    from meritorder.cli.output import print_json

    place = place_facts(name.lower())
    if place:
        if as_json:
            print_json(place)
        else:
            print_place(place)
        return
    fault = failure_facts(name.lower())
    if fault:
        if as_json:
            print_json(fault)
        else:
            print_failure(fault)
        return
    if name.lower() in accelerator_entries():
        machine = accelerator_facts(name.lower())
        if not as_json:
            from meritorder.cli.catalog_tables import print_accelerator

            print_accelerator(machine)
            return
        print_json(machine)
        return
    model = _model(name)
    if as_json:
        print_json(model)
        return
    from meritorder.cli.catalog_model import print_model

    print_model(model)


def _machines(words: Sequence[str], kind: str, vendor: str, min_memory: str) -> list[dict[str, Any]]:
    from meritorder.catalog.load import accelerator_entries
    from meritorder.cli.catalog_facts import accelerator_row
    from meritorder.problems import InputError, Problem
    from meritorder.units import parse

    try:
        least = parse(min_memory, "B") if min_memory else 0.0
    except InputError as error:
        raise InputError([Problem(p.what, "--min-memory", fix=p.fix) for p in error.problems]) from None
    rows = [accelerator_row(name) for name in accelerator_entries()]
    return [
        row
        for row in rows
        if _has(words, (row["name"], row["title"], row["vendor"], row["family"], row["status"], row["coolant"]))
        and (not kind or kind.lower() in (row["kind"], row["family"]))
        and (not vendor or vendor.lower() in row["vendor"].lower())
        and (row["memory"] or 0.0) >= least
    ]


def _with_words(words: Sequence[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if _has(words, (row["name"], row["title"]))]


def _models(words: Sequence[str], kind: str) -> list[dict[str, Any]]:
    from meritorder.catalog.load import model_source, models
    from meritorder.cli.catalog_facts import model_row

    rows = [{**model_row(name, model), "confidence": model_source(name).confidence} for name, model in models().items()]
    return [
        row
        for row in rows
        if _has(words, (row["name"], row["title"], row["weights"], *row["kinds"]))
        and (not kind or kind.lower() in row["kinds"])
    ]


def _has(words: Sequence[str], texts: Sequence[str]) -> bool:
    text = " ".join(texts).lower()
    return all(word.lower() in text for word in words)


def _nothing_fits(words: Sequence[str], kind: str, vendor: str) -> None:
    from meritorder.catalog.load import accelerator_entries, models
    from meritorder.problems import InputError, Problem, did_you_mean

    if words:
        what = f'nothing in the catalog fits "{" ".join(words)}"'
        fix = did_you_mean(words[0], [*accelerator_entries(), *models(), "show", "list", "fit"])
        raise InputError(
            Problem(what, where="merit catalog", fix=fix if fix.startswith("did") else "see `merit catalog`")
        )
    wanted = " and ".join(f'{key} "{value}"' for key, value in (("kind", kind), ("vendor", vendor)) if value)
    raise InputError(Problem(f"nothing in the catalog has {wanted or 'so much memory'}", where="merit catalog"))


def _model(name: str) -> dict[str, Any]:
    from pathlib import Path

    from meritorder.catalog.huggingface import read_config
    from meritorder.catalog.load import accelerator_entries, models
    from meritorder.cli.catalog_facts import model_facts, model_provenance
    from meritorder.cli.catalog_names import known_model, not_there
    from meritorder.problems import InputError

    if name.endswith(".json"):
        return {**model_facts(name, read_config(Path(name))), "source": name, "published": {}}
    known = known_model(name)
    if known is None:
        raise InputError(not_there(name, "", [*accelerator_entries(), *models()], "merit catalog show"))
    return {**model_facts(known, models()[known]), **model_provenance(known)}
