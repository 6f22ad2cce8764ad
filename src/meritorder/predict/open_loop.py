"""Whole vLLM servers under an open load in stages, simulated request by request (the tables of the BLIS runs).

A table has one row a stage of a run and one row `all` for its stages together. The load is that of inference-perf: in
every stage `rate x duration` requests with exponential gaps, scaled to fill the stage. A few prompts, each a system
prompt and a question, come in turn, so all but the first round finds them in the prefix cache. Every request gets as
many tokens as it asked for; a client that tokenizes the text again counts `output_len_mean_est` of them, which is
what its inter-token latency is made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.catalog.load import Catalog
from meritorder.predict.cells import choice, number, text, whole
from meritorder.predict.each import together
from meritorder.predict.form import Answer, Progress, Row
from meritorder.predict.vllm import WEIGHTS, Served, Server, serve, server
from meritorder.problems import InputError, Problem
from meritorder.workload.trace import Trace, make_trace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

VERSION = "0.15.1"
BLOCK = 16
MOST_SEATS, MOST_TOKENS = 65536, 1 << 20  # of an engine: its iteration table has a line for each
# Random tokens, written out and tokenized again, are this many more (Llama-2's tokenizer; 1 % from prompt to prompt).
LONGER, SPREAD = 1.047, 0.01
ALL = "all"  # the stage of the row about all of them
PAUSE_S = 120.0  # between stages: the server runs empty


@dataclass(frozen=True)
class Load:
    """The requests of a run, and which stage each belongs to."""

    trace: Trace
    stage: Ints


class OpenLoopForm:
    """Load stages of vLLM servers."""

    name = "vLLM under open load"
    needs = frozenset({"exp", "stage", "rate_rps", "question_len", "system_prompt_len", "max_num_batched_tokens"})
    adds = (
        *("ttft_mean_ms", "ttft_p90_ms", "ttft_p99_ms", "itl_mean_ms"),
        *("e2e_mean_ms", "e2e_p90_ms", "e2e_p99_ms"),
    )

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """Every run is simulated once; its rows are cut out of it."""
        return together(rows, progress, lambda row: text(row, "exp"), lambda _, run: _run(run, catalog))


OPEN_LOOP = OpenLoopForm()


def _run(rows: Sequence[Row], catalog: Catalog) -> list[Answer]:
    stages = sorted((row for row in rows if row["rate_rps"] or row["stage"] != ALL), key=lambda row: row["stage"])
    if not stages:
        return [Answer({}, "no stage of this run says its rate")] * len(rows)
    for row in rows:
        _check(row)
    replica = server(asked(stages[0]), catalog, VERSION)
    load = requests(stages)
    served = serve(replica, load.trace)
    of_stage = {stage["stage"]: load.stage == index for index, stage in enumerate(stages)}
    everything = np.ones(len(load.stage), bool)
    return [
        Answer(figures(row, served, of_stage.get(row["stage"], everything)), "; ".join(replica.notes)) for row in rows
    ]


def _check(row: Row) -> None:
    """Raise InputError where a row, on which the load of all rows of its run depends, can't be read."""
    text(row, "stage")
    number(row, "output_len_mean_est", empty=2.0)
    if row["stage"] != ALL and number(row, "rate_rps") * number(row, "duration_s") < 1:
        what = f"is {row['rate_rps']}: no request in {row['duration_s']} s"
        raise InputError(Problem(what, key="rate_rps", fix="give a higher rate, or a longer duration_s"))


def asked(row: Row) -> Server:
    """The server that a row describes."""
    seats = whole(row, "max_num_seqs", most=MOST_SEATS)
    return Server(
        model=row["model"],
        gpu=row["gpu"],
        tensor=whole(row, "tp"),
        replicas=whole(row, "dp", empty=1),
        weights=choice({"precision": row.get("precision") or "FP16"}, "precision", WEIGHTS),
        max_sequences=seats,
        token_budget=whole(row, "max_num_batched_tokens", least=seats, most=MOST_TOKENS),
        memory_fraction=number(row, "gpu_mem_util", most=1.0, empty=0.9),
        longest=2 * whole(row, "question_len")
        + whole(row, "system_prompt_len", least=0)
        + whole(row, "output_len_nominal", least=2),
    )


def requests(stages: Sequence[Row], seed: int = 0) -> Load:
    """The load of a run: its stages one after the other, prompts in turn."""
    random = np.random.default_rng(seed)
    first = stages[0]
    groups, users = whole(first, "n_system_prompts"), whole(first, "users_per_system_prompt")
    system = int(whole(first, "system_prompt_len", least=0) * LONGER)
    nominal = whole(first, "system_prompt_len", least=0) + whole(first, "question_len")
    lengths = np.rint(nominal * (LONGER + SPREAD * random.standard_normal(groups * users))).astype(int)
    known = list(_blocks(lengths, system // BLOCK, users))
    turn = random.permutation(groups * users)
    arrivals, numbers, prompts, begin = [], [], [], 0.0
    for place, row in enumerate(stages):
        duration, n = number(row, "duration_s"), int(number(row, "rate_rps") * number(row, "duration_s"))
        gaps = random.exponential(1.0, n)
        arrivals.append(begin + np.cumsum(gaps) * (duration / gaps.sum()))
        numbers.append(np.full(n, place))
        prompts.append(turn[np.arange(n) % len(turn)])
        begin += duration + PAUSE_S
    prompt = np.concatenate(prompts)
    blocks = [known[i] for i in prompt]
    trace = make_trace(
        np.concatenate(arrivals),
        lengths[prompt],
        np.concatenate(
            [np.full(len(n), whole(s, "output_len_nominal", least=2)) for n, s in zip(numbers, stages, strict=True)]
        ),
        blocks=np.concatenate(blocks),
        block_start=np.cumsum([0, *map(len, blocks)]),
        block_tokens=BLOCK,
        source=first["exp"],
    )
    return Load(trace, np.concatenate(numbers))


def _blocks(lengths: Ints, system: int, users: int) -> Iterable[Ints]:
    """Ids of the full prefix blocks of each prompt; `users` prompts in a row share `system` blocks."""
    following = system * -(-len(lengths) // users)
    for place, length in enumerate(lengths):
        own = max(int(length) // BLOCK - system, 0)
        yield np.r_[place // users * system + np.arange(system), following + np.arange(own)]
        following += own


def figures(row: Row, served: Served, of: npt.NDArray[np.bool_]) -> Mapping[str, float]:
    """Milliseconds over the requests `of` a row."""
    ttft, e2e = served.ttft_s[of] * 1e3, served.e2e_s[of] * 1e3
    counted = float(row.get("output_len_mean_est") or row["output_len_nominal"])
    return {
        "ttft_mean_ms": float(ttft.mean()),
        "ttft_p90_ms": float(np.quantile(ttft, 0.9)),
        "ttft_p99_ms": float(np.quantile(ttft, 0.99)),
        "itl_mean_ms": float((e2e.mean() - ttft.mean()) / (counted - 1.0)),
        "e2e_mean_ms": float(e2e.mean()),
        "e2e_p90_ms": float(np.quantile(e2e, 0.9)),
        "e2e_p99_ms": float(np.quantile(e2e, 0.99)),
    }
