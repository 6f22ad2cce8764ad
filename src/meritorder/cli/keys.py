"""`merit keys`: make, list, rotate and revoke the API keys of a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.serve.doors.store import Store

app = typer.Typer(add_completion=False)

FleetFile = Annotated[str, typer.Argument(help="Fleet file (YAML); says where the keys are.", show_default=False)]
KeyId = Annotated[str, typer.Argument(help="Id of the key, or its name where only one has it.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback(invoke_without_command=True)
def _keys(context: typer.Context) -> None:
    """Make, list, rotate and revoke the API keys of a gateway."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def create(
    fleet: FleetFile,
    name: Annotated[str, typer.Option(help="Whose key it is.", show_default=False)],
    tenant: Annotated[str, typer.Option(help="Keys of one tenant wait in one line. [default: the name]")] = "",
    weight: Annotated[float, typer.Option(help="The tenant's part where tenants wait for one another.")] = 1.0,
    service: Annotated[list[str] | None, typer.Option(help="Only these services; may be repeated.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only these model names; may be repeated.")] = None,
    rpm: Annotated[int | None, typer.Option(help="Most requests in a minute.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Most tokens in a minute, prompt and output.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Budget: most tokens in a period, prompt and output.")] = None,
    usd: Annotated[float | None, typer.Option(help="Budget: most USD in a period.")] = None,
    per: Annotated[str, typer.Option(help="Period of the budgets: day, month (UTC) or ever.")] = "month",
    expires: Annotated[str | None, typer.Option(help="Opens nothing any more after this time, e.g. `90 d`.")] = None,
    as_json: Json = False,
) -> None:
    """Make an API key and print it, this once: only its hash is kept."""
    from meritorder.cli.output import console, print_json
    from meritorder.problems import InputError, Problem

    described, store = _open(fleet)
    _check_services(described, service or [])
    wanted = {
        "name": name,
        "tenant": tenant,
        "weight": weight,
        "services": tuple(service or ()),
        "models": tuple(model or ()),
        "rpm": rpm,
        "tpm": tpm,
        "budget_tokens": tokens,
        "budget_usd": usd,
        "budget_period": per,
        "lifetime_s": None if expires is None else _seconds(expires, "--expires"),
    }
    try:
        made = store.create(wanted)
    except InputError as error:  # told of its fields; here they are options
        told = (
            Problem(one.what, f"--{_OPTIONS.get(one.key, one.key)}", fix=one.fix) if one.key else one
            for one in error.problems
        )
        raise InputError(told) from None
    if as_json:
        print_json(made)
        return
    _print_secret(made)
    if described.gateway.keys == "off":
        console().print("note: this gateway asks for no keys yet; set `keys: required` under `gateway`", style="yellow")


@app.command("list")
def list_(fleet: FleetFile, as_json: Json = False) -> None:
    """List the keys: what each may use, and what it used. Their secrets are not kept."""
    from meritorder.cli.output import print_json, results

    keys = _open(fleet)[1].listed()
    if as_json:
        print_json({"keys": keys})
    else:
        results().print(_keys_table(keys))


@app.command()
def rotate(
    fleet: FleetFile,
    key: KeyId,
    grace: Annotated[str, typer.Option(help="How long the old secret still opens.")] = "0 s",
    as_json: Json = False,
) -> None:
    """Give a key a new secret and print it, this once. Limits, budgets and what was used stay."""
    from meritorder.cli.output import print_json

    made = _open(fleet)[1].rotate(key, _seconds(grace, "--grace"))
    if as_json:
        print_json(made)
    else:
        _print_secret(made)


@app.command()
def revoke(fleet: FleetFile, key: KeyId) -> None:
    """Revoke a key: running gateways let it in no more after two seconds."""
    from meritorder.cli.output import console

    _open(fleet)[1].revoke(key)
    console().print(f"{key} is revoked")


def _open(path: str) -> tuple[Fleet, Store]:
    """A fleet file and its gateway's keys. Raises InputError."""
    from pathlib import Path

    from meritorder.fleet.load import load
    from meritorder.serve.doors.store import Store

    fleet = load(path)
    return fleet, Store(fleet.gateway.database, Path(path).parent)


def _check_services(fleet: Fleet, names: list[str]) -> None:
    from meritorder.problems import InputError, Problem, did_you_mean

    wrong = [name for name in names if name not in fleet.services]
    if wrong:
        raise InputError(
            Problem(f'there is no service "{name}"', "--service", fix=did_you_mean(name, fleet.services))
            for name in wrong
        )


def _seconds(text: str, option: str) -> float:
    from meritorder.problems import InputError, Problem
    from meritorder.units import parse

    try:
        seconds = parse(text, "s")
    except InputError as error:
        raise InputError(Problem(one.what, option, fix=one.fix) for one in error.problems) from None
    if seconds < 0:
        raise InputError(Problem(f"is {text}", option, fix="give 0 s or more"))
    return seconds


def _print_secret(key: Mapping[str, Any]) -> None:
    """The secret alone on stdout, so that it can be taken from there; the rest on stderr."""
    import sys

    from meritorder.cli.output import console

    console().print(f"{key['id']} for {key['name']}; keep this, it is not shown again:", markup=False)
    sys.stdout.write(f"{key['key']}\n")


def _keys_table(keys: list[Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table

    columns = ("id", "name", "tenant", "may use", "limits", "budget", ">spent", ">requests", "last used", "state")
    result = table("API keys", columns)
    for key in keys:
        result.add_row(
            key["id"],
            key["name"],
            key["tenant"],
            ", ".join([*key["services"], *key["models"]]) or "all",
            _joined((key["rpm"], "requests/min"), (key["tpm"], "tokens/min")),
            _joined((key["budget_tokens"], "tokens"), (key["budget_usd"], "USD"), end=_PER[key["budget_period"]]),
            f"{key['spent_tokens']:,} tokens\n{key['spent_usd']:,.2f} USD",
            f"{key['requests']:,}",
            _day(key["last_used"]) or "never",
            _state(key),
        )
    return result


_OPTIONS = {"budget_tokens": "tokens", "budget_usd": "usd", "budget_period": "per", "lifetime_s": "expires"}
_PER = {"day": " a day", "month": " a month", "ever": ""}


def _joined(*limits: tuple[float | None, str], end: str = "") -> str:
    return ",\n".join(f"{limit:,.12g} {unit}{end}" for limit, unit in limits if limit) or "-"


def _state(key: Mapping[str, Any]) -> str:
    import time

    if key["revoked"]:
        return f"revoked {_day(key['revoked'])}"
    if key["expires"]:
        over = key["expires"] <= time.time()
        return f"{'expired' if over else 'until'} {_day(key['expires'])}"
    return "valid"


def _day(wall: float | None) -> str:
    from datetime import UTC, datetime

    return "" if wall is None else f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d}"
