"""Our plan beside simpler ways of ordering machines, on the same instance and price list, judged by one full check.

`python -m bench plan_baselines` takes the synthetic instance and the closet; `python -m bench.plan_baselines
FLEET.yaml ...` prints the table of any fleet files with a `plan`.
"""

from __future__ import annotations

from bench.child import ROOT
from bench.plan_baselines.table import HEADER, instance_of, judged, row
from bench.planning_instance import planning_instance
from bench.section import Section

TEXT = """
The same price list and the same limits for everyone; what is planned is run through every hour of every scenario and
every contingency by the same check (`plan.check`). *Cost* is expected, discounted, with risk, and with unmet demand
at the price that the instance gives it; *paid* is without that. The others choose which machines are ordered when;
sites, blocks, placement and operation are then optimised within their orders as for our own plan, which is more than
they do for themselves: their costs are lower bounds. "Only X" may break the limit on supplier shares; what a contract
demands everybody takes. Melange's formulation is solved for each period by itself, at its expected busiest hour, four
slices a class.
"""


def measure(repeats: int) -> Section:
    """Both tables; the same input gives the same plan, so nothing is repeated."""
    section = Section("Plans against simpler ways of ordering", TEXT, ["instance", *HEADER])
    closet, small = instance_of(ROOT / "examples" / "closet" / "closet.yaml")
    for instance, full, fleet in (("synthetic", planning_instance(5), None), ("closet", small, closet)):
        plans = list(judged(full, fleet))
        for one in plans:
            section.raw[f"{instance}: {one.name}"] = [one.objective, one.paid, one.unmet]
            section.rows.append([instance, *row(one, plans[0])])
    return section
