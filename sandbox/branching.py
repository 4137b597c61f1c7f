"""The branching sandbox as the host sees it: nodes by name, and their replay.

The supervisor keeps as many nodes as its quota allows. What it evicted, or lost when it died, is
rebuilt here from the nearest living ancestor: this side knows the code of every node and a digest
of its result. A replay with another result is reported as "lost", never passed over in silence. A
node that cannot be forked faithfully (threads, ...) is branched in the same way: its code runs
again, and the child's code after it in the same process.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from sandbox.codec import decode_result, digest, encode_limits
from sandbox.connection import Connection, program
from sandbox.errors import StateLost
from sandbox.program import Backend, inside
from sandbox.protocol import ROOT_NODE, Quota, Result, Stat, StepLimits
from sandbox.supervisor.framing import binary, text

GRACE_SECONDS = 30.0
"""How much longer than the step's own limit the supervisor may take to answer."""
LOST = Result(why="lost", output="this state cannot be rebuilt: its replay had another result")
DEFAULT = StepLimits()
T = TypeVar("T")


class _Lost(Exception):
    """The supervisor does not have the node any more, or the node does not answer."""


class _Diverged(Exception):
    """A replay had another result than the first run, or a second replay would fail again."""


@dataclass(slots=True)
class _Record:
    """What it takes to make a node again.

    Attributes:
        codes: code that ran in it, each with its limits and a digest of its result.
        unforkable: see `Result.unforkable`.
        name: the supervisor's name of the living node; "" while there is none.
        children: how many nodes were branched from it.
        dropped: whether it is only remembered because of its children.
    """

    parent: str | None
    codes: list[tuple[str, StepLimits, str]] = field(default_factory=list)
    unforkable: tuple[str, ...] = ()
    name: str = ""
    children: int = 0
    dropped: bool = False


