"""Interface of the backends: they start a confined program of ours, and speak to it in lines."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.protocol import Quota

HOME = "/node"
"""Where a program that branches keeps its nodes' files, in a backend with its own root."""
NODES_FOLDERS = {
    f"/{name}": f"{'../' * name.count('/')}{HOME[1:]}/{name.rpartition('/')[2]}"
    for name in ("tmp", "work", "home", "mnt", "root", "srv", "var/log")
}
"""Folders of a container, and where they lead as links: to a node's own, which branch.

A node has the first two; code that wants another makes it below HOME.
"""
NODES_OWN = (Path(HOME), *map(Path, NODES_FOLDERS))
"""Folders that belong to the nodes there."""
ELSEWHERE = Path("/readonly")
ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
"""Environment of every program that branches, besides its folders: equal hashes in every run."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Python program that needs the standard library only.

    Attributes:
        arguments: what follows the interpreter on the command line: options, script, arguments.
        read_only: what it may read, its own source included; at the same path inside as outside,
            except where `inside` says otherwise.
        branches: whether it is the supervisor, which should be pid 1, needs a writable place for
            the nodes' files, and if possible the right to mount.
        network: whether it may use this machine's network, which only a user can decide.
    """

    name: str
    arguments: tuple[str, ...]
    read_only: tuple[Path, ...] = ()
    quota: Quota = field(default_factory=Quota)
    branches: bool = False
    network: bool = False


def inside(path: Path, program: Program) -> str:
    """Return where a path of `read_only` is, in a backend with its own root.

    It is the same path, except below the nodes' own folders: a bind there would replace their
    folders by ones that they cannot write.
    """
    covered = program.branches and any(path.is_relative_to(folder) for folder in NODES_OWN)
    return str(ELSEWHERE / path.relative_to("/")) if covered else str(path)


def arguments_inside(program: Program) -> list[str]:
    """Return the arguments, with paths of `read_only` as they are inside."""
    return [
        inside(Path(argument), program)
        if any(Path(argument).is_relative_to(source) for source in program.read_only)
        else argument
        for argument in program.arguments
    ]


class Channel(Protocol):
    """The host's end of a running program. One thread at a time.

    Attributes:
        home: the writable directory inside, absolute; "" if the program has none.
        own_namespace: whether it is in its own pid namespace, so that `kill(-1)` there reaches only
            its own descendants.
        socket: where the program may connect after its first line, to go on over that connection;
            or "".
    """

    home: str
    own_namespace: bool
    socket: str

    def send(self, line: bytes) -> None:
        """Write `line` and a newline. Raises OSError if the program is gone."""

    def receive(self, seconds: float, max_bytes: int) -> bytes:
        """Return the next line, without its newline.

        Raises:
            TimeoutError: none came within `seconds`.
            EOFError: the program is gone, or the line is longer than `max_bytes`.
        """

    def ended(self) -> int | None:
        """Return the exit status of a program whose output ended; None if it still lives."""

    def complaint(self) -> str:
        """Return the last of what it wrote to standard error, for an error message."""

    def kill(self) -> None:
        """End it and everything it started, remove what it left, and wait. Twice is fine."""


class Backend(Protocol):
    """A way to confine a program; `sandbox.backends.BACKENDS` lists the implementations.

    Attributes:
        mounts: whether a program that branches may make a user namespace inside, and mount there.
        families: address families that agent code may use for sockets; the network that exists
            inside decides what they reach.
        own_root: whether it has its own root file system; else paths inside are those outside.
    """

    name: str
    mounts: bool
    families: tuple[str, ...]
    own_root: bool

    def unavailable(self) -> str:
        """Return why it cannot be used here, in one line; "" if nothing is known against it.

        Cheap (under a second) and without side effects; `sandbox.check` really tries it.
        """

    def start(self, program: Program) -> Channel:
        """Start `program`, or raise `SandboxError` with a message that says what to do."""
