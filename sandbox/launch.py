"""Start a confined child process and speak with it in lines.

Kinds: "bubblewrap" (own namespaces, no network, read-only binds of Python and of the given paths)
and "process" (a plain child: only for programs that guard themselves, such as the query worker).

Children are not tied to us by PR_SET_PDEATHSIG or bubblewrap's --die-with-parent: both fire when
the *thread* that spawned the child ends, and threads of a pool come and go. Instead every child
must end when its stdin closes, and `LineProcess.kill` kills its whole process group.

Limitation: a child that is made by `fork` without `exec` (multiprocessing's "fork" method) keeps
our end of the pipe open, so an idle worker lives as long as that child does.
"""

import functools
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.errors import SandboxError

KINDS = ("auto", "bubblewrap", "process")

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")

INTERPRETER = os.path.realpath(sys.executable)
"""The real Python: a virtual environment's is a link that leads nowhere inside a sandbox."""


def choose(kind: str) -> str:
    """The kind that `kind` comes to here; "auto" is bubblewrap where it works, else process.

    Raises:
        SandboxError: no such kind.
    """
    if kind not in KINDS:
        raise SandboxError(f"no sandbox {kind!r}; use one of {', '.join(KINDS)}")
    if kind != "auto":
        return kind
    return "bubblewrap" if bubblewrap_works() else "process"


@functools.cache
def bubblewrap_works() -> bool:
    """Whether Python starts inside bubblewrap on this machine; asked once a process."""
    check = command("bubblewrap", [INTERPRETER, "-I", "-S", "-c", "import json, sqlite3"])
    try:
        done = subprocess.run(check, env={}, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def command(
    kind: str, argv: Sequence[str], read_only: Sequence[str | os.PathLike[str]] = ()
) -> list[str]:
    """The command line that runs `argv` in a sandbox where the paths `read_only` can be read.

    Raises:
        SandboxError: no such kind.
    """
    if choose(kind) == "process":
        return list(argv)
    binds: list[str] = []
    for path in (*LIBRARIES, sys.base_prefix, os.path.dirname(INTERPRETER)):
        binds += ["--ro-bind-try", path, path]
    for path in map(str, read_only):
        binds += ["--ro-bind", path, path]
    # Not --as-pid-1: pid 1 of a namespace does not die of its own timer's signal.
    namespaces = ["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    privileges = ["--cap-drop", "ALL", "--hostname", "sandbox", "--chdir", "/"]
    return ["bwrap", *namespaces, *privileges, *binds, "--", *argv]


class LineProcess:
    """A child that is sent lines and answers in lines. One owner at a time."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start `argv` in a process group of its own, with an empty environment.

        Raises:
            SandboxError: it cannot be started.
        """
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (never blocks the child, unlike a pipe)
        self._buffer = b""
        try:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env={},
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            self._stderr.close()
            raise SandboxError(f"cannot start {Path(argv[0]).name}: {error}") from error

    @property
    def pid(self) -> int:
        """Of the process group too."""
        return self._child.pid

    def send(self, line: bytes) -> None:
        """Write `line` and a newline.

        Raises:
            OSError: the child is gone.
        """
        assert self._child.stdin is not None
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[self._child.stdin.write(rest) :]

    def receive(self, seconds: float, max_bytes: int) -> bytes:
        """The next line, without its newline.

        Raises:
            TimeoutError: none came within `seconds`.
            EOFError: the child is gone, or the line is longer than `max_bytes`.
        """
        assert self._child.stdout is not None
        deadline = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._child.stdout, select.POLLIN)
        while b"\n" not in self._buffer:
            if len(self._buffer) > max_bytes:
                raise EOFError("the reply is too long")
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            data = os.read(self._child.stdout.fileno(), 65536)
            if not data:
                raise EOFError("the process ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def ended(self) -> int | None:
        """The exit status of a child whose output ended; None if it lives on nevertheless."""
        try:
            return self._child.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            return None

    def complaint(self) -> str:
        """The last of what the child wrote to stderr, for an error message."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 2000))
        return self._stderr.read().decode(errors="replace").strip()

    def kill(self) -> None:
        """End the child and its process group, and wait for it. Twice is fine."""
        if self._child.returncode is None:
            # Not yet waited for, so the group's number cannot be another's.
            os.killpg(self._child.pid, 9)
            self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._stderr):
            if stream is not None:
                stream.close()
