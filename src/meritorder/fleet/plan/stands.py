"""Where offers can stand: the coolant of blocks, and suppliers that contracts and policies name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from meritorder.catalog.accelerator import Accelerator
from meritorder.fleet.cooling import Coolant
from meritorder.fleet.document import KeyPath
from meritorder.fleet.fault import Fault
from meritorder.fleet.plan.ground import Ground
from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.plan.plan import Plan
from meritorder.problems import did_you_mean


def coolant_of(offer: Offer, machine: Accelerator) -> Coolant:
    """What a system is cooled by."""
    return offer.coolant or machine.loop[0]


def supplier_of(offer: Offer, machine: Accelerator) -> str:
    """Who sells it; the accelerator's name where nobody is known."""
    return offer.supplier or machine.vendor or offer.accelerator


def nameplate_of(offer: Offer, machine: Accelerator) -> float:
    """Most IT power of one system, W."""
    return offer.chips * machine.max if offer.power is None else offer.power


def blocks_for(ground: Ground, coolant: Coolant) -> tuple[str, ...]:
    """Kinds of block that a machine may stand in: those of its coolant, else 21 C blocks where it takes 45 C."""
    own = tuple(name for name, block in ground.blocks.items() if block.coolant == coolant)
    if own or coolant != "liquid-45c":
        return own
    return tuple(name for name, block in ground.blocks.items() if block.coolant == "liquid-21c")


def stand_faults(plan: Plan, machines: Mapping[str, Accelerator], limited: Collection[str]) -> Iterator[Fault]:
    """Offers that no block suits, suppliers of nothing, parts of no limit; `limited`: sites whose building has one."""
    for name, offer in plan.offers.items():
        coolant = coolant_of(offer, machines[offer.accelerator])
        asked: dict[str, KeyPath] = {site: ("sites", index) for index, site in enumerate(offer.sites or ())}
        asked |= {site: ("standing", site) for site in offer.standing}
        for site, key in asked.items():
            if not blocks_for(plan.sites[site], coolant):
                fix = f"add a block with `coolant: {coolant}` there, or leave the site out"
                yield Fault(("plan", "offers", name, *key), f"{site} has no block for {coolant} machines", fix)
        if not asked and not any(blocks_for(ground, coolant) for ground in plan.sites.values()):
            fix = f"add a block with `coolant: {coolant}` to a site"
            yield Fault(("plan", "offers", name), f"can stand nowhere: no site has a block for {coolant}", fix)
    suppliers = {supplier_of(offer, machines[offer.accelerator]) for offer in plan.offers.values()}
    for name, contract in plan.contracts.items():
        if contract.supplier and contract.supplier not in suppliers:
            fix = did_you_mean(contract.supplier, suppliers)
            yield Fault(("plan", "contracts", name, "supplier"), f'nothing is offered by "{contract.supplier}"', fix)
    for supplier in plan.policy.supplier_share:
        if supplier != "default" and supplier not in suppliers:
            fix = did_you_mean(supplier, suppliers)
            path = ("plan", "policy", "supplier_share", supplier)
            yield Fault(path, f'nothing is offered by "{supplier}"', fix)
    for name, ground in plan.sites.items():
        if ground.curtailment and ground.grid is None and name not in limited:
            fix = "give the most power that the grid allows: `grid`"
            yield Fault(("plan", "sites", name, "curtailment"), "takes a part of a limit that isn't there", fix)
    if plan.policy.survive.curtailment and not any(ground.curtailment for ground in plan.sites.values()):
        what = "asks for what no site has: nobody curtails"
        fix = "give `curtailment` of a site, or leave this out"
        yield Fault(("plan", "policy", "survive", "curtailment"), what, fix)
