"""Small files in the native form of every public format, written by the tests themselves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

AZURE_2023 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:15:46.6805900,374,44\n"
    "2023-11-16 18:15:50.9951690,396,109\n"
    "2023-11-16 18:15:51.2224670,879,55"  # no newline at the end, as in the original
)
AZURE_2024 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2024-05-10 00:00:00+00:00,2162,5\n"
    "2024-05-10 00:00:00.009930+00:00,2399,6\n"
    "2024-05-10 00:00:01.017335+00:00,76,15\n"
)
AZURE_LMM = (
    "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n"
    "2024-10-15T12:00:00.123Z,1,100,5\n"
    "2024-10-15T12:00:01Z,0,200,6\n"
    "2024-10-15T12:00:02.5Z,3,300,7\n"
)
BURSTGPT_1 = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n"
    "45,ChatGPT,1087,230,1317,Conversation log\n"
    "118,GPT-4,417,276,693,Conversation log\n"
    "120,GPT-4,10,0,10,API log\n"
)
BURSTGPT_3 = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,a,2.5,ChatGPT,472,18,490,Conversation log\n"
    "45,b,1,ChatGPT,1087,230,1317,Conversation log\n"
    "118,a,3,ChatGPT,417,276,693,Conversation log\n"
)
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n4.314579,396,109\n4.541877,879,55\n"

MOONCAKE: list[dict[str, Any]] = [
    {"timestamp": 0, "input_length": 1000, "output_length": 500, "hash_ids": [0, 1]},
    {"timestamp": 27, "input_length": 1100, "output_length": 490, "hash_ids": [0, 1, 46]},
    {"timestamp": 3001, "input_length": 300, "output_length": 794, "hash_ids": [7]},
]
BAILIAN: list[dict[str, Any]] = [
    {"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 40, "output_length": 5, "type": "text",
     "turn": 1, "hash_ids": [1089, 1090, 1091]},
    {"chat_id": 160, "parent_chat_id": -1, "timestamp": 61.2, "input_length": 17, "output_length": 5, "type": "text",
     "turn": 1, "hash_ids": [1089, 2000]},
    {"chat_id": 161, "parent_chat_id": 159, "timestamp": 80.5, "input_length": 64, "output_length": 9, "type": "text",
     "turn": 2, "hash_ids": [1089, 1090, 1092, 1093]},
    {"chat_id": 162, "parent_chat_id": 3, "timestamp": 81, "input_length": 16, "output_length": 9, "type": "search",
     "turn": 4, "hash_ids": [5]},
]  # fmt: skip


def weka_call(t: float, prompt: int, output: int, ids: list[int], **more: Any) -> dict[str, Any]:
    return {"t": t, "type": "n", "model": "opus", "in": prompt, "out": output, "hash_ids": ids, "input_types": ["text"],
            "output_types": ["text"], "stop": "end_turn", "api_time": 4.0, "think_time": 0.0, **more}  # fmt: skip


def weka_session(name: str = "trace_0001") -> dict[str, Any]:
    """Two calls of the main agent, and between them a sub-agent of two calls at its own clock."""
    helper = {
        **{"t": 12.0, "type": "subagent", "agent_id": "agent_001", "duration_ms": 9000},
        "requests": [weka_call(0.0, 70, 10, [9]), weka_call(5.0, 140, 10, [9, 10], think_time=1.0)],
    }
    return {
        **{"id": name, "models": ["opus"], "block_size": 64, "hash_id_scope": "local"},
        **{"tool_tokens": 10, "system_tokens": 5},
        "requests": [
            weka_call(0.0, 130, 20, [1, 2]),
            helper,
            weka_call(30.0, 260, 30, [1, 2, 3, 4], think_time=26.0),
        ],
    }


TRACELAB: list[dict[str, Any]] = [
    {"provider": "claude", "session_id": "s1", "round_index": 0, "model": "opus", "input_tokens_total": 1000,
     "prefix_tokens": 200, "newly_append_tokens": 800, "output_tokens": 50, "tools": [],
     "timing_events": [{"event_type": "user_message", "timestamp": "2026-08-25T00:00:00Z"},
                       {"event_type": "text", "timestamp": "2026-08-25T00:00:04.500Z"}]},
    {"provider": "claude", "session_id": "s1", "round_index": 1, "model": "opus", "input_tokens_total": 1300,
     "prefix_tokens": 1000, "newly_append_tokens": 300, "output_tokens": 60, "tools": [],
     "timing_events": [{"event_type": "tool_result", "timestamp": "2026-08-25T00:00:10Z"},
                       {"event_type": "text", "timestamp": "2026-08-25T00:00:12Z"}]},
    {"provider": "codex", "session_id": "s1", "round_index": 0, "model": "gpt", "input_tokens_total": 640,
     "prefix_tokens": 0, "newly_append_tokens": 640, "output_tokens": 7, "tools": [],
     "timing_events": [{"event_type": "user_message", "timestamp": "2026-08-25T00:00:05Z"}]},
]  # fmt: skip


def copilot_call(timestamp: str, prompt: int, completion: int, cached: int) -> dict[str, Any]:
    tokens = {"prompt": prompt, "completion": completion, "cached": cached}
    call = {"timestamp": timestamp, "duration_ms": 2000, "model": "model-a", "tokens": tokens}
    return {**call, "message_metadata": []}


COPILOT: list[dict[str, Any]] = [
    {"session_id": "x", "date": "2026-06-01", "turns": [
        {"llm_calls": [copilot_call("2026-06-01T10:00:00Z", 640, 20, 64),
                       copilot_call("2026-06-01T10:00:05Z", 1280, 30, 640)], "tool_batches": []},
        {"llm_calls": [copilot_call("2026-06-01T10:01:00Z", 1300, 30, 320)], "tool_batches": []}]},
    {"session_id": "y", "date": "2026-06-01", "turns": [
        {"llm_calls": [copilot_call("2026-06-01T10:00:03Z", 100, 20, 0)], "tool_batches": []}]},
]  # fmt: skip

CHUTES = {
    "invocation_id": [1, 2, 3, 4],
    "function_name": ["chat", "chat", "image", "chat"],
    "chute_id": ["llama", "qwen", "flux", "llama"],
    "started_at": [1_000_000, 2_500_000, 2_600_000, 4_000_000],
    "completed_at": [2_000_000, 3_500_000, 2_700_000, 5_000_000],
    "it": [100, 200, None, 300],
    "ot": [10, 20, None, 30],
    "ct": [0, 64, None, 0],
    "ttft": [0.1, 0.2, None, 0.3],
}
BASETEN = {
    "timestamp_start_unix_ms": [1_700_000_000_100, 1_700_000_000_200, 1_700_000_003_200],
    "prompt": ["a", "b", "c"],
    "input_tokens": [128, 130, 64],
    "output_tokens": [6, 8, 1],
    "total_hashes": [[901, 902], [901, 903], [5]],
    "provided_session_id": ["u", "v", "u"],
    "block_size": [64, 64, 64],
}
SERVEGEN_RATES = "0,0.5,1.1,Gamma,0.8,2.5\n600,2.0,0.9,Weibull,1.2,0.5\n1200,0,0,,0,0\n"
SERVEGEN_LENGTHS = {"0": {"input_tokens": {"100": 0.5, "300": 0.5}, "output_tokens": "{10: 0.25, 20: 0.75}"}}


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def text(content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "trace.data"
        path.write_text(content)
        return path

    return write


def parquet(columns: dict[str, list[Any]]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "trace.data"
        pq.write_table(pa.table(columns), path)
        return path

    return write


def weka_folder(folder: Path) -> Path:
    inside = folder / "sessions"
    inside.mkdir()
    (inside / "trace_0001.json").write_text(json.dumps(weka_session("a"), indent=1))
    (inside / "trace_0002.json.gz").write_bytes(gzip.compress(json.dumps(weka_session("b")).encode()))
    return inside


def weka_parquet(folder: Path) -> Path:
    rows = [
        ("a", None, 0, 0.0, 130, 20, [1, 2], 4.0, 0.0),
        ("a", "agent_001", 1, 12.0, 70, 10, [9], 4.0, 0.0),
        ("a", "agent_001", 2, 17.0, 140, 10, [9, 10], 4.0, 1.0),
        ("a", None, 3, 30.0, 260, 30, [1, 2, 3, 4], 4.0, 26.0),
        ("b", None, 0, 0.0, 64, 0, [1], None, 0.0),
        ("b", None, 1, 9.0, 64, 5, [2], 2.0, None),
    ]
    names = ("trace_id", "agent_id", "req", "t", "in", "out", "hash_ids", "api_time", "think_time")
    columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    return parquet({**columns, "model": ["opus"] * 6, "block_size": [64] * 6})(folder)


def servegen_folder(folder: Path) -> Path:
    inside = folder / "m-tiny"
    inside.mkdir()
    (inside / "chunk-0-trace.csv").write_text(SERVEGEN_RATES)
    (inside / "chunk-0-dataset.json").write_text(json.dumps(SERVEGEN_LENGTHS))
    (inside / "chunk-7-trace.csv").write_text("600,1.0,1.0,Gamma,1.0,1.0\n")
    return inside


# name -> (what writes it, the format it is, how many requests it has; None: drawn at random)
NATIVE: dict[str, tuple[Callable[[Path], Path], str, int | None]] = {
    "azure-2023": (text(AZURE_2023), "azure", 3),
    "azure-2024": (text(AZURE_2024), "azure", 3),
    "azure-lmm": (text(AZURE_LMM), "azure", 3),
    "burstgpt-1": (text(BURSTGPT_1), "burstgpt", 3),
    "burstgpt-3": (text(BURSTGPT_3), "burstgpt", 3),
    "vidur": (text(VIDUR), "vidur", 3),
    "mooncake": (text(lines(MOONCAKE)), "mooncake", 3),
    "bailian": (text(lines(BAILIAN)), "bailian", 4),
    "weka-json": (text(json.dumps(weka_session())), "weka", 4),
    "weka-folder": (weka_folder, "weka", 8),
    "weka-parquet": (weka_parquet, "weka", 6),
    "tracelab": (text(lines(TRACELAB)), "tracelab", 3),
    "copilot": (text(lines(COPILOT)), "copilot", 4),
    "chutes": (parquet(CHUTES), "chutes", 3),
    "baseten": (parquet(BASETEN), "baseten", 3),
    "servegen": (servegen_folder, "servegen", None),
}
