"""Test whether a backend keeps its promises on this machine.

For each promise, code runs in a sandbox of that backend and tries to break it. `choose` takes the
first backend that keeps them all.
"""

import functools
import itertools
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.backends import BACKENDS, CONFINING
from sandbox.branching import BranchingSandbox
from sandbox.errors import SandboxError
from sandbox.fork_backend import ForkedSandbox, Forks, find_forks
from sandbox.program import Backend
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits

KINDS = ("auto", *BACKENDS)
QUOTA = Quota(memory_bytes=256 << 20, disk_bytes=16 << 20)
LIMITS = StepLimits(seconds=10.0)
VARIABLE = "TREEGRAFT_SANDBOX"
EVERYWHERE = ("standard library", "branches apart", "time limit")
"""Promises that even "process" makes."""
CANARY = "TREEGRAFT_CANARY"
CHOOSING = threading.Lock()

AnySandbox = BranchingSandbox | ForkedSandbox

READ_HOST = "open({path!r}).read()"
WRITE_HOST = "open({path!r}, 'w').write('broken')"
SEE_ENVIRONMENT = "import os; {name!r} in os.environ"
CONNECT = """
import socket
with socket.create_connection(("127.0.0.1", {port}), timeout=2):
    pass
"""
SIGNAL_US = "import os; os.kill({pid}, 0)"


