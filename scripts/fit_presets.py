"""Fit the traffic presets to published traces: `python -m scripts.fit_presets ../shared/traces [--report]`.

Writes src/meritorder/workload/synthesis/presets/*.yaml. Each preset is fitted twice: to one half of its trace, to judge
it on the other half (printed by --report, kept in the preset under `fit`), and to the whole, which is what is shipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scripts.fitting import azure, mooncake, servegen, sources, weka
from scripts.fitting.judge import Row, median, numbers, spec, table

from meritorder.files import write_text
from meritorder.workload.synthesis.spec import parse_spec
from meritorder.workload.synthesis.synthesize import synthesize
from meritorder.workload.trace import Trace

PRESETS = Path(__file__).parent.parent / "src/meritorder/workload/synthesis/presets"
RUNS = 25


class Fit(NamedTuple):
    """A preset's content and how its half-fit did: real (fitted on), real (held back), synthetic."""

    content: dict[str, Any]
    judged: tuple[Row, Row, Row]
    split: str


def fit_azure(folder: Path, name: str) -> Fit:
    """Fitted on the first half of the hour, judged on the second."""
    trace = sources.azure(folder, name)
    half = trace.duration_s / 2
    early, late = sources.between(trace, 0, half), sources.between(trace, half, np.inf)
    fit = {"conv": azure.conv, "code": azure.code}[name]
    trial = spec(name, {name: fit(early)})
    made = median(numbers(synthesize(trial, seed, duration_s=half)) for seed in range(RUNS))
    what = {
        "conv": "A chat service: nearly Poisson with a slow drift, short answers",
        "code": "Code completion: bursts with long silences, long prompts, tiny answers",
    }[name]
    content = {
        "description": f"{what} (Azure LLM inference trace 2023, {name})",
        "source": "Azure/AzurePublicDataset, AzureLLMInferenceTrace_"
        + name
        + ".csv; Patel et al., Splitwise, ISCA 2024",
        "licence": "CC BY 4.0",
        "date": "2023-11-16",
        "duration": "1 h",
        "clients": {name: fit(trace)},
    }
    return Fit(content, (numbers(early), numbers(late), made), "first half hour / second half hour")


def fit_mooncake(folder: Path) -> Fit:
    """Fitted on the first half of the hour, judged on the second; both caches start empty."""
    trace = sources.spread(sources.mooncake(folder), 3.0, seed=0)
    half = trace.duration_s / 2
    early, late = sources.between(trace, 0, half), sources.between(trace, half, np.inf)
    more = {"block_tokens": 512}
    trial = spec("mooncake", mooncake.clients(early), **more)
    made = median(numbers(synthesize(trial, seed, duration_s=half)) for seed in range(RUNS))
    content = {
        "description": "Chat with long documents and prefix reuse (Mooncake conversation trace)",
        "source": "kvcache-ai/Mooncake, FAST25-release conversation_trace.jsonl; Qin et al., Mooncake, FAST 2025",
        "licence": "Apache-2.0",
        "date": "2024",
        "duration": "1 h",
        **more,
        "clients": mooncake.clients(trace),
    }
    return Fit(content, (numbers(early), numbers(late), made), "first half hour / second half hour")


def fit_weka(folder: Path) -> Fit:
    """Fitted on every other group of sessions, judged on the rest."""
    agents = sources.weka(folder)
    groups = np.unique(agents.group)
    odd = np.isin(agents.group, groups[1::2])[agents.trace.session]
    halves = [
        sources.Agents(sources.pick(agents.trace, np.flatnonzero(which)), agents.service_s[which], agents.group)
        for which in (odd, ~odd)
    ]
    more = {"block_tokens": 64}
    trial = spec("weka", weka.clients(halves[0]), **more)
    sessions = len(np.unique(halves[1].trace.session))
    span = sessions / weka.STARTS_PER_S
    made = median(numbers(synthesize(trial, seed, duration_s=span)) for seed in range(RUNS))
    real = [median(numbers(_laid_out(half.trace, seed)) for seed in range(3)) for half in halves]
    content = {
        "description": "Coding agents: closed-loop sessions with growing context (Weka's Claude Code recordings)",
        "source": "callanjfox/kv-cache-tester traces/ (383 of 739 sessions); when sessions start is our choice",
        "licence": "Apache-2.0",
        "date": "2025 to 2026",
        "duration": "4 h",
        **more,
        "clients": weka.clients(agents),
    }
    return Fit(content, (real[0], real[1], made), "every other group of sessions / the rest")


