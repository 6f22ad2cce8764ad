"""`merit plan FLEET`: from demand over years to a build that is optimised, and proven by simulation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.plan.planned import Planned
    from meritorder.plan.state import State

NOT_PROVEN, NO_PLAN = 1, 3  # exit codes


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML) with a `plan`.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for schedule, fleets and report.", show_default=False)
    ] = None,
    proof: Annotated[bool, typer.Option("--proof/--no-proof", help="Simulate the plan's worst hours.")] = True,
    studies: Annotated[
        bool, typer.Option("--studies/--no-studies", help="Sensitivities, alternatives, prices, regret.")
    ] = True,
    from_state: Annotated[
        Path | None,
        typer.Option(help="Go on from what was built and ordered: `state.yaml` of a plan.", show_default=False),
    ] = None,
    hours: Annotated[
        int | None,
        typer.Option(min=1, max=25, help="Hours of the day that the optimisation looks at.", show_default=False),
    ] = None,
    gap: Annotated[float, typer.Option(min=0.0, max=0.5, help="Stop so near to the bound.")] = 0.005,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same plan.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Of the solver and of simulations side by side.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Plan what to install where and when, and prove it.

    What systems carry is simulated, the build is optimised over sites, suppliers and scenarios, checked in every hour,
    and its worst hours are simulated request by request. Ends with 0; with 1 where a plan was found whose proof doesn't
    hold; with 3 where no plan keeps all limits, and says which of them conflict.
    """
    from functools import partial

    from meritorder.cli.output import console, print_json, progress
    from meritorder.cli.plan_tables import print_conflict, print_plan
    from meritorder.plan.outputs.told import plain, told
    from meritorder.plan.plan import Wanted, plan
    from meritorder.plan.planned import NoPlan

    loaded, state = _load(fleet, from_state, output)
    wanted = Wanted(prove=proof, studies=studies, hours=hours, gap=gap, threads=threads, seed=seed)
    try:
        planned = plan(loaded, wanted, state=state, stage=partial(progress, quiet=as_json))
    except NoPlan as none:
        if as_json:
            print_json({"plan": None, "conflict": plain(none.conflict)})
        else:
            print_conflict(none.conflict)
        return NO_PLAN
    found = told(planned)
    if output:
        with progress("writing", as_json):
            found["report"] = str(_write(output, found, planned, Path(fleet)))
    if as_json:
        print_json(found)
    else:
        print_plan(found)
        if output:
            console().print(f"report: {found['report']}", markup=False, soft_wrap=True)
    return 0 if planned.certificate is None or planned.certificate.holds else NOT_PROVEN


def _load(fleet: str, from_state: Path | None, output: Path | None) -> tuple[Fleet, State | None]:
    """The fleet, and the state to go on from. All that can be wrong is found before the long work."""
    from meritorder.cli.fleets import located
    from meritorder.fleet.load import load_with_lines
    from meritorder.plan.demand import demand_of
    from meritorder.plan.files import ours
    from meritorder.plan.horizon import of
    from meritorder.plan.rolling import rest_of
    from meritorder.plan.state import read_state
    from meritorder.problems import InputError
    from meritorder.simulate.folder import check_folder

    loaded, document = load_with_lines(fleet)
    if loaded.plan is None:
        raise InputError(document.problem(("plan",), "is missing: nothing to plan", "see docs/plan.md for its keys"))
    with located(document):
        demand_of(loaded)
    state = None
    if from_state is not None:
        state = read_state(from_state, loaded)
        rest_of(of(loaded.plan), state, str(from_state))
    if output:
        check_folder(output, ours)
    return loaded, state


def _write(folder: Path, found: dict[str, Any], planned: Planned, fleet: Path) -> Path:
    """Everything into the folder, at once or not at all."""
    from meritorder.plan.files import REPORT, ours, write_plan
    from meritorder.plan.outputs.fleets import fleets_of
    from meritorder.plan.state import state_of
    from meritorder.report.plan.page import render
    from meritorder.simulate.folder import replacing_folder

    page = render(found, " ".join(["merit", *sys.argv[1:]]), fleet.read_text(encoding="utf-8"))
    starts = found["horizon"]["starts"]
    state = state_of(planned.fleet, starts[1] if len(starts) > 1 else starts[0], planned.orders, planned.before)
    fleets = fleets_of(planned)
    with replacing_folder(folder, ours) as staging:
        write_plan(staging, found, planned, state, fleets, page)
    return folder / REPORT
