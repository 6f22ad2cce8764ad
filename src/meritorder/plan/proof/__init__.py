"""The proof: a plan's fleets on their traffic, request by request; capacities are corrected by what comes of it."""

from meritorder.plan.proof.certificate import Certificate as Certificate
from meritorder.plan.proof.fleets import FleetFile as FleetFile
from meritorder.plan.proof.fleets import fleet_at as fleet_at
from meritorder.plan.proof.proving import prove as prove
from meritorder.plan.proof.proving import prove_until as prove_until
