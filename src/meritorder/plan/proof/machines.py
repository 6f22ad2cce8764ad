"""Machines of a period's fleet file: the catalog's, with what offer and block say of them."""

from __future__ import annotations

from typing import Any

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import accelerators
from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.plan.stands import supplier_of
from meritorder.fleet.schema import Fleet
from meritorder.units import show


def machine_of(fleet: Fleet, offer: Offer) -> Accelerator:
    """The accelerator that an offer names: of the file, or of the catalog."""
    return fleet.accelerators.get(offer.accelerator) or accelerators()[offer.accelerator]


def machine_data(fleet: Fleet, offer_name: str, coolant: str) -> tuple[str, dict[str, Any] | None]:
    """Name under `accelerators` of an offer's machine in a block of class `coolant`, and its entry, if it needs one.

    It has an entry of its own where the offer says other figures than the catalog, or the block has a colder loop.
    """
    assert fleet.plan is not None
    offer = fleet.plan.offers[offer_name]
    chip = machine_of(fleet, offer)
    changes: dict[str, Any] = {}
    if offer.power is not None:
        most = offer.power / offer.chips
        changes |= {key: show(most, "W") for key in ("idle", "typical") if getattr(chip, key) > most}
        changes["max"] = show(most, "W")
    if (supplier := supplier_of(offer, chip)) != chip.vendor:
        changes["vendor"] = supplier
    if offer.coolant is not None:
        changes["coolant"] = offer.coolant
    if coolant != chip.loop[0]:
        changes["coolant"] = coolant
    if chip.kind == "gpu" and chip.stands.system_chips != offer.chips:
        changes["housing"] = {"system_chips": offer.chips}
    known = accelerators().get(offer.accelerator)
    own = known is None or known != chip
    if not changes:
        return offer.accelerator, _whole(chip) if own else None
    where = "" if changes.get("coolant") in (None, offer.coolant) else f" at {coolant}"
    below = _whole(chip) if own else {"base": offer.accelerator}
    if own and "housing" in changes:
        changes["housing"] = below.get("housing", {}) | changes["housing"]
    return f"{offer_name}{where}", below | changes


def _whole(chip: Accelerator) -> dict[str, Any]:
    written: dict[str, Any] = chip.model_dump(mode="json", exclude_unset=True)
    return written
