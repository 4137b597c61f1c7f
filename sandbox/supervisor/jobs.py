"""What a node is to run, what it writes, and the reply about it.

The first piece of a short job is sent before the node exists.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .framing import Link, Message
from .interpreter import TRACEBACK_CHARS

EARLY_CHARS = 8192
"""Code that is sent to a node that cannot read yet has at most so many characters.

More might not fit between us and it: a socket holds about 200 kB, and JSON may take twelve bytes
for one character.
"""


OUTPUT_CHUNK = 65536


class Output:
    """The first and the last of what a run writes, and how much there was."""

    def __init__(self, keep_bytes: int) -> None:
        """Start empty; keep half of `keep_bytes` from each end."""
        self._half = keep_bytes // 2
        self._head, self._tail = bytearray(), bytearray()
        self.total = 0

    def drain(self, descriptor: int) -> bool:
        """Read what has come, one chunk at most; return False at its end."""
        try:
            data = os.read(descriptor, OUTPUT_CHUNK)
        except BlockingIOError:
            return True
        self.total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        if len(self._tail) > self._half:
            del self._tail[: -self._half]
        return bool(data)

    def text(self) -> tuple[str, int]:
        """Return the text, with a line in place of a gap, and the gap's size in bytes."""
        missing = self.total - len(self._head) - len(self._tail)
        gap = f"\n... {missing} bytes left out ...\n".encode() if missing else b""
        return (self._head + gap + self._tail).decode("utf-8", "replace"), missing


class Job:
    """Pieces of code for one node, and the pipe for its output.

    Attributes:
        texts: code; each is sent when the one before has ended.
        output: what it wrote so far.
        reading: the pipe's end that its output comes from.
    """

    def __init__(
        self, texts: Sequence[str], limits: Mapping[str, Any], grade: bool = False
    ) -> None:
        """Make the pipe."""
        self.texts, self.limits = texts, limits
        self.output = Output(limits["output_bytes"])
        self.reading, self._writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reading, False)
        self._request = {"op": "run", "grade": grade, "value_chars": limits["value_chars"]}
        self._sent = 0

    @property
    def begun(self) -> bool:
        """Whether the first text was sent."""
        return self._sent > 0

    def send_early(self, link: Link) -> None:
        """Send the first text to a node that is still to be forked, and starts it at once."""
        self._sent = 0  # an earlier fork may have failed
        if len(self.texts[0]) <= EARLY_CHARS:
            self.send(link, 0)

    def send(self, link: Link, number: int) -> None:
        """Send the text of this number, unless that is done. Raises OSError if nobody reads."""
        if number < self._sent:
            return
        link.send(self._request | {"code": self.texts[number]}, (self._writing,))
        self._sent = number + 1

    def end(self) -> None:
        """Send nothing more; output comes until the last process that has the pipe is gone."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def close(self) -> None:
        """Close both ends of the pipe."""
        self.end()
        os.close(self.reading)


@dataclass(slots=True)
class Run:
    """The outcome of a node's code, and how long each part took.

    Attributes:
        status: of a dead node, as waitpid tells it.
        seconds: by part.
    """

    why: str = ""
    reply: Message = field(default_factory=dict)
    status: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def reply_of(run: Run, job: Job) -> Message:
    """Return the reply for the engine. Types are checked: a node may send anything."""
    output, missing = job.output.text()
    return {
        "why": run.why,
        "output": output,
        "truncated": missing,
        "value": _text_of(run.reply, "value", job.limits["value_chars"]),
        "exception": _text_of(run.reply, "exception", TRACEBACK_CHARS + 100),
        "status": run.status,
        "seconds": run.seconds,
    }


def _text_of(reply: Message, key: str, most: int) -> str | None:
    found = reply.get(key)
    if not isinstance(found, str):
        return None
    return found[:most].encode("utf-8", "replace").decode()  # drops lone surrogates
