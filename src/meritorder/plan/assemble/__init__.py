"""From fleet, demand, capacities and sites to the planning problem as arrays."""

from meritorder.plan.assemble.instance import assemble as assemble
from meritorder.plan.assemble.pools import expected_pools as expected_pools
from meritorder.plan.assemble.pools import pools_of as pools_of
