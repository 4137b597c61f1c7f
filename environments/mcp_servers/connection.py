"""One connection to one server, by the official SDK; the server's faults are told apart.

The SDK's client runs on an event loop that runs only while we wait for the server. It writes and
reads lines through the sandbox: a request waits, under a deadline, until its answer is there.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from environments.mcp_servers.servers import Server
from sandbox.errors import SandboxError
from sandbox.residents import Line

if TYPE_CHECKING:
    from mcp.client.client import Client
    from mcp_types import CallToolResult

MOST_BYTES = 8 << 20
"""What a server may write during one call."""
START_SECONDS = 60.0
END_SECONDS = 2.0
SHOWN = 300
"""Characters of a server's complaint that are shown."""
T = TypeVar("T")


class ServerFailed(Exception):
    """The server did not answer as a server should; the message says what it did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call of a tool; `wrong` is whether it failed, by the server's own word."""

    text: str
    wrong: bool


class Programs(Protocol):
    """What runs servers, and carries their lines: `sandbox.residents.Residents`, or nodes."""

    def start_program(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """See `Residents`."""

    def send(self, name: str, line: str) -> None:
        """See `Residents`."""

    def receive(self, name: str, seconds: float, most_bytes: int) -> Line:
        """See `Residents`."""

    def stop_program(self, name: str) -> None:
        """See `Residents`."""


class Connection:
    """A server that runs, and the SDK's client of it. One thread at a time."""

    def __init__(self, server: Server, programs: Programs, seconds: float) -> None:
        """Prepare; `seconds` is how long one call may take."""
        self._server, self._programs, self._seconds = server, programs, seconds
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._left, self._bytes = START_SECONDS, 0
        self._odd = ""
        self._broken: SandboxError | None = None
        self.trouble = ""

    def open(self) -> None:
        """Start the server. Raises ServerFailed, SandboxError."""
        if self._server.command:
            name, command = self._server.name, self._server.command
            self._programs.start_program(name, command, self._server.env)
        self._client = self._wait(self._opened(), START_SECONDS)

    def tools(self) -> list[dict[str, Any]]:
        """Return name, description and schema of each tool. Raises ServerFailed."""
        assert self._client is not None
        client, found, cursor = self._client, [], None
        for _ in range(100):
            page = self._wait(client.list_tools(cursor=cursor), self._seconds)
            found += [
                {"name": t.name, "description": t.description or "", "schema": t.input_schema}
                for t in page.tools
            ]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool. Raises ServerFailed."""
        from mcp.shared.exceptions import MCPError

        assert self._client is not None
        try:
            result = self._wait(self._client.call_tool(tool, dict(arguments)), self._seconds)
        except MCPError as error:
            return Answer(f"error: {error}", True)
        return Answer(_text(result), bool(result.is_error))

    def close(self) -> None:
        """End the server. Calling it twice is fine."""
        if self._loop.is_closed():
            return
        try:
            if self._holding is not None:
                self.trouble = self.trouble or "closed"
                self._loop.run_until_complete(self._ended(self._holding))
        finally:
            self._loop.close()
            if self._server.command:
                self._programs.stop_program(self._server.name)

    async def _ended(self, holding: "asyncio.Task[None]") -> None:
        self._over.set()
        _, late = await asyncio.wait([holding], timeout=END_SECONDS)
        if late:
            holding.cancel()
            await asyncio.wait([holding], timeout=END_SECONDS)
        if holding.done() and not holding.cancelled():
            holding.exception()  # known already, or of no interest any more

    def _wait(self, call: Coroutine[Any, Any, T], seconds: float) -> T:
        """Run the loop until `call` has its result. Raises ServerFailed, MCPError."""
        from mcp.shared.exceptions import MCPError

        self._left, self._bytes, self._odd = seconds, 0, ""
        if self.trouble:
            call.close()
            raise ServerFailed(self.trouble)
        try:
            return self._loop.run_until_complete(asyncio.wait_for(call, seconds + 5.0))
        except TimeoutError:
            self._raise_if_broken()
            self.trouble = self.trouble or f"it did not answer in {seconds:g} s"
        except MCPError as error:
            self._raise_if_broken()
            if not self.trouble and not self._gone():
                raise
            self.trouble = self.trouble or str(error)
        except (OSError, ValueError, RuntimeError, ExceptionGroup) as error:
            # What the SDK raises for an answer that is not of the protocol.
            self._raise_if_broken()
            self.trouble = self.trouble or f"its answer is not of the protocol: {_first(error)}"
        raise ServerFailed(self.trouble)

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _gone(self) -> bool:
        return self._holding is None or self._holding.done()

    async def _opened(self) -> "Client":
        ready: asyncio.Future[Client] = self._loop.create_future()
        self._holding = self._loop.create_task(self._hold(ready))
        either: list[asyncio.Future[Any]] = [ready, self._holding]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            self._holding.result()  # raises what went wrong
            raise RuntimeError("the connection ended")
        return ready.result()

    async def _hold(self, ready: "asyncio.Future[Client]") -> None:
        """Keep the client open until `close`."""
        from mcp.client.client import Client

        made: Client
        if self._server.url:
            made = Client(self._server.url, read_timeout_seconds=self._seconds)
        else:
            made = Client(self._transport(), mode="legacy")
        async with made as client:
            ready.set_result(client)
            await self._over.wait()

    @contextlib.asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        import anyio

        to_client, reading = anyio.create_memory_object_stream[Any](1000)
        writing, from_client = anyio.create_memory_object_stream[Any](1000)
        async with to_client, reading, writing, from_client, anyio.create_task_group() as group:
            group.start_soon(self._relay, from_client.receive, to_client)
            yield reading, writing
            group.cancel_scope.cancel()

    async def _relay(self, next_message: Callable[[], Any], to_client: Any) -> None:
        """Pass messages on until the connection ends, or the sandbox breaks."""
        async with to_client:
            try:
                await self._pass_on(next_message, to_client)
            except SandboxError as error:
                self._broken = error
                self.trouble = str(error)

    async def _pass_on(self, next_message: Callable[[], Any], to_client: Any) -> None:
        """Send what the client writes; after a request, read until its answer is there."""
        import anyio
        from mcp.shared.message import SessionMessage

        name = self._server.name
        request: Any = None
        owed = 0  # requests of the server's that the client has not answered yet
        while True:
            if request is None or owed:
                try:
                    message = (await next_message()).message
                except (anyio.EndOfStream, anyio.ClosedResourceError):
                    return
                line = message.model_dump_json(by_alias=True, exclude_unset=True)
                self._programs.send(name, line)
                fields = json.loads(line)
                if "method" not in fields:
                    owed -= 1
                elif "id" in fields:
                    request = fields["id"]
                continue
            parsed = self._received(name)
            if parsed is None:
                return
            fields, message = parsed
            if "method" not in fields and fields.get("id") == request:
                request = None
            elif "method" in fields and "id" in fields:
                owed += 1
            await to_client.send(SessionMessage(message))

    def _received(self, name: str) -> tuple[dict[str, Any], Any] | None:
        """Return the next message; None, and note the trouble, if there will be none."""
        from mcp_types import jsonrpc_message_adapter

        deadline = self._loop.time() + self._left
        while True:
            came = self._programs.receive(name, max(0.0, deadline - self._loop.time()), MOST_BYTES)
            self._left = max(0.0, deadline - self._loop.time())
            if came.why:
                self.trouble = self._why(came.why, came.status, came.complaint)
                return None
            self._bytes += len(came.line)
            if self._bytes > MOST_BYTES:
                self.trouble = f"it wrote more than {MOST_BYTES >> 20} MiB during one call"
                return None
            try:
                message = jsonrpc_message_adapter.validate_json(came.line, by_name=False)
                return json.loads(came.line), message
            except ValueError:
                self._odd = self._odd or came.line.strip()[:SHOWN]

    def _why(self, why: str, status: int, complaint: str) -> str:
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        told = {
            "timeout": "it did not answer in time",
            "flood": f"it wrote a line of more than {MOST_BYTES >> 20} MiB",
            "large": "it wrote more than a node can pass on, about 0.9 MB",
            "memory": "it took too much memory",
            "ended": f"it ended ({how})",
        }[why]
        if self._odd:
            told += f"; it wrote what is not JSON: {self._odd}"
        last = complaint.strip().rpartition("\n")[2][:SHOWN]
        return f"{told}: {last}" if last else told


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).partition("\n")[0][:SHOWN]


def _text(result: "CallToolResult") -> str:
    """Return what the agent reads of a result."""
    parts = [_part(each) for each in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts) or "(no output)"


def _part(content: Any) -> str:
    match content.type:
        case "text":
            return str(content.text)
        case "resource" if hasattr(content.resource, "text"):
            return str(content.resource.text)
        case "resource":
            return f"[resource {content.resource.uri}]"
        case "resource_link":
            return f"[link {content.uri}]"
        case kind:
            return f"[{kind}, {content.mime_type}, {len(content.data) * 3 // 4} bytes]"
