"""SQL environments: the agent explores a read-only database and answers with one query.

The reward is BIRD's execution accuracy (arXiv:2305.03111, section 4; its evaluator compares
`set(predicted rows) == set(gold rows)`). `info["strict"]` of an answer is a stricter label: rows
are equal as multisets, and in order if the gold query orders its result.

Limitation: the restore law holds only for deterministic queries. A query that reads the clock, or
comes close to the time limit, may return something else the next time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from environments.base import Outcome, ToolEnv
from environments.errors import DataError
from environments.records import Faults
from environments.sql.gold import is_ordered, tables_of
from environments.sql.mistakes.wrong_queries import wrong_queries, wrong_tables
from environments.sql.schema import Remembered, Schema
from environments.sql.statements import is_statement, statement_in
from environments.sql.tasks import formats
from environments.sql.text import result_text, tables_text
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool, text_arguments
from environments.types import Action, Step, Task
from sandbox import Comparison, QueryError, QueryWorker
from sandbox.errors import DatabaseUnreadable
from sandbox.sql.database_files import expect, state

SHOWN_ROWS = 20
SHOWN_CELL = 60
"""Rows, and characters per cell, that `run_sql` shows."""

NO_STATEMENT = "the answer is no SQL statement, so it was not graded; send one SELECT statement"
EMPTY_QUERY = "SELECT NULL WHERE 0"


LIST_TABLES = Tool("list_tables", "List the tables of the database.", NO_ARGUMENTS)
DESCRIBE_TABLE = Tool(
    "describe_table",
    "Show a table's columns, types, keys and some rows.",
    text_arguments(table="name of the table"),
)
RUN_SQL = Tool(
    "run_sql",
    "Run one SQLite SELECT statement and show its first rows.",
    text_arguments(sql="the query"),
)
ANSWER = Tool(
    "answer",
    "Submit the final query. This ends the task.",
    text_arguments(sql="the query whose result answers the question"),
)


SchemaPlace = Literal["tools", "prompt"]
"""Where the agent reads the schema: through tools, or in the prompt."""

RULES = (
    "only the columns that are asked for, in that order. The database cannot be changed. You can "
    "answer once. Call give_up only if there is no way."
)

KNOWN_TOOLS = (ANSWER, RUN_SQL, GIVE_UP)
KNOWN_INSTRUCTIONS = (
    "You answer a question about a SQLite database, whose tables are shown. Call answer with one "
    f"SELECT statement whose result is the answer: {RULES} To try a query first, call run_sql."
)
"""Tools and instructions if the schema is in the prompt."""


class SqlEnv(ToolEnv):
    """The base of the SQL environments; a subclass reads the tasks.

    Args:
        data: folder of the tasks; None for the bundled ones.
        split: the part of the data to use; None for the default.
        sandbox: what confines the queries.
        schema: where the agent reads the schema: with tools, table by table, or in the prompt, all
            tables before the question (as in the baselines of BIRD and Spider). In the prompt, it
            is a prefix that all tasks of a database share.

    Raises:
        DataError: `schema` has another value.
    """

    sandboxed = True
    branching = "nothing to save"
    maker = "environments.sql.make.maker:SqlMaker"
    tools: tuple[Tool, ...] = (LIST_TABLES, DESCRIBE_TABLE, RUN_SQL, ANSWER, GIVE_UP)
    instructions = (
        "You answer a question about a SQLite database. Look at the tables first: list_tables, "
        "then describe_table for each table that you need. Try your query with run_sql and read "
        f"the rows. Then call answer with one SELECT statement whose result is the answer: {RULES}"
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        schema: SchemaPlace = "tools",
    ) -> None:
        if schema not in get_args(SchemaPlace):
            places = ", ".join(get_args(SchemaPlace))
            raise DataError(f"no schema {schema!r}; use one of {places}")
        self._in_prompt = schema == "prompt"
        if self._in_prompt:
            self.tools, self.instructions = KNOWN_TOOLS, KNOWN_INSTRUCTIONS
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._worker: QueryWorker | None = None

    def close(self) -> None:
        """End what runs for this environment; it can be closed twice."""
        if self._worker is not None:
            self._worker.close()
        super().close()

    @property
    def worker(self) -> QueryWorker:
        """The worker, which may read the databases and nothing else; started on first use."""
        if self._worker is None:
            databases = formats.database_files(formats.data_folder(self.data))
            self._worker = QueryWorker(self.sandbox, databases=databases)
        return self._worker

    @cached_property
    def _remembered(self) -> Remembered:
        return Remembered(self.worker)

    def _schema(self, task: Task) -> Schema:
        return Schema(self._remembered, task.details["database"])

    def prepared(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """See `ToolEnv.prepared`: the schema is in the prompts, if the agent reads it there.

        From now on a database that changes is refused. Tasks whose schema cannot be read are told
        and left out.
        """
        expect(task.details["database"] for task in tasks)
        if not self._in_prompt:
            return tasks
        faults, found = Faults(self.strict), []
        for task in tasks:
            try:
                found.append(replace(task, prompt=self.with_schema(task, task.prompt)))
            except DatabaseUnreadable as error:
                faults.add(f"task {task.id}", str(error))
        if not found and (first := faults.first()):
            raise DataError(first)
        faults.report()
        return found

    def data_state(self) -> Mapping[str, str]:
        """See `ToolEnv.data_state`."""
        return states(self.tasks)

    def with_schema(self, task: Task, prompt: str) -> str:
        """Return `prompt` after the schema of the database of `task`, if the agent reads it there.

        Raises:
            DatabaseUnreadable: The database cannot be read.
        """
        start = f"{self._overview(task)}\n\n" if self._in_prompt else ""
        return start + prompt.removeprefix(start)

    def _overview(self, task: Task) -> str:
        return self._schema(task).overview(self.observation_chars)

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        match action.tool:
            case "list_tables":
                return Outcome(table_list(self._schema(self.task).tables(), self.observation_chars))
            case "describe_table":
                return self._describe(self.task, action.arguments["table"])
            case "run_sql":
                return self._run(self.task, statement_in(action.arguments["sql"]))
            case _:
                return self._answer(self.task, statement_in(action.arguments["sql"]))

    def _describe(self, task: Task, wanted: str) -> Outcome:
        schema = self._schema(task)
        table = schema.find(wanted)
        if table is None:
            return unknown_table(wanted, schema.tables(), self.observation_chars)
        return Outcome(schema.describe(table, self.observation_chars))

    def _run(self, task: Task, sql: str) -> Outcome:
        database = task.details["database"]
        found = self.worker.query(database, sql, max_rows=SHOWN_ROWS, max_cell=SHOWN_CELL)
        if found.error is not None:
            return Outcome(f"error: {found.error.message}", info={"error": error_kind(found.error)})
        return Outcome(result_text(found), info={"rows": found.total})

    def _answer(self, task: Task, sql: str) -> Outcome:
        """Grade a query. The observation hides the gold query, since it may be trained on."""
        if not is_statement(sql):
            return Outcome(f"error: {NO_STATEMENT}", info={"error": "bad_arguments"})
        found = self._compare(task, sql)
        ordered = is_ordered(task.secret["sql"])
        info: dict[str, Any] = {"strict": found.list_equal if ordered else found.bag_equal}
        suspect = _suspicion(found)
        if suspect:
            info["suspect"] = suspect
        if found.left_error is not None:
            info["error"] = error_kind(found.left_error)
            return Outcome(f"error: {found.left_error.message}", terminated=True, info=info)
        info["rows"] = found.left_rows
        return Outcome("answer submitted", float(found.set_equal), terminated=True, info=info)

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        gold = task.secret["sql"]
        if self._in_prompt:
            return [call(ANSWER, sql=gold)]
        steps = [call(LIST_TABLES, "Let me see which tables there are.")]
        for table in tables_of(gold, self._schema(task).tables()):
            steps.append(look(table))
        steps.append(call(RUN_SQL, "I can write the query now and try it.", sql=gold))
        steps.append(call(ANSWER, "The rows answer the question.", sql=gold))
        return steps

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        if action.tool == DESCRIBE_TABLE.name:
            return self._wrong_tables(task, action.arguments["table"])
        if action.tool not in (RUN_SQL.name, ANSWER.name):
            return []
        wrong = wrong_queries(action.arguments["sql"], self._schema(task).columns())
        return [
            Action(action.tool, {"sql": sql}, action.thought)
            for sql in wrong
            if not self._compare(task, sql).set_equal  # right by chance: not a mistake
        ]

    def _compare(self, task: Task, sql: str) -> Comparison:
        return self.worker.compare(task.details["database"], sql, task.secret["sql"])

    def _wrong_tables(self, task: Task, table: str) -> list[Action]:
        known = self._schema(task).tables()
        needed = {table, *tables_of(task.secret["sql"], known)}
        return [look(name) for name in wrong_tables(table, known, needed)]

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [call(ANSWER, sql=EMPTY_QUERY)]

    def may_be_detour(self, task: Task, path: Sequence[Step], place: int) -> bool:
        """See `Demonstrable.may_be_detour`; looking at a table that no later query names is one."""
        action = path[place].action
        if action.tool != DESCRIBE_TABLE.name:
            return super().may_be_detour(task, path, place)
        later = " ".join(str(step.action.arguments.get("sql", "")) for step in path[place + 1 :])
        return str(action.arguments["table"]).rpartition(".")[2].lower() not in later.lower()


class BirdEnv(SqlEnv):
    """Tasks in BIRD's layout; the bundled ones if `data` is None."""

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        folder = formats.data_folder(self.data)
        return self.prepared(formats.bird_tasks(folder, self.split, strict=self.strict))


