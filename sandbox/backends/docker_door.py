"""A Unix socket where a program in a container calls: four times as quick as its attached streams.

Nobody else can. On the machine it lies in a folder that only our user may enter; in the container
the folder is there, and empties as soon as the program has called, before any node is there. What
the attached streams are for stays with them: our death closes the program's standard input, and so
ends it, and its complaints come by standard error.
"""

import contextlib
import os
import socket

from sandbox.errors import SandboxError
from sandbox.owner import discard, scratch

INSIDE = "/door"
"""Where the folder is in the container."""
NAME = "socket"


class Door:
    """folder: to be bound to INSIDE."""

    def __init__(self) -> None:
        """Raises SandboxError, OSError: there is no room for it, or its path is too long."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._place = scratch("door")
        try:
            self.folder = self._place / "door"
            self.folder.chmod(0o755)
            self._listener.bind(str(self.folder / NAME))
            os.chmod(self.folder / NAME, 0o666)  # for the container's user
            self._listener.listen(1)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Ready to read when somebody calls."""
        return self._listener.fileno()

    def answer(self) -> socket.socket:
        """The line to who called. Raises OSError: nobody did, or it is gone again."""
        line, _ = self._listener.accept()
        line.setblocking(False)
        return line

    def close(self) -> None:
        """Let nobody else call. Twice is fine."""
        self._listener.close()
        try:
            discard(self._place)
        except BaseException:
            discard(self._place)  # interrupted: there may be nobody to try again
            raise


def door() -> Door | None:
    """None where there cannot be one; the attached streams do as well."""
    with contextlib.suppress(SandboxError, OSError):
        return Door()
    return None
