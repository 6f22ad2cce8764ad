"""Traces: a sample of requests as OpenTelemetry spans, sent to a collector."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from ended_requests import WALL, ended, fleet, refused
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from meritorder.serve.account import Account
from meritorder.serve.seen.traces import Traces

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traced(*accounts: Account, share: float = 1.0) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    traces = Traces(fleet(trace_share=share), SimpleSpanProcessor(exporter))
    for account in accounts:
        traces(account)
    traces.close()
    return list(exporter.get_finished_spans())


def test_a_request_and_its_parts() -> None:
    spans = {span.name: span for span in traced(ended(wait=0.1, ttft=0.2, tpot=0.01, output=11))}
    request = spans["chat llama-3.1-8b"]
    assert set(spans) == {"chat llama-3.1-8b", "wait", "first token", "tokens"}
    assert request.start_time is not None
    assert request.end_time is not None
    assert abs(request.start_time - (WALL + 50.0) * 1e9) < 1e3
    assert abs(request.end_time - request.start_time - 0.4e9) < 1e3
    for name, seconds in (("wait", 0.1), ("first token", 0.2), ("tokens", 0.1)):
        part = spans[name]
        assert part.parent is not None
        assert part.parent.span_id == request.context.span_id
        assert abs(part.end_time - part.start_time - seconds * 1e9) < 1e3
    attributes = dict(request.attributes or {})
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.usage.output_tokens"] == 11
    assert attributes["meritorder.pool"] == "fast"
    assert attributes["meritorder.reason"] == "cheapest that meets its targets"


def test_what_went_wrong_is_marked() -> None:
    request = next(span for span in traced(refused(429, why="the queue is full")) if span.parent is None)
    assert request.status.status_code is StatusCode.ERROR
    assert request.status.description == "the queue is full"


def test_only_a_share_is_traced() -> None:
    assert traced(*[ended()] * 100, share=0.0) == []
    assert 50 < len(traced(*[refused()] * 1000, share=0.1)) / 2 < 200


def test_a_clients_trace_is_joined_if_the_client_keeps_it() -> None:
    request = next(span for span in traced(ended(traceparent=PARENT), share=0.0) if span.kind.name == "SERVER")
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert traced(ended(traceparent=PARENT[:-1] + b"0"), share=1.0) == []
    assert traced(ended(traceparent=b"nonsense, but odd: 1"))[-1].parent is None


def test_clients_cannot_have_everything_traced() -> None:
    spans = traced(*[ended(traceparent=PARENT)] * 1000, share=0.0)
    assert len([span for span in spans if span.kind.name == "SERVER"]) == 50


def test_spans_reach_a_collector() -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        traces = Traces(fleet(traces=f"http://127.0.0.1:{server.server_port}", trace_share=1.0))
        traces(ended())
        traces.close()
        server.shutdown()
    ((path, body),) = received
    assert path == "/v1/traces"
    resource = ExportTraceServiceRequest.FromString(body).resource_spans[0]
    assert {"chat llama-3.1-8b", "tokens"} <= {span.name for span in resource.scope_spans[0].spans}
