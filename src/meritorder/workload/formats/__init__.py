"""Public trace formats, one file each: what a format is recognised by, and how it becomes rows or a trace."""

from __future__ import annotations

from types import ModuleType


def every() -> tuple[ModuleType, ...]:
    """The modules of all formats. Each has NAME, LOOKS_FOR, `matches(peek)` and `read` (whole) or `drafts` (rows)."""
    from meritorder.workload import parquet
    from meritorder.workload.formats import (
        azure,
        bailian,
        baseten,
        burstgpt,
        chutes,
        copilot,
        mooncake,
        recorded,
        servegen,
        tracelab,
        vidur,
        weka,
    )

    return (
        *(parquet, azure, burstgpt, mooncake, bailian, weka, servegen),
        *(vidur, tracelab, copilot, chutes, baseten, recorded),
    )


def names() -> tuple[str, ...]:
    """Names that `--format` takes."""
    return tuple(module.NAME for module in every())
