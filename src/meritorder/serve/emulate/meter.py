"""What an emulated replica's `/metrics` says, with the names and meanings of vLLM's."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator

from meritorder.perf.replica import Replica
from meritorder.serve.emulate.job import Job
from meritorder.simulate.oracle.engine import Engine

# Upper edges of the buckets, seconds: vLLM's, thinned out.
_FIRST_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 40.0, 160.0)
_TOKEN_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
_WHOLE_S = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 120.0, 240.0, 480.0, 960.0)


class Histogram:
    """Counts of values by bucket, and their sum."""

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """In the text form of Prometheus."""
        below = 0
        for edge, count in zip((*self.edges, math.inf), self.counts, strict=True):
            below += count
            shown = "+Inf" if edge == math.inf else repr(edge)
            yield f'{name}_bucket{{{labels},le="{shown}"}} {below}'
        yield f"{name}_sum{{{labels}}} {self.sum!r}"
        yield f"{name}_count{{{labels}}} {below}"


class Meter:
    """Counts what passes through one engine."""

    def __init__(self, engine: Engine[Job], replica: Replica) -> None:
        self._engine = engine
        self._kv_blocks, self._block_tokens = replica.kv_blocks, replica.block_tokens
        self.first_s, self.token_s, self.whole_s = Histogram(_FIRST_S), Histogram(_TOKEN_S), Histogram(_WHOLE_S)
        self.asked = self.hit = self.prompt_tokens = self.preemptions = 0
        self.by_reason = {"stop": 0, "length": 0}

    def token(self, job: Job, now: float) -> None:
        """A token of a request has left the front end, `now` in emulated seconds."""
        if math.isnan(job.latest):
            self.first_s.add(now - job.arrival)
            self.asked += job.prompt
            self.hit += job.hit
            self.prompt_tokens += job.prompt
        else:
            self.token_s.add(now - job.latest)
        job.latest = now

    def ended(self, job: Job) -> None:
        """A request has all its tokens."""
        self.whole_s.add(job.latest - job.arrival)
        self.preemptions += job.preemptions
        self.by_reason[job.ends] += 1

    def text(self, model: str) -> bytes:
        """All of it in the text form of Prometheus."""
        engine = self._engine
        labels = f'engine="0",model_name="{model}"'
        used = 1.0 - engine.free() / self._kv_blocks
        config = (
            f'block_size="{self._block_tokens}",enable_prefix_caching="{bool(engine.unit_tokens)}",engine="0",'
            f'kv_cache_size_tokens="{self._kv_blocks * self._block_tokens}",num_gpu_blocks="{self._kv_blocks}"'
        )
        lines = ["# emulated: no engine is behind these figures"]
        for name, kind, value in (
            ("num_requests_running", "gauge", len(engine.running)),
            ("num_requests_waiting", "gauge", len(engine.waiting)),
            ("kv_cache_usage_perc", "gauge", used),
            ("prefix_cache_queries_total", "counter", self.asked),
            ("prefix_cache_hits_total", "counter", self.hit),
            ("prompt_tokens_total", "counter", self.prompt_tokens),
            ("generation_tokens_total", "counter", int(engine.output_tokens)),
            ("num_preemptions_total", "counter", self.preemptions),
        ):
            lines += [f"# TYPE vllm:{name} {kind}", f"vllm:{name}{{{labels}}} {float(value)!r}"]
        lines.append("# TYPE vllm:request_success_total counter")
        for reason, count in self.by_reason.items():
            lines.append(f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {float(count)!r}')
        lines += ["# TYPE vllm:cache_config_info gauge", f"vllm:cache_config_info{{{config}}} 1.0"]
        for name, histogram in (
            ("time_to_first_token_seconds", self.first_s),
            ("inter_token_latency_seconds", self.token_s),
            ("e2e_request_latency_seconds", self.whole_s),
        ):
            lines += [f"# TYPE vllm:{name} histogram", *histogram.lines(f"vllm:{name}", labels)]
        return ("\n".join(lines) + "\n").encode()
