"""What may be lost at once: a site, all machines of a supplier, a power feed of a described building."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.fleet.faults import FaultAt
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.simulate.contingency.window import Window
from meritorder.simulate.faults.places import vendor_of

KINDS = ("site", "supplier", "feed")


@dataclass(frozen=True)
class Contingency:
    """One loss. `what` and `owner` as in a fault of the fleet file; `name` is what people call it."""

    name: str
    what: str
    owner: str
    number: int = 0

    def fault(self, window: Window) -> FaultAt:
        """It at the middle of the window's peak."""
        return FaultAt.model_validate(
            {
                "what": self.what,
                "name": self.owner,
                "number": self.number,
                "start": window.loss_s,
                "duration": window.outage_s,
            }
        )


def contingencies(fleet: Fleet, wanted: str = "all") -> list[Contingency]:
    """All that `wanted` means: `all`, `site`, `supplier`, `feed`, or names with commas (a feed's is `SITE feed 0`).

    Raises InputError where nothing in the fleet is called so.
    """
    every = [
        *_sites(fleet),
        *(Contingency(vendor, "supplier", vendor) for vendor in _vendors(fleet)),
        *_feeds(fleet),
    ]
    if wanted == "all":
        return every
    if wanted in KINDS:
        found = [one for one in every if one.what == wanted]
        if not found:
            fix = {
                "feed": "describe a building under `sites.NAME.facility`",
                "supplier": "give written-out accelerators a `vendor`",
            }
            raise InputError(Problem(f"the fleet has no {wanted}", "--contingency", fix=fix.get(wanted, "")))
        return found
    names = {one.name: one for one in every}
    asked = [name.strip() for name in wanted.split(",")]
    problems = [
        Problem(
            f'the fleet has nothing called "{name}" to lose', "--contingency", fix=did_you_mean(name, _words(names))
        )
        for name in asked
        if name not in names
    ]
    if problems:
        raise InputError(problems)
    return [names[name] for name in dict.fromkeys(asked)]


def _sites(fleet: Fleet) -> list[Contingency]:
    used = {pool.site for pool in fleet.pools.values()}
    return [Contingency(site, "site", site) for site in fleet.sites if site in used]


def _vendors(fleet: Fleet) -> list[str]:
    return [vendor for vendor in dict.fromkeys(vendor_of(fleet, pool) for pool in fleet.pools) if vendor]


def _feeds(fleet: Fleet) -> list[Contingency]:
    return [
        Contingency(f"{name} feed {number}", "feed", name, number)
        for name, site in fleet.sites.items()
        if site.facility is not None
        for number in range(site.facility.power.feeds)
    ]


def _words(names: dict[str, Contingency]) -> list[str]:
    return ["all", *KINDS, *names]
