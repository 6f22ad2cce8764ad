"""What each pool has to stand somewhere: so many systems of such a size, power and coolant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meritorder.catalog.housing import Coolant, Housing, cooled_by
from meritorder.fleet.halls import Spread
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica


@dataclass(frozen=True)
class Stand:
    """The systems of one pool. A system that fills several racks counts as that many."""

    pool: str
    index: int  # of the pool in the fleet
    site: str
    machine: str  # name of its accelerator, or "measured"
    coolant: Coolant
    supply_c: float  # warmest supply that it takes
    watts: float  # IT nameplate of a system: all its chips at their most
    air_share: float  # of its heat
    per_rack: int  # systems of a rack, if power and height allow
    units: int  # height of a system
    places: int  # in a row, of one rack
    replicas: int
    systems: int
    together: int  # systems of one replica
    shared: int  # replicas of one system
    spread: Spread

    @property
    def rack_watts(self) -> float:
        """IT nameplate of a full rack."""
        return self.per_rack * self.watts


def stands(fleet: Fleet, replicas: Mapping[str, Replica]) -> list[Stand]:
    """What every pool has to stand, in the fleet's order.

    Replicas that are smaller than a system share one, larger ones have systems of their own; a system counts whole,
    also where replicas leave chips of it unused.
    """
    found = []
    for index, (name, pool) in enumerate(fleet.pools.items()):
        replica = replicas[name]
        if pool.accelerator is None:
            # nothing is known of a measured machine's size: a replica is a node of its own
            housing, (coolant, supply) = Housing(system_chips=replica.accelerators), cooled_by("air", None)
        else:
            chip = fleet.accelerators[pool.accelerator]
            housing, (coolant, supply) = chip.stands, chip.loop
        chips, parts = housing.part_chips, housing.racks_per_system
        shared = max(1, chips // replica.accelerators)
        together = 1 if replica.accelerators <= chips else -(-replica.accelerators // housing.system_chips) * parts
        systems = pool.replicas * together if together > 1 else -(-pool.replicas // (shared * parts)) * parts
        found.append(
            Stand(
                pool=name,
                index=index,
                site=pool.site,
                machine=pool.accelerator or "measured",
                coolant=coolant,
                supply_c=supply,
                watts=chips * replica.max_w / replica.accelerators,
                air_share=housing.air_share,
                per_rack=housing.parts_per_rack,
                units=housing.rack_units,
                places=housing.rack_places,
                replicas=pool.replicas,
                systems=systems,
                together=together,
                shared=shared,
                spread=pool.spread,
            )
        )
    return found
