"""Tasks that change a database: the agent edits its own copy, and its final state is graded.

As in AgentBench's DB task (Liu et al. 2023, arXiv:2308.03688), every table must hold after `submit`
what the gold statements leave on an untouched copy. `info["strict"]` of a submission is a stricter
label: types, keys and indexes are equal, too.

Limitation: the restore law holds only for deterministic statements. A task whose gold statements
store the clock cannot be graded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from environments.base import Outcome, ToolEnv
from environments.sql.editor import Editor, Layout, StatementResult, Trial, Unreadable
from environments.sql.env import (
    DESCRIBE_TABLE,
    LIST_TABLES,
    SHOWN_CELL,
    SHOWN_ROWS,
    call,
    error_kind,
    look,
    states,
    table_list,
    unknown_table,
)
from environments.sql.gold import tables_of
from environments.sql.mistakes.wrong_queries import wrong_tables
from environments.sql.mistakes.wrong_writes import wrong_writes
from environments.sql.names import find_name
from environments.sql.statements import statement_in
from environments.sql.tasks.edit_tasks import BUNDLED_EDITS, edit_tasks
from environments.sql.tasks.formats import data_folder, database_files
from environments.sql.text import result_text
from environments.sql.thoughts import thought
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool, text_arguments
from environments.types import Action, Step, Task
from sandbox.sql.database_files import expect

RUN_SQL = Tool(
    "run_sql",
    "Run one SQL statement: SELECT, INSERT, UPDATE, DELETE, or CREATE, DROP or ALTER of a table,"
    " index or view. Shows the first rows, or how many were changed.",
    text_arguments(sql="the statement"),
)
SUBMIT = Tool("submit", "Submit the database as it is now. This ends the task.", NO_ARGUMENTS)

LASTING = ("denied", "sql", "too_big")
"""Kinds of errors that recur; a busy machine may cause the others."""

DIALECTS = {"sqlite": "SQLite", "postgres": "Postgres"}


class DatabaseEnv(ToolEnv):
    """Tasks that change a database: the agent's copy must end up as the gold statements leave it.

    Args:
        data: folder of the tasks; None for the bundled ones.
        split: the part of the data to use; None for the default.
        sandbox: what confines the statements.
        db: URL of a Postgres server that holds the tasks' databases, named by `db_id`
            (postgres://user:password@host:port/database); None for SQLite files in the data
            folder. A password in it is stored nowhere.

    Raises:
        DataError: `db` is not such a URL, or psycopg is not installed.
    """

    sandboxed = True
    branching = "a forked process"
    tools = (LIST_TABLES, DESCRIBE_TABLE, RUN_SQL, SUBMIT, GIVE_UP)
    instructions = (
        "You are asked to change a {dialect} database. Look at the tables first: list_tables, then "
        "describe_table for each table that you need. Change the data with run_sql, one statement "
        "a call, and nothing that you are not asked to change. Every change is kept; there are no "
        "transactions. Look at the result with SELECT. Then call submit: the whole database is "
        "compared with what it should be. You can submit once. Call give_up only if there is no "
        "way."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        db: str | None = None,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._files = db is None
        self.sandboxed = self._files
        self._editor = self._make_editor(db)
        self._tried: dict[tuple[str, tuple[str, ...]], Trial] = {}
        dialect = DIALECTS[self._editor.dialect]
        self.instructions = self.instructions.format(dialect=dialect)

    def _make_editor(self, db: str | None) -> Editor:
        if db is not None:
            from environments.sql.postgres.editor import PostgresEditor

            return PostgresEditor(db)
        from environments.sql.sqlite.editor import SqliteEditor

        return SqliteEditor(self.sandbox, database_files(data_folder(self.data)))

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        folder = BUNDLED_EDITS if self.data is None else data_folder(self.data)
        return self.prepared(edit_tasks(folder, self.split, files=self._files, strict=self.strict))

    def prepared(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """See `ToolEnv.prepared`."""
        if self._files:
            expect(task.details["database"] for task in tasks)
        return tasks

    def data_state(self) -> Mapping[str, str]:
        """See `ToolEnv.data_state`."""
        return states(self.tasks) if self._files else {}

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._editor.open(task.details["database"])

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        match action.tool:
            case "list_tables":
                return Outcome(table_list(list(self._editor.layout()), self.observation_chars))
            case "describe_table":
                return self._describe(action.arguments["table"])
            case "run_sql":
                return self._run(statement_in(action.arguments["sql"]))
            case _:
                return self._submit(self.task)

    def _describe(self, wanted: str) -> Outcome:
        tables = list(self._editor.layout())
        table = find_name(wanted, tables, ("main", "public"))
        if table is None:
            return unknown_table(wanted, tables, self.observation_chars)
        return Outcome(self._editor.describe(table, self.observation_chars))

    def _run(self, sql: str) -> Outcome:
        ran = self._editor.run(sql, max_rows=SHOWN_ROWS, max_cell=SHOWN_CELL)
        if ran.result.error is not None:
            message = f"error: {ran.result.error.message}"
            return Outcome(message, info={"error": error_kind(ran.result.error)})
        info = {"rows": ran.result.total} if ran.result.columns else {}
        if ran.changed is not None:
            info["changed"] = ran.changed
        return Outcome(_seen(ran), info=info)

    def _submit(self, task: Task) -> Outcome:
        """Grade the database. The observation hides what is wrong, since it may be trained on."""
        gold = self._gold(task)
        info: dict[str, Any] = {"strict": False}
        suspect = self._suspicion(task, gold)
        if suspect:
            info["suspect"] = suspect
        try:
            state = self._editor.state()
        except Unreadable as error:
            info["error"] = "unreadable"
            return Outcome(f"error: the database cannot be read: {error}", 0.0, True, info=info)
        info["strict"] = state == gold.state
        right = gold.state is not None and state.content == gold.state.content
        return Outcome("database submitted", float(right), terminated=True, info=info)

    def _gold(self, task: Task) -> Trial:
        return self._trial(task, tuple(task.secret["statements"]))

    def _trial(self, task: Task, statements: tuple[str, ...]) -> Trial:
        """Return what statements leave on an untouched copy; cached unless they ran out of time."""
        key = task.details["database"], statements
        found = self._tried.get(key)
        if found is None:
            found = self._editor.trial(*key)
            if found.error is None or found.error.kind in LASTING:
                self._tried[key] = found
        return found

    def _suspicion(self, task: Task, gold: Trial) -> str:
        """Return why the gold statements are suspect; "" if they are not."""
        if gold.error is not None:
            return f"the gold statements fail ({error_kind(gold.error)}): {gold.error.message}"
        before = self._trial(task, ()).state
        same = (
            before is not None and gold.state is not None and before.content == gold.state.content
        )
        return "the gold statements change nothing" if same else ""

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        steps = [call(LIST_TABLES)]
        steps += [look(table) for table in self._needed(task)]
        steps += [call(RUN_SQL, sql=sql) for sql in task.secret["statements"]]
        return [*steps, call(SUBMIT)]

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action, self._editor.dialect)

    def _needed(self, task: Task) -> list[str]:
        """Return the tables that the gold statements name."""
        known = list(self._layout(task))
        dialect = self._editor.dialect
        named = [tables_of(sql, known, dialect) for sql in task.secret["statements"]]
        return list(dict.fromkeys(table for tables in named for table in tables))

    def _layout(self, task: Task) -> Layout:
        return self._editor.fresh_layout(task.details["database"])

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        if action.tool == DESCRIBE_TABLE.name:
            needed = {action.arguments["table"], *self._needed(task)}
            known = list(self._layout(task))
            return [look(n) for n in wrong_tables(action.arguments["table"], known, needed)]
        if action.tool == RUN_SQL.name:
            return self._wrong_statements(task, action)
        return []

    def _wrong_statements(self, task: Task, action: Action) -> list[Action]:
        gold: tuple[str, ...] = tuple(task.secret["statements"])
        sql = action.arguments["sql"]
        if sql not in gold:
            return []
        place = gold.index(sql)
        columns = {table.lower(): names for table, names in self._layout(task).items()}
        wrong = [
            call(RUN_SQL, sql=other)
            for other in wrong_writes(sql, columns)
            if self._differs(task, (*gold[:place], other, *gold[place + 1 :]))
        ]
        if place and self._differs(task, gold[:place]):  # the rest is forgotten
            wrong.append(call(SUBMIT))
        return wrong

    def _differs(self, task: Task, statements: tuple[str, ...]) -> bool:
        """Return whether they leave another state than the gold ones; else they are correct."""
        left, gold = self._trial(task, statements).state, self._gold(task).state
        return left is None or gold is None or left.content != gold.content

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [call(SUBMIT)]

    def save(self) -> Any:
        """See `ToolEnv.save`."""
        return self._editor.save()

    def load(self, state: Any) -> None:
        """See `ToolEnv.load`."""
        self._editor.back(state)

    def free(self, state: Any) -> None:
        """See `ToolEnv.free`."""
        self._editor.free(state)

    def close(self) -> None:
        """End what runs for this environment; it can be closed twice."""
        self._editor.close()
        super().close()


def _seen(ran: StatementResult) -> str:
    """Return what `run_sql` shows of a statement that succeeded."""
    lines = [result_text(ran.result)] if ran.result.columns else []
    if ran.changed is not None:
        lines.append(f"{ran.changed} {'row' if ran.changed == 1 else 'rows'} changed")
    return "\n".join(lines) or "done"
