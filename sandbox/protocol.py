"""The contract of every sandbox that branches. `sandbox.branching` implements it.

A sandbox holds a tree of **nodes**. A node is a live Python interpreter with its own files;
`ROOT_NODE` exists from the start. `step(parent, node, code)` forks the parent's interpreter and
files, runs the code in the fork, and stops it: nothing in it runs between two steps. What the code
does is a `Result`; trouble of the sandbox itself is a `sandbox.SandboxError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

ROOT_NODE = "root"
"""Name of the node that every other descends from; no agent code ever runs in it."""


@dataclass(frozen=True, slots=True)
class StepLimits:
    """What one step may use.

    Attributes:
        seconds: of wall clock.
        output_bytes: kept of what it writes, half from each end.
        flood_bytes: written before it is killed.
        value_chars: kept of the value's repr.
        memory_bytes: resident, of all the step's processes together.
    """

    seconds: float = 10.0
    output_bytes: int = 64 << 10
    flood_bytes: int = 64 << 20
    value_chars: int = 20_000
    memory_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Quota:
    """What one sandbox may use in all; as many open at once as the machine's memory holds.

    Attributes:
        memory_bytes: of all its processes and files.
        disk_bytes: of a node's files.
        inodes: of a node's files.
        pids: processes and threads, idle nodes included.
        cpus: cores, where the backend can limit them.
        nodes: interpreters kept alive; beyond, the least recently used ones are evicted.
        lifetime: seconds after which the sandbox ends by itself, even if the engine lives.
    """

    memory_bytes: int = 512 << 20
    disk_bytes: int = 64 << 20
    inodes: int = 16_384
    pids: int = 256
    cpus: float = 1.0
    nodes: int = 64
    lifetime: float = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a step.

    Attributes:
        why: "" if the code ran to its end (an exception of its own included), else "timeout",
            "died", "flood" (of output, or of processes), "memory", or, for a node that had to be
            rebuilt, "lost" (its replay had another result). Unless "", there is no such node, and
            the parent is as it was.
        output: standard output and error in the order written, undecodable bytes replaced.
        truncated: bytes left out of its middle.
        value: repr of the last expression, if the code ends in one that is not None.
        exception: the traceback of what the code raised.
        status: how a process died, as a shell reports it ("exit code 3", "signal 11").
        unforkable: why a fork would not be faithful: "threads", "wal" (SQLite's write-ahead log),
            "mmap", "descriptors" (pipes, sockets), "files" (too many to keep). Such a node is
            branched by replay.
        timings: seconds, by part ("fork", "files", "run", "sweep").
    """

    why: str = ""
    output: str = ""
    truncated: int = 0
    value: str | None = None
    exception: str | None = None
    status: str = ""
    unforkable: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Stat:
    """What a sandbox holds.

    Attributes:
        alive: nodes with an interpreter.
        evicted: nodes that a step would rebuild by replay.
        node_bytes: private memory by node, an upper bound.
        pids: processes in the sandbox.
        files: how nodes share files, "overlay" or "copy".
    """

    alive: tuple[str, ...]
    evicted: tuple[str, ...]
    node_bytes: Mapping[str, int]
    pids: int
    files: str


class Sandbox(Protocol):
    """A tree of interpreters, for one thread at a time. Any method may raise SandboxError."""

    def start(self) -> None:
        """Start now instead of at the first use; wait while the machine's memory is taken."""

    def put(self, path: str, data: bytes) -> None:
        """Write a file into the root's working directory; only before the first step."""

    def step(self, parent: str, node: str, code: str, limits: StepLimits = StepLimits()) -> Result:
        """Run `code` in a fork of `parent`, which becomes `node`.

        With `node == parent` nothing is forked and the node itself goes on: cheaper, but only for a
        node without children that is not the root.

        Raises:
            KeyError: there is no such parent.
            ValueError: `node` exists, or cannot go on in place.
        """

    def grade(
        self, leaf: str, code: str, limits: StepLimits = StepLimits(), prepare: str = ""
    ) -> Result:
        """Run `code` in a fork of the untouched root that has the files of `leaf`.

        Nothing that the agent did to its own interpreter is in that fork, and nothing of the
        verdict remains: no node ever sees what `code` reveals. The fork imports no module from the
        leaf's files, unless `code` puts their directory on `sys.path` itself.

        Args:
            leaf: the node whose files are graded.
            code: the grader.
            prepare: code that runs there first. Processes that it forks live on, and know nothing
                of `code`, which is sent afterwards.
        """

    def get(self, node: str, path: str, max_bytes: int = 1 << 20) -> bytes:
        """Return a regular file of the node's working directory; links are not followed.

        Raises:
            FileNotFoundError: there is no such regular file, or it is larger than `max_bytes`.
        """

    def files(self, node: str, most: int = 1000) -> tuple[tuple[str, int | None], ...]:
        """List what is below the node's working directory, folders aside, by path; `most` at most.

        Links are not followed.

        Returns:
            Paths with their sizes in bytes; None as the size of what is not a regular file.
        """

    def drop(self, node: str) -> None:
        """Free a node; its children live on. An unknown node is ignored."""

    def stat(self) -> Stat:
        """Return what is held now."""

    def close(self) -> None:
        """End every process and remove every file. Calling it twice is fine."""
