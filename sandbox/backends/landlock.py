"""Run a program under Landlock, where user namespaces are refused: weaker, and without privilege.

What holds here: only the files of the system's libraries and commands, of Python and of the program
can be read; only a folder of the sandbox's own can be written; agent code cannot open a socket;
processes outside cannot be inspected, nor (Linux 6.12) be signalled.

What does not hold: process numbers, users and the kernel's tables (/proc) are the machine's; disk
space is bounded for each file and by the supervisor's check after each step, not by the kernel; so
is the number of processes if the engine is root.
"""

import json
from pathlib import Path
from typing import Any

from sandbox.backends import landlock_exec
from sandbox.backends.host import (
    COMMANDS,
    INTERPRETER,
    LIBRARIES,
    NETWORK_FILES,
    PYTHON,
    environment,
)
from sandbox.backends.process_channel import PipeChannel
from sandbox.owner import scratch_path
from sandbox.program import Program

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Landlock:
    """The backend "landlock"."""

    name = "landlock"
    mounts = False
    families: tuple[str, ...] = ()
    own_root = False

    def unavailable(self) -> str:
        """Return why it cannot be used here, in one line; "" if nothing is known against it."""
        if landlock_exec.abi() < 1:
            return "this kernel has no Landlock (Linux 5.13), or it is switched off"
        return ""

    def start(self, program: Program) -> PipeChannel:
        """Start `program`. Raises SandboxError if it cannot be started."""
        wrapper = landlock_exec.__file__
        rules: dict[str, Any] = {
            "network": program.network,
            "read": [*LIBRARIES, *PYTHON, *COMMANDS, "/etc/ld.so.cache", wrapper],
            "write": [],
            "use": list(DEVICES),
        }
        rules["read"] += map(str, program.read_only)
        rules["read"] += NETWORK_FILES if program.network else ()
        place: Path | None = None
        home = ""
        if program.branches:
            rules["read"].append("/proc")
            place = scratch_path()
            home = f"{place}/node"
            rules["write"].append(home)
        argv = [INTERPRETER, "-I", "-S", "-B", wrapper, json.dumps(rules), INTERPRETER]
        argv += program.arguments
        return PipeChannel(argv, environment(home), home=home, scratch=place)
