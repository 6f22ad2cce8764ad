"""The dispatch policy that capacities hold for."""

from __future__ import annotations

from meritorder.fleet.dispatch import Dispatch, MeritOrder


def spread(dispatch: Dispatch) -> Dispatch:
    """The fleet's policy, without filling replicas one after the other (`pack`).

    Packing fills a replica until the mean request just keeps its targets, so that a tenth of the requests may miss
    them at any load: no rate then keeps a 95 % promise. It saves energy, not machines.
    """
    return dispatch.model_copy(update={"pack": False}) if isinstance(dispatch, MeritOrder) else dispatch
