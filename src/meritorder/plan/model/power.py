"""Electrical and cooling limits in every situation.

IT_b = sum_{s,h in b} P0_h N_sh + sum_f e_f x_f
IT_b <= cooled_b(t,r) x block x (standing + b)           what its coolant carries away at that weather
P_b >= alpha_q(t,r) x block x (standing + b) + beta_q(t,r) IT_b      facility power, every piece q
sum_{b at s} P_b + charge - discharge <= grid_ts
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.linear import Index
from meritorder.plan.model.blocks import capacity_w
from meritorder.plan.model.draft import Draft


def power(draft: Draft) -> None:
    """Columns `it`, `facility`; rows of IT power, cooling, facility power and grid."""
    program, columns, sit, ground = draft.program, draft.columns, draft.situations, draft.instance.ground
    watts = draft.scale.watts
    exists = ground.block_most[sit.period] > 0  # [E,B]
    columns.it = program.variables(exists.shape, where=exists)
    columns.facility = program.variables(exists.shape, where=exists)
    _it(draft)
    known, each = capacity_w(draft)
    blocks, known = draft.at(columns.blocks), known[sit.period]
    cooled = ground.cooled[sit.period, sit.hour]
    draft.units["cooling"] = draft.units["grid"] = watts
    program.add(
        "cooling",
        [(1.0, columns.it), (-cooled * each, blocks)],
        shape=exists.shape,
        upper=cooled * known,
        where=exists,
    )
    pieces = ground.pieces[sit.period, sit.hour]  # [E,B,Q,2]
    real = (pieces != 0).any(axis=3)
    program.add(
        "facility",
        [
            (1.0, columns.facility[..., None]),
            (-pieces[..., 1], columns.it[..., None]),
            (-pieces[..., 0] * each[:, None], blocks[..., None]),
        ],
        shape=real.shape,
        lower=pieces[..., 0] * known[..., None],
        where=real & exists[..., None],
    )


def grid(draft: Draft) -> None:
    """Rows of the grid's limit; batteries, where there are any, have their columns by now."""
    sit, watts, columns = draft.situations, draft.scale.watts, draft.columns
    drawn = by_site(draft, columns.facility)
    draft.program.add(
        "grid",
        [(1.0, drawn), (1.0, columns.charge), (-1.0, columns.discharge)],
        shape=sit.grid_w.shape,
        upper=sit.grid_w / watts,
        where=np.isfinite(sit.grid_w) & ((drawn >= 0).any(axis=2) | (columns.charge >= 0)),
    )


def by_site(draft: Draft, block: Index) -> Index:
    """Columns [E,B] grouped as [E,S,kinds of block at a site], filled up with -1."""
    site = draft.instance.ground.block_site
    count = len(draft.instance.names.sites)
    widest = int(np.bincount(site, minlength=count).max(initial=0))
    grouped: Index = np.full((len(block), count, widest), -1, np.int64)
    for s in range(count):
        kinds = np.flatnonzero(site == s)
        grouped[:, s, : len(kinds)] = block[:, kinds]
    return grouped


def _it(draft: Draft) -> None:
    columns, sit, stock, ways = draft.columns, draft.situations, draft.instance.stock, draft.instance.ways
    watts = draft.scale.watts
    rows = draft.program.add(
        "it", [(1.0, columns.it)], shape=columns.it.shape, lower=0.0, upper=0.0, where=columns.it >= 0
    )
    site, system = np.nonzero(stock.block >= 0)
    idle = stock.idle_w[system] / watts * sit.alive[:, site, system]
    draft.program.put(rows[:, stock.block[site, system]], -idle, draft.at(columns.systems)[:, site, system])
    unit = draft.scale.requests[ways.cls] / watts
    for system, joules in ((ways.system, ways.joules), (ways.decoder, ways.decoder_joules)):
        on = np.flatnonzero(system >= 0)
        place = stock.block[ways.site[on], system[on]]
        draft.program.put(rows[:, place], -(joules * unit)[on], columns.served[:, on])
