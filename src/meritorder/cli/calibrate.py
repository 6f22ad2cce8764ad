"""`merit calibrate URL`: a machine profile from a live endpoint, or from an engine's log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meritorder.calibrate.session import Estimate

_INPUTS = ("idle_w", "busy_w", "usd_per_hour")


def command(
    url: Annotated[str | None, typer.Argument(help="Endpoint, as http://127.0.0.1:8000.", show_default=False)] = None,
    log: Annotated[
        Path | None, typer.Option(help="An engine's iteration log, instead of an endpoint.", show_default=False)
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Who wrote the log: vllm, sglang, trtllm, llamacpp.", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask for; else the only one.", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The profile (YAML).")] = Path("profile.yaml"),
    key: Annotated[
        str | None, typer.Option(help="API key: env:NAME or file:PATH, never itself.", show_default=False)
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="Time for the sweep.")] = 3.0,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Put a Poisson load on it and compare.")] = True,
    check_minutes: Annotated[float, typer.Option(min=0.05, help="Time for the check, three loads together.")] = 3.0,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Most that a mean may differ in the check.")] = 0.1,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Sequences that it runs at a time.", show_default=False)
    ] = None,
    token_budget: Annotated[
        int | None, typer.Option(min=2, help="Most tokens in an iteration; else found out.", show_default=False)
    ] = None,
    context: Annotated[int | None, typer.Option(min=128, help="Most tokens of a request.", show_default=False)] = None,
    kv_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of KV cache.", show_default=False)] = None,
    idle_w: Annotated[float | None, typer.Option(min=0.0, help="Watts when idle.", show_default=False)] = None,
    busy_w: Annotated[float | None, typer.Option(min=0.0, help="Watts when busy.", show_default=False)] = None,
    usd_per_hour: Annotated[
        float | None, typer.Option(min=0.0, help="Cost of the machine, USD per hour.", show_default=False)
    ] = None,
    usd_per_mtok: Annotated[
        tuple[float, float], typer.Option(help="Price of a million prompt and output tokens, for the estimate.")
    ] = (0.0, 0.0),
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request counts as failed.")] = 120.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before it costs anything.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of prompts and of the sweep.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a machine from outside, and write a profile that fleet files can name.

    A sweep over batches, prompts and contexts, a fit, and a check under load. The endpoint should serve nobody else
    meanwhile. Exit code 1 when the check fails, and the profile is written all the same.
    """
    inputs = {name: v for name, v in zip(_INPUTS, (idle_w, busy_w, usd_per_hour), strict=True) if v is not None}
    _check_options(url, log, engine, inputs)
    if log is not None:
        from meritorder.calibrate.from_log import calibrate_log

        profile = calibrate_log(log, str(engine), kv_tokens, inputs, seed)
        _keep(output, profile)
    else:
        from meritorder.calibrate.session import Wanted
        from meritorder.cli.endpoints import address_of, headers_of

        wanted = Wanted(
            url=address_of(str(url)),
            model=model,
            headers=headers_of(key),
            sequences=slots,
            budget=token_budget,
            context=context,
            kv_tokens=kv_tokens,
            seconds=60.0 * minutes,
            check_seconds=60.0 * check_minutes if check else 0.0,
            tolerance=tolerance,
            usd_per_mtok=usd_per_mtok,
            inputs=inputs,
            timeout_s=timeout,
            seed=seed,
        )
        profile = _live(wanted, output, yes, as_json)
    _print(profile, output, as_json)
    if profile.get("check", {}).get("passed") is False:
        raise typer.Exit(1)


def _live(wanted: Any, output: Path, yes: bool, quiet: bool) -> dict[str, Any]:
    from meritorder.calibrate.session import calibrate
    from meritorder.cli.output import progress

    def agree(estimate: Estimate) -> bool:
        return _agree(estimate, yes)

    found = calibrate(wanted, agree, lambda label: progress(label, quiet), lambda profile: _keep(output, profile))
    if found is None:
        raise typer.Abort
    return found


def _agree(estimate: Estimate, yes: bool) -> bool:
    """Tell what it will cost, and ask unless that was answered before."""
    import sys

    from meritorder.cli.output import console
    from meritorder.problems import InputError, Problem

    console().print(in_words(estimate), markup=False, soft_wrap=True)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(Problem("asks before it costs anything", "merit calibrate", fix="agree with --yes"))
    return typer.confirm("go on?", default=True, err=True)


def in_words(estimate: Estimate) -> str:
    """`about 0.2 min sweep + 3 min check (225 + 1,540 requests), 25,511 prompt and 5,574 output tokens, 0.12 USD`."""
    tokens = f"{estimate.prompt_tokens:,} prompt and {estimate.output_tokens:,} output tokens"
    price = f", {estimate.usd:,.2f} USD" if estimate.usd else ""
    times, requests = f"{_minutes(estimate.sweep_s)} sweep", f"{estimate.sweep_requests:,}"
    if estimate.check_s:
        times, requests = f"{times} + {_minutes(estimate.check_s)} check", f"{requests} + {estimate.check_requests:,}"
    return f"about {times} ({requests} requests), {tokens}{price}"


def _minutes(seconds: float) -> str:
    minutes = f"{seconds / 60:,.1f}" if seconds >= 6 else f"{seconds / 60:.2g}"
    return f"{minutes.removesuffix('.0')} min"


def _keep(path: Path, profile: Mapping[str, Any]) -> None:
    from meritorder.calibrate.profile import write_profile

    write_profile(path, profile)


def _print(profile: dict[str, Any], path: Path, as_json: bool) -> None:
    from meritorder.cli.calibrate_tables import print_calibration, print_doubts
    from meritorder.cli.output import print_json

    if as_json:
        print_json({**profile, "written": str(path)})
    else:
        print_calibration(profile, path)
    print_doubts(profile)


def _check_options(url: str | None, log: Path | None, engine: str | None, inputs: Mapping[str, float]) -> None:
    from meritorder.calibrate.from_log import ENGINES
    from meritorder.problems import InputError, Problem, did_you_mean

    problems = []
    if (url is None) == (log is None):
        fix = "give an endpoint's address, or an engine's log with --log"
        problems.append(Problem("needs one thing to measure", "merit calibrate", fix=fix))
    if log is not None and engine not in ENGINES:
        what = "is not given" if engine is None else f'"{engine}" writes no log that is known'
        problems.append(Problem(what, "--engine", fix=did_you_mean(engine or "", ENGINES)))
    if inputs.get("busy_w", 0.0) < inputs.get("idle_w", 0.0):
        problems.append(Problem("is less than --idle-w", "--busy-w", fix="give as many watts or more"))
    if problems:
        raise InputError(problems)
