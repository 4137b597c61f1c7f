"""Speak in lines with a child process.

Children are not tied to us by PR_SET_PDEATHSIG or bubblewrap's --die-with-parent: both fire when
the *thread* that spawned the child ends, and threads of a pool come and go. Instead every child
must end when its stdin closes, and `kill` kills its whole process group.

Limitation: a child made by `fork` without `exec` (multiprocessing's "fork" method) keeps our end of
the pipe open, so an idle program lives as long as that child does.
"""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.owner import discard, make_scratch

END_SECONDS = 2.0
"""How long a program may take to end by itself once its standard input is closed."""


class PipeChannel:
    """A child process, as `sandbox.program.Channel`."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        home: str = "",
        own_namespace: bool = False,
        scratch: Path | None = None,
    ) -> None:
        """Start `argv` in its own process group.

        Args:
            scratch: a folder to make, with "node" in it, and to remove in the end.

        Raises:
            SandboxError: it cannot be started.
        """
        self.home, self.own_namespace, self._scratch = home, own_namespace, scratch
        self.socket = ""
        self._buffer = b""
        self._closed = False
        try:
            if scratch is not None:
                make_scratch(scratch, "node")
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (never blocks, unlike a pipe)
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=dict(environment or {}),
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
            self._life = os.pidfd_open(self._child.pid)
        except OSError as error:
            self._discard()
            raise SandboxError(f"cannot start {Path(argv[0]).name}: {error}") from error
        except BaseException:
            self._discard()
            raise

    @property
    def pid(self) -> int:
        """The child's process number, and its process group's."""
        return self._child.pid

    def send(self, line: bytes) -> None:
        """Write `line` and a newline. Raises OSError if the child is gone."""
        assert self._child.stdin is not None
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[self._child.stdin.write(rest) :]

    def receive(self, seconds: float, max_bytes: int) -> bytes:
        """Return the next line; see `Channel.receive`."""
        assert self._child.stdout is not None
        deadline = time.monotonic() + seconds
        waiting = select.poll()
        output = self._child.stdout.fileno()
        waiting.register(output, select.POLLIN)
        waiting.register(self._life, select.POLLIN)
        while b"\n" not in self._buffer:
            if len(self._buffer) > max_bytes:
                raise EOFError("the reply is too long")
            ready = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                raise TimeoutError
            if all(descriptor != output for descriptor, _ in ready):
                raise EOFError("the process ended")  # a child of it may still hold its output open
            data = os.read(output, 65536)
            if not data:
                raise EOFError("the process ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def ended(self) -> int | None:
        """Return the exit status of a child whose output ended; None if it still lives."""
        waiting = select.poll()
        waiting.register(self._life, select.POLLIN)
        if not waiting.poll(END_SECONDS * 1000):
            return None
        # Not reaped: until `kill`, nobody else can get its number, or its group's.
        how = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOWAIT)
        assert how is not None
        return how.si_status if how.si_code == os.CLD_EXITED else -how.si_status

    def complaint(self) -> str:
        """Return the last of what the child wrote to stderr, for an error message."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 2000))
        return self._stderr.read().decode(errors="replace").strip()

    def kill(self) -> None:
        """End the child with everything it started, and wait for it. Calling it twice is fine."""
        if self._closed:
            return
        self._closed = True
        if self.home and not self.own_namespace:
            self._let_it_end()
        below = [os.pidfd_open(pid) for pid in self._children()] if self.own_namespace else []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for life in below:  # pid 1 of the namespace is gone when everything in it is
            select.select([life], [], [], END_SECONDS)
            os.close(life)
        os.close(self._life)
        for stream in (self._child.stdin, self._child.stdout, self._stderr):
            if stream is not None:
                stream.close()
        self._discard()

    def _children(self) -> list[int]:
        pid = self._child.pid
        try:
            return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
        except OSError:
            return []

    def _let_it_end(self) -> None:
        """Without a pid namespace, only the program itself finds all of its descendants."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        # Wait for the end of output, not for the exit, which may be only its keeper's.
        output, deadline = self._child.stdout.fileno(), time.monotonic() + END_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if select.select([output], [], [], left)[0] and not os.read(output, 65536):
                return
        self._child.terminate()
        self.ended()

    def _discard(self) -> None:
        if self._scratch is not None:
            discard(self._scratch)
