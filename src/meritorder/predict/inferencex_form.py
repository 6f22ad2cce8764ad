"""The form of InferenceX tables: one row is a closed loop on one configuration of servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from meritorder.catalog.load import Catalog
from meritorder.perf.fit import check_parallelism
from meritorder.predict.closed_loop import (
    FEWEST,
    Server,
    first_token_parts,
    first_token_seconds,
    prompt_seconds,
    server,
    server_table,
    token_seconds,
    told,
)
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row
from meritorder.predict.inferencex import Point, point
from meritorder.problems import InputError

TTFT, TPOT = "silicon_ttft_ms", "silicon_tpot_ms"

# Chips without runs whose sister has the same memory bandwidth, links and 8 and 16 bit peaks. Their kernel tables still
# differ by up to a third, as the servers that they were measured on did; engines are fitted on the sister's.
SISTERS = {"b300": "b200", "gb300": "gb200"}

# Of disaggregated servers, from 22 rows of GB200 racks: what handing over a prompt's cache adds, seconds, and the share
# of clients whose prompts arrive together (all of them at the start, a tenth of a run; then fewer and fewer).
HANDOVER = 0.15
TOGETHER = 0.3


class InferenceXForm:
    """Time to first token and per output token of InferenceX rows, aggregated and disaggregated."""

    name = "InferenceX"
    needs = frozenset({"backend", "backend_version", "model_path", "system", "isl", "osl", "tp_size", "concurrency"})
    adds = (TTFT, TPOT)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row."""
        return each(rows, progress, lambda row: _answer(row, catalog))


INFERENCEX = InferenceXForm()


def _answer(row: Row, catalog: Catalog) -> Answer:
    run = point(row)
    first, token, notes = _times(run, catalog)
    if run.machine in SISTERS:
        first_there, token_there, _ = _times(replace(run, machine=SISTERS[run.machine]), catalog)
        first, token = (first * first_there) ** 0.5, (token * token_there) ** 0.5
        notes.append(f"no runs on {run.machine}: the mean of its own kernels and those of {SISTERS[run.machine]}")
    context = catalog.models[run.model].max_context
    if run.prompt + run.output > context:
        notes.append(f"prompt and output are longer than the model's context of {context} tokens")
    if run.prefill is not None and row.get("mode") != "disagg":
        workers = "worker" if run.prefill_workers == 1 else "workers"
        notes.append(f"a rack of unknown layout: taken {run.prefill_workers} prompt {workers} of four chips")
    if run.prefill is not None:
        notes.append("disaggregated: speculative decoding unknown, taken as off")
        if row.get("mode") == "disagg" and not row.get("decode_num_workers"):
            notes.append("number of workers not given, taken as one")
    return Answer({TTFT: first * 1e3, TPOT: token * 1e3}, "; ".join(notes))


def _times(run: Point, catalog: Catalog) -> tuple[float, float, list[str]]:
    """Seconds to the first token and per token, and what they lean on."""
    profile = catalog.engines.profile(told(run, catalog), run.month)
    loop = server(run, catalog, profile)
    notes = list(profile.notes)
    notes += _layout(run, loop)
    if loop.fits < FEWEST:
        notes.append("by our count memory holds hardly any request: taken as if it held all")
    elif loop.fits < loop.clients:
        notes.append(f"memory holds {loop.fits:.0f} of {loop.clients:.0f} concurrent requests by our count")
    if run.prefill is not None:
        return *_apart(run, loop, catalog), notes
    first = first_token_seconds(profile, first_token_parts(loop, server_table(loop)))
    return first, token_seconds(loop), notes


def _layout(run: Point, loop: Server) -> list[str]:
    """What speaks against the split. A server's must be possible; how racks were split is not told well enough."""
    try:
        check_parallelism(loop.place, run.machine, "row")
    except InputError as error:
        if run.prefill is None:
            raise
        return [f"split as the row says: {'; '.join(str(problem) for problem in error.problems)}"]
    return []


def _apart(run: Point, loop: Server, catalog: Catalog) -> tuple[float, float]:
    """Seconds to the first token and per token, where prompts are computed by servers of their own.

    Prompt servers work one prompt after the other; their load follows from the loop's own rate. Prompts that they can't
    work off in time pile up before them.
    """
    assert run.prefill is not None
    place = loop.place
    token = token_seconds(loop)
    prompts = server(run, catalog, place.engine, run.prefill)
    alone = prompt_seconds(server_table(prompts), round(prompts.prompt))
    servers = run.prefill_workers * run.prefill.data
    decoding = token * loop.output
    busy = min(0.95, run.concurrency * alone / servers / (decoding + alone))
    waiting = max(alone * busy / (1 - busy) / 2, run.concurrency * alone / servers - decoding - alone)
    clumped = TOGETHER * alone * run.concurrency / servers / 2
    first = place.engine.first_token
    overhead = HANDOVER + first.request + first.prompt_token * prompts.prompt
    return overhead + alone + max(0.0, waiting) + clumped, token
