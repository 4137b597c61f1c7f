"""Sandboxes of other people: five methods, over which all that branches here runs.

A class with these methods, in a package of its own, is used by `--sandbox module:Class`, or by the
name under which the package offers it as an entry point of the group "treegraft.sandboxes".
`sandbox.testing` has the tests that it must pass; docs/fork-backends.md an example.
"""

import io
import itertools
import pkgutil
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Self

from sandbox.errors import SandboxError, StateLost
from sandbox.program import Channel, Program
from sandbox.protocol import ROOT_NODE, Quota, Result, Stat, StepLimits

GROUP = "treegraft.sandboxes"
DEFAULT = StepLimits()
PUT = """
import os
os.makedirs(os.path.dirname({path!r}) or ".", exist_ok=True)
with open({path!r}, "wb") as file:
    file.write({data!r})
del file, os
"""
UNPACK = """
import io, sys, tarfile
with tarfile.open(fileobj=io.BytesIO({data!r})) as archive:
    archive.extractall(".", filter="tar")
sys.path[:] = [place for place in sys.path if place]
del archive, io, sys, tarfile
"""
"""Afterwards no module of the leaf's files can be imported."""


class ForkBackend(ABC):
    """A tree of Python interpreters with files, somewhere; an object is one tree.

    A node is a live interpreter whose working directory holds its files. The root is called
    `ROOT_NODE`. One thread uses an object at a time. Trouble of its own raises `SandboxError`; a
    node that is gone `StateLost`, after which a search replays the path to it.

    Attributes:
        confines: whether agent code in it reaches nothing of this machine, no network and no other
            node. `sandbox.check` tries it before the first use; False says that it is for trusted
            code only.
    """

    confines = True

    @abstractmethod
    def __init__(self, quota: Quota, prelude: str) -> None:
        """Start the root interpreter, in an empty directory, and run our code `prelude` in it."""

    @abstractmethod
    def fork(self, parent: str, node: str) -> None:
        """Make `node`: a copy of the interpreter and files of `parent`, which stays as it is."""

    @abstractmethod
    def run(self, node: str, code: str, limits: StepLimits) -> Result:
        """Run `code` in `node`, which has no children; see `sandbox.run_step`.

        If the result is not `ok`, the node is dropped next, so it may be broken.
        """

    @abstractmethod
    def archive(self, node: str) -> bytes:
        """Return the files of a node's working directory as a tar archive.

        They are read from outside: code of the agent's in the node has no part in it.
        """

    @abstractmethod
    def drop(self, node: str) -> None:
        """Free a node, which may be broken; its children live on. An unknown one is ignored."""

    @abstractmethod
    def close(self) -> None:
        """End everything. Calling it twice is fine."""

    @classmethod
    def unavailable(cls) -> str:
        """Return why it cannot be used here, in one line; "" if nothing is known against it."""
        return ""


