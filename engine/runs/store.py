"""The store of a run: one SQLite file with its config, tasks, trees and failures.

It can be read while the run goes on. Nodes are rows that name their parent, so each message is
stored once, not again in every longer conversation. A tree is written in one transaction; a task
whose search was interrupted leaves nothing here (its paid replies are in the journal).
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from engine.errors import UsageError
from engine.runs.codec import (
    call_from_list,
    call_to_list,
    dumps,
    encodable,
    node_from_dict,
    node_to_dict,
    task_from_dict,
    task_to_dict,
)
from engine.runs.failure import Failure
from engine.runs.fingerprints import Fingerprint, fingerprints
from engine.runs.run_file import RunFileError, open_for_reading, open_for_writing
from environments.types import Task
from search.tree import Call, Node, Tree
from search.usage import Usage
from treegraft.write_files import make_folder

FILE = "run.db"
VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, public TEXT NOT NULL, secret_marks TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trees (
    task_id TEXT PRIMARY KEY REFERENCES tasks, source TEXT NOT NULL, stopped TEXT NOT NULL,
    solved INTEGER NOT NULL, repeats INTEGER NOT NULL, closed TEXT NOT NULL,
    replayed TEXT NOT NULL, searched TEXT NOT NULL DEFAULT '0');
CREATE TABLE IF NOT EXISTS nodes (
    task_id TEXT NOT NULL REFERENCES trees, id INTEGER NOT NULL, parent INTEGER NOT NULL,
    call INTEGER NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL, thought TEXT NOT NULL,
    error TEXT NOT NULL, observation TEXT NOT NULL, reward REAL NOT NULL,
    terminated INTEGER NOT NULL, truncated INTEGER NOT NULL, info TEXT NOT NULL,
    actor TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '',
    attempts TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (task_id, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
    task_id TEXT NOT NULL REFERENCES trees, number INTEGER NOT NULL, state INTEGER NOT NULL,
    request TEXT NOT NULL, calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, usd REAL NOT NULL,
    kind TEXT NOT NULL DEFAULT 'propose', incomplete TEXT NOT NULL DEFAULT '',
    said TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (task_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (
    task_id TEXT PRIMARY KEY REFERENCES tasks, kind TEXT NOT NULL, message TEXT NOT NULL,
    trace TEXT NOT NULL DEFAULT '');
"""
_ADDED_COLUMNS = (
    ("trees", "searched", "'0'"),
    ("calls", "kind", "'propose'"),
    ("calls", "incomplete", "''"),
    ("calls", "said", "''"),
    ("nodes", "actor", "''"),
    ("nodes", "why", "''"),
    ("nodes", "attempts", "'[]'"),
    ("failures", "trace", "''"),
)
"""Columns missing in files of earlier versions: table, column, default."""
_JSON_COLUMNS = ("arguments", "info", "attempts")
_NODE_COLUMNS = (
    *("task_id", "id", "parent", "call", "tool", "arguments", "thought", "error", "observation"),
    *("reward", "terminated", "truncated", "info", "actor", "why", "attempts"),
)
_CALL_COLUMNS = (
    *("state", "request", "calls", "prompt_tokens", "completion_tokens", "cached_tokens", "usd"),
    *("kind", "incomplete", "said"),
)
"""In the order of `call_to_list`; files of earlier versions lack the last three."""


