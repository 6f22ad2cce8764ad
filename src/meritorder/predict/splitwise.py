"""Splitwise's table: the prompt phase and the decode step of one batch on an engine of 2023, with its power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import Catalog
from meritorder.catalog.names import model_of
from meritorder.perf.energy import board_watts
from meritorder.perf.fit import check_parallelism
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.perf.power_cap import capped
from meritorder.perf.table import IterationTable
from meritorder.predict.cells import whole
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row
from meritorder.problems import InputError, Problem

SETUP = "splitwise"  # `splitwise-a100`, `splitwise-h100`: the engine on that machine
CAPPED = "-pcap"
CAP = 0.5  # share of the limit at which the capped GPUs ran (Splitwise, ISCA'24: each GPU capped by half)
SMALL = 2048  # tokens up to which sums over the chips stay fast
OVERSHOOT = 1.05  # peaks of a second may pass the power limit
TOKENS = 32768  # most of a prompt batch in one piece


@dataclass(frozen=True)
class Batch:
    """A row: `size` prompts of `prompt` tokens each, then `output` tokens for each of them."""

    size: int
    prompt: int
    output: int

    @property
    def tokens(self) -> int:
        """Prompt tokens of the whole batch."""
        return self.size * self.prompt


class SplitwiseForm:
    """One row: a model, a machine, a tensor degree and a batch."""

    name = "Splitwise"
    needs = frozenset(("model", "hardware", "tensor_parallel", "prompt_size", "batch_size", "token_size"))
    adds = ("prompt_ms", "token_ms", "peak_power_frac_tdp", "avg_power_frac_tdp")

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row, in order."""
        tables: dict[tuple[str, str, str], tuple[Placement, IterationTable]] = {}

        def answer(row: Row) -> Answer:
            key = row["model"], row["hardware"], row["tensor_parallel"]
            if key not in tables:
                tables[key] = server(*key, catalog)
            return _answer(row, *tables[key], catalog)

        return each(rows, progress, answer)


SPLITWISE = SplitwiseForm()


def machine(hardware: str) -> str:
    """The catalog's name of the row's machine, capped or not."""
    name = hardware.removesuffix(CAPPED).removesuffix("-80gb")
    if name not in ("a100", "h100"):
        raise InputError(Problem(f"no data of {hardware!r}", key="hardware", fix="known: a100-80gb, h100-80gb(-pcap)"))
    return name


def server(model: str, hardware: str, tensor: str, catalog: Catalog) -> tuple[Placement, IterationTable]:
    """The row's server and its iteration table, power cap included."""
    chips = whole({"tensor_parallel": tensor}, "tensor_parallel")
    chip: Accelerator = catalog.accelerators[machine(hardware)]
    place = Placement(chip, catalog.models[model_of(model)], chips, 1, "fp16", "fp16", 64, TOKENS)
    check_parallelism(place, machine(hardware), "row")
    table = gpu_table(place)
    return place, capped(table, place, CAP * chip.board[1]) if hardware.endswith(CAPPED) else table


def seconds(
    batch: Batch, place: Placement, kernels: tuple[float, float], fit: Mapping[str, float]
) -> tuple[float, float]:
    """Seconds of the prompt phase and of a decode step, from those of their `kernels`.

    The engine launched kernel by kernel, so a layer has a floor; sums of many tokens over more than two chips left
    the fast path; several prompts were padded and joined.
    """
    layers = place.model.layers
    joined = 1.0 + fit["joined"] * (batch.size > 1)
    slow = fit["slow_sum"] * layers * place.model.hidden * max(0, batch.tokens - SMALL) * (place.tensor > 2)
    prompt = _longer(fit["floor_prompt"] * layers, kernels[0] * fit["prompt"] * joined + slow)
    token = _longer(fit["floor_token"] * layers, kernels[1] * fit["token"]) + fit["sequence"] * batch.size
    return prompt, token


def batch_of(row: Row) -> Batch:
    """The row's batch."""
    return Batch(*(whole(row, name) for name in ("batch_size", "prompt_size", "token_size")))


def work(batch: Batch, table: IterationTable) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds and joules of the kernels: of the prompt phase, of a mean decode step."""
    times = max(1.0, batch.tokens / TOKENS)
    tokens = round(batch.tokens / times)
    pairs = batch.size * batch.prompt * (batch.prompt + 1) / 2 / times
    held = batch.size * (batch.prompt + batch.output / 2)
    prompt = times * table.seconds(0, 0, tokens, pairs), times * table.joules(0, 0, tokens, pairs)
    return prompt, (table.seconds(batch.size, held), table.joules(batch.size, held))


def _answer(row: Row, place: Placement, table: IterationTable, catalog: Catalog) -> Answer:
    batch = batch_of(row)
    prompt, token = work(batch, table)
    fit = catalog.setups[f"{SETUP}-{machine(row['hardware'])}"]
    first, step = seconds(batch, place, (prompt[0], token[0]), fit)
    peak, mean = shares(batch, place, (prompt[1], token[1]), (first, step), fit)
    values = {
        "prompt_ms": first * 1e3,
        "token_ms": step * 1e3,
        "peak_power_frac_tdp": peak,
        "avg_power_frac_tdp": mean,
    }
    note = "longer than the model's own context" if batch.prompt + batch.output > place.model.max_context else ""
    return Answer(values, note)


def shares(
    batch: Batch,
    place: Placement,
    kernels: tuple[float, float],
    took: tuple[float, float],
    fit: Mapping[str, float],
) -> tuple[float, float]:
    """Peak and mean power as shares of the limit, from the joules of the `kernels` of the two phases.

    Kernels of that engine drew more than today's, each phase by a factor; peaks pass the limit by a little.
    """
    chip, limit = place.chip, place.chip.board[1]
    prompt, token = (kernels[0] * fit["drawn_prompt"], kernels[1] * fit["drawn_token"])
    most = OVERSHOOT * (chip.max - chip.idle) * place.chips
    prompt, token = min(prompt, most * took[0]), min(token, most * took[1])
    steps = batch.output - 1
    mean = (prompt + token * steps) / (took[0] + took[1] * steps)
    watts = (max(prompt / took[0], token / took[1]), mean)
    peak, average = (board_watts(chip, each / place.chips) / limit for each in watts)
    return peak, average


def _longer(floor: float, kernels: float) -> float:
    return float((floor**4 + kernels**4) ** 0.25)