class ForkedSandbox:
    """`sandbox.protocol.Sandbox` over a `ForkBackend`. Each step is a fork."""

    def __init__(self, made_by: type[ForkBackend], quota: Quota, prelude: str = "") -> None:
        """Prepare; the first use starts it."""
        self._made_by, self._quota, self._prelude = made_by, quota, prelude
        self._made: ForkBackend | None = None
        self._files: dict[str, bytes] = {}
        self._ids = {ROOT_NODE: ROOT_NODE}
        self._parents: set[str] = set()
        self._numbers = itertools.count(1)

    @property
    def facts(self) -> dict[str, Any]:
        """Facts about it, as of `BranchingSandbox`."""
        return {"files": "forked", "python": "", "seccomp": ""}

    def start(self) -> None:
        """See `sandbox.protocol.Sandbox`."""
        _ = self._backend

    @property
    def _backend(self) -> ForkBackend:
        if self._made is None:
            self._made = self._made_by(self._quota, self._prelude)
            for path, data in self._files.items():
                self._put(self._made, ROOT_NODE, PUT.format(path=path, data=data))
        return self._made

    def put(self, path: str, data: bytes) -> None:
        """See `sandbox.protocol.Sandbox`."""
        if next(self._numbers) > 1 or self._made is not None:
            raise ValueError("put() comes before the first step")
        self._numbers = itertools.count(1)
        if path.startswith("/") or ".." in Path(path).parts or not Path(path).parts:
            raise ValueError(f"{path!r} is not a path below the working directory")
        self._files[path] = data

    def step(self, parent: str, node: str, code: str, limits: StepLimits = DEFAULT) -> Result:
        """See `sandbox.protocol.Sandbox`."""
        source, in_place = self._ids[parent], node == parent
        if in_place and (parent == ROOT_NODE or parent in self._parents):
            raise ValueError(f"{parent!r} cannot go on in place: it has children, or is the root")
        if not in_place and node in self._ids:
            raise ValueError(f"there is a node {node!r} already")
        made = self._fork(source)
        result = self._backend.run(made, code, limits)
        if not result.ok:
            self._backend.drop(made)
        elif in_place:
            self._backend.drop(source)
            self._ids[node] = made
        else:
            self._parents.add(parent)
            self._ids[node] = made
        return result

    def grade(
        self, leaf: str, code: str, limits: StepLimits = DEFAULT, prepare: str = ""
    ) -> Result:
        """See `sandbox.protocol.Sandbox`."""
        data = self._backend.archive(self._ids[leaf])
        judge = self._fork(ROOT_NODE)
        try:
            self._put(self._backend, judge, UNPACK.format(data=data))
            result = self._backend.run(judge, prepare, limits)
            if not result.ok or result.exception is not None:
                return result
            return self._backend.run(judge, code, limits)
        finally:
            self._backend.drop(judge)

    def get(self, node: str, path: str, max_bytes: int = 1 << 20) -> bytes:
        """See `sandbox.protocol.Sandbox`."""
        if path.startswith("/") or ".." in Path(path).parts:
            raise FileNotFoundError(f"{path!r} is not a path below the working directory")
        with self._opened(node) as archive:
            for member in archive:
                if str(Path(member.name)) == str(Path(path)) and member.isreg():
                    if member.size > max_bytes:
                        raise FileNotFoundError(f"{path!r} is larger than {max_bytes} bytes")
                    file = archive.extractfile(member)
                    assert file is not None
                    return file.read()
        raise FileNotFoundError(f"{path!r}: No such file")

    def files(self, node: str, most: int = 1000) -> tuple[tuple[str, int | None], ...]:
        """See `sandbox.protocol.Sandbox`."""
        with self._opened(node) as archive:
            found = [
                (str(Path(member.name)), member.size if member.isreg() else None)
                for member in archive
                if not member.isdir()
            ]
        return tuple(sorted(found)[:most])

    def drop(self, node: str) -> None:
        """See `sandbox.protocol.Sandbox`."""
        if node != ROOT_NODE and node in self._ids:
            made = self._ids.pop(node)
            self._parents.discard(node)
            if self._made is not None:
                self._made.drop(made)

    def stat(self) -> Stat:
        """See `sandbox.protocol.Sandbox`; what nodes take is not known here."""
        return Stat(tuple(self._ids), (), {}, len(self._ids), "forked")

    def close(self) -> None:
        """End it. Its nodes are lost; a later step of the root starts it again."""
        if self._made is not None:
            self._made.close()
            self._made = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fork(self, source: str) -> str:
        made = f"n{next(self._numbers)}"
        self._backend.fork(source, made)
        return made

    def _opened(self, node: str) -> tarfile.TarFile:
        return tarfile.open(fileobj=io.BytesIO(self._backend.archive(self._ids[node])))

    def _put(self, backend: ForkBackend, node: str, code: str) -> None:
        result = backend.run(node, code, StepLimits(seconds=60.0))
        if not result.ok or result.exception is not None:
            raise SandboxError(f"files cannot be written: {result.why or result.exception}")


class Forks:
    """A class of a user's as a choice of sandbox; see `sandbox.check.choose`."""

    mounts = False
    families: tuple[str, ...] = ()
    own_root = True

    def __init__(self, name: str, made_by: type[ForkBackend]) -> None:
        self.name, self.made_by = name, made_by

    def unavailable(self) -> str:
        """Return why it cannot be used here; "" if nothing is known against it."""
        return self.made_by.unavailable()

    def start(self, program: Program) -> Channel:
        """Refuse: it runs interpreters that fork, and no other program."""
        raise SandboxError(
            f"the sandbox {self.name} runs worlds whose states are forked interpreters (python, "
            f"os), not the program {program.name!r}; use another --sandbox"
        )


def find_forks(name: str) -> Forks | None:
    """Return the user's fork backend `name`: `module:Class`, or an entry point of `GROUP`.

    None if there is none of that name.

    Raises:
        SandboxError: it cannot be imported, or is no fork backend.
    """
    found: Sequence[Any] = ()
    try:
        if ":" in name:
            found = [pkgutil.resolve_name(name)]
        else:
            found = [point.load() for point in entry_points(group=GROUP, name=name)]
    except (ImportError, AttributeError, ValueError) as error:
        raise SandboxError(f"no sandbox {name!r}: {error}") from error
    if not found:
        return None
    if not (isinstance(found[0], type) and issubclass(found[0], ForkBackend)):
        raise SandboxError(f"{name!r} is not a subclass of sandbox.fork_backend.ForkBackend")
    return Forks(name, found[0])


__all__ = ["ForkBackend", "ForkedSandbox", "Forks", "StateLost", "find_forks"]
