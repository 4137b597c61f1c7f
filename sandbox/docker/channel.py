"""The host's end of a program in a container: its attached streams, its end, its removal.

A program that is given a socket (`program_socket`) may connect there, and goes on over that
connection; any other answers over its standard output.
"""

import contextlib
import http.client
import json
import select
import struct
import time
from typing import cast

from sandbox.docker import daemon
from sandbox.docker.program_socket import INSIDE, NAME, ProgramSocket
from sandbox.supervisor.framing import Lines

FRAME = struct.Struct(">BxxxL")
"""Precedes each piece of an attached stream: which of the streams, and how many bytes follow."""
STDERR = 2
COMPLAINT_BYTES = 2000
HELD_BYTES = 64 << 20
"""How much a program may write while it does not read; beyond, it counts as broken."""
SEND_SECONDS = 60.0
"""How long a program may leave its standard input full."""
END_SECONDS = 2.0
"""Between the end of the output and the news that the container is gone."""
REMOVE_SECONDS = 15.0


class Streams(Lines):
    """Splits an attached stream: lines of standard output, and the last of standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.complaint = b""
        self._frames = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._frames += data
        while len(self._frames) >= FRAME.size:
            stream, size = FRAME.unpack_from(self._frames)
            end = FRAME.size + size
            if len(self._frames) < end:
                return
            piece = bytes(self._frames[FRAME.size : end])
            del self._frames[:end]
            if stream == STDERR:
                self.complaint = (self.complaint + piece)[-COMPLAINT_BYTES:]
            else:
                super().feed(piece)


class Exit:
    """A request, made before the start, that the daemon answers once the container is gone.

    Asked afterwards, the daemon may have forgotten a container that removes itself.
    """

    def __init__(self, container: str, seconds: float) -> None:
        """Send the request. Raises OSError, http.client.HTTPException if the daemon is gone."""
        self._status: int | None = None
        self._connection = http.client.HTTPConnection("docker")
        self._connection.sock = self._stream = daemon.dial(seconds)
        try:
            self._connection.request("POST", f"/containers/{container}/wait?condition=removed")
            self._response = self._connection.getresponse()  # the headers come before the end
        except BaseException:
            self._connection.close()
            raise

    def status(self, seconds: float) -> int | None:
        """Return the exit status; None if the container is not gone within `seconds`."""
        if self._status is None and self._stream.fileno() >= 0:
            waiting = select.poll()
            waiting.register(self._stream, select.POLLIN)
            if waiting.poll(seconds * 1000):
                with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                    self._status = int(json.loads(self._response.read())["StatusCode"])
        return self._status

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()


class DockerChannel:
    """A program in a container, as `sandbox.program.Channel`."""

    own_namespace: bool = True

    def __init__(
        self, container: str, home: str, seconds: float, door: ProgramSocket | None = None
    ) -> None:
        """Attach to a container that has been made and not yet started.

        Raises:
            OSError, http.client.HTTPException: there is no such container, or the daemon is gone.
        """
        self.home = home
        self.container = container
        self.socket: str = f"{INSIDE}/{NAME}" if door is not None else ""
        self._door = door
        self._streams = Streams()
        self._stream = daemon.attach(container, seconds)
        self._line, self._lines = self._stream, cast(Lines, self._streams)
        try:
            self._exit = Exit(container, seconds)
        except BaseException:
            self._stream.close()
            raise
        self._stream.setblocking(False)

    def send(self, line: bytes) -> None:
        """Write `line` and a newline. Raises OSError if the program is gone, or does not read.

        Meanwhile, read what the program writes: otherwise each could wait for the other.
        """
        rest = memoryview(line + b"\n")
        deadline = time.monotonic() + SEND_SECONDS
        while rest:
            ready = self._wait(select.POLLIN | select.POLLOUT, deadline)
            if ready & ~select.POLLOUT and not self._take():
                raise BrokenPipeError("the container ended")
            if len(self._lines) > HELD_BYTES:
                raise BrokenPipeError("the program writes without reading")
            if ready & select.POLLOUT:
                with contextlib.suppress(BlockingIOError):
                    rest = rest[self._line.send(rest) :]

    def receive(self, seconds: float, max_bytes: int) -> bytes:
        """Return the next line; see `Channel.receive`."""
        deadline = time.monotonic() + seconds
        while (line := self._lines.line()) is None:
            if len(self._lines) > max_bytes:
                raise EOFError("the reply is too long")
            try:
                if self._door is not None and self._called(self._door, deadline):
                    continue
                self._wait(select.POLLIN, deadline)
                alive = self._take()
            except ConnectionError:
                alive = False
            if not alive:
                raise EOFError("the container ended")
        if len(line) > max_bytes:
            raise EOFError("the reply is too long")
        self._close_door()
        return line

    def _called(self, door: ProgramSocket, deadline: float) -> bool:
        """Return whether the program connected, rather than wrote or ended."""
        waiting = select.poll()
        waiting.register(door, select.POLLIN)
        waiting.register(self._stream, select.POLLIN)
        ready = {found for found, _ in waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)}
        if door.fileno() not in ready:
            return False
        self._line, self._lines = door.answer(), Lines()
        self._close_door()
        return True

    def _close_door(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None

    def ended(self) -> int | None:
        """Return the exit status of a program whose output ended; None if it still lives."""
        return self._exit.status(END_SECONDS)

    def complaint(self) -> str:
        """Return the last of what the program wrote to standard error, for an error message."""
        with contextlib.suppress(OSError):
            if self._line is not self._stream:
                self._line.close()
            self._line, self._lines = self._stream, self._streams
            while self._wait(select.POLLIN, 0.0) and self._take():
                pass
        return self._streams.complaint.decode(errors="replace").strip()

    def kill(self) -> None:
        """Remove the container and wait until it is gone. Calling it twice is fine.

        If the daemon is gone, the container ends when the daemon is back, at the latest after its
        lifetime.
        """
        if self._stream.fileno() < 0:
            return
        self._close_door()
        daemon.remove_container(self.container, REMOVE_SECONDS)
        self._exit.status(REMOVE_SECONDS)
        self._exit.close()
        self._line.close()
        self._stream.close()

    def _wait(self, events: int, deadline: float) -> int:
        """Return which of `events` the connection is ready for."""
        if self._line.fileno() < 0:
            raise BrokenPipeError("the container was removed")
        waiting = select.poll()
        if self._line is not self._stream:
            waiting.register(self._stream, select.POLLRDHUP)
        waiting.register(self._line, events)
        ready = dict(waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))
        if not ready:
            raise TimeoutError
        if self._line.fileno() not in ready:
            raise BrokenPipeError("the container ended")
        return ready[self._line.fileno()]

    def _take(self) -> bool:
        """Read what came; return False at the end of the stream."""
        try:
            data = self._line.recv(1 << 16)
        except BlockingIOError:
            return True
        self._lines.feed(data)
        return bool(data)
