"""Copies of SQLite databases in memory, each in a node of a sandbox that branches.

Limitation: a whole database, and what is changed in it, must fit into the sandbox's memory.
"""

import ast
import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from environments.errors import DataError
from sandbox import QueryLimits
from sandbox.branching import BranchingSandbox
from sandbox.check import choose
from sandbox.errors import DatabaseUnreadable, StateLost
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits
from sandbox.sql.database_files import DatabaseFiles
from sandbox.sql.programs import edit_prelude
from sandbox.sql.queries import MOST_DATABASES

GRACE = 1.0
"""Seconds past a statement's own deadline when the sandbox ends its node."""
DIGEST_SECONDS = 10.0
LOAD_SECONDS = 60.0
GROWTH = 64 << 20
"""Bytes by which a database may grow."""
LARGEST = 100 << 20
"""Bytes of a database file."""
MEMORY = 512 << 20
"""Bytes of a sandbox."""

Request = Sequence[Any]
"""A method of `sandbox.sql.inside.edit_worker.Copy`, and its arguments."""


@dataclass(slots=True, eq=False)
class Node:
    """A process that holds a copy of `database`.

    history: the statements that have written in it, from the untouched copy on.
    forked: whether it has children, and so cannot go on in place.
    era: of the sandbox that it is in; -1 of one that is gone.
    """

    name: str
    database: str
    era: int
    history: list[str] = field(default_factory=list)
    forked: bool = False


class Dead(Exception):
    """A node is gone, and with it the statement; `args` are kind and message."""


class Copies:
    """One sandbox, started when it is first needed, and again after `close`.

    Args:
        databases: files that the sandbox may read from its start, and nothing else; the first
            other one needs another sandbox.
    """

    def __init__(
        self, kind: str, databases: Iterable[str | os.PathLike[str]], limits: QueryLimits
    ) -> None:
        self._kind, self._databases, self._limits = kind, tuple(databases), limits
        self._files = DatabaseFiles()
        self._shown: list[Path] | None = None
        self._sandbox: BranchingSandbox | None = None
        self._untouched: dict[str, Node] = {}
        self._names = itertools.count(1)
        self._era = 0

    def alive(self, node: Node) -> bool:
        """Return whether a node still runs."""
        return node.era == self._era

    def fork(self, node: Node, writes: int) -> Node:
        """Return a node that `step` is to fork from `node` after its first `writes` statements."""
        return Node(f"copy-{next(self._names)}", node.database, self._era, node.history[:writes])

    def untouched(self, database: str) -> Node:
        """Return the node that copies descend from; raise `DataError` if the file is too large."""
        path = self._files.readable(database)  # also if it is loaded: it may have changed
        found = self._untouched.get(database)
        if found is None:
            self._allow(path)
            sandbox = self._ready()
            found = self.fork(Node("", database, self._era), 0)
            found.forked = True  # no statement is ever run in place there
            limits = asdict(self._limits) | {
                "growth_bytes": GROWTH,
                "digest_seconds": DIGEST_SECONDS,
            }
            code = f"load({sandbox.inside(path)!r}, {json.dumps(limits)!r})"
            done = sandbox.step(
                ROOT_NODE, found.name, code, StepLimits(LOAD_SECONDS, memory_bytes=MEMORY)
            )
            trouble = done.exception or done.why or ast.literal_eval(done.value or "''")
            if trouble:
                sandbox.drop(found.name)
                why = trouble.strip()[-300:]
                raise DatabaseUnreadable(f"cannot open database {database}: {why}")
            self._untouched[database] = found
        return found

    def step(self, parent: Node, node: Node, *requests: Request, seconds: float) -> dict[str, Any]:
        """Return the reply to the last request; `node` is `parent`, or a `fork` of it.

        seconds: what the requests bound themselves to.

        Raises:
            Dead: `node` is gone; if it was a fork, `parent` is as it was.
            StateLost: `parent` is gone, and nothing was run.
        """
        code = f"perform({json.dumps(requests)!r})"
        limits = StepLimits(seconds + GRACE, value_chars=1 << 20, memory_bytes=MEMORY)
        result = self._ready().step(parent.name, node.name, code, limits)
        if result.why == "lost":
            self._untouched.pop(parent.database, None)  # it may be the one that is lost
            self.drop(parent)
            raise StateLost("a copy of the database is lost")
        reply = _reply(result, seconds)
        if not result.ok or reply.get("broken"):
            self.drop(node)
            raise Dead(*reply["error"])
        parent.forked = parent.forked or node is not parent
        return reply

    def drop(self, node: Node) -> None:
        """Free a node; an untouched one stays."""
        if self.alive(node) and self._sandbox and node is not self._untouched.get(node.database):
            self._sandbox.drop(node.name)
            node.era = -1

    def close(self) -> None:
        """End every node, and remove what was copied. Twice is fine."""
        self._end()
        self._files.close()

    def _end(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        self._untouched.clear()
        self._era += 1

    def _allow(self, path: Path) -> None:
        """Let the sandbox read `path`."""
        if path.is_file() and path.stat().st_size > LARGEST:
            raise DataError(f"{path}: over {LARGEST >> 20} MB; use a server, with --db")
        if self._shown is None:
            self._shown = self._files.plain(self._databases)[:MOST_DATABASES]
        if path not in self._shown:
            self._end()
            known = [each for each in self._shown if each.is_file()]
            self._shown = [*known, path][-MOST_DATABASES:]

    def _ready(self) -> BranchingSandbox:
        if self._sandbox is None:
            quota = Quota(memory_bytes=MEMORY)
            self._sandbox = BranchingSandbox(
                choose(self._kind).backend, quota, edit_prelude(), sorted(self._shown or ())
            )
        return self._sandbox


def _reply(result: Result, seconds: float) -> dict[str, Any]:
    """Return the reply of a step, or the error that its end stands for."""
    if result.why == "timeout":
        message = f"the statement ran longer than {seconds:g} s and was stopped"
        return {"error": ("timeout", message)}
    if result.why:
        message = f"the statement ended the process that ran it ({result.status or result.why})"
        return {"error": ("memory" if result.why == "memory" else "died", message)}
    if result.exception is not None or result.value is None:
        raise RuntimeError(f"the edit worker failed:\n{result.exception}")
    reply: dict[str, Any] = json.loads(ast.literal_eval(result.value))
    return reply
