"""Writable tasks on SQLite files: an `Editor` over copies in memory, in the nodes of a sandbox.

A state is a node and a number of statements: those that have written there, each behind a savepoint
of its own. So going back along one path is a rollback in place, and costs nothing to prepare. Where
a rollback would destroy a state that somebody still has a mark of, the node is forked first: the
fork goes back, and the old node keeps what it has. Statements run in place, without a fork each.

Where a statement kills its node (it passed the progress handler, or made SQLite end the whole
transaction), the node is made anew from an untouched copy by the statements that had written. A
fork before every write would save that, but costs milliseconds each time and a process a state; a
death is rare, and statements on a copy in memory are fast.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from environments.bounds import OBSERVATION_CHARS
from environments.sql.editor import Layout, State, StatementResult, Trial, Unreadable
from environments.sql.schema import Schema
from environments.sql.sqlite.copies import DIGEST_SECONDS, Copies, Dead, Node, Request
from sandbox import QueryError, QueryLimits, QueryResult, SandboxError
from sandbox.errors import StateLost

REPLAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """The state after the first `writes` statements of a node's history."""

    node: Node
    writes: int


class SqliteEditor:
    """An `Editor` over SQLite files; any other than `databases` needs a new sandbox."""

    dialect = "sqlite"

    def __init__(
        self,
        sandbox: str,
        databases: Iterable[str | os.PathLike[str]] = (),
        limits: QueryLimits | None = None,
    ) -> None:
        self.limits = limits or QueryLimits()
        self._copies = Copies(sandbox, databases, self.limits)
        self._layouts: dict[str, Layout] = {}
        self._marks: set[Mark] = set()
        self._at: Mark | None = None

    def open(self, database: str) -> None:
        """See `Editor.open`."""
        self._move(Mark(self._copies.untouched(database), 0))

    def run(self, sql: str, *, max_rows: int, max_cell: int) -> StatementResult:
        """See `Editor.run`."""
        if len(sql) > self.limits.sql_bytes:
            message = f"the text is longer than {self.limits.sql_bytes} characters"
            return StatementResult(QueryResult(error=QueryError("too_big", message)))
        try:
            reply = self._act(["run", sql, max_rows, max_cell], self.limits.seconds)
        except Dead as death:
            return StatementResult(QueryResult(error=QueryError(*death.args)))
        if "error" in reply:
            return StatementResult(QueryResult(error=QueryError(*reply["error"])))
        if reply["wrote"]:
            self._wrote(sql)
        rows = tuple(tuple(row) for row in reply["rows"])
        result = QueryResult(tuple(reply["columns"]), rows, reply["total"], reply["more"])
        return StatementResult(result, reply.get("changed"))

    def query(self, database: str, sql: str, *, max_rows: int, max_cell: int) -> QueryResult:
        """Run a query in this state of `database`, for `Schema`."""
        return self.run(sql, max_rows=max_rows, max_cell=max_cell).result

    def layout(self) -> Layout:
        """See `Editor.layout`."""
        return self._schema().layout()

    def describe(self, table: str, most: int = OBSERVATION_CHARS) -> str:
        """See `Editor.describe`."""
        return self._schema().describe(table, most)

    def _schema(self) -> Schema:
        return Schema(self, self._here.node.database)

    def state(self) -> State:
        """See `Editor.state`."""
        try:
            reply = self._act(["state"], DIGEST_SECONDS)
        except Dead as death:
            raise Unreadable(death.args[1]) from None
        return State(reply["content"], reply["schema"])

    def fresh_layout(self, database: str) -> Layout:
        """See `Editor.fresh_layout`."""
        if database not in self._layouts:
            here, self._at = self._at, Mark(self._copies.untouched(database), 0)
            try:
                self._layouts[database] = self.layout()
            finally:
                self._move(here)
        return self._layouts[database]

    def trial(self, database: str, statements: Sequence[str]) -> Trial:
        """See `Editor.trial`."""
        seconds = self.limits.seconds * len(statements) + DIGEST_SECONDS
        untouched = self._copies.untouched(database)
        fork, request = self._copies.fork(untouched, 0), ["trial", list(statements)]
        try:
            reply = self._copies.step(untouched, fork, request, seconds=seconds)
        except Dead as death:
            return Trial(None, QueryError(*death.args))
        self._copies.drop(fork)
        if "error" in reply:
            return Trial(None, QueryError(*reply["error"]))
        return Trial(State(reply["content"], reply["schema"]))

    def save(self) -> Mark:
        """See `Editor.save`."""
        mark = Mark(self._here.node, self._here.writes)
        self._marks.add(mark)
        return mark

    def back(self, mark: Mark) -> None:
        """See `Editor.back`."""
        self._move(mark)
        if not self._copies.alive(mark.node):
            self._revive()

    def free(self, mark: Mark) -> None:
        """See `Editor.free`."""
        self._marks.discard(mark)
        self._leave(mark.node)

    def close(self) -> None:
        """See `Editor.close`."""
        self._copies.close()

    @property
    def _here(self) -> Mark:
        if self._at is None:
            raise SandboxError("no database is open")
        return self._at

    def _move(self, to: Mark | None) -> None:
        """Stand in another state; nothing is run for it yet."""
        left, self._at = self._at, to
        if left is not None:
            self._leave(left.node)

    def _leave(self, node: Node) -> None:
        """Drop a node that nobody stands in or has a mark of."""
        wanted = self._at is not None and self._at.node is node
        wanted = wanted or any(mark.node is node for mark in self._marks)
        if not wanted:
            self._copies.drop(node)

    def _act(self, request: Request, seconds: float) -> dict[str, Any]:
        """Return the reply to a request in the current state."""
        try:
            return self._try(request, seconds)
        except StateLost:  # the sandbox lost the node before; from its statements it can be made
            return self._try(request, seconds)

    def _try(self, request: Request, seconds: float) -> dict[str, Any]:
        if not self._copies.alive(self._here.node):
            self._revive()
        node, writes = self._here.node, self._here.writes
        requests = [request] if writes == len(node.history) else [["back", writes], request]
        kept = any(mark.node is node and mark.writes > writes for mark in self._marks)
        if not (node.forked or kept):
            reply = self._copies.step(node, node, *requests, seconds=seconds)
            del node.history[writes:]
            return reply
        fork = self._copies.fork(node, writes)
        reply = self._copies.step(node, fork, *requests, seconds=seconds)
        self._move(Mark(fork, writes))
        return reply

    def _wrote(self, sql: str) -> None:
        """Note a statement that has just written in this state."""
        self._here.node.history.append(sql)
        self._at = Mark(self._here.node, self._here.writes + 1)

    def _revive(self) -> None:
        """Make the node that this stands in anew; raise `StateLost` if it came out another."""
        untouched, writes = self._copies.untouched(self._here.node.database), self._here.writes
        anew = self._copies.fork(self._here.node, writes)
        try:
            reply = self._copies.step(
                untouched, anew, ["replay", anew.history], seconds=REPLAY_SECONDS
            )
        except Dead as death:
            raise StateLost(f"a state cannot be rebuilt: {death.args[1]}") from None
        if "error" in reply:
            raise StateLost(f"a state cannot be rebuilt: {reply['error'][1]}")
        self._move(Mark(anew, writes))
