"""How many chips a model needs for so many sessions of so much context, what binds, and how fast that is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import engines
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.ranges import ends, leans_on_ranges
from meritorder.fleet.schema import Engine
from meritorder.fleet.speculation import Speculation
from meritorder.perf.layouts import held_layouts, most_chips
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement, unnamed_engine
from meritorder.perf.speculative import machine_table
from meritorder.perf.wafer import pipeline_latency, token_slot
from meritorder.problems import InputError, Problem
from meritorder.units import show

ENGINE = Engine()
ACTIVATIONS = 0.1  # of a chip's memory at most


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
    """The fewest chips of one kind that hold a `Wish`, as `replicas` of `tensor x data x pipeline` chips."""

    tensor: int
    data: int  # copies of attention, each with its own sessions
    expert: int  # groups of chips that hold different experts
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
        return self.tensor * self.data * self.pipeline * self.replicas

    @property
    def binds(self) -> str:
        """What sets the number of chips."""
        return "weights" if self.chips == self.least_chips else "KV cache"


def size(chip: Accelerator, wish: Wish) -> Size:
    """The fewest chips for a wish; of equal numbers, the fastest for its users. InputError where it can't be held."""
    engine = unnamed_engine(chip, engines())
    plain = Placement(chip, wish.model, 1, 1, wish.weights, wish.kv, 1, _token_budget(chip, wish.model), engine=engine)
    held = held_layouts(plain, ENGINE.memory_fraction, lambda place: _sessions(place, wish.context))
    if not held:
        raise _too_large(plain, wish)
    short = held_layouts(plain, ENGINE.memory_fraction, lambda place: _sessions(place, 1))
    least = min(place.chips for place, _ in short)
    counted = [(math.ceil(wish.sessions / fit), place, fit) for place, fit in held]
    fewest = min(replicas * place.chips for replicas, place, _ in counted)
    ties = [
        _described(place, wish, replicas, fit, least)
        for replicas, place, fit in counted
        if replicas * place.chips == fewest
    ]
    return max(ties, key=lambda one: (one.user_loaded, -one.replicas))


def size_range(chip: Accelerator, wish: Wish) -> tuple[Size, Size, Size]:
    """The size with the figures as they are, and at the unfavourable and the favourable end of the chip's ranges."""
    told, (bad, good) = size(chip, wish), ends(chip)
    if leans_on_ranges(chip):
        return told, size(bad, wish), size(good, wish)
    return told, _priced(told, bad), _priced(told, good)


def _priced(told: Size, chip: Accelerator) -> Size:
    """The same size with the power and price of `chip`."""
    chips = told.chips
    return replace(told, idle_w=chip.idle * chips, max_w=chip.max * chips, usd_per_hour=chip.usd_per_hour * chips)


def _token_budget(chip: Accelerator, model: ModelSpec) -> int:
    """The engine's own; smaller powers of two on chips that it would fill with activations (Groq's 230 MB)."""
    most = ACTIVATIONS * chip.memory / (4.0 * model.hidden)
    return ENGINE.token_budget if most >= ENGINE.token_budget else 2 ** max(0, int(math.log2(most)))


def _sessions(place: Placement, context: int) -> int:
    """Sessions of `context` tokens whose KV caches fit beside the weights of one replica."""
    empty = memory(replace(place, max_sequences=0), ENGINE.memory_fraction, 1)
    one_each = memory(replace(place, max_sequences=place.data), ENGINE.memory_fraction, 1)
    window = one_each.reserve - empty.reserve  # what a session holds however long it is
    free = empty.usable - empty.weights - empty.reserve
    return max(0, int(free // (empty.block * context + window))) * place.data


def _described(place: Placement, wish: Wish, replicas: int, fit: int, least: int) -> Size:
    model, chip = wish.model, place.chip
    batch = math.ceil(wish.sessions / replicas)
    tokens = batch * (wish.speculation.draft_tokens + 1 if wish.speculation else 1)
    table = machine_table(replace(place, max_sequences=batch, token_budget=tokens), wish.speculation)
    chips = place.chips * replicas
    held = model.kv_bytes_per_token(wish.kv) * wish.context + model.window_kv_bytes(wish.kv) + model.state_bytes
    return Size(
        tensor=place.tensor,
        data=place.data,
        expert=place.expert,
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


def _too_large(plain: Placement, wish: Wish) -> InputError:
    size_of = show(wish.model.weight_bytes(wish.weights), "B", 3)
    most, layers = most_chips(plain), wish.model.layers
    what = (
        f"{size_of} of weights and a session of {wish.context:,} tokens don't fit on {most:,} {plain.chip.title}, "
        f"the most of one replica: {layers} stages of a layer each, on up to {most // layers:,} chips"
    )
    return InputError(Problem(what, key="MODEL", fix="give a shorter --context or narrower --weights"))
