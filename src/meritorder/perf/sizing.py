"""How many chips a model needs for so many sessions of so much context, what binds, and how fast that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import engines
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.ranges import ends, leans_on_ranges
from meritorder.fleet.schema import Engine
from meritorder.fleet.speculation import Speculation
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement, unnamed_engine
from meritorder.perf.speculative import machine_table
from meritorder.perf.wafer import pipeline_latency, token_slot
from meritorder.problems import InputError, Problem
from meritorder.units import show

MOST_STAGES = 4096  # as in fleet files
ENGINE = Engine()


@dataclass(frozen=True)
class Wish:
    """What is to be served: `sessions` at the same time, each with `context` tokens in its KV cache."""

    model: ModelSpec
    context: int
    sessions: int
    weights: str
    kv: str
    speculation: Speculation | None = None


@dataclass(frozen=True)
class Size:
    """The fewest chips of one kind that hold a `Wish`, as `replicas` of `tensor x pipeline` chips."""

    tensor: int
    pipeline: int
    replicas: int
    least_chips: int  # for the weights and one short session
    sessions_that_fit: int
    busy_sessions: int  # decoding at once, they keep all stages of the pipelines at work
    session_bytes: float  # KV cache of one session
    user_alone: float  # tok/s
    user_loaded: float  # tok/s with all sessions decoding at once
    idle_w: float
    max_w: float
    usd_per_hour: float

    @property
    def chips(self) -> int:
        """Chips in all."""
        return self.tensor * self.pipeline * self.replicas

    @property
    def binds(self) -> str:
        """What sets the number of chips."""
        return "weights" if self.chips == self.least_chips else "KV cache"


def size(chip: Accelerator, wish: Wish) -> Size:
    """The fewest chips for a wish; of equal numbers, the fewest replicas. Raises InputError where it can't be held."""
    best: tuple[int, int, Placement, int] | None = None
    least = 0
    for place in _placements(chip, wish):
        fit = _sessions(place, wish)
        if fit is None:
            continue
        least = least or place.chips
        if fit:
            replicas = math.ceil(wish.sessions / fit)
            if best is None or (replicas * place.chips, replicas) < best[:2]:
                best = (replicas * place.chips, replicas, place, fit)
            if replicas == 1:
                break  # more chips of one replica are more chips
    if best is None:
        raise _too_large(chip, wish)
    _, replicas, place, fit = best
    return _described(place, wish, replicas, fit, least)


def size_range(chip: Accelerator, wish: Wish) -> tuple[Size, Size, Size]:
    """The size with the figures as they are, and at the unfavourable and the favourable end of the chip's ranges."""
    told = size(chip, wish)
    if not leans_on_ranges(chip):
        return told, told, told
    bad, good = ends(chip)
    return told, size(bad, wish), size(good, wish)


def _placements(chip: Accelerator, wish: Wish) -> Iterator[Placement]:
    """Ways to lay the model out, smallest replicas first: wafers in a row; GPUs of one link, then stages of those."""
    engine = unnamed_engine(chip, engines())
    plain = Placement(chip, wish.model, 1, 1, wish.weights, wish.kv, 1, ENGINE.token_budget, engine=engine)
    if chip.kind == "wafer":
        yield from (replace(plain, pipeline=wafers) for wafers in range(1, MOST_STAGES + 1))
        return
    tensors = [2**n for n in range(chip.domain.bit_length()) if 2**n <= chip.domain and wish.model.heads % 2**n == 0]
    tensors = [tensor for tensor in tensors if tensor <= 8] or [1]  # more than eight: collectives set the pace
    yield from (replace(plain, tensor=tensor) for tensor in tensors)
    for stages in range(2, wish.model.layers + 1):
        yield replace(plain, tensor=tensors[-1], pipeline=stages)


def _sessions(place: Placement, wish: Wish) -> int | None:
    """Sessions whose KV caches fit beside the weights of one replica; None where the weights don't."""
    one = memory(place, ENGINE.memory_fraction, 1)
    if one.missing:
        return None
    more = memory(replace(place, max_sequences=2), ENGINE.memory_fraction, 1)
    window = more.reserve - one.reserve  # what a session holds however long it is
    return int((one.usable - one.weights - one.reserve + window) // (one.block * wish.context + window))


def _described(place: Placement, wish: Wish, replicas: int, fit: int, least: int) -> Size:
    model, chip = wish.model, place.chip
    batch = math.ceil(wish.sessions / replicas)
    tokens = batch * (wish.speculation.draft_tokens + 1 if wish.speculation else 1)
    table = machine_table(replace(place, max_sequences=batch, token_budget=tokens), wish.speculation)
    chips = place.chips * replicas
    held = model.kv_bytes_per_token(wish.kv) * wish.context + model.window_kv_bytes(wish.kv) + model.state_bytes
    return Size(
        tensor=place.tensor,
        pipeline=place.pipeline,
        replicas=replicas,
        least_chips=least,
        sessions_that_fit=fit * replicas,
        busy_sessions=_micro_batches(place) * replicas,
        session_bytes=held * place.kv_copies,
        user_alone=1 / table.seconds(1, float(wish.context)),
        user_loaded=1 / table.seconds(batch, float(batch * wish.context)),
        idle_w=table.idle_w * replicas,
        max_w=chip.max * chips,
        usd_per_hour=chip.usd_per_hour * chips,
    )


def _micro_batches(place: Placement) -> int:
    """Sequences under way that leave no stage idle: one a stage, of wafers as many slots as the latency has."""
    if place.chip.kind == "gpu":
        return place.pipeline
    slot = token_slot(place) * place.chip.wafer.decode_slot
    return max(place.pipeline, math.ceil(pipeline_latency(place) / slot))


def _too_large(chip: Accelerator, wish: Wish) -> InputError:
    size_of = show(wish.model.weight_bytes(wish.weights), "B", 3)
    what = f"{size_of} of weights and a session of {wish.context:,} tokens don't fit on any number of {chip.title}"
    return InputError(Problem(what, key="MODEL", fix="give a shorter --context or narrower --weights"))
