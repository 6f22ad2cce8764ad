"""A replay on disk: a row per request in Parquet, the summary in JSON, written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.serve.replay.attempt import OUTCOMES
from meritorder.serve.replay.measured import Floats, Measured
from meritorder.simulate.folder import replacing_folder
from meritorder.workload.trace import Trace

REQUESTS, SUMMARY = "replay.parquet", "replay.json"


def ours(entry: Path) -> bool:
    """Whether an entry of a folder is of an earlier replay."""
    return entry.name in (REQUESTS, SUMMARY)


def save(
    folder: Path,
    measured: Measured,
    trace: Trace,
    services: Sequence[str],
    service: npt.NDArray[np.int32],
    summary: dict[str, Any],
    simulated: dict[str, Floats],
) -> None:
    """Write a replay into `folder` (made, or an earlier replay's); `simulated` latencies stand beside the measured.

    Raises InputError where it can't be written or holds other files.
    """
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "service": np.array(services, object)[service],
        "prompt_tokens": trace.prompt_tokens,
        "output_tokens": trace.output_tokens,
        **{name: getattr(measured, name) for name in ("arrival_s", "sent_s", "first_s", "finish_s")},
        "told_prompt_tokens": measured.prompt_tokens,
        "told_output_tokens": measured.output_tokens,
        "outcome": np.array(OUTCOMES, object)[measured.outcome],
        "http": measured.http,
        "why": measured.why,
        "pool": measured.pool,
        **measured.latencies(),
        **{f"simulated_{name}": values for name, values in simulated.items()},
    }
    with replacing_folder(folder, ours) as partial:
        pq.write_table(pa.table(columns), partial / REQUESTS, compression="zstd")
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        (partial / SUMMARY).write_bytes(orjson.dumps(summary, option=options))
