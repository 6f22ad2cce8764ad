"""What a thousand output tokens of each service took: joules, grams of CO2 and litres of water, by a stated rule.

Everything that a pool took from its site (idle power, its part of losses and cooling) is shared among the services
that it served, in proportion to the joules above idle that their tokens need there: prompt tokens that were computed at
those of a full prompt chunk, output tokens at those of an iteration with the pool's mean batch. Requests that did not
complete count with their prompts; what a pool took that served nobody stays unshared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meritorder.perf.replica import Replica
from meritorder.simulate.accounts import Accounts
from meritorder.simulate.result import Status
from meritorder.simulate.transfers import decoded_in

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]

# Requests handled at a time: the temporary arrays stay small.
_CHUNK = 1 << 16


def footprints(result: Result, books: Accounts) -> dict[str, dict[str, float | None]]:
    """By service: `it_energy_j`, `facility_energy_j`, `carbon_kg`, `water_l`, and those per thousand output tokens.

    `j_per_ktok` is facility energy, `it_j_per_ktok` that of the machines alone.
    """
    share = shares(result)
    totals = {
        "it_energy_j": books.it_j @ share,
        "facility_energy_j": books.facility_j @ share,
        "carbon_kg": books.carbon_kg @ share,
        "water_l": books.water_l @ share,
    }
    done = result.status == Status.COMPLETED
    services = len(result.fleet.services)
    output = np.bincount(result.service[done], result.trace.output_tokens[done], services) / 1000.0
    per = {
        "it_j_per_ktok": totals["it_energy_j"],
        "j_per_ktok": totals["facility_energy_j"],
        "gco2_per_ktok": 1000.0 * totals["carbon_kg"],
        "l_per_ktok": totals["water_l"],
    }
    found: dict[str, dict[str, float | None]] = {}
    for i, name in enumerate(result.fleet.services):
        found[name] = {key: float(values[i]) for key, values in totals.items()}
        found[name] |= {key: float(values[i] / output[i]) if output[i] else None for key, values in per.items()}
    return found


def shares(result: Result) -> Floats:
    """Part of each pool that each service took [pools, services]; rows sum to 1, or to 0 where nobody was served."""
    pools, services = len(result.fleet.pools), len(result.fleet.services)
    prompts, outputs = np.zeros((pools, services)), np.zeros((pools, services))
    last = decoded_in(result)
    for low in range(0, len(result.status), _CHUNK):
        part = slice(low, low + _CHUNK)
        computed = np.maximum(result.trace.prompt_tokens[part] - result.hit_tokens[part], 0)
        computed[np.isnan(result.start_s[part])] = 0
        _add(prompts, result.pool[part], result.service[part], computed)
        done = result.trace.output_tokens[part] * (result.status[part] == Status.COMPLETED)
        _add(outputs, last[part], result.service[part], done)
    context = _mean_context(result)
    busy, running = (result.series[key].sum(axis=1) for key in ("busy_s", "running_s"))
    batch = np.divide(running, busy, out=np.ones(pools), where=busy > 0)
    joules = np.array([_joules(machine, size, context) for machine, size in zip(result.replicas, batch, strict=True)])
    work = prompts * joules[:, :1] + outputs * joules[:, 1:]
    total = work.sum(axis=1, keepdims=True)
    return np.divide(work, total, out=np.zeros_like(work), where=total > 0)


def _joules(machine: Replica, batch: float, context: float) -> tuple[float, float]:
    """Joules above idle of a prompt token and of an output token."""
    table = machine.table
    chunk = table.token_budget
    prompt = table.joules(0, 0.0, chunk, chunk * context / 2) / chunk
    size = min(max(round(batch), 1), table.max_sequences)
    # a table without energies shares by tokens alone
    return max(prompt, 1e-12), max(table.joules(size, size * context) / size, 1e-12)


def _mean_context(result: Result) -> float:
    if not len(result.trace):
        return 1.0
    return float(result.trace.prompt_tokens.mean() + result.trace.output_tokens.mean() / 2)


def _add(
    sums: Floats, pool: npt.NDArray[np.int32], service: npt.NDArray[np.int32], tokens: npt.NDArray[np.integer]
) -> None:
    """Add tokens to the sums by pool and service."""
    sent = pool >= 0
    cell = pool[sent] * np.int32(sums.shape[1]) + service[sent]
    sums += np.bincount(cell, tokens[sent], sums.size).reshape(sums.shape)
