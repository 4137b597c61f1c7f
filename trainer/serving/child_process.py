"""Another's server as a child process: started, waited for, told to end, and never left behind."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit

from engine.die_with_parent import die_with_parent
from trainer.errors import TrainerError
from trainer.serving.external import Program
from trainer.serving.options import Served

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 30.0  # for a server to end after it was told to
_LAST_LINES = 3


class DidNotStart(TrainerError):
    """The server ended before it answered."""


class Child:
    """A running server. What it prints goes on to standard error; `last_words` is the end of it."""

    def __init__(self, program: Program) -> None:
        self._process = subprocess.Popen(
            die_with_parent(program.command, signal.SIGTERM),
            env={**os.environ, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through us, once
            text=True,
            errors="replace",
        )
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._relay = Thread(target=self._pass_on_words, daemon=True)
        self._relay.start()
        self.told: float | None = None

    def _pass_on_words(self) -> None:
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
    def last_words(self) -> str:
        self._relay.join(1)
        return " / ".join(line for line in self._lines if line) or "nothing"

    def tell(self, number: int, _: object = None) -> None:
        """Pass on a signal; what still runs `_GRACE_SECONDS` after the first is killed."""
        if self.told is None:
            self.told = time.monotonic()
        self._process.send_signal(number)

    def hurry(self) -> None:
        if self.told is not None and time.monotonic() - self.told > _GRACE_SECONDS:
            self.close()

    def close(self) -> None:
        """Kill what is left of it and of its own children."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._relay.join(1)


def run(program: Program, backend: str, base_url: str, ready: Callable[[Served], None]) -> str:
    """As `own.run`.

    Raises:
        DidNotStart: it ended before it answered.
        TrainerError: it ended of itself.
    """
    began: float | None = None
    with closing(Child(program)) as child, _signals(child.tell):
        while (status := child.status) is None:
            if began is None and _healthy(base_url):
                began = time.monotonic()
                ready(Served(program.name, base_url, backend))
            child.hurry()
            time.sleep(_LOOK_SECONDS)
        if child.told is None:
            kind = DidNotStart if began is None else TrainerError
            raise kind(
                f"{backend} ended with exit status {status}; its last words: {child.last_words}"
            )
    if began is None:
        return f"{backend} was stopped before it answered"
    return f"{backend} served for {time.monotonic() - began:.0f} s"


@contextmanager
def _signals(tell: Callable[[int, object], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM go to `tell`."""
    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _healthy(base_url: str) -> bool:
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=2)
    with closing(connection):
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
