"""ML.ENERGY: power, energy and speed of vLLM servers, whole models left out as in the scoring set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.mlenergy import FILES
from scripts.machine_fit.power import fit_boards
from scripts.machine_fit.write import Fitted
from scripts.validation.study import Bounds, Metric, Study, by_hash

from meritorder.catalog.load import catalog
from meritorder.predict.energy import BENCH, ENERGY, lengths, placement

OUTCOMES = frozenset(
    {f"{part}_itl_ms" for part in ("median", "p90", "p95", "p99")}
    | {"output_tok_s", "gpu_power_w_total", "gpu_power_w_per_gpu", "j_per_output_token", "j_per_request", "quality"}
)
FEATURES = (
    *("task", "weight_precision", "total_params_billions", "activated_params_billions", "gpu_model", "num_gpus"),
    *("tensor_parallel", "expert_parallel", "data_parallel", "max_num_seqs", "avg_batch_size", "avg_output_len"),
)
NAMES = {FILES[0]: "text", FILES[1]: "pictures and video"}


def studies() -> list[Study]:
    """Text tasks and multimodal tasks: five parts of the models each."""
    remark = (
        "Single-B200 rows on the host's floor are left out. The same configuration measured twice (Qwen3-30B on two "
        "H100) differs by 15 % in power: a floor below which nothing can go."
    )
    return [
        Study(
            name=f"ML.ENERGY, unseen models, {NAMES[file]}",
            file=file,
            form=ENERGY,
            folds=lambda rows: by_hash(rows, lambda row: row["model_id"] if row["quality"] == "ok" else None),
            metrics=(
                Metric("GPU power", "gpu_power_w_per_gpu", "median", 0.09, 0.06),
                Metric("J per token", "j_per_output_token", "median", 0.18, 0.12),
                Metric("ITL", "median_itl_ms", "median", bounds=_bounds),
                Metric("tokens/s", "output_tok_s", "median"),
            ),
            outcomes=OUTCOMES,
            refit=refit,
            rows=lambda row: row["quality"] == "ok",
            features=FEATURES,
            group=lambda row: f"{row['model_id']} {row['gpu_model']} {row['num_gpus']}",
            remark=remark if file == FILES[0] else "",
        )
        for file in FILES
    ]


def refit(data: Data) -> Mapping[str, Any]:
    """The benchmark's engine and the power of the boards fitted to what is left."""
    fitted = Fitted()
    fit_boards(data, fitted)
    return laid_over(fitted, without=["mlenergy"])


def _bounds(row: Row) -> Bounds:
    """A decode iteration at the data sheet's peaks, milliseconds."""
    known = catalog()
    place = placement(row, known)
    batch, prompt, output = lengths(row, known.setups[BENCH])
    held = place.model.weight_bytes(place.weights) + batch * (prompt + output / 2) * place.model.kv_bytes_per_token(
        "fp16"
    )
    return Bounds(
        memory=held / place.chips / place.chip.bandwidth,
        compute=batch * place.model.flops_per_token / place.chips / place.chip.flops_16,
    )
