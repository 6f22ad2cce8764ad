"""`merit catalog fit MODEL ACCELERATOR`: how many chips a model needs, what binds, how fast it is, with ranges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.catalog.accelerator import Accelerator
    from meritorder.catalog.model import ModelSpec
    from meritorder.fleet.speculation import Speculation
    from meritorder.perf.sizing import Size, Wish

USUAL_CONTEXT = 8192
READING = 5.0  # tok/s that people read
_WHERE = "merit catalog fit"


def command(
    model: Annotated[
        str, typer.Argument(help="Model of the catalog, Hugging Face id, or a config.json.", show_default=False)
    ],
    accelerator: Annotated[str, typer.Argument(help="Accelerator of the catalog.", show_default=False)],
    context: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens that a session holds in its KV cache (8192, or all that the model can)."),
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, max=1_000_000, help="Sessions held at the same time.")] = 1,
    weights: Annotated[str, typer.Option(help="Number format of the weights; the model's own if absent.")] = "",
    kv: Annotated[str, typer.Option(help="Number format of the KV cache: fp16 or fp8.")] = "fp16",
    draft_tokens: Annotated[int, typer.Option(min=0, max=16, help="Speculative decoding: tokens drafted.")] = 0,
    acceptance: Annotated[float, typer.Option(min=0, max=1, help="Its acceptance per drafted token.")] = 0.75,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how many chips a model needs for so many sessions, what binds, and how fast they are.

    Figures that nobody has published are ranges, and what follows from them is given from low to high.
    """
    from meritorder.cli.output import print_json
    from meritorder.fleet.speculation import Speculation
    from meritorder.perf.sizing import Wish, size_range

    _check_order(model, accelerator)
    chip, shape = _machine(accelerator), _shape(model)
    context = min(USUAL_CONTEXT, shape.max_context) if context is None else context
    _check(shape, model, context, weights, kv)
    drafts = Speculation(draft_tokens=draft_tokens, acceptance=(acceptance,)) if draft_tokens else None
    wish = Wish(shape, context, sessions, weights or shape.weights, kv, drafts)
    facts = describe(model, accelerator, chip, wish, *size_range(chip, wish))
    if as_json:
        print_json(facts)
    else:
        _print(facts, chip)


