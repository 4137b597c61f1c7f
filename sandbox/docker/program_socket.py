"""A Unix socket where a program in a container calls: four times as quick as its attached streams.

Nobody else can. On the machine it lies in a folder that only our user may enter; in the container
the folder is there, and empties as soon as the program has called, before any node is there. What
the attached streams are for stays with them: our death closes the program's standard input, and so
ends it, and its complaints come by standard error.
"""

import os
import socket

from sandbox.errors import SandboxError
from sandbox.owner import discard, make_scratch, scratch_path

INSIDE = "/door"
"""Where the folder is in the container."""
NAME = "socket"


class ProgramSocket:
    """folder: to be bound to INSIDE, once it is open.

    Making one does nothing; so whoever is interrupted in `open` has it, and closes it.
    """

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._place = scratch_path()
        self.folder = self._place / "door"

    def open(self) -> bool:
        """Let the program call. False: there cannot be a door here, and it is closed again; the
        attached streams do as well."""
        try:
            make_scratch(self._place, "door")
            self.folder.chmod(0o755)
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self.folder / NAME))
            os.chmod(self.folder / NAME, 0o666)  # for the container's user
            self._listener.listen(1)
        except (SandboxError, OSError):  # no room, or its path is too long
            self.close()
            return False
        return True

    def fileno(self) -> int:
        """Ready to read when somebody calls."""
        return self._listener.fileno() if self._listener else -1

    def answer(self) -> socket.socket:
        """The line to who called. Raises OSError: nobody did, or it is gone again."""
        if self._listener is None:
            raise OSError("the door is not open")
        line, _ = self._listener.accept()
        line.setblocking(False)
        return line

    def close(self) -> None:
        """Let nobody else call. Twice is fine."""
        if self._listener is not None:
            self._listener.close()
        try:
            discard(self._place)
        except BaseException:
            discard(self._place)  # interrupted: there may be nobody to try again
            raise
