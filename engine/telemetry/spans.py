"""OpenTelemetry spans by the semantic conventions for generative AI.

A task's search is a trace: `invoke_agent`, and below it `chat` for each request that is sent (not
for what the journal answers), and `execute_tool` for each call that the environment plays. What
was said is recorded only where the user asks for it.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from engine.chat.base import LOCAL, Chat, ChatReply, ChatRequest
from engine.errors import UsageError
from engine.telemetry.tracing import Tracing
from environments import Action, Task, ToolEnv

NAME = "treegraft"
_PROVIDERS = {
    "openai.azure.com": "azure.ai.openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.cohere.com": "cohere",
    "api.perplexity.ai": "perplexity",
}
"""Providers by the end of their host; others speak OpenAI's API and are named after it."""
_SAMPLING = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
}


class Spans(Tracing):
    """Makes spans with a tracer.

    Args:
        tracer: OpenTelemetry's.
        content: Whether prompts, replies, arguments and observations are recorded.
        provider: Shut down at the end; None if it is the user's.
    """

    def __init__(
        self, tracer: Tracer, content: bool = False, provider: TracerProvider | None = None
    ) -> None:
        self._tracer, self._content, self._provider = tracer, content, provider

    @classmethod
    def from_environment(cls, content: bool) -> "Spans":
        """Return spans that go where the process, else the OTEL_* variables, say.

        Raises:
            UsageError: OTEL_TRACES_EXPORTER names an exporter that is not installed.
        """
        own = None
        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):  # nobody has set one
            provider = own = TracerProvider(resource=_resource())
            for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
                if (exporter := _exporter(name.strip())) is not None:
                    own.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider.get_tracer(NAME, version(NAME)), content, own)

    def close(self) -> None:
        """See `Tracing`."""
        if self._provider is not None:
            self._provider.shutdown()

    @contextmanager
    def task(self, task: Task, model: str) -> Iterator[None]:
        """See `Tracing`."""
        facts = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": NAME,
            "gen_ai.agent.name": NAME,
            "gen_ai.conversation.id": task.id,
            "gen_ai.request.model": model,
        }
        if self._content:
            facts["gen_ai.input.messages"] = _messages([{"role": "user", "content": task.prompt}])
        with self._span(f"invoke_agent {NAME}", SpanKind.INTERNAL, facts):
            yield

    def chat(self, chat: Chat) -> Chat:
        """See `Tracing`."""
        return _TracedChat(chat, self)

    def env(self, env: ToolEnv) -> ToolEnv:
        """See `Tracing`."""
        play = env.step_async

        async def step(action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
            with self.tool(action, env) as span:
                found = await play(action)
                self._observed(span, *found)
                return found

        env.__dict__["step_async"] = step  # `step` calls it, too
        return env

    @contextmanager
    def tool(self, action: Action, env: ToolEnv) -> Iterator[Span]:
        """Trace a call of a tool."""
        name = action.tool or "(malformed)"
        facts = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
        }
        if env.task is not None:
            facts["gen_ai.conversation.id"] = env.task.id
        if self._content:
            facts["gen_ai.tool.call.arguments"] = _json(dict(action.arguments))
        with self._span(f"execute_tool {name}", SpanKind.INTERNAL, facts) as span:
            yield span

    @contextmanager
    def request(self, request: ChatRequest, base_url: str) -> Iterator[Span]:
        """Trace a request to a model."""
        facts: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _provider(base_url),
            "gen_ai.request.model": request.model,
        }
        for name, value in request.sampling.items():
            if name in _SAMPLING and isinstance(value, int | float):
                facts[_SAMPLING[name]] = value
        if stop := request.sampling.get("stop"):
            facts["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
        if (count := request.sampling.get("n") or 1) != 1:
            facts["gen_ai.request.choice.count"] = count
        place = urlsplit(base_url)
        if place.hostname:
            facts["server.address"] = place.hostname
            facts["server.port"] = place.port or (443 if place.scheme == "https" else 80)
        if self._content:
            facts["gen_ai.input.messages"] = _messages(request.messages)
            if request.tools:
                facts["gen_ai.tool.definitions"] = _json(request.tools)
        with self._span(f"chat {request.model}", SpanKind.CLIENT, facts) as span:
            yield span

    def replied(self, span: Span, reply: ChatReply) -> None:
        """Note what a request brought."""
        used = reply.usage
        span.set_attribute("gen_ai.usage.input_tokens", used.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", used.completion_tokens)
        if used.cached_tokens:
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", used.cached_tokens)
        if used.usd:
            span.set_attribute("treegraft.usage.usd", used.usd)
        if reply.model:
            span.set_attribute("gen_ai.response.model", reply.model)
        if reply.finish:
            span.set_attribute("gen_ai.response.finish_reasons", list(reply.finish))
        if self._content:
            finish = [*reply.finish, *[""] * len(reply.messages)]
            span.set_attribute("gen_ai.output.messages", _messages(reply.messages, finish))

    def _observed(
        self,
        span: Span,
        observation: str,
        reward: float,
        terminated: bool,
        truncated: bool,
        info: Mapping[str, Any],
    ) -> None:
        if terminated or truncated:
            span.set_attribute("treegraft.reward", float(reward))
        if kind := info.get("error"):
            span.set_attribute("error.type", str(kind))
            span.set_status(Status(StatusCode.ERROR))
        if self._content:
            span.set_attribute("gen_ai.tool.call.result", observation)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, facts: Mapping[str, Any]) -> Iterator[Span]:
        """Make a span; an exception is its error, by its class alone unless content is kept."""
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=dict(facts),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                words = str(error) if self._content else None
                span.set_status(Status(StatusCode.ERROR, words))
                raise


class _TracedChat:
    """A `Chat` whose requests are spans."""

    def __init__(self, chat: Chat, spans: Spans) -> None:
        self.base_url, self._chat, self._spans = chat.base_url, chat, spans

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See `Chat`."""
        with self._spans.request(request, self.base_url) as span:
            reply = await self._chat.complete(request)
            self._spans.replied(span, reply)
            return reply


def _resource() -> Resource:
    named = "OTEL_SERVICE_NAME" in os.environ
    named = named or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {SERVICE_NAME: NAME})


def _exporter(name: str) -> Any:
    """Return the exporter of a name in OTEL_TRACES_EXPORTER; None for "none".

    Raises:
        UsageError: It is not installed.
    """
    if name in ("none", ""):
        return None
    if name == "otlp":
        variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        protocol = next(filter(None, map(os.environ.get, variables)), "http/protobuf")
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        package = f"opentelemetry-exporter-{name.replace('_', '-')}"
        raise UsageError(f"no exporter {name!r} for --otel is installed: pip install {package}")
    return found[0].load()()


def _provider(base_url: str) -> str:
    if base_url.startswith(LOCAL):
        return NAME
    host = urlsplit(base_url).hostname or ""
    return next((name for end, name in _PROVIDERS.items() if host.endswith(end)), "openai")


def _messages(messages: Sequence[Mapping[str, Any]], finish: Sequence[str] = ()) -> str:
    """Return messages in OpenAI's format as the conventions write them."""
    found = []
    for number, message in enumerate(messages):
        parts: list[dict[str, Any]] = []
        if message["role"] == "tool":
            response = {"type": "tool_call_response", "response": message.get("content")}
            parts.append({**response, "id": message.get("tool_call_id")})
        elif message.get("content"):
            parts.append({"type": "text", "content": message["content"]})
        for call in message.get("tool_calls") or ():
            asked = call["function"]
            named = {"name": asked["name"], "arguments": asked["arguments"]}
            parts.append({"type": "tool_call", "id": call.get("id"), **named})
        written = {"role": message["role"], "parts": parts}
        if finish:
            written["finish_reason"] = finish[number]
        found.append(written)
    return _json(found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
