"""What is asked of each service, by region, period, hour of the day and scenario."""

from meritorder.plan.demand.table import DemandTable as DemandTable
from meritorder.plan.demand.table import demand_of as demand_of
from meritorder.plan.demand.table import region_of as region_of
