"""The server of one task in a node: call it, keep its state, return to it by a fork."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.mcp_servers.connection import Answer, Connection, ServerFailed
from environments.mcp_servers.server_nodes import QUOTA, ServerNodes
from environments.mcp_servers.servers import Server
from environments.mcp_servers.world import READ_BYTES, Listed, decoded, set_up_as
from environments.types import Task
from sandbox.errors import SandboxError, StateLost


@dataclass(frozen=True, slots=True)
class Forked:
    """A state: the name of a node, and the nodes that it is one of."""

    node: str
    nodes: ServerNodes


class ForkedWorld:
    """What `World` is for servers that are processes, for one that is a node."""

    def __init__(self, sandbox: str, folders: Sequence[Path], *, seconds: float) -> None:
        """Prepare; nothing is started."""
        self._kind, self._folders, self._seconds = sandbox, folders, seconds
        self._made: ServerNodes | None = None
        self._server = Server("")
        self._set_up: tuple[str, str] | None = None
        self._connection: Connection | None = None
        self._tools: list[dict[str, Any]] = []

    @property
    def unforkable(self) -> tuple[str, ...]:
        """Why the server cannot be forked, so that its calls are made again; () if it can."""
        return self._made.unforkable if self._made else ()

    @property
    def _nodes(self) -> ServerNodes:
        if self._made is None:
            self._made = ServerNodes(self._kind, self._folders)
        return self._made

    def begin(self, task: Task, servers: list[Server]) -> None:
        """Set up the start of `task`.

        Raises:
            SandboxError: the sandbox or the server does not start, or the set-up fails.
        """
        (server,) = servers
        set_up = set_up_as(task)
        if set_up == self._set_up and server == self._server:
            self._nodes.go_to_start()
            return
        self._set_up, self._server = None, server
        self._nodes.begin(server, task)
        self._connect()
        self._nodes.started()
        self._set_up = set_up

    def tools(self) -> list[Listed]:
        """Return the tools of the server."""
        name = self._server.name
        return [Listed(name, t["name"], t["description"], t["schema"]) for t in self._tools]

    def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool; after a failure of the server, everything is as before the call.

        Raises:
            ServerFailed: the server failed.
            SandboxError: the sandbox failed, or the state before the call cannot be rebuilt.
        """
        self._nodes.revive()
        if self._connection is None or self._connection.trouble:
            self._connect()
        assert self._connection is not None
        before = self._nodes.hold()
        try:
            return self._connection.call(tool, arguments)
        except ServerFailed:
            self._nodes.go(before)
            raise
        finally:
            self._nodes.free(before)

    def save(self) -> Forked:
        """Save this state."""
        return Forked(self._nodes.hold(), self._nodes)

    def load(self, saved: Forked) -> None:
        """Return to a state of the current task.

        Raises:
            StateLost: this world was closed since.
        """
        if saved.nodes is not self._made:
            raise StateLost("the server's nodes were closed")
        self._made.go(saved.node)

    def free(self, saved: Forked) -> None:
        """Free a saved state."""
        if saved.nodes is self._made:
            self._made.free(saved.node)

    def files(self, without: Sequence[str] = ()) -> dict[str, str | None]:
        """See `World.files`."""
        nodes, found, left = self._nodes, dict[str, str | None](), READ_BYTES
        for path, size in nodes.sandbox.files(nodes.current, QUOTA.inodes):
            found[path] = None
            if size is not None and size <= left and path.split("/", 1)[0] not in without:
                data = nodes.sandbox.get(nodes.current, path, size)
                found[path] = decoded(data, nodes.work)
                left -= size
        return found

    def check(self, code: str, answer: str, seconds: float) -> str:
        """See `World.check`."""
        return self._nodes.check(code, answer, seconds)

    def close(self) -> None:
        """End everything. Calling it twice is fine."""
        made, self._made, self._set_up = self._made, None, None
        self._disconnect()
        if made is not None:
            made.sandbox.close()

    def _connect(self) -> None:
        """Open a connection to the server in the current state."""
        self._disconnect()
        self._connection = connection = Connection(self._server, self._nodes, self._seconds)
        try:
            connection.open()
            self._tools = connection.tools()
        except ServerFailed as error:
            self._disconnect()
            name = self._server.name
            raise SandboxError(f"server {name} does not start: {error}") from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
