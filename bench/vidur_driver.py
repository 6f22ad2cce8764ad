"""Runs inside Vidur's own environment: `python vidur_driver.py TRACE.csv REPLICAS`; prints one JSON line.

Vidur downloads its prediction tables from a model hub. They are replaced here by smooth synthetic ones of the
same shape (a roofline of Llama-3-8B on an A100), so its speed is its own and its latencies are not. Its compiled
predictor is used, the faster of the two that it has, and its metrics are off.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()

CHUNK, SEQUENCES, LONGEST, STEP = 2048, 256, 8192, 256
FLOPS, BYTES_PER_S, LAUNCH_MS = 312e12 * 0.6, 2.0e12 * 0.8, 0.004
HIDDEN, MLP, KV_WIDTH = 4096, 14336, 1024


def gemm_ms(tokens: int, weights: int) -> float:
    """Milliseconds of one matrix product of 16-bit weights: the larger of arithmetic and reading them."""
    return LAUNCH_MS + 1e3 * max(2 * tokens * weights / FLOPS, 2 * weights / BYTES_PER_S)


def touch_ms(tokens: int, width: int) -> float:
    """Milliseconds of an element-wise operator over `tokens` rows."""
    return LAUNCH_MS + 1e3 * 4 * tokens * width / BYTES_PER_S


def synthetic_tables() -> dict[str, dict[tuple[int, ...], float]]:
    """Operator name -> {key: milliseconds of one layer}, with exactly the keys that Vidur looks up."""
    tokens = range(1, LONGEST + 1)
    gemms = {
        "attn_pre_proj": HIDDEN * (HIDDEN + 2 * KV_WIDTH),
        "attn_post_proj": HIDDEN * HIDDEN,
        "mlp_up_proj": 2 * HIDDEN * MLP,
        "mlp_down_proj": HIDDEN * MLP,
    }
    touches = {
        "mlp_act": MLP,
        "attn_rope": HIDDEN,
        "attn_kv_cache_save": 2 * KV_WIDTH,
        "input_layernorm": HIDDEN,
        "post_attention_layernorm": HIDDEN,
        "add": HIDDEN,
    }
    tables: dict[str, dict[tuple[int, ...], float]] = {}
    for name, weights in gemms.items():
        tables[name] = {(n,): gemm_ms(n, weights) for n in tokens}
    for name, width in touches.items():
        tables[name] = {(n,): touch_ms(n, width) for n in tokens}
    kv_bytes = 2 * 2 * KV_WIDTH
    tables["attn_decode"] = {
        (batch, kv): LAUNCH_MS + 1e3 * batch * kv * kv_bytes / BYTES_PER_S
        for batch in range(1, SEQUENCES + 1)
        for kv in range(0, LONGEST + 1, STEP)
    }
    tables["attn_prefill"] = {
        (kv, chunk): LAUNCH_MS + 1e3 * 4 * chunk * (kv + chunk / 2) * HIDDEN / FLOPS
        for kv in range(0, LONGEST + 1, STEP)
        for chunk in range(32, max(CHUNK, 4096) + 1, 32)
    }
    return tables


def main(trace: Path, replicas: int) -> None:
    os.environ["WANDB_MODE"] = "disabled"
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [
            "vidur",
            *("--cluster_config_num_replicas", str(replicas)),
            *("--replica_config_device", "a100", "--replica_config_network_device", "a100_dgx"),
            *("--replica_config_model_name", "meta-llama/Llama-3-8B"),
            *("--replica_config_tensor_parallel_size", "1", "--replica_config_num_pipeline_stages", "1"),
            *("--replica_scheduler_config_type", "sarathi"),
            *("--sarathi_scheduler_config_chunk_size", str(CHUNK)),
            *("--sarathi_scheduler_config_batch_size_cap", str(SEQUENCES)),
            *("--global_scheduler_config_type", "round_robin"),
            *("--request_generator_config_type", "trace_replay"),
            *("--trace_request_generator_config_trace_file", str(trace)),
            *("--trace_request_generator_config_max_tokens", "4096"),
            *("--trace_request_generator_config_time_scale_factor", "1"),
            *("--trace_request_generator_config_prefill_scale_factor", "1"),
            *("--trace_request_generator_config_decode_scale_factor", "1"),
            *("--random_forrest_execution_time_predictor_config_prediction_max_tokens_per_request", str(LONGEST)),
            *("--random_forrest_execution_time_predictor_config_prediction_max_batch_size", str(SEQUENCES)),
            *("--random_forrest_execution_time_predictor_config_cache_dir", f"{folder}/cache"),
            "--random_forrest_execution_time_predictor_config_use_native_execution_time_predictor",
            "--no-metrics_config_write_metrics",
            "--no-metrics_config_enable_chrome_trace",
            "--no-metrics_config_store_plots",
            *("--metrics_config_output_dir", f"{folder}/out", "--log_level", "error"),
        ]
        from vidur.config import SimulationConfig
        from vidur.execution_time_predictor import sklearn_execution_time_predictor as predictor
        from vidur.simulator import Simulator
        from vidur.utils.random import set_seeds

        predictor.SklearnExecutionTimePredictor._load_predictions_from_hf = lambda self: synthetic_tables()
        config = SimulationConfig.create_from_cli_args()
        set_seeds(config.seed)
        simulator = Simulator(config)
        begun = time.perf_counter()
        simulator.run()
        ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"core_s": ended - begun, "start_s": begun - STARTED, "rss_bytes": memory}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
