"""Another server as a child process: start it, wait until it answers, stop it.

The child never outlives this process.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Thread
from urllib.parse import urlsplit

from engine.die_with_parent import die_with_parent
from engine.web import stop_signals
from trainer.errors import TrainerError
from trainer.serving.external import ServerCommand
from trainer.serving.options import Announcement

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 30.0  # for a server to end after a signal
_LAST_LINES = 3


class ServerStartError(TrainerError):
    """The server ended before it answered."""


class ChildServer:
    """A running server. Its output is copied to standard error.

    Attributes:
        stop_time: when the first signal was sent (`time.monotonic`); None before.
    """

    def __init__(self, command: ServerCommand) -> None:
        self._process = subprocess.Popen(
            die_with_parent(command.arguments, signal.SIGTERM),
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches it once, from this process
            text=True,
            errors="replace",
        )
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._relay = Thread(target=self._copy_output, daemon=True)
        self._relay.start()
        self.stop_time: float | None = None

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(" ".join(line.split()))
                sys.stderr.write(line)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def last_output(self) -> str:
        """The last lines of a server that has ended."""
        self._relay.join(1)
        return " / ".join(line for line in self._lines if line) or "nothing"

    def signal(self, number: int, _: object = None) -> None:
        """Send a signal. `_GRACE_SECONDS` after the first, `kill_if_late` may kill the server."""
        if self.stop_time is None:
            self.stop_time = time.monotonic()
        self._process.send_signal(number)

    def kill_if_late(self) -> None:
        """Kill a server that did not end in time after a signal."""
        if self.stop_time is not None and time.monotonic() - self.stop_time > _GRACE_SECONDS:
            self.close()

    def close(self) -> None:
        """Kill the server and its children, whatever is left of them."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._relay.join(1)


def run(
    command: ServerCommand, backend: str, base_url: str, ready: Callable[[Announcement], None]
) -> str:
    """Serve until SIGTERM or Ctrl-C. Return a summary for the user.

    Args:
        command: starts the server.
        backend: its name.
        base_url: where it will answer.
        ready: called once requests are answered.

    Raises:
        ServerStartError: the server ended before it answered.
        TrainerError: the server ended later, without a signal.
    """
    start: float | None = None
    with closing(ChildServer(command)) as child, stop_signals(child.signal):
        while (status := child.status) is None:
            if start is None and _is_healthy(base_url):
                start = time.monotonic()
                ready(Announcement(command.model_name, base_url, backend))
            child.kill_if_late()
            time.sleep(_POLL_SECONDS)
        if child.stop_time is None:
            kind = ServerStartError if start is None else TrainerError
            raise kind(
                f"{backend} ended with exit status {status}; its last output: {child.last_output}"
            )
    if start is None:
        return f"{backend} was stopped before it answered"
    return f"{backend} served for {time.monotonic() - start:.0f} s"


def _is_healthy(base_url: str) -> bool:
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=2)
    with closing(connection):
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
