"""Spans of tasks, requests and tool calls: by the conventions, and where OTEL_* says."""

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as names

from engine.runs.run import Selection
from engine.telemetry.spans import Spans
from engine.telemetry.tracing import ACTIVE
from tests.support.chat_server import ChatServer, SqlPlayer, status
from tests.support.commands import engine
from tests.support.configs import make_config, run

KNOWN = {value for name, value in vars(names).items() if name.startswith("GEN_AI_")}


@contextmanager
def kept(content: bool = False) -> Iterator[InMemorySpanExporter]:
    """Trace what is explored inside."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    token = ACTIVE.set(Spans(provider.get_tracer("test"), content))
    try:
        yield exporter
    finally:
        ACTIVE.reset(token)
        provider.shutdown()


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def by_operation(spans: tuple[ReadableSpan, ...]) -> dict[str, list[ReadableSpan]]:
    found = defaultdict(list)
    for span in spans:
        found[str(facts(span)["gen_ai.operation.name"])].append(span)
    return found


def test_a_search_is_a_trace_by_the_conventions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with kept() as exporter, ChatServer(SqlPlayer(), faults=[status(400)]) as server:
        config = make_config(
            "bird", teacher="player", base_url=server.base_url, search="react", temperature=0.5
        )
        run(config, tmp_path / "a", selection=Selection(limit=2))
        spans = by_operation(exporter.get_finished_spans())
        asked = len(server.requests)
        exporter.clear()
        run(config, tmp_path / "b", selection=Selection(tasks="bird-train-1"))
    agents, chats, tools = (spans[each] for each in ("invoke_agent", "chat", "execute_tool"))
    assert len(agents) == 2 and len(chats) == asked and len(tools) >= 2
    assert {
        name for span in chats + agents + tools for name in facts(span) if "gen_ai" in name
    } <= (KNOWN)
    (refused,) = [span for span in chats if "error.type" in facts(span)]
    answered = [span for span in chats if span is not refused]
    assert facts(refused)["error.type"] == "PolicyError" and not refused.status.is_ok
    first = facts(answered[0])
    assert answered[0].name == "chat player" and first["gen_ai.request.temperature"] == 0.5
    assert first["gen_ai.usage.input_tokens"] > 0 and first["gen_ai.usage.output_tokens"] > 0
    assert (first["server.address"], first["gen_ai.provider.name"]) == ("127.0.0.1", "openai")
    parents = {span.context.span_id for span in agents if span.context}
    assert all(span.parent and span.parent.span_id in parents for span in chats + tools)
    assert {facts(span)["gen_ai.tool.name"] for span in tools} >= {"answer"}
    assert not any("messages" in name or "call" in name for span in chats for name in facts(span))
    again = by_operation(exporter.get_finished_spans())
    assert "chat" not in again and len(again["execute_tool"]) > 1  # the journal answers


def test_contents_are_recorded_on_request(tmp_path: Path) -> None:
    with kept(content=True) as exporter, ChatServer(SqlPlayer()) as server:
        config = make_config("bird", teacher="player", base_url=server.base_url, search="react")
        run(config, tmp_path / "a", selection=Selection(limit=1))
    spans = by_operation(exporter.get_finished_spans())
    chat, tool = facts(spans["chat"][0]), facts(spans["execute_tool"][-1])
    said = json.loads(str(chat["gen_ai.output.messages"]))[0]
    assert said["role"] == "assistant" and said["parts"][-1]["type"] in ("text", "tool_call")
    assert "How many books" in str(chat["gen_ai.input.messages"])
    assert "sql" in json.loads(str(tool["gen_ai.tool.call.arguments"]))
    assert tool["treegraft.reward"] in (0.0, 1.0) and "gen_ai.tool.call.result" in tool


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is exported."""

    received: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_command_sends_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Receiver.received = []
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        done = engine("explore", "--env", "kg", "--limit", 2, "--otel", "--output", tmp_path / "r")
        server.shutdown()
    assert done.returncode == 0, done.stderr
    (resource,) = {
        each.value.string_value
        for request in received
        for part in request.resource_spans
        for each in part.resource.attributes
        if each.key == "service.name"
    }
    sent = [
        span.name
        for request in received
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
    ]
    assert resource == "treegraft" and sent.count("invoke_agent treegraft") == 2
    assert "execute_tool answer" in sent


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "engine.telemetry.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    found = engine("explore", "--env", "kg", "--limit", 1, "--otel", "--output", tmp_path / "r")
    assert found.returncode == 2
    assert "--otel needs packages that are not installed (opentelemetry): pip" in found.stderr
    plain = engine("explore", "--env", "kg", "--limit", 1, "--output", tmp_path / "r")
    assert plain.returncode == 0, plain.stderr


@pytest.mark.parametrize(
    ("flags", "variable", "words"),
    [
        (("--otel-content",), "", "--otel-content is for --otel"),
        (("--otel", "--executor", "processes"), "", "--otel works with --executor local only"),
        (("--otel",), "zipkin", "no exporter 'zipkin' for --otel is installed: pip install"),
        (("--report-to", "clearml"), "", "no such tracker; use one or more of trackio, wandb"),
    ],
)
def test_bad_input_is_one_line(
    flags: tuple[str, ...],
    variable: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", variable or "none")
    found = engine("explore", "--env", "kg", "--limit", 1, *flags, "--output", tmp_path / "r")
    assert found.returncode == 2 and words in found.stderr, found.stderr
