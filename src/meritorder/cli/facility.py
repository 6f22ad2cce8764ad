"""`merit facility FLEET`: what each building draws by load and weather, what it carries, how long it rides through."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML).", show_default=False)],
    site: Annotated[str, typer.Option("--site", help="Only this one.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what the buildings of a fleet draw, lose and carry, without a simulation.

    PUE, water and compressors by IT load over the year of the place, the design day and the IT power carried on it,
    losses by stage, and the seconds until batteries are empty or machines too warm. No traffic is needed: every row
    runs at the same part of its nameplate.
    """
    from meritorder.cli.facility_tables import print_building, print_without
    from meritorder.cli.fleets import load_with_document
    from meritorder.cli.output import print_json, progress
    from meritorder.facility.steady import building_facts
    from meritorder.problems import InputError, Problem, did_you_mean

    loaded, replicas, _ = load_with_document(fleet)
    if site and site not in loaded.sites:
        fix = did_you_mean(site, loaded.sites)
        raise InputError(Problem(f'there is no site "{site}"', "merit facility", "--site", fix=fix))
    names = [site] if site else list(loaded.sites)
    facts: dict[str, Any] = {}
    for name in names:
        spec = loaded.sites[name]
        if spec.facility is None or not any(pool.site == name for pool in loaded.pools.values()):
            facts[name] = {"pue": spec.pue if spec.facility is None else None}
            continue
        with progress(f"a year of {name}", quiet=as_json) as advance:
            facts[name] = building_facts(loaded, list(replicas.values()), name, advance)
    if as_json:
        print_json({"fleet": loaded.name, "sites": facts})
        return
    for name, known in facts.items():
        if "by_load" in known:
            print_building(name, known)
        else:
            print_without(name, known)
