"""What a backend starts: a program of ours, confined, spoken to in lines."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.protocol import Quota

HOME = "/node"
"""Where a program that branches keeps its nodes' files, in a backend with a root of its own."""
NODES_OWN = (Path(HOME), Path("/tmp"), Path("/work"))
"""What belongs to the nodes there."""
ELSEWHERE = Path("/readonly")
ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
"""Of every program that branches, besides its folders: the same hashes in every run."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Python program that needs the standard library only.

    arguments: what follows the interpreter on the command line: options, script, its arguments.
    read_only: what it may read, its own source included; at the same path inside as outside, but
        see `inside`.
    branches: whether it is the supervisor, which wants to be pid 1, a writable place for the nodes'
        files, and where possible the right to mount.
    """

    name: str
    arguments: tuple[str, ...]
    read_only: tuple[Path, ...] = ()
    quota: Quota = field(default_factory=Quota)
    branches: bool = False


def inside(path: Path, program: Program) -> str:
    """Where a path of `read_only` is, in a backend with a root of its own.

    It is the same path, except beneath the nodes' own folders: a bind there would put folders
    that the nodes cannot write in the place of theirs.
    """
    covered = program.branches and any(path.is_relative_to(folder) for folder in NODES_OWN)
    return str(ELSEWHERE / path.relative_to("/")) if covered else str(path)


def arguments_inside(program: Program) -> list[str]:
    """The arguments, those that are paths of `read_only` or beneath them as they are inside."""
    return [
        inside(Path(argument), program)
        if any(Path(argument).is_relative_to(source) for source in program.read_only)
        else argument
        for argument in program.arguments
    ]


class Channel(Protocol):
    """The host's end of a running program. One owner at a time.

    home: the writable directory inside, absolute; "" where the program was given none.
    own_namespace: whether it is in a pid namespace of its own, so that `kill(-1)` there reaches
        only its own descendants.
    socket: where it may call, after its first line, to be spoken to by that line instead; or "".
    """

    home: str
    own_namespace: bool
    socket: str

    def send(self, line: bytes) -> None:
        """Write `line` and a newline. Raises OSError: the program is gone."""

    def receive(self, seconds: float, max_bytes: int) -> bytes:
        """The next line, without its newline.

        Raises:
            TimeoutError: none came within `seconds`.
            EOFError: the program is gone, or the line is longer than `max_bytes`.
        """

    def ended(self) -> int | None:
        """The exit status of a program whose output ended; None if it lives on nevertheless."""

    def complaint(self) -> str:
        """The last of what it wrote to standard error, for an error message."""

    def kill(self) -> None:
        """End it with everything it started, remove what it left, and wait. Twice is fine."""


class Backend(Protocol):
    """A way to confine a program; the modules of `sandbox.backends` are the implementations.

    mounts: whether a program that branches may make a user namespace inside, and mount there.
    families: of addresses that sockets of agent code may have; what they reach is up to the
        network that is there.
    """

    name: str
    mounts: bool
    families: tuple[str, ...]

    def inside(self, path: Path, program: Program) -> str:
        """Where a path of `program.read_only` is inside."""

    def unavailable(self) -> str:
        """Why it cannot be used on this machine, in one line; "" if nothing speaks against it.

        Cheap (under a second) and without side effects; `sandbox.check` tries it for real.
        """

    def start(self, program: Program) -> Channel:
        """Start `program`.

        Raises:
            sandbox.SandboxError: it cannot be started; the message says what to do.
        """
