"""Which pools take new requests of a service: those with an open replica that are not shut for it by order."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.reasons import NONE_USABLE, POWER_SHORT, TOO_LONG
from meritorder.dispatch.state import PREFILL, FleetState
from meritorder.dispatch.update import reorder, withdraw


@compiled
def arrange_choices(state: FleetState) -> None:
    """Say in every choice how long a request may be that goes there now, after pools were shut or replicas closed.

    A pool that computes prompts takes what some pool behind it can decode; legs stand behind the services they serve.
    """
    for service in range(len(state.services) - 1, -1, -1):
        s = state.services[service]
        for c in range(s.first, s.first + s.count):
            choice = state.choices[c]
            p = state.pools[choice.pool]
            choice.max_context = p.max_context if choice.shut == 0 and p.open > 0 else 0
            if p.role == PREFILL and choice.max_context > 0:
                leg = state.services[choice.leg]
                longest = 0
                for way in range(leg.first, leg.first + leg.count):
                    longest = max(longest, state.choices[way].max_context)
                choice.max_context = min(choice.max_context, longest)


@compiled
def close_replica(state: FleetState, replica: int) -> None:
    """Take an open replica out of choice. `arrange_choices` has to follow."""
    r = state.replicas[replica]
    r.closed = 1
    state.pools[r.pool].open -= 1
    withdraw(state, replica)


@compiled
def open_replica(state: FleetState, replica: int) -> None:
    """Let a closed replica be chosen again. `arrange_choices` has to follow."""
    r = state.replicas[replica]
    r.closed = 0
    state.pools[r.pool].open += 1
    reorder(state, replica)


@compiled
def why_none(state: FleetState, service: int, total: int) -> int:
    """Why no pool takes a request of `total` tokens: too long for all, kept out by order, or all are down."""
    s = state.services[service]
    why = TOO_LONG
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        p = state.pools[choice.pool]
        if total <= p.max_context:
            if choice.shut != 0 and p.open > 0:
                return POWER_SHORT
            why = NONE_USABLE
    return int(why)


@compiled
def any_choice(state: FleetState, service: int) -> bool:
    """Whether any pool takes new requests of a service now."""
    s = state.services[service]
    longest = 0
    for c in range(s.first, s.first + s.count):
        longest = max(longest, state.choices[c].max_context)
    return longest > 0
