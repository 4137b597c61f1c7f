"""The places where a run may be traced. By default they do nothing.

`ACTIVE` holds what traces the run under way, for the tasks, chats and environments that are made
in it; `engine.telemetry.spans` is what `--otel` puts there.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.chat.base import Chat
    from environments import Task, ToolEnv


class Tracing:
    """Traces nothing."""

    def chat(self, chat: "Chat") -> "Chat":
        """Return `chat`, whose requests are traced."""
        return chat

    def env(self, env: "ToolEnv") -> "ToolEnv":
        """Return `env`, whose calls of tools are traced."""
        return env

    def task(self, task: "Task", model: str) -> AbstractContextManager[None]:
        """Trace the search of a task."""
        return nullcontext()

    def close(self) -> None:
        """Send what is left."""


_NOTHING = Tracing()
ACTIVE: ContextVar[Tracing] = ContextVar("tracing", default=_NOTHING)


def check_traced(otel: bool, content: bool) -> None:
    """Raise `UsageError` if content is to be recorded in no spans."""
    if content and not otel:
        raise UsageError("--otel-content is for --otel")


@contextmanager
def traced(otel: bool, content: bool) -> Iterator[None]:
    """Trace what is made and done inside with OpenTelemetry, if `otel` and unless that is done.

    Raises:
        UsageError: The packages are not installed, or the environment names no exporter of theirs.
    """
    check_traced(otel, content)
    if not otel or ACTIVE.get() is not _NOTHING:
        yield
        return
    try:
        from engine.telemetry.spans import Spans
    except ImportError as error:
        raise UsageError(
            f"--otel needs packages that are not installed ({error.name}): "
            "pip install 'treegraft[otel]'"
        ) from None
    spans = Spans.from_environment(content)
    token = ACTIVE.set(spans)
    try:
        yield
    finally:
        ACTIVE.reset(token)
        spans.close()