def describe(
    model: str, accelerator: str, chip: Accelerator, wish: Wish, told: Size, bad: Size, good: Size
) -> dict[str, Any]:
    """All that is said, SI units; `low` and `high` stand beside what leans on a range."""
    figures: dict[str, list[float]] = {
        "chips": [one.chips for one in (told, bad, good)],
        "tok_s_per_user": [one.user_loaded for one in (told, bad, good)],
        "tok_s_per_user_alone": [one.user_alone for one in (told, bad, good)],
        "tok_s_total": [one.user_loaded * wish.sessions for one in (told, bad, good)],
        "sessions_that_fit": [one.sessions_that_fit for one in (told, bad, good)],
        "sessions_that_fill_the_pipeline": [one.busy_sessions for one in (told, bad, good)],
        "idle_w": [one.idle_w for one in (told, bad, good)],
        "max_w": [one.max_w for one in (told, bad, good)],
        "usd_per_hour": [one.usd_per_hour for one in (told, bad, good)],
    }
    facts: dict[str, Any] = {
        "model": model,
        "accelerator": accelerator,
        "context": wish.context,
        "sessions": wish.sessions,
        "weights": wish.weights,
        "kv": wish.kv,
        "speculation": _speculation(wish.speculation),
        "binds": told.binds,
        "chips_for_weights": told.least_chips,
        "tensor": told.tensor,
        "data_parallel": told.data,
        "expert_parallel": told.expert,
        "pipeline": told.pipeline,
        "replicas": told.replicas,
        "weight_bytes": wish.model.weight_bytes(wish.weights),
        "session_bytes": told.session_bytes,
        **{name: {"value": v[0], "low": min(v), "high": max(v)} for name, v in figures.items()},
        "ranges": {key: {"low": span.low, "high": span.high} for key, span in chip.ranges.items()},
    }
    if chip.kind == "wafer":
        asked = 2 * chip.hop  # the request for a session and its first bytes cross the network
        facts["parked"] = {
            "sessions": int(chip.wafer.kv_node * told.chips // told.session_bytes),
            "return_s": asked + told.session_bytes / told.pipeline / chip.wafer.kv_node_link,
            "return_s_one_link": asked + told.session_bytes / chip.wafer.kv_node_link,
        }
    return facts


def _speculation(speculation: Speculation | None) -> dict[str, Any] | None:
    return speculation.model_dump() | {"tokens_per_pass": speculation.tokens_per_pass} if speculation else None


def _machine(name: str) -> Accelerator:
    from meritorder.catalog.load import accelerators, incomplete
    from meritorder.cli.catalog_names import not_there
    from meritorder.problems import InputError, Problem, did_you_mean

    known = accelerators()
    if name.lower() in known:
        return known[name.lower()]
    if name.lower() in incomplete():
        what = f"{name} can't be computed: nobody has published its {incomplete()[name.lower()]}"
        raise InputError(Problem(what, _WHERE, fix=did_you_mean(name, known)))
    raise InputError(not_there(name, "accelerator", known, _WHERE))


def _shape(name: str) -> ModelSpec:
    from meritorder.catalog.huggingface import read_config
    from meritorder.catalog.load import models
    from meritorder.cli.catalog_names import known_model, not_there
    from meritorder.problems import InputError

    if name.endswith(".json"):
        return read_config(Path(name))
    known = known_model(name)
    if known is None:
        raise InputError(not_there(name, "model", models(), _WHERE))
    return models()[known]


def _check_order(model: str, accelerator: str) -> None:
    """Raises InputError where the two are given the other way round."""
    from meritorder.catalog.load import accelerator_entries
    from meritorder.cli.catalog_names import known_model
    from meritorder.problems import InputError, Problem

    is_model = accelerator.endswith(".json") or known_model(accelerator) is not None
    if model.lower() in accelerator_entries() and is_model:
        fix = f"`merit catalog fit {accelerator} {model}`"
        raise InputError(Problem(f"{model} and {accelerator} are the wrong way round", _WHERE, fix=fix))


def _check(shape: ModelSpec, model: str, context: int, weights: str, kv: str) -> None:
    from meritorder.catalog.formats import KV_BYTES, WEIGHT_BYTES
    from meritorder.problems import InputError, Problem

    problems = []
    for name, value, known in (("--weights", weights, WEIGHT_BYTES), ("--kv", kv, KV_BYTES)):
        if value and value not in known:
            problems.append(Problem(f'there is no format "{value}"', key=name, fix=f"give one of {', '.join(known)}"))
    if context > shape.max_context:
        what = f"is {context:,} tokens, {model} has {shape.max_context:,}"
        problems.append(Problem(what, key="--context", fix=f"give at most {shape.max_context}"))
    if problems:
        raise InputError(problems)


def _print(facts: dict[str, Any], chip: Accelerator) -> None:
    from rich.text import Text

    from meritorder.cli.output import console, results, table
    from meritorder.units import show

    def power(watts: float) -> str:
        return show(watts, "W", 3)

    def spanned(name: str, write: Any) -> tuple[str, str]:
        figure = facts[name]
        value, low, high = (write(figure[key]) for key in ("value", "low", "high"))
        return value, "" if low == high else f"{low} to {high}"

    rows = [
        ("chips", *spanned("chips", lambda n: f"{n:,}")),
        ("as", f"{_layout(facts, chip)}; {facts['chips_for_weights']:,} needed for the weights alone", ""),
        ("what binds", facts["binds"], ""),
        ("weights", f"{show(facts['weight_bytes'], 'B', 3)} {facts['weights']}", ""),
        ("KV cache of a session", show(facts["session_bytes"], "B", 3), ""),
        ("sessions that fit", *spanned("sessions_that_fit", lambda n: f"{n:,}")),
        ("sessions that keep all stages busy", *spanned("sessions_that_fill_the_pipeline", lambda n: f"{n:,}")),
        ("tok/s of a lone user", *spanned("tok_s_per_user_alone", lambda v: f"{v:,.0f}")),
        ("tok/s of a user, all decoding", *spanned("tok_s_per_user", lambda v: f"{v:,.1f}")),
        ("tok/s in all", *spanned("tok_s_total", lambda v: f"{v:,.0f}")),
        ("power, all chips idle", *spanned("idle_w", power)),
        ("power, all chips at most", *spanned("max_w", power)),
        ("USD/h without energy", *spanned("usd_per_hour", lambda v: f"{v:,.2f}")),
    ]
    if "parked" in facts:
        parked = facts["parked"]
        back = f"{show(parked['return_s'], 's', 2)} to {show(parked['return_s_one_link'], 's', 2)}"
        rows.append(("sessions parked in DDR", f"{parked['sessions']:,}, one comes back in {back}", ""))
    title = (
        f"{facts['model']} on {chip.title or facts['accelerator']}: {facts['sessions']:,} x {facts['context']:,} tokens"
    )
    shown = table(title, ("", "figure", "low to high"))
    for row in rows:
        shown.add_row(*row)
    results().print(shown)
    if facts["tok_s_per_user"]["value"] < READING:
        words = (
            f"these chips hold {facts['sessions']:,} sessions, but with all of them decoding at once a user gets less "
            f"than the {READING:.0f} tok/s that people read; fewer at once are faster, and so are more chips"
        )
        console().print(Text(f"note: {words}", style="dim"), soft_wrap=True)
    if facts["ranges"]:
        words = (
            f"ranges of {facts['accelerator']}: {', '.join(facts['ranges'])}; `merit catalog show` has their sources"
        )
        console().print(Text(f"note: {words}", style="dim"), soft_wrap=True)


def _layout(facts: dict[str, Any], chip: Accelerator) -> str:
    """How the chips are shared out, in words."""
    if chip.kind == "wafer":
        return f"{facts['replicas']:,} x {facts['pipeline']} wafers"
    words = f"{facts['replicas']:,} x "
    words += f"{facts['pipeline']} stages of " if facts["pipeline"] > 1 else ""
    words += f"tensor {facts['tensor']}"
    words += f" x data {facts['data_parallel']}" if facts["data_parallel"] > 1 else ""
    return words + (f", expert {facts['expert_parallel']}" if facts["expert_parallel"] > 1 else "")