def fit_servegen(folder: Path, model: str) -> Fit:
    """Fitted on days 1 to 4 (hours 0 to 6), judged on days 5 to 7 (hours 6 to 12), in six sampled hours each."""
    whole = servegen.Service(folder, model)
    days = whole.last * servegen.WINDOW_S > 86_400
    border = 4 * 86_400.0 if days else 6 * 3600.0
    early, late = servegen.Service(folder, model, 0, border), servegen.Service(folder, model, border)
    trial = spec(model, servegen.preset(early))
    hours = range(6)
    real = [
        {**median(servegen.sampled(part, k, len(hours)) for k in hours), **servegen.length_row(part)}
        for part in (early, late)
    ]
    made = servegen.synthetic_row(trial, border, len(hours))
    content = {
        "description": f"An API service composed of its clients (ServeGen {model})",
        "source": "alibaba/ServeGen data/*; Xiang et al., ServeGen, arXiv 2505.09999",
        "licence": "Apache-2.0",
        "date": "2025",
        "duration": "1 h",
        "clients": servegen.preset(whole),
    }
    return Fit(content, (real[0], real[1], made), "days 1-4 / 5-7" if days else "hours 0-6 / 6-12")


FITS: dict[str, Callable[[Path], Fit]] = {
    "azure-2023-conv": lambda folder: fit_azure(folder, "conv"),
    "azure-2023-code": lambda folder: fit_azure(folder, "code"),
    "mooncake-conversation": fit_mooncake,
    "weka-claude-code": fit_weka,
    "servegen-m-small": lambda folder: fit_servegen(folder, "m-small"),
    "servegen-m-mid": lambda folder: fit_servegen(folder, "m-mid"),
    "servegen-m-large": lambda folder: fit_servegen(folder, "m-large"),
    "servegen-deepseek-r1": lambda folder: fit_servegen(folder, "deepseek-r1"),
    "servegen-mm-image": lambda folder: fit_servegen(folder, "mm-image"),
}


def write(name: str, fit: Fit) -> None:
    """The preset's file; it must read back as a workload."""
    real, synthetic = fit.judged[1], fit.judged[2]
    quality = {key: [float(f"{real[key]:.3g}"), float(f"{synthetic[key]:.3g}")] for key in real}
    content = {"name": name, **fit.content}
    clients = content.pop("clients")
    content["fit"] = {"split": fit.split, "held_back_and_synthetic": quality}
    content["clients"] = clients
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=160, allow_unicode=True)
    text = "# Written by scripts/fit_presets.py; change that, not this.\n" + text
    parse_spec(text, name)
    write_text(PRESETS / f"{name}.yaml", text)


def _laid_out(trace: Trace, seed: int) -> Trace:
    """Real sessions that start like the preset's, in order of arrival, as a closed loop for `numbers`."""
    sessions = len(np.unique(trace.session))
    starts = np.cumsum(np.random.default_rng(seed).exponential(1 / weka.STARTS_PER_S, sessions))
    times, order = weka.laid_out(trace, starts)
    result = sources.pick(replace(trace, arrival_s=times), order)
    return replace(result, after=np.where(np.arange(len(order)) > 0, 0, -1).astype(np.int32))


def main() -> None:
    """Fit, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the published traces")
    parser.add_argument("--only", choices=sorted(FITS), action="append", help="these presets only")
    parser.add_argument(
        "--report", action="store_true", help="print how near each comes to traffic it was not fitted to"
    )
    options = parser.parse_args()
    for name in options.only or FITS:
        fit = FITS[name](options.folder)
        write(name, fit)
        if options.report:
            print(table(f"{name} ({fit.split})", *fit.judged), flush=True)


if __name__ == "__main__":
    main()
