"""Run a program as a plain process: nothing confines it but itself.

The supervisor still bounds time, memory, output and processes, and drops privileges; but files, the
network and this user's other processes are open to agent code. Used only if the user asks for it.
"""

from sandbox.backends.host import INTERPRETER, environment
from sandbox.backends.process_channel import PipeChannel
from sandbox.owner import scratch_path
from sandbox.program import Program


class Process:
    """The backend "process"."""

    name = "process"
    mounts = False
    families: tuple[str, ...] = ("AF_UNIX", "AF_INET", "AF_INET6")
    own_root = False

    def unavailable(self) -> str:
        """Return "": it needs nothing."""
        return ""

    def start(self, program: Program) -> PipeChannel:
        """Start `program`. Raises SandboxError if it cannot be started."""
        argv = [INTERPRETER, *program.arguments]
        if not program.branches:
            return PipeChannel(argv)
        place = scratch_path()
        home = str(place / "node")
        return PipeChannel(argv, environment(home), home=home, scratch=place)
