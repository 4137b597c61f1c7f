"""A Docker daemon that can go away or be slow, in front of the real one."""

import contextlib
import socket
import threading
import time
from pathlib import Path

from sandbox.docker import daemon


class Relay:
    """Passes everything on to the real daemon until it is stopped.

    slow: what is in the first line of requests that it passes on `seconds` later, whether or not
    the one who asks is still there.   asked: set when one has come.
    """

    def __init__(self, path: Path, slow: bytes = b"no request", seconds: float = 0.0) -> None:
        self._slow, self._seconds = slow, seconds
        self.asked = threading.Event()
        self.address = f"unix://{path}"
        self._ends: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._upstream = str(daemon.socket_path())
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, far = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(self._upstream)
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._slow in data.partition(b"\r\n")[0]:
                    self.asked.set()
                    time.sleep(self._seconds)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        for end in (self._listener, *self._ends):
            end.close()