class Store:
    """An open run. Use it as a context manager, or `close()` it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.row_factory = sqlite3.Row

    @classmethod
    def create(cls, run: Path) -> Self:
        """Open the run in folder `run` for writing; create the folder and the file if missing.

        Raises:
            UsageError: it cannot be written, or the file is not a run.
        """
        make_folder(run)
        db = open_for_writing(run / FILE)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # No fsync per tree: a tree lost to a power failure is searched again from the journal.
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            for table, column, default in _ADDED_COLUMNS:
                if column not in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
                    db.execute(f"ALTER TABLE {table} ADD {column} TEXT NOT NULL DEFAULT {default}")
        except BaseException:
            db.close()
            raise
        return cls(db)

    @classmethod
    def open(cls, run: Path) -> Self:
        """Open a run, which is a folder or its file, for reading, finished or not.

        Raises:
            UsageError: there is no run, or the file is not one.
        """
        file = run / FILE if run.is_dir() else run
        if not file.is_file():
            raise UsageError(f"no run in {run}: `engine explore --output {run}` makes one")
        try:
            return cls(open_for_reading(file))
        except RunFileError as error:
            raise UsageError(f"{file} is not a run of Treegraft: {error.__cause__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def meta(self) -> dict[str, Any]:
        """Return what `set_meta` stored: "config", "world", "versions" and others."""
        return {
            row["key"]: json.loads(row["value"]) for row in self._db.execute("SELECT * FROM meta")
        }

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Store facts about the whole run as JSON, in place of earlier values of the same keys."""
        self._db.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            [(key, dumps(value)) for key, value in values.items()],
        )

    def add_task(self, task: Task, marks: Sequence[Fingerprint] | None = None) -> None:
        """Add `task` to the run: its public part, and only fingerprints of its secret.

        `marks` are those fingerprints, if the task comes from another run, without its secret.
        """
        marks = fingerprints(task.secret, task.findable) if marks is None else marks
        self._db.execute(
            "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)",
            (task.id, dumps(task_to_dict(task)), dumps(marks)),
        )

    def add_tree(self, tree: Tree, marks: Sequence[Fingerprint] | None = None) -> None:
        """Add `tree` in place of an earlier tree or failure of its task, in one transaction.

        See `add_task` for `marks`.
        """
        task_id = tree.task.id
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self.add_task(tree.task, marks)
            for table in ("trees", "nodes", "calls", "failures"):
                self._db.execute(f"DELETE FROM {table} WHERE task_id = ?", (task_id,))
            self._db.execute(
                "INSERT INTO trees (task_id, source, stopped, solved, repeats, closed, replayed,"
                " searched) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    task_id,
                    tree.source,
                    tree.stopped,
                    tree.solved,
                    tree.duplicates,
                    dumps({str(k): v for k, v in sorted(tree.closed.items())}),
                    dumps(tree.replayed),
                    str(tree.searched),
                ),
            )
            self._db.executemany(
                f"INSERT INTO nodes ({', '.join(_NODE_COLUMNS)})"
                f" VALUES ({', '.join('?' * len(_NODE_COLUMNS))})",
                [(task_id, *_node_row(node)) for node in tree.nodes],
            )
            self._db.executemany(
                f"INSERT INTO calls (task_id, number, {', '.join(_CALL_COLUMNS)})"
                f" VALUES ({', '.join('?' * (len(_CALL_COLUMNS) + 2))})",
                [(task_id, n, *_call_row(call)) for n, call in enumerate(tree.calls)],
            )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has ended it by itself if the disk is full
                self._db.execute("ROLLBACK")
            raise

    def add_failure(self, task: Task, failure: Failure) -> None:
        """Record why the search of `task` failed."""
        self.add_task(task)
        self._db.execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)",
            (task.id, failure.kind, encodable(failure.message), encodable(failure.trace)),
        )

    def finished(self) -> set[str]:
        """Return the ids of tasks whose search ended, so that a resumed run skips them."""
        query = "SELECT task_id FROM trees WHERE stopped != 'budget'"
        return {row["task_id"] for row in self._db.execute(query)}

    def usage(self) -> Usage:
        """Return the cost of all requests of all trees, at the prices of the time."""
        sums = ", ".join(f"coalesce(sum({each.name}), 0)" for each in fields(Usage))
        return Usage(*self._db.execute(f"SELECT {sums} FROM calls").fetchone())

    def usage_of_finished(self) -> list[Usage]:
        """Return the cost of each task whose search ended, as `usage` counts it."""
        sums = ", ".join(f"coalesce(sum(calls.{each.name}), 0)" for each in fields(Usage))
        query = (
            f"SELECT {sums} FROM trees LEFT JOIN calls USING (task_id) WHERE stopped != 'budget'"
            " GROUP BY task_id"
        )
        return [Usage(*row) for row in self._db.execute(query)]

    @property
    def empty(self) -> bool:
        """Whether the run holds no tree and no failure."""
        query = "SELECT EXISTS (SELECT 1 FROM trees) OR EXISTS (SELECT 1 FROM failures)"
        return not self._db.execute(query).fetchone()[0]

    def failures(self) -> dict[str, tuple[str, str]]:
        """Return the kind and the message of each failed task's error, by task id."""
        rows = self._db.execute("SELECT * FROM failures ORDER BY task_id")
        return {row["task_id"]: (row["kind"], row["message"]) for row in rows}

    def failure(self, task_id: str) -> Failure | None:
        """Return why the search of a task failed, if it did."""
        query = "SELECT * FROM failures WHERE task_id = ?"
        row = self._db.execute(query, (task_id,)).fetchone()
        return Failure(*row[1:]) if row else None  # runs of version 0.1 have no traceback

    def task_ids(self) -> list[str]:
        """Return the ids of the tasks that have a tree, in order."""
        return [row["task_id"] for row in self._db.execute("SELECT task_id FROM trees ORDER BY 1")]

    def tasks(self) -> Iterator[Task]:
        """Yield the tasks of the run, without their secrets and details, whatever came of them."""
        for row in self._db.execute("SELECT public FROM tasks ORDER BY id"):
            yield task_from_dict(json.loads(row["public"]))

    def version(self) -> int:
        """Return a number that changes whenever another connection writes to the file."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def task_ids_from(self, row: int) -> list[tuple[int, str]]:
        """Return the row number and the task id of each tree from row number `row` on.

        Row numbers grow: each tree that is written takes the next one.
        """
        query = "SELECT rowid, task_id FROM trees WHERE rowid >= ? ORDER BY rowid"
        return [(number, task_id) for number, task_id in self._db.execute(query, (row,))]

    def trees(self) -> Iterator[Tree]:
        """Yield every tree in order of task id, one in memory at a time."""
        return (self.tree(task_id) for task_id in self.task_ids())

    def tree(self, task_id: str) -> Tree:
        """Return the tree of a task, without the task's secret and details.

        Raises:
            UsageError: the task has no tree.
        """
        query = "SELECT * FROM trees JOIN tasks ON tasks.id = task_id WHERE task_id = ?"
        row = self._db.execute(query, (task_id,)).fetchone()
        if row is None:
            raise UsageError(f"no tree of task {task_id!r} in this run")
        nodes = self._db.execute("SELECT * FROM nodes WHERE task_id = ? ORDER BY id", (task_id,))
        calls = self._db.execute(
            "SELECT * FROM calls WHERE task_id = ? ORDER BY number", (task_id,)
        )
        return Tree(
            task_from_dict(json.loads(row["public"])),
            row["source"],
            [_node(node) for node in nodes],
            [_call(call) for call in calls],
            row["repeats"],
            {int(state): reason for state, reason in json.loads(row["closed"]).items()},
            json.loads(row["replayed"]),
            row["stopped"],
            int(row["searched"]) if "searched" in row.keys() else 0,  # noqa: SIM118
        )

    def fingerprints(self, task_id: str) -> list[Fingerprint]:
        """Return the fingerprints of a task's secret, for `fingerprints.contains_secret`."""
        with closing(
            self._db.execute("SELECT secret_marks FROM tasks WHERE id = ?", (task_id,))
        ) as rows:
            return [(length, digest) for length, digest in json.loads(rows.fetchone()[0])]


def _node_row(node: Node) -> list[Any]:
    row = {"actor": "", "why": "", "attempts": []} | node_to_dict(node)
    values = ((key, row[key]) for key in _NODE_COLUMNS[1:])
    return [
        dumps(value) if key in _JSON_COLUMNS else encodable(value) if type(value) is str else value
        for key, value in values
    ]


def _call_row(call: Call) -> list[Any]:
    row = [encodable(each) if type(each) is str else each for each in call_to_list(call)]
    return row + [""] * (len(_CALL_COLUMNS) - len(row))


def _call(row: sqlite3.Row) -> Call:
    older = {"kind": "propose", "incomplete": "", "said": ""}
    known = older | dict(zip(row.keys(), row, strict=True))
    return call_from_list([known[name] for name in _CALL_COLUMNS])


def _node(row: sqlite3.Row) -> Node:
    values = {key: row[key] for key in row.keys()}  # noqa: SIM118 (iterating a Row gives values)
    read = {key: json.loads(values[key]) for key in _JSON_COLUMNS if key in values}
    return node_from_dict(values | read)
