"""A Unix socket on which the program in a container connects: four times as fast as its streams.

Nobody else can connect. On the machine the socket lies in a folder that only our user may enter; in
the container the folder is visible, and empties as soon as the program has connected, before any
node exists. The attached streams keep their other tasks: our death closes the program's standard
input, and so ends it, and its complaints come over standard error.
"""

import os
import socket

from sandbox.errors import SandboxError
from sandbox.owner import discard, make_scratch, scratch_path

INSIDE = "/door"
"""Where the folder is in the container."""
NAME = "socket"


class ProgramSocket:
    """The listening end.

    Making one does nothing yet: so if `open` is interrupted, the caller has an object to close.
    """

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._place = scratch_path()
        self.folder = self._place / "door"

    def open(self) -> bool:
        """Let the program connect; return False if it cannot: then the streams serve as well."""
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
        """Return a descriptor that is ready to read when somebody connects."""
        return self._listener.fileno() if self._listener else -1

    def answer(self) -> socket.socket:
        """Return the connection. Raises OSError if nobody connected, or it is gone again."""
        if self._listener is None:
            raise OSError("the door is not open")
        line, _ = self._listener.accept()
        line.setblocking(False)
        return line

    def close(self) -> None:
        """Let nobody else connect. Calling it twice is fine."""
        if self._listener is not None:
            self._listener.close()
        try:
            discard(self._place)
        except BaseException:
            discard(self._place)  # interrupted: there may be nobody to try again
            raise
