"""The servers of one task in a sandbox: start and call them, save their state, return to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.mcp_servers.connection import Answer, Connection, ServerFailed
from environments.mcp_servers.inside.paths import WORK, hidden, shown
from environments.mcp_servers.servers import Server
from environments.types import Task
from sandbox.check import choose
from sandbox.errors import SandboxError, StateLost
from sandbox.residents import Residents

SETUP_SECONDS = 60.0
READ_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made, and what came of it."""

    server: str
    tool: str
    arguments: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Saved:
    """A state.

    Attributes:
        path: the calls since the start.
        kept: the number of a copy of the folders; None if the state is more than that.
        sandbox: which of the sandboxes, one after another, holds the copy.
    """

    path: tuple[Call, ...]
    kept: int | None
    sandbox: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as a server lists it."""

    server: str
    name: str
    description: str
    schema: Mapping[str, Any]


class World:
    """The servers of the current task over one work folder.

    Attributes:
        task: the current task; None before the first.
    """

    def __init__(
        self, sandbox: str, folders: Sequence[Path], *, network: bool, seconds: float
    ) -> None:
        """Prepare; nothing is started."""
        self._sandbox, self._folders = sandbox, folders
        self._network, self._seconds = network, seconds
        self._residents: Residents | None = None
        self._open: dict[str, Connection] = {}
        self._servers: list[Server] = []
        self._start = 0
        self._path: tuple[Call, ...] = ()
        self._known: dict[str, list[dict[str, Any]]] = {}
        self._sandboxes = 0
        self._fresh = False
        self.task: Task | None = None

    def begin(self, task: Task, servers: list[Server]) -> None:
        """Set up the start of `task`.

        Raises:
            SandboxError: the sandbox or a server does not start, or the set-up fails.
        """
        residents = self._ready()
        again = bool(self._start) and set_up_as(self.task) == set_up_as(task)
        if self._fresh and again and servers == self._servers and self._alive():
            return
        going = self._in_folder(servers) and servers == self._servers and self._alive()
        if not going:
            self._stop()
        self.task, self._servers, self._path = task, servers, ()
        if again:
            residents.show(self._start)
        else:
            self._set_up(task, residents)
        if not going:
            self._start_servers()
        self._fresh = True

    def tools(self) -> list[Listed]:
        """Return the tools of the servers of the current task."""
        work = self._work()
        return [
            Listed(name, t["name"], hidden(t["description"], work), t["schema"])
            for name in (server.name for server in self._servers)
            for t in self._known[name]
        ]

    def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool; after a failure of the server, everything is as before the call.

        Raises:
            ServerFailed: the server failed.
            SandboxError: the sandbox failed, or the state before the call cannot be rebuilt.
        """
        self._fresh = False
        try:
            made = self._called(server, tool, json.dumps(arguments))
        except ServerFailed:
            before, self._path = self._path, ()
            self._again()
            self._replay(before)
            raise
        self._path = (*self._path, made)
        return made.answer

    def save(self) -> Saved:
        """Save this state."""
        kept = self._ready().save() if self._in_folder(self._servers) else None
        return Saved(self._path, kept, self._sandboxes)

    def load(self, saved: Saved) -> None:
        """Return to a state of the current task.

        Raises:
            StateLost: the calls since the start had other results this time.
        """
        self._fresh = False
        if saved.kept is not None and self._holds(saved):
            self._ready().show(saved.kept)
            if not self._alive():
                self._stop()
                self._start_servers()
            self._path = saved.path
            return
        if self._path != saved.path[: len(self._path)] or not self._alive():
            self._again()
        self._replay(saved.path[len(self._path) :])

    def free(self, saved: Saved) -> None:
        """Free a saved state."""
        if saved.kept is not None and self._holds(saved):
            self._ready().release(saved.kept)

    def files(self, without: Sequence[str] = ()) -> dict[str, str | None]:
        """Return the texts of the work folder by path; None for what is no text, or too large."""
        found = self._ready().read(READ_BYTES, without)
        return {path: decoded(data, self._work()) for path, data in found.items()}

    def check(self, code: str, answer: str, seconds: float) -> str:
        """Run a check script in the work folder; return why it refuses, "" if it does not."""
        self._fresh = False  # the script may change files
        env = {"ANSWER": shown(answer, self._work())}
        done = self._ready().run(["python", "-I", "-c", code], env, seconds)
        return done.why or (f"exit status {done.status}" if done.status else "")

    def close(self) -> None:
        """End everything. Calling it twice is fine."""
        try:
            self._stop()
        finally:
            if self._residents is not None:
                self._residents.close()
            self.task, self._servers, self._start, self._fresh = None, [], 0, False

    def _ready(self) -> Residents:
        """Return the sandbox; start it if it is not open."""
        if self._residents is None:
            backend = choose(self._sandbox).backend
            self._residents = Residents(backend, self._folders, network=self._network)
        if not self._residents.open:
            self._forget()
            self._residents.start()
            self._sandboxes += 1
        return self._residents

    def _holds(self, saved: Saved) -> bool:
        return (
            self._residents is not None
            and self._residents.open
            and saved.sandbox == self._sandboxes
        )

    def _work(self) -> str:
        return self._residents.work if self._residents is not None else WORK

    def _alive(self) -> bool:
        return bool(self._open) and not any(each.trouble for each in self._open.values())

    def _in_folder(self, servers: Sequence[Server]) -> bool:
        return all(server.state == "folder" for server in servers)

    def _set_up(self, task: Task, residents: Residents) -> None:
        before, self._start = self._start, 0
        if before:
            residents.release(before)
        residents.show(0)
        work = residents.work
        files = task.details["files"].items()
        residents.put({path: shown(text, work).encode() for path, text in files})
        if task.details["setup"]:
            script = shown(task.details["setup"].replace("{work}", WORK), work)
            done = residents.run(["sh", "-e", "-c", script], {}, SETUP_SECONDS)
            if done.why or done.status:
                last = done.output.strip().rpartition("\n")[2]
                why = done.why or f"exit status {done.status}"
                raise SandboxError(f"task {task.id}: its 'setup' failed ({why}): {last}")
        self._start = residents.save()

    def _start_servers(self) -> None:
        residents = self._ready()
        for server in self._servers:
            connection = Connection(server, residents, self._seconds)
            self._open[server.name] = connection
            try:
                connection.open()
                found = connection.tools()
            except ServerFailed as error:
                self._stop()
                raise SandboxError(f"server {server.name} does not start: {error}") from error
            except BaseException:
                self._stop()
                raise
            if self._known.setdefault(server.name, found) != found:
                self._stop()
                raise StateLost(f"server {server.name} has other tools than at its first start")

    def _again(self) -> None:
        """Start the servers and the task anew."""
        assert self.task is not None
        self._stop()
        residents = self._ready()
        if self._start:
            residents.show(self._start)
        else:  # this is another sandbox: the one before is gone
            self._set_up(self.task, residents)
        self._path = ()
        self._start_servers()

    def _called(self, server: str, tool: str, arguments: str) -> Call:
        work = self._work()
        answer = self._open[server].call(tool, shown(json.loads(arguments), work))
        return Call(server, tool, arguments, Answer(hidden(answer.text, work), answer.wrong))

    def _replay(self, path: Sequence[Call]) -> None:
        for call in path:
            try:
                made = self._called(call.server, call.tool, call.arguments)
            except ServerFailed as error:
                raise StateLost(f"server {call.server} failed in a replay: {error}") from error
            if made != call:
                raise StateLost(f"server {call.server}: {call.tool} had another result in a replay")
            self._path = (*self._path, made)

    def _stop(self) -> None:
        opened, self._open = self._open, {}
        for connection in opened.values():
            connection.close()

    def _forget(self) -> None:
        """Forget what a sandbox held that is gone."""
        self._stop()
        self._start, self._fresh = 0, False


def decoded(data: bytes | None, work: str) -> str | None:
    """Return the text of a file; None if it has none."""
    try:
        return None if data is None else hidden(data.decode(), work)
    except UnicodeDecodeError:
        return None


def set_up_as(task: Task | None) -> tuple[str, str]:
    """Return what tells the start of a task apart; two objects may be the same task."""
    return ("", "") if task is None else (task.id, json.dumps(task.details, sort_keys=True))
