"""Ways to lay a model out over chips that `merit catalog fit` chooses from: those that operators use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement

USUAL_TENSOR = 8  # wider only where these hold nothing: collectives set the pace
ROOM = 0.5  # stages are added until the weights take no more than this share of the memory

Held = list[tuple[Placement, int]]
Holds = Callable[[Placement], int]


def held_layouts(plain: Placement, memory_fraction: float, holds: Holds) -> Held:
    """Replicas that hold one session or more, and how many: wafers in a row; GPUs of one scale-up domain, or stages.

    `plain` is the model on one chip, `holds` says how many sessions fit on a replica. The choice does not depend on
    how many sessions are wanted: more of them never need fewer chips.
    """
    if plain.chip.kind == "wafer":
        return _holding((replace(plain, pipeline=n) for n in range(1, plain.model.layers + 1)), holds)
    usual = [one for one in stages(plain) if one.tensor <= USUAL_TENSOR]
    wide = [one for one in stages(plain) if one.tensor > USUAL_TENSOR]
    in_domain = _holding(usual, holds)
    if any(_roomy(place, memory_fraction) for place, _ in in_domain):
        return in_domain
    found = in_domain or _holding(wide, holds)
    return found + _in_stages(usual, memory_fraction, holds) or _in_stages(wide, memory_fraction, holds)


def stages(plain: Placement) -> list[Placement]:
    """Ways to share a layer among GPUs of one scale-up domain: powers of two that divide the heads.

    Attention of a mixture may be repeated instead (data-parallel); then its experts are spread over all chips.
    """
    chip, model = plain.chip, plain.model
    powers = [2**n for n in range(chip.domain.bit_length()) if 2**n <= chip.domain]
    found = []
    for tensor in (n for n in powers if model.heads % n == 0):
        found.append(replace(plain, tensor=tensor))
        for data in powers[1:]:
            chips = tensor * data
            if chips <= min(chip.domain, model.experts):
                found.append(replace(plain, tensor=tensor, data=data, expert=math.gcd(chips, model.experts)))
    return found


def most_chips(plain: Placement) -> int:
    """Chips of the largest replica that is tried."""
    widest = 1 if plain.chip.kind == "wafer" else max(one.chips for one in stages(plain))
    return widest * plain.model.layers


def _in_stages(shares: list[Placement], memory_fraction: float, holds: Holds) -> Held:
    """Pipelines of stages of eight chips and more, or of all that the domain has."""
    least = min(USUAL_TENSOR, max((one.chips for one in shares), default=1))
    return [held for one in shares if one.chips >= least for held in _pipelines(one, memory_fraction, holds)]


def _pipelines(stage: Placement, memory_fraction: float, holds: Holds) -> Held:
    """From the fewest of these stages that hold a session to those that leave room for more of them."""
    found: Held = []
    for stages_now in range(2, stage.model.layers + 1):
        place = replace(stage, pipeline=stages_now)
        if sessions := holds(place):
            found.append((place, sessions))
            if _roomy(place, memory_fraction):
                break
    return found


def _roomy(place: Placement, memory_fraction: float) -> bool:
    held = memory(place, memory_fraction, 1)
    return held.weights <= ROOM * held.usable


def _holding(places: Iterable[Placement], holds: Holds) -> Held:
    return [(place, sessions) for place in places if (sessions := holds(place))]