class BranchingSandbox:
    """`sandbox.protocol.Sandbox` over any backend."""

    def __init__(
        self,
        backend: Backend,
        quota: Quota | None = None,
        prelude: str = "",
        read_only: Sequence[Path] = (),
    ) -> None:
        """Prepare; the first use starts it. The root interpreter runs our code `prelude` first."""
        self._supervisor = Connection(backend, program(quota or Quota(), tuple(read_only)))
        self._prelude = prelude
        self._files: dict[str, bytes] = {}
        self._records = {ROOT_NODE: _Record(None)}
        self._ids = itertools.count(1)

    @property
    def facts(self) -> dict[str, Any]:
        """Facts about the running sandbox: "files" ("overlay" or "copy"), "python", "seccomp"."""
        return self._supervisor.facts

    @property
    def home(self) -> str:
        """The folder of a node's files, as its code sees it; start it before."""
        return self._supervisor.home

    def start(self) -> None:
        """Start now instead of at the first use; wait while the machine's memory is taken."""
        if self._supervisor.open:
            return
        self._supervisor.start(self._prelude)
        for path, data in self._files.items():
            self._send_file(path, data)
        self._records[ROOT_NODE].name = ROOT_NODE

    def inside(self, path: Path) -> str:
        """Return where code in nodes finds a path of `read_only`."""
        own_root = self._supervisor.backend.own_root
        return inside(path, self._supervisor.program) if own_root else str(path)

    def put(self, path: str, data: bytes) -> None:
        """Write a file into the root's working directory; only before the first step.

        Raises:
            ValueError: there are nodes already, or the path leads out of the directory.
        """
        if len(self._records) > 1:
            raise ValueError("put() comes before the first step")
        if path.startswith("/") or ".." in Path(path).parts or not Path(path).parts:
            raise ValueError(f"{path!r} is not a path below the working directory")
        self._files[path] = data
        if self._supervisor.open:
            self._send_file(path, data)

    def step(self, parent: str, node: str, code: str, limits: StepLimits = DEFAULT) -> Result:
        """Run `code` in a fork of `parent`, which becomes `node`; see `sandbox.protocol`."""
        record = self._record(parent)
        in_place = node == parent
        if in_place and (parent == ROOT_NODE or record.children):
            raise ValueError(f"{parent!r} cannot go on in place: it has children, or is the root")
        if not in_place and node in self._records:
            raise ValueError(f"there is a node {node!r} already")
        try:
            name, result = (self._go_on if in_place else self._branch)(parent, code, limits)
        except _Diverged:
            return LOST
        if result.ok:
            if not in_place:
                record.children += 1
                record = self._records[node] = _Record(parent)
            record.codes.append((code, limits, digest(result, self._supervisor.home)))
            record.name, record.unforkable = name, result.unforkable
        return result

    def grade(
        self, leaf: str, code: str, limits: StepLimits = DEFAULT, prepare: str = ""
    ) -> Result:
        """Run `code` in a fork of the root with the files of `leaf`; see `sandbox.protocol`."""
        request = {"op": "grade", "code": code, "prepare": prepare, "limits": encode_limits(limits)}
        try:
            return decode_result(self._with_living(leaf, "leaf", request, limits))
        except _Diverged:
            return LOST

    def get(self, node: str, path: str, max_bytes: int = 1 << 20) -> bytes:
        """Return a regular file of the node's working directory; see `sandbox.protocol`."""
        reply = self._of_files(node, {"op": "get", "path": path, "max_bytes": max_bytes})
        if "absent" in reply:
            raise FileNotFoundError(reply["absent"])
        return binary(reply["data"])

    def files(self, node: str, most: int = 1000) -> tuple[tuple[str, int | None], ...]:
        """List what is below the node's working directory; see `sandbox.protocol`."""
        reply = self._of_files(node, {"op": "files", "most": most})
        return tuple((path, size) for path, size in reply["files"])

    def drop(self, node: str) -> None:
        """Free a node; its children live on. An unknown node is ignored."""
        record = self._records.get(node)
        if record is None or record.parent is None:
            return
        self._drop_name(record.name)
        record.name, record.dropped = "", True
        self._forget(node, record)

    def stat(self) -> Stat:
        """Return what is held now."""
        self.start()
        reply = self._supervisor.ask({"op": "stat"}, GRACE_SECONDS)
        known = {node: record for node, record in self._records.items() if not record.dropped}
        alive = {record.name: node for node, record in known.items() if record.name}
        return Stat(
            alive=tuple(alive.values()),
            evicted=tuple(node for node, record in known.items() if not record.name),
            node_bytes={alive[name]: size for name, size in reply["bytes"].items()},
            pids=reply["pids"],
            files=reply["files"],
        )

    def close(self) -> None:
        """End every process and remove every file. A later step starts it again."""
        self._supervisor.close()
        for record in self._records.values():
            record.name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, node: str) -> _Record:
        record = self._records[node]
        if record.dropped:
            raise KeyError(node)
        return record

    def _forget(self, node: str, record: _Record) -> None:
        """Forget a dropped node once no child may have to be rebuilt through it."""
        while record.dropped and not record.children and record.parent is not None:
            del self._records[node]
            node, record = record.parent, self._records[record.parent]
            record.children -= 1

    def _branch(self, parent: str, code: str, limits: StepLimits) -> tuple[str, Result]:
        """Run `code` in a new node with the state of `parent`; return its supervisor name."""
        record = self._records[parent]
        if record.unforkable:
            name = self._again(parent)
            return name, self._step(name, name, code, limits)
        name = f"n{next(self._ids)}"
        return name, self._twice(parent, lambda living: self._step(living, name, code, limits))

    def _go_on(self, node: str, code: str, limits: StepLimits) -> tuple[str, Result]:
        name = self._living(node)
        return name, self._step(name, name, code, limits)

    def _living(self, node: str) -> str:
        """Return the supervisor's name of a node; rebuild the node if need be."""
        if not self._supervisor.open:
            self.close()
            self.start()
        record = self._records[node]
        if not record.name:
            record.name = self._again(node)
        return record.name

    def _again(self, node: str) -> str:
        """Make a second process in the state of `node`, without children and not registered."""
        record = self._records[node]
        assert record.parent is not None
        name = ""
        for code, limits, before in record.codes:
            if name:
                result = self._step(name, name, code, limits)
            else:
                name, result = self._branch(record.parent, code, limits)
                self._drop_again(self._records[record.parent])
            if digest(result, self._supervisor.home) != before:
                self._drop_name(name)
                raise _Diverged
        return name

    def _drop_again(self, record: _Record) -> None:
        """Drop a node that had been dropped and was only rebuilt for a child."""
        if record.dropped:
            self._drop_name(record.name)
            record.name = ""

    def _with_living(
        self, node: str, key: str, request: dict[str, Any], limits: StepLimits
    ) -> dict[str, Any]:
        self._record(node)
        return self._twice(node, lambda living: self._request(request | {key: living}, limits))

    def _twice(self, node: str, act: Callable[[str], T]) -> T:
        """Act on the living `node`; if it is lost by that, once more on the rebuilt one."""
        try:
            return act(self._living(node))
        except _Lost:
            self._records[node].name = ""
        try:
            return act(self._living(node))
        except _Lost as error:
            raise _Diverged from error

    def _of_files(self, node: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._with_living(node, "node", request, DEFAULT)
        except _Diverged as error:
            raise StateLost("the files are lost: their replay had another result") from error

    def _step(self, parent: str, name: str, code: str, limits: StepLimits) -> Result:
        request = {"op": "step", "parent": parent, "node": name, "code": code}
        return decode_result(self._request(request | {"limits": encode_limits(limits)}, limits))

    def _request(self, request: dict[str, Any], limits: StepLimits) -> dict[str, Any]:
        """Ask the supervisor, and note which nodes it evicted. Raises _Lost, _Diverged."""
        try:
            reply = self._supervisor.ask(request, limits.seconds + GRACE_SECONDS)
        except BaseException:
            if not self._supervisor.open:
                self.close()  # no node lives any more
            raise
        evicted = set(reply.get("evicted", ()))
        for record in self._records.values() if evicted else ():
            if record.name in evicted:
                record.name = ""
        if "lost" in reply:
            raise _Diverged if reply["hung"] else _Lost
        return reply

    def _send_file(self, path: str, data: bytes) -> None:
        request = {"op": "put", "path": path, "data": text(data)}
        self._supervisor.ask(request, GRACE_SECONDS)

    def _drop_name(self, name: str) -> None:
        if name and self._supervisor.open:
            self._supervisor.ask({"op": "drop", "node": name}, GRACE_SECONDS)
