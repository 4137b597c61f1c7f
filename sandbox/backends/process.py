"""Run a program as a plain process: nothing is confined but what the program confines by itself.

The supervisor still bounds time, memory, output and processes, and drops privileges; files, the
network and other processes of this user are open to agent code. Only on the user's own word.
"""

from pathlib import Path

from sandbox.backends.host import INTERPRETER, environment
from sandbox.backends.process_channel import PipeChannel
from sandbox.owner import scratch_path
from sandbox.program import Program


class Process:
    name = "process"
    mounts = False
    families: tuple[str, ...] = ("AF_UNIX", "AF_INET", "AF_INET6")

    def inside(self, path: Path, program: Program) -> str:
        """Where a path of `program.read_only` is inside: where it is outside."""
        return str(path)

    def unavailable(self) -> str:
        """Always "": it needs nothing."""
        return ""

    def start(self, program: Program) -> PipeChannel:
        """Start `program`. Raises SandboxError: it cannot be started."""
        argv = [INTERPRETER, *program.arguments]
        if not program.branches:
            return PipeChannel(argv)
        place = scratch_path()
        home = str(place / "node")
        return PipeChannel(argv, environment(home), home=home, scratch=place)
