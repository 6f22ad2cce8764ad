"""What suppliers deliver.

sum_s a_tsh <= supply_th + o_th            o: of the option, o_th <= option_th, sum_t o_th <= option_all_h
n_h >= take_th - sum_{t' <= t, s} a_t'sh   n: not taken and paid for all the same
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import shared, speaks


def supply(draft: Draft) -> None:
    """Columns `option`, `untaken`; rows of supply, of the option's total, of take-or-pay."""
    program, columns, tree, stock = draft.program, draft.columns, draft.tree, draft.instance.stock
    size = draft.instance.shape
    periods, scenarios = size["T"], size["J"]
    bought = np.moveaxis(columns.delivered, 2, 3)  # [T,J,H,S]
    exists = (bought >= 0).any(axis=3)
    open_then = ((stock.option > 0) & (stock.option_all > 0))[:, None] & exists
    columns.option = shared(program, tree.choice, (size["H"],), where=open_then)
    program.add(
        "option",
        [(1.0, columns.option)],
        shape=exists.shape,
        upper=stock.option[:, None],
        where=open_then & speaks(tree.choice)[..., None],
    )
    program.add(
        "supply",
        [(1.0, bought), (-1.0, columns.option)],
        shape=exists.shape,
        upper=stock.supply[:, None],
        where=exists & speaks(tree.choice)[..., None],
    )
    program.add(
        "option in all",
        [(1.0, np.moveaxis(columns.option, 0, -1))],  # [J,H,T]
        shape=(scenarios, size["H"]),
        upper=stock.option_all,
        where=(stock.option.sum(axis=0) > stock.option_all) & (columns.option >= 0).any(axis=0),
    )
    columns.untaken = program.variables((scenarios, size["H"]), where=(stock.take > 0).any(axis=0))
    before = np.maximum.accumulate(np.concatenate([np.zeros((1, size["H"])), stock.take[:-1]]))
    for period in range(periods):
        so_far = np.moveaxis(bought[: period + 1], 0, 3).reshape(scenarios, size["H"], -1)  # [J,H,t' x S]
        program.add(
            "take",
            [(1.0, columns.untaken), (1.0, so_far)],
            shape=(scenarios, size["H"]),
            lower=stock.take[period],
            where=stock.take[period] > before[period],
        )
