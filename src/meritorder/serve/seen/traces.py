"""`Traces`: OpenTelemetry spans of a sample of requests, made when they have ended."""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Fleet
from meritorder.serve.account import Account

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

# OpenTelemetry's names for what the APIs do
_OPERATIONS = {
    "chat": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "responses": "generate_content",
    "embeddings": "embeddings",
}

# Clients' traces joined between two flushes: clients decide that these are kept, and a span costs more than a request.
_MOST_JOINED = 50


class Traces:
    """A watcher. Spans go to `fleet.gateway.traces` in the background, or to `processor`.

    A share `trace_share` of the requests is traced; a request whose client traces is traced if the client's trace is
    kept, and joins it (up to a limit).
    """

    def __init__(self, fleet: Fleet, processor: SpanProcessor | None = None) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        self._services = (*fleet.services, "")
        self._pools = (*fleet.pools, "")
        self._kinds = (*(pool.endpoint.kind if pool.endpoint else "" for pool in fleet.pools.values()), "")
        self._models = (*(pool.model for pool in fleet.pools.values()), "")
        self._share = fleet.gateway.trace_share
        self._left = _MOST_JOINED
        self.spans = 0  # requests traced since the start
        resource = Resource.create({"service.name": "meritorder", "meritorder.fleet": fleet.name})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor or _exporting(fleet.gateway.traces or ""))
        self._tracer = self._provider.get_tracer("meritorder")

    def __call__(self, account: Account) -> None:
        """Trace a request that has ended, if it is its turn."""
        if account.traceparent:
            if account.traceparent[-1:] not in b"13579bdf" or not self._left:
                return
            self._left -= 1
        elif random() >= self._share:
            return
        self._trace(account)

    def flush(self) -> None:
        """Let clients' traces be joined again; about twice a second."""
        self._left = _MOST_JOINED

    def close(self) -> None:
        """Send what is left; waits a few seconds at most."""
        self._provider.force_flush(2000)
        self._provider.shutdown()

    def _trace(self, account: Account) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.spans += 1
        carrier = {"traceparent": account.traceparent.decode("latin-1")} if account.traceparent else {}
        context = TraceContextTextMapPropagator().extract(carrier)
        operation = _OPERATIONS.get(account.api, account.api)
        begin = account.wall - account.received  # of the loop's clock, in Unix time

        def at(moment: float) -> int:
            return int((begin + moment) * 1e9)

        span = self._tracer.start_span(
            f"{operation} {account.model}".strip(), context, SpanKind.SERVER, start_time=at(account.received)
        )
        self._describe(span, account, operation)
        if account.outcome not in ("ok", "cancelled"):
            span.set_status(Status(StatusCode.ERROR, account.why))
        within = set_span_in_context(span, context)
        placed, first, ended = account.placed, account.first, account.ended
        parts = [("wait", account.received, placed or ended)]
        if placed and first and account.stream:
            parts += [("first token", placed, first), ("tokens", first, ended)]
        elif placed:
            parts += [("answer", placed, ended)]
        for name, start, end in parts:
            self._tracer.start_span(name, within, SpanKind.INTERNAL, start_time=at(start)).end(at(end))
        span.end(at(ended))

    def _describe(self, span: Span, account: Account, operation: str) -> None:
        span.set_attributes(
            {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": self._kinds[account.pool],
                "gen_ai.request.model": account.model,
                "gen_ai.request.stream": account.stream,
                "gen_ai.response.model": self._models[account.pool],
                "gen_ai.usage.input_tokens": account.prompt_tokens,
                "gen_ai.usage.output_tokens": account.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": account.cached_tokens,
                "http.response.status_code": account.status,
                "meritorder.request_id": account.request_id,
                "meritorder.tenant": account.tenant,
                "meritorder.service": self._services[account.service],
                "meritorder.pool": self._pools[account.pool],
                "meritorder.replica": account.replica,
                "meritorder.reason": REASONS[account.reason],
                "meritorder.outcome": account.outcome,
                "meritorder.retries": account.retries,
                "meritorder.continued": account.continued,
                "meritorder.hedged": account.hedged,
                "meritorder.predicted_ttft_s": account.predicted_ttft_s,
                "meritorder.predicted_tpot_s": account.predicted_tpot_s,
                "meritorder.energy_j": account.energy_j,
                "meritorder.usd": account.usd,
                "meritorder.co2_kg": account.kg,
            }
        )


def _exporting(endpoint: str) -> SpanProcessor:
    """Sends spans in batches from a thread of its own; drops them where nobody listens."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if urlsplit(endpoint).path in ("", "/"):
        endpoint = endpoint.rstrip("/") + "/v1/traces"
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5))
