"""Power of GPU boards under load: what kinds of kernels, memory traffic and arithmetic draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Floats, with_gpu
from scripts.machine_fit.kernel_power import fit_kernel_power
from scripts.machine_fit.mlenergy import LESS, Server, fit_times, robust, run, server_table, servers
from scripts.machine_fit.mlperf import fit_mlperf
from scripts.machine_fit.splitwise import fit_splitwise
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import catalog
from meritorder.catalog.power import PowerCoefficients
from meritorder.perf.gpu import works
from meritorder.perf.table import IterationTable
from meritorder.predict.energy import MACHINES

# Shares to which a coefficient is drawn where the data say little, and the weight of that in rows' worth of errors.
PRIOR = {
    **{"gemm": 0.2, "experts_16": 0.3, "experts_8": 0.5, "experts_4": 0.5, "attention": 0.1},
    **{"link": 0.2, "other": 0.1, "sequence": 0.6, "mixed": 0.4, "bandwidth": 0.5, "flops": 1.8},
}
RIDGE = 0.1
PIVOT = 0.03  # boards differ: whole servers are 10 to 25 % off, and must not pull the shares in proportion
COLUMNS = ("step", "prefill", "decode", "decode_kv", "pair")  # of an iteration table
PICTURES = 0.5  # weight of rows with pictures, whose encoders draw power that no kernel here stands for
UNIT = 1e-3  # a share so small that no kernel reaches the limit: joules are then proportional to what is measured
POWER_FROM = {"a100": "h100", "h200": "h100", "gb200": "b200", "b300": "b200", "gb300": "b200"}


def fit_power(data: Data, fitted: Fitted) -> None:
    """Everything about energy, and the data sets that come with it."""
    fit_boards(data, fitted)
    fit_splitwise(data, fitted)
    fit_kernel_power(data, fitted)
    fit_mlperf(data, fitted)


def fit_boards(data: Data, fitted: Fitted) -> None:
    """Fit the benchmark's engine, then the shares of H100 and B200; the others take those of their neighbour."""
    base = catalog(laid_over(fitted))
    measured = servers(data, base)
    setups = fit_times(measured, fitted)
    for machine in MACHINES.values():
        _shares([one for one in measured if one.machine == machine], machine, setups, fitted)
    for machine, other in POWER_FROM.items():
        fitted.add(machine, "power", fitted.machines[other]["power"]["value"], "nearest", "low", note=f"of {other}")


def _shares(measured: list[Server], machine: str, setups: Mapping[str, Mapping[str, float]], fitted: Fitted) -> None:
    used = [kept for one in measured if (kept := _kept(one)).rows]
    parts = [_use(one, setups) for one in used]
    use, most = (np.concatenate([part[i] for part in parts], axis=1) for i in (0, 1))
    watts = np.array([float(row["gpu_power_w_per_gpu"]) for one in used for row in one.rows])
    idle, limit = used[0].place.chip.board
    weight = np.array([PICTURES if row["task"] == "image-chat" else 1.0 for one in used for row in one.rows])

    def predicted(shares: Floats) -> Floats:
        drawn: Floats = np.minimum(use @ shares, most).sum(axis=0)
        return idle + (limit - idle) * drawn

    def residuals(shares: Floats) -> Floats:
        return np.concatenate([weight * robust(predicted(shares) / watts - 1, PIVOT), RIDGE * (shares - prior)])

    prior = np.array(list(PRIOR.values()))
    highest = np.array([5.0 if name == "flops" else 3.0 if name == "bandwidth" else 1.0 for name in PRIOR])
    shares = least_squares(residuals, prior, bounds=(0.0, highest), diff_step=1e-4).x
    errors = np.abs(predicted(shares) / watts - 1)
    note = f"{len(watts)} rows, board watts: median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}"
    value = dict(zip(PRIOR, map(float, shares), strict=True))
    fitted.add(machine, "power", value, "mlenergy", "medium", note=note)


def _kept(server: Server) -> Server:
    """The server without rows whose power is mostly that of encoders."""
    kept = [i for i, row in enumerate(server.rows) if row["task"] not in LESS]
    pick = np.array(kept, int)
    return replace(
        server,
        rows=[server.rows[i] for i in kept],
        period=server.period[pick],
        gap=server.gap[pick],
        weight=server.weight[pick],
    )


def _use(server: Server, setups: Mapping[str, Mapping[str, float]]) -> tuple[Floats, Floats]:
    """What each coefficient of 1 would add to the share of the power range, column by column of the iteration table.

    Returns columns x rows x coefficients, and the most that each column may draw: columns x rows.
    """
    chip, place = server.place.chip, server.place
    whole = UNIT * (chip.max - chip.idle) * place.chips
    parts = []
    for name in PRIOR:
        power = PowerCoefficients(**{other: UNIT * (other == name) for other in PRIOR})
        table = server_table(server, setups, works(replace(place, chip=with_gpu(chip, power=power))))
        parts.append(_by_column(server, setups, table) / whole)
    full = server_table(server, setups)
    ceiling = replace(
        full,
        **{f"{column}_j": getattr(full, f"{column}_s") * place.chips for column in COLUMNS},
    )
    return np.stack(parts, axis=-1), _by_column(server, setups, ceiling) / place.chips


def _by_column(server: Server, setups: Mapping[str, Mapping[str, float]], table: IterationTable) -> Floats:
    """Joules per second of each column alone: columns x rows."""
    found = []
    for column in COLUMNS:
        none = {f"{other}_j": getattr(table, f"{other}_j") * 0.0 for other in COLUMNS if other != column}
        state = run(server, setups, replace(table, **none))
        found.append(state.joules / state.period)
    return np.array(found)
