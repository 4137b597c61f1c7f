"""A Python server in the nodes of a branching sandbox: a branch is a fork of the server itself.

`inside/served.py` keeps it in a state that can be forked. The client on our side knows nothing of
branches: the server's side of their conversation is part of what is forked.
"""

import ast
import itertools
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from environments.mcp_servers.servers import Server
from environments.types import Task
from sandbox.backends.host import PATH
from sandbox.branching import BranchingSandbox
from sandbox.bundle import Bundle
from sandbox.check import choose
from sandbox.errors import SandboxError, StateLost
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits
from sandbox.residents import QUIET, Line, installed, program_folders, shown_folders

PACKAGE = "treegraft_mcp"
QUOTA = Quota(memory_bytes=768 << 20)
LIMITS = StepLimits(seconds=60.0, value_chars=1 << 20, memory_bytes=384 << 20)
FLOOD = 77
"""The exit status of a server that writes too much; see `inside/served.py`."""
_STATUS = re.compile(r"(exit code|signal) (\d+)")


class ServerNodes:
    """A server in a node, and its earlier states in others. One thread at a time.

    It takes the place of `Residents` under a `Connection`: lines go in and come out. What the
    server answered when it started is answered again to every further client.

    Attributes:
        current: the node in the current state.
        unforkable: why a fork of the server is not faithful, so that its calls are made again.
    """

    def __init__(self, kind: str, folders: Sequence[Path]) -> None:
        """Prepare; nothing is started."""
        backend = choose(kind).backend
        here = Path(__file__).parent / "inside"
        inside = Bundle(PACKAGE, (here / "paths.py", here / "served.py")).code()
        self._programs = tuple(folders)
        self.sandbox = BranchingSandbox(backend, QUOTA, inside, shown_folders(backend, folders))
        self.current, self.unforkable = ROOT_NODE, tuple[str, ...]()
        self._names = itertools.count(1)
        self._loaded: dict[tuple[str, ...], str] = {}
        self._program: tuple[str, ...] = ()
        self._start = ROOT_NODE
        self._held: Counter[str] = Counter()
        self._starts = False
        self._first: dict[str, dict[str, Any]] = {}
        self._unsent: list[str] = []
        self._came: deque[str] = deque()
        self._over: Line | None = None

    def begin(self, server: Server, task: Task) -> None:
        """Go to the start of `task`, where the server starts when a client comes.

        Raises:
            SandboxError: the program is none of Python's, or the set-up of the task fails.
        """
        self._program = self._resolved(server)
        node = f"start-{next(self._names)}"
        loaded = self._load(server)
        result = self.sandbox.step(loaded, node, _call("prepare", task.details), LIMITS)
        if failed := _value(result):
            raise SandboxError(f"task {task.id}: its 'setup' failed ({failed})")
        before, self._start = self._start, node
        self.go(node)
        if before != ROOT_NODE and not self._held[before]:
            self.sandbox.drop(before)
        self._starts, self._first = True, {}

    def go_to_start(self) -> None:
        """Go to the state in which the task starts."""
        self.go(self._start)

    def started(self) -> None:
        """Keep the current state as that in which the task starts."""
        self._starts = False

    def go(self, node: str) -> None:
        """Make an earlier state the current one."""
        left, self.current = self.current, node
        if left not in (node, self._start, ROOT_NODE) and not self._held[left]:
            self.sandbox.drop(left)

    def revive(self) -> None:
        """Rebuild the current state if its node is gone: that takes longer than a call may.

        Raises:
            StateLost: its calls have other results this time.
        """
        self.sandbox.files(self.current, 1)

    def hold(self) -> str:
        """Keep the current state, and return its name, for `go`."""
        self._held[self.current] += 1
        return self.current

    def free(self, node: str) -> None:
        """Undo `hold`."""
        self._held[node] -= 1
        if not self._held[node]:
            del self._held[node]
            if node not in (self.current, self._start):
                self.sandbox.drop(node)

    @property
    def work(self) -> str:
        """The work folder, as the server sees it."""
        return f"{self.sandbox.home}/work"

    def check(self, code: str, answer: str, seconds: float) -> str:
        """Run a check script on the current files, in a node that has nothing else of the server's.

        Returns:
            Why it refuses; "" if it does not.
        """
        limits = replace(LIMITS, seconds=seconds + 5.0)
        return _value(
            self.sandbox.grade(self.current, _call("check", code, answer, seconds), limits)
        )

    def start_program(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """See `Residents.start_program`."""
        self._unsent, self._came, self._over = [], deque(), None
        if self._starts:
            self._play(_call("SERVER.start", *self._program), LIMITS.seconds)

    def send(self, name: str, line: str) -> None:
        """See `Residents.send`."""
        self._unsent.append(line)

    def receive(self, name: str, seconds: float, most_bytes: int) -> Line:
        """See `Residents.receive`."""
        if not self._came and self._over is None:
            self._ask(seconds)
        return Line(self._came.popleft()) if self._came else self._over or Line(why="timeout")

    def stop_program(self, name: str) -> None:
        """See `Residents.stop_program`; a state ends when nobody holds it."""

    def _ask(self, seconds: float) -> None:
        """Send what is unsent, and receive what the server writes until it rests."""
        lines, self._unsent = self._unsent, []
        if not lines:
            return  # it rests, and has not answered
        request = json.loads(lines[-1])
        asked = f"{request.get('method')} {request.get('params', {}).get('cursor')}"
        if not self._starts and asked in self._first:
            self._came.append(json.dumps(self._first[asked] | {"id": request["id"]}))
            return
        said = json.loads(self._play(_call("SERVER.play", lines), seconds) or "{}")
        self._came.extend(filter(str.strip, said.get("text", "").split("\n")))
        if (status := said.get("status")) is not None:
            why = "large" if status == FLOOD else "ended"
            self._over = Line(why=why, status=status, complaint=said["complaint"])
        if self._starts and self._came:
            self._first[asked] = json.loads(self._came[-1])

    def _play(self, code: str, seconds: float) -> str:
        """Run code of ours in the server's node, or in a fork of it; return its value.

        Raises:
            StateLost: the state cannot be rebuilt.
        """
        node = self.current if self._starts else f"state-{next(self._names)}"
        limits = replace(LIMITS, seconds=max(seconds, 0.1))
        result = self.sandbox.step(self.current, node, code, limits)
        if result.why:
            self._over = _end(result)
            return ""
        self.unforkable = result.unforkable
        self.go(node)
        return _value(result)

    def _load(self, server: Server) -> str:
        """Return a node in which the server's packages are imported."""
        key = (*self._program, *map(str, server.env.items()))
        if key not in self._loaded:
            self.sandbox.start()
            folders = list(map(self.sandbox.inside, self._environments(server)))
            path = [self.sandbox.inside(each) for each in program_folders(self._programs)]
            env = QUIET | {"PATH": ":".join([*path, PATH])} | dict(server.env)
            node = f"loaded-{len(self._loaded)}"
            _value(self.sandbox.step(ROOT_NODE, node, _call("load", folders, env), LIMITS))
            self._loaded[key] = node
        return self._loaded[key]

    def _environments(self, server: Server) -> list[Path]:
        """Return the virtual environments whose packages a program may import: its own, if any."""
        path = installed(server.command[0], self._programs)
        own = [Path(path).parent.parent] if path and self._program[0] == "script" else []
        return own or [*self._programs, Path(sys.prefix)]

    def _resolved(self, server: Server) -> tuple[str, ...]:
        """Return the kind of a Python program, its name and its arguments.

        The kind is "module", "file", or "script" for one that an environment has installed.

        Raises:
            SandboxError: there is no such program, or it is not Python's.
        """
        command, *rest = server.command
        if command in ("python", "python3") and rest[:1] == ["-m"] and len(rest) > 1:
            return ("module", *rest[1:])
        if command in ("python", "python3") and rest and not rest[0].startswith("-"):
            return ("file", self.sandbox.inside(Path(rest[0])), *rest[1:])
        path = installed(command, self._programs)
        if path is None:
            raise SandboxError(f"no program {command!r} on this machine; install it")
        with open(path, "rb") as file:
            if b"python" not in file.readline(512):
                raise SandboxError(f"{command} is no program of Python: it cannot be forked")
        return ("script", self.sandbox.inside(Path(path)), *rest)


def _call(function: str, *arguments: Any) -> str:
    """Return code that calls a function of `inside/served.py`."""
    given = ", ".join(map(repr, arguments))
    return f"__import__('sys').modules['{PACKAGE}.served'].{function}({given})"


def _value(result: Result) -> str:
    """Return the text that code of ours returned.

    Raises:
        SandboxError: it did not end as it should.
    """
    if result.why == "lost":
        raise StateLost(result.output)
    if result.why or result.exception:
        last = (result.exception or result.output).strip().rpartition("\n")[2]
        raise SandboxError(f"a server's node failed ({result.why or 'exception'}): {last}")
    return str(ast.literal_eval(result.value or "''"))


def _end(result: Result) -> Line:
    """Return how the server ended that a step killed, or that ended itself."""
    if result.why == "lost":
        raise StateLost(result.output)
    if result.why != "died":
        return Line(why=result.why, complaint=result.output)
    found = _STATUS.search(result.status)
    status = int(found[2]) * (1 if found[1] == "exit code" else -1) if found else 0
    return Line(why="large" if status == FLOOD else "ended", status=status, complaint=result.output)
