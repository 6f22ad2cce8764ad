"""What is asked of each service, by region, period, hour of the day and scenario."""

from meritorder.plan.demand.table import DemandTable as DemandTable
from meritorder.plan.demand.table import demand_of as demand_of