class SpiderEnv(SqlEnv):
    """Tasks in Spider's layout."""

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        if self.data is None:
            raise DataError("spider has no bundled tasks: give its folder with --data DIR")
        folder = formats.data_folder(self.data)
        return self.prepared(formats.spider_tasks(folder, self.split, strict=self.strict))


def call(tool: Tool, thought: str = "", **arguments: str) -> Action:
    """Return a step of a solution or a mistake."""
    return Action(tool.name, arguments, thought)


def look(table: str) -> Action:
    """Return the step that describes a table."""
    return call(DESCRIBE_TABLE, f"The table {table} may hold what I need.", table=table)


def states(tasks: Sequence[Task]) -> dict[str, str]:
    """Return the state that the database of each task is in now, by its path."""
    databases = dict.fromkeys(str(task.details["database"]) for task in tasks)
    return {database: state(Path(database)) for database in databases}


def table_list(names: Sequence[str], most: int) -> str:
    """Return what `list_tables` shows, in `most` characters at most."""
    start = "tables: "
    return start + tables_text(names, most - len(start))


def unknown_table(wanted: str, names: Sequence[str], most: int) -> Outcome:
    """Return what describing a table shows that does not exist."""
    message = f"error: no table named {wanted[:100]!r}; the tables are: "
    listed = tables_text(names, most - len(message))
    return Outcome(message + listed, info={"error": "unknown_table"})


def error_kind(error: QueryError) -> str:
    """Return the word for `info["error"]`."""
    return "sql_error" if error.kind == "sql" else error.kind


def _suspicion(found: Comparison) -> str:
    """Return why the gold query itself is suspect; "" if it is not."""
    if found.right_error is not None:
        return (
            f"the gold query fails ({error_kind(found.right_error)}): {found.right_error.message}"
        )
    return "the gold query returns no rows" if found.right_rows == 0 else ""
