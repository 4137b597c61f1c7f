"""Messages: JSON lines with the host, length-prefixed JSON with the nodes.

A node is untrusted: its messages are bounded in length, read under a deadline, and received without
descriptors (the kernel closes them if no ancillary buffer is offered).
"""

import base64
import json
import os
import select
import socket
import struct
import time
from typing import Any

HEADER = struct.Struct("!I")
TIMEVAL = struct.Struct("ll")
CREDENTIALS = struct.Struct("3i")
MAX_REPLY = 1 << 20
"""Bytes of one message from a node."""

Message = dict[str, Any]

_dumps, _loads = json.dumps, json.loads  # agent code may replace them


class Gone(Exception):
    """The other side closed, or sent something that is not a message."""


class Silent(Gone):
    """The other side does not answer in time."""


class Lines:
    """Splits incoming bytes into lines."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0

    def __len__(self) -> int:
        """Return how many bytes are held."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._held += data

    def line(self) -> bytes | None:
        """Return the next whole line without its newline; None if there is none yet."""
        end = self._held.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._held)
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._searched = 0
        return line


class Host:
    """The engine's side; a hang-up of one of the descriptors `controls` means that it is gone."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self.controls: tuple[int, ...] = (reading,)
        self._lines = Lines()
        self._waiting = select.poll()
        self._waiting.register(reading, select.POLLIN)

    def call(self, path: str) -> None:
        """Go on over the socket at `path`, if it can be reached; watch for its hang-up too."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(path)
        except OSError:
            line.close()
            return
        self._waiting.modify(self._reading, 0)  # hang-up only
        os.close(self._writing)
        self._reading = self._writing = line.detach()
        self._waiting.register(self._reading, select.POLLIN)
        self.controls = (*self.controls, self._reading)

    def leave(self) -> None:
        """Close every way to the engine (in a child of ours)."""
        for descriptor in {*self.controls, self._writing}:
            os.close(descriptor)

    def receive(self, seconds: float) -> Message:
        """Return the next request. Raises Gone if the engine is gone, or silent for `seconds`."""
        deadline = time.monotonic() + seconds
        while (line := self._lines.line()) is None:
            ready = dict(self._waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if not ready.keys() <= {self._reading} or not ready:
                raise Gone
            data = os.read(self._reading, 1 << 16)
            if not data:
                raise Gone
            self._lines.feed(data)
        message: Message = _loads(line)
        return message

    def has_more(self, seconds: float) -> bool:
        """Return whether a request comes, or the engine goes, within `seconds`."""
        return bool(len(self._lines) or self._waiting.poll(seconds * 1000))

    def send(self, message: Message) -> None:
        """Write one message."""
        rest = memoryview(_dumps(message).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._writing, rest) :]


class Link:
    """One end of the socket between supervisor and node."""

    def __init__(self, end: socket.socket, max_bytes: int = MAX_REPLY) -> None:
        """Wrap a socket; messages from the other side have at most `max_bytes`."""
        self.socket = end
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Send one message, and descriptors with it."""
        data = _dumps(message).encode()
        framed = HEADER.pack(len(data)) + data
        sent = socket.send_fds(self.socket, [framed], descriptors) if descriptors else 0
        if sent < len(framed):
            self.socket.sendall(framed[sent:])

    def take(self) -> Message | None:
        """Return a message that has come, without waiting; None while it is not complete.

        Raises:
            Gone: the node closed its end, or what it sent is not a message.
        """
        try:
            while (message := self._whole()) is None:
                data = self.socket.recv(65536, socket.MSG_DONTWAIT)
                if not data:
                    raise Gone
                self._buffer += data
        except BlockingIOError:
            return None
        except OSError as error:
            raise Gone from error
        return message

    def receive(self, deadline: float, controls: tuple[int, ...]) -> Message:
        """Return the next message.

        Args:
            deadline: by the monotonic clock.
            controls: descriptors whose hang-up ends the wait.

        Raises:
            Silent: none came in time.
            Gone: none will.
            SystemExit: one of `controls` hung up.
        """
        while (message := self.take()) is None:
            self._wait(deadline, controls)
        return message

    def sender(self, deadline: float, controls: tuple[int, ...]) -> int:
        """Return the process that sent the first message of this link, as the kernel knows it.

        Needs SO_PASSCRED. Arguments and errors as for `receive`.
        """
        self._wait(deadline, controls)
        data, notes, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(CREDENTIALS.size))
        self._buffer += data
        for level, kind, value in notes:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return int(CREDENTIALS.unpack(value[: CREDENTIALS.size])[0])
        raise Gone

    def _wait(self, deadline: float, controls: tuple[int, ...]) -> None:
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        for control in controls:
            waiting.register(control, 0)
        ready = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise Silent
        if any(descriptor in controls for descriptor, _ in ready):
            raise SystemExit

    def obey(self) -> tuple[Message, list[int]]:
        """Return the supervisor's next message and its descriptors (on the node's side)."""
        descriptors: list[int] = []
        while (message := self._whole()) is None:
            data, found, _, _ = socket.recv_fds(self.socket, 65536, 4, socket.MSG_CMSG_CLOEXEC)
            if not data:
                raise Gone
            descriptors += found
            self._buffer += data
        return message, descriptors

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _whole(self) -> Message | None:
        if len(self._buffer) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._buffer)
        end = HEADER.size + length
        if length > self._max_bytes:
            raise Gone
        if len(self._buffer) < end:
            return None
        data = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        try:
            message = _loads(data)
        except (ValueError, RecursionError) as error:
            raise Gone from error
        if not isinstance(message, dict):
            raise Gone
        return message


def pair() -> tuple[Link, socket.socket]:
    """Return the supervisor's link to a new node, and the node's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    # Bounds sends to a node that does not read. Not settimeout, which polls before each call.
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, TIMEVAL.pack(5, 0))
    return Link(ours), theirs


def text(data: bytes) -> str:
    """Encode bytes for JSON."""
    return base64.b64encode(data).decode()


def binary(data: str) -> bytes:
    """Decode what `text` encoded."""
    return base64.b64decode(data)
