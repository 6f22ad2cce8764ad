"""vLLM 0.11.1 as it ran in the ML.ENERGY benchmark: engine times per machine, prompt lengths per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.write import Fitted

from meritorder.catalog.engine import EngineProfile
from meritorder.catalog.formats import WEIGHT_BITS
from meritorder.catalog.load import Catalog
from meritorder.perf.gpu import Works, assembled, works
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable
from meritorder.predict.energy import BENCH, MACHINES, loop, placement, server
from meritorder.predict.steady import Steady, steady

FILES = ("mlenergy_v3_llm_calib.csv", "mlenergy_v3_mllm_calib.csv")

# Name -> start, least, most. Times in seconds; `experts` and `link` are factors on kernels.
ENGINE = {
    "host": (8e-4, 6e-5, 4e-3),
    "sequence": (4e-5, 3e-6, 1e-4),
    "layer": (1e-5, 1e-6, 4e-5),
    "linear_layer": (1e-5, 1e-6, 3e-4),
    "link": (1.0, 0.5, 2.0),
    **{f"experts_{width}": (1.0, 0.4, 4.0) for width in (16, 8, 4)},
    **{f"expert_layer_{width}": (4e-5, 3e-6, 4e-4) for width in (16, 8, 4)},
    "mixed_layer": (2e-4, 1e-5, 1e-3),
    "front-image-chat": (0.2, 0.02, 1.0),
    "front-video-chat": (0.2, 0.02, 1.0),
}
PROMPTS = {
    "lm-arena-chat": (100.0, 40.0, 300.0),
    "gpqa": (250.0, 100.0, 600.0),
    "sourcegraph-fim": (1000.0, 400.0, 2500.0),
    "image-chat": (1200.0, 400.0, 3000.0),
    "video-chat": (4000.0, 1000.0, 12000.0),
}
# Every engine time as a kind of work of one second: what is fitted are factors on kinds.
UNIT = EngineProfile(host=1.0, host_sequence=1.0, layer=1.0, expert_layer=1.0, linear_layer=1.0, mixed=1.0)
PIVOT = 0.1  # relative errors above it count less than their square
LESS = {"video-chat": 0.3}  # encoders and frames: these rows tell little about the engine


@dataclass(frozen=True)
class Server:
    """Rows on one server: the same model on the same chips in the same format."""

    machine: str
    place: Placement
    works: Works
    rows: list[Row]
    period: Floats
    gap: Floats
    weight: Floats


def servers(data: Data, catalog: Catalog) -> list[Server]:
    """All servers with rows that mean something."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in (row for name in FILES for row in data.rows(name)):
        if row["quality"] == "ok":
            found.setdefault(server(row), []).append(row)
    start = _started(catalog)
    return [_server(replace(placement(rows[0], start), engine=UNIT), rows) for rows in found.values()]


def _started(catalog: Catalog) -> Catalog:
    setups = {f"{BENCH}-{machine}": {name: span[0] for name, span in ENGINE.items()} for machine in MACHINES.values()}
    return replace(catalog, setups={**catalog.setups, **setups})


def _server(place: Placement, rows: list[Row]) -> Server:
    return Server(
        machine=MACHINES[rows[0]["gpu_model"]],
        place=place,
        works=works(place),
        rows=rows,
        period=np.array([float(row["avg_batch_size"]) / float(row["output_tok_s"]) for row in rows]),
        gap=np.array([float(row["median_itl_ms"]) / 1e3 for row in rows]),
        weight=np.array([LESS.get(row["task"], 1.0) for row in rows]),
    )


def as_factors(place: Placement, setup: Mapping[str, float]) -> EngineProfile:
    """The engine of `predict.energy.engine` as factors on the kinds of `UNIT`."""
    width = place.chip.compute_bits(WEIGHT_BITS[place.weights])
    factors = {name: setup[name] for name in ("host", "sequence", "layer", "linear_layer", "link")}
    factors |= {"expert_layer": setup[f"expert_layer_{width}"], f"experts_{width}": setup[f"experts_{width}"]}
    factors["mixed"] = setup["mixed_layer"] * place.model.layers
    return UNIT.model_copy(update={"factors": factors})


def server_table(
    server: Server, setups: Mapping[str, Mapping[str, float]], found: Works | None = None
) -> IterationTable:
    """The iteration table of a server with these engine times; `found`: other works than its own."""
    place = replace(server.place, engine=as_factors(server.place, setups[f"{BENCH}-{server.machine}"]))
    return assembled(place, found or server.works)


def run(server: Server, setups: Mapping[str, Mapping[str, float]], table: IterationTable | None = None) -> Steady:
    """The steady states of a server's rows; `table`: another than its own."""
    loops = loop(server.rows, server.place, setups[BENCH], setups[f"{BENCH}-{server.machine}"])
    return steady(table or server_table(server, setups), loops)


def fit_times(measured: list[Server], fitted: Fitted) -> dict[str, dict[str, float]]:
    """Fit all engine times and prompt lengths at once; returns the setups."""
    spans = np.array([span for _, _, span in _coefficients()])
    start, low, high = np.log(spans).T

    def residuals(x: Floats) -> Floats:
        setups, parts = _setups(x), []
        for one in measured:
            state = run(one, setups)
            parts.append(one.weight * robust(np.log(state.period / one.period)))
            parts.append(one.weight * 0.5 * robust(np.log(state.gap / one.gap)))
        return np.concatenate([*parts, 0.02 * (x - start)])  # what hardly shows stays near its start

    found = least_squares(residuals, start, bounds=(low, high), diff_step=2e-3, max_nfev=40)
    setups = _setups(found.x)
    errors = np.concatenate([np.abs(run(s, setups).period / s.period - 1)[s.weight == 1] for s in measured])
    note = f"{len(errors)} rows, tokens/s: median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}"
    for setup, name, _ in _coefficients():
        value = setups[setup][name]
        fitted.setup(setup, name, value, "mlenergy", "medium" if setup != BENCH else "low", note=note)
    return setups


def _coefficients() -> Iterator[tuple[str, str, tuple[float, float, float]]]:
    for machine in MACHINES.values():
        for name, span in ENGINE.items():
            yield f"{BENCH}-{machine}", name, span
    for task, span in PROMPTS.items():
        yield BENCH, f"prompt-{task}", span


def _setups(x: Floats) -> dict[str, dict[str, float]]:
    setups: dict[str, dict[str, float]] = {}
    for (setup, name, _), value in zip(_coefficients(), np.exp(x), strict=True):
        setups.setdefault(setup, {})[name] = float(value)
    return setups


def robust(errors: Floats, pivot: float = PIVOT) -> Floats:
    """Errors whose square grows like their size once they exceed the pivot."""
    squares = 2.0 * pivot**2 * (np.sqrt(1.0 + (errors / pivot) ** 2) - 1.0)
    return np.asarray(np.sign(errors) * np.sqrt(squares))