@dataclass(frozen=True, slots=True)
class Report:
    """Result of a self-check.

    Attributes:
        unavailable: why it could not be tried at all; "" if it was.
        broken: promises that were not kept; () for a backend that may be used.
        files: how nodes share files, "overlay" or "copy".
        start_ms: milliseconds of one start.
        step_ms: of a step in place.
        branch_ms: of a fork with a step.
    """

    name: str
    unavailable: str = ""
    broken: tuple[str, ...] = ()
    files: str = ""
    python: str = ""
    start_ms: float = 0.0
    step_ms: float = 0.0
    branch_ms: float = 0.0

    @property
    def works(self) -> bool:
        """Whether the backend may be used."""
        return not self.unavailable and not self.broken

    @property
    def trouble(self) -> str:
        """Why it may not be used, in one line."""
        if self.unavailable:
            return self.unavailable
        return "breaks its promises: " + ", ".join(self.broken) if self.broken else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend to use, and the reason for the choice, in one line for the user."""

    backend: Backend
    why: str


def choose(kind: str = "auto") -> Choice:
    """Return the backend to use for `kind`.

    "auto" is the strongest that passes its self-check, unless the environment variable
    TREEGRAFT_SANDBOX names another. It is never "process", which confines nothing and must be
    named.

    Raises:
        SandboxError: there is no such kind, or it does not work here.
    """
    with CHOOSING:  # one thread tries, the others wait for its result
        return _choose(resolved(kind))


def resolved(kind: str) -> str:
    """Return `kind`, or what the environment variable names in the place of "auto".

    Raises:
        SandboxError: there is no such kind.
    """
    name = os.environ.get(VARIABLE, kind) if kind == "auto" else kind
    if name not in KINDS and find_forks(name) is None:
        where = f" ({VARIABLE})" if name != kind else ""
        raise SandboxError(
            f"no sandbox {name!r}{where}; use one of {', '.join(KINDS)}, or module:Class of your "
            "own"
        )
    return name


def _backend(name: str) -> Backend:
    if name in BACKENDS:
        return BACKENDS[name]()
    found = find_forks(name)
    if found is None:
        raise SandboxError(f"no sandbox {name!r}")
    return found


def is_for_trusted_code(name: str) -> bool:
    """Return whether the sandbox `name`, which is not "auto", keeps agent code from nothing."""
    return name != "auto" and not confines(_backend(name))


def open_sandbox(backend: Backend, quota: Quota, prelude: str = "") -> AnySandbox:
    """Return a sandbox of `backend` that branches; the first use starts it."""
    if isinstance(backend, Forks):
        return ForkedSandbox(backend.made_by, quota, prelude)
    return BranchingSandbox(backend, quota, prelude)


def confines(backend: Backend) -> bool:
    """Return whether it should keep agent code from this machine."""
    return backend.made_by.confines if isinstance(backend, Forks) else backend.name != "process"


@functools.cache
def _choose(kind: str) -> Choice:
    if kind == "process":
        return Choice(BACKENDS[kind](), "as requested; it confines nothing")
    refused: list[str] = []
    for name in CONFINING if kind == "auto" else (kind,):
        report = check(name)
        if report.works:
            backend = _backend(name)
            passed = "its self-check passed"
            if not confines(backend):
                passed += "; it confines nothing"
            return Choice(backend, "; ".join([passed, *refused]))
        refused.append(f"{name}: {report.trouble}")
    raise SandboxError(f"no sandbox works here ({'; '.join(refused)}); see `engine sandbox check`")


@functools.cache
def check(name: str) -> Report:
    """Try the backend `name`; once per process."""
    backend = _backend(name)
    unavailable = backend.unavailable()
    if unavailable:
        return Report(name, unavailable)
    try:
        with _on_host() as bait, open_sandbox(backend, QUOTA) as sandbox:
            return _try(backend, sandbox, bait)
    except SandboxError as error:
        return Report(name, str(error))


def _try(backend: Backend, sandbox: AnySandbox, bait: "Bait") -> Report:
    started = time.perf_counter()
    sandbox.start()
    start = time.perf_counter() - started
    broken = [promise for promise, kept in _promises(sandbox, bait) if not kept]
    if not confines(backend):
        broken = [promise for promise in broken if promise in EVERYWHERE]
    sandbox.step(ROOT_NODE, "clock", "1")
    step, branch = (
        _milliseconds(sandbox, "clock", "clock"),
        _milliseconds(sandbox, ROOT_NODE, "fork"),
    )
    return Report(
        backend.name,
        broken=tuple(broken),
        files=sandbox.facts["files"],
        python=sandbox.facts["python"],
        start_ms=start * 1e3,
        step_ms=step,
        branch_ms=branch,
    )


def _milliseconds(sandbox: AnySandbox, parent: str, node: str) -> float:
    started = time.perf_counter()
    sandbox.step(parent, node, "1")
    return (time.perf_counter() - started) * 1e3


def _promises(sandbox: AnySandbox, bait: "Bait") -> Iterator[tuple[str, bool]]:
    """Yield each promise of a backend, and whether it is kept."""
    names = itertools.count()

    def run(code: str, parent: str = ROOT_NODE) -> Result:
        return sandbox.step(parent, f"check-{next(names)}", code, LIMITS)

    yield "standard library", run("import sqlite3, subprocess").exception is None
    sandbox.step(ROOT_NODE, "a", "x = 1; open('mark', 'w').write('a')")
    run("x = 2; open('mark', 'w').write('b')", "a")
    yield "branches apart", run("x, open('mark').read()", "a").value == "(1, 'a')"
    yield (
        "time limit",
        sandbox.step(ROOT_NODE, "b", "while True: pass", StepLimits(0.2)).why == "timeout",
    )
    yield "host files closed", run(READ_HOST.format(path=bait.path)).exception is not None
    run(WRITE_HOST.format(path=bait.path))
    yield "host files unchanged", Path(bait.path).read_text() == "secret"
    yield "network closed", run(CONNECT.format(port=bait.port)).exception is not None
    yield "environment empty", run(SEE_ENVIRONMENT.format(name=CANARY)).value == "False"
    yield "engine out of reach", run(SIGNAL_US.format(pid=os.getpid())).exception is not None


@dataclass(frozen=True, slots=True)
class Bait:
    """Something on the host that nothing inside may reach: a file, and a port on loopback."""

    path: str
    port: int


@contextmanager
def _on_host() -> Iterator[Bait]:
    """Provide bait, and an environment variable that nothing inside may see."""
    with (
        tempfile.NamedTemporaryFile("w+") as file,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        file.write("secret")
        file.flush()
        os.environ[CANARY] = "secret"
        try:
            yield Bait(file.name, server.getsockname()[1])
        finally:
            del os.environ[CANARY]
