"""Makes tasks for the read-only databases of a split; see `environments.task_making`."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from environments.sql.env import SqlEnv
from environments.sql.make.doubts import doubt_of
from environments.sql.make.facts import Facts
from environments.sql.make.grammar import make
from environments.sql.schema import Schema
from environments.sql.statements import is_statement, statement_in
from environments.task_making import Doubt, NotATask, Scene, TaskMaker, text_field
from environments.types import Task

MISSES = 400
"""Draws in a row that make no question, after which there are no more."""
MOST_TABLES, SHOWN_SCHEMA = 20, 12_000
"""Tables, and about how many characters, that a scene shows of a database."""
MOST_CELLS = 6
"""Cells of a result that a prompt could leak."""


class SqlMaker(TaskMaker):
    """Questions about the databases that the tasks of the split are about."""

    env: SqlEnv
    form = (
        '{"question": a question about the database that has one answer, "sql": the SQLite SELECT '
        "statement whose result answers it}"
    )

    def __init__(self, env: SqlEnv) -> None:
        super().__init__(env)
        # A task of each database; its prompt names the database as the world does.
        self._places = {task.group: task for task in env.tasks}
        self._facts = {
            group: Facts(env.worker, task.details["database"])
            for group, task in self._places.items()
        }

    def by_rules(self, seed: int) -> Iterator[Task]:
        """See `TaskMaker.by_rules`: the databases take turns."""
        missed, number = 0, 0
        while missed < MISSES:
            group = list(self._places)[number % len(self._places)]
            made = make(self._facts[group], Random(f"{seed}|{group}|{number}"))
            number, missed = number + 1, 0 if made else missed + 1
            if made:
                yield self._task(group, made.question, made.sql, {"shape": made.shape})

    def _task(self, group: str, question: str, sql: str, tags: Mapping[str, str]) -> Task:
        place = self._places[group]
        return Task(
            "",
            self.env.with_schema(place, f"{question}\nDatabase: {group}"),
            {"sql": sql},
            place.details,
            tags,
            group,
            place.split,
        )

    def scene(self, random: Random) -> Scene:
        """See `TaskMaker.scene`: a database's schema, with sample rows."""
        group = random.choice(list(self._places))
        schema = Schema(self.env.worker, self._places[group].details["database"])
        tables = schema.tables()[:MOST_TABLES]
        described = [schema.describe(table, SHOWN_SCHEMA // len(tables)) for table in tables]
        return Scene("\n\n".join(described), group, self._places[group].split)

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """See `TaskMaker.written`."""
        sql = statement_in(text_field(fields, "sql")).rstrip("; \n")
        if not is_statement(sql):
            raise NotATask(f"field 'sql' is no statement: {sql!r:.80}")
        return self._task(scene.group, text_field(fields, "question"), sql, {})

    def example(self, task: Task) -> Mapping[str, Any]:
        """See `TaskMaker.example`."""
        return {"question": self.question(task), "sql": task.secret["sql"]}

    def question(self, task: Task) -> str:
        """See `TaskMaker.question`: without the schema and the database's name."""
        prompt = task.prompt.removesuffix(f"\nDatabase: {task.group}")
        return prompt.rpartition("\n\n")[2]

    def answers(self, task: Task) -> list[str]:
        """See `TaskMaker.answers`: the cells of a short result."""
        cells = self._cells(task)
        return [str(cell) for cell in cells] if len(cells) <= MOST_CELLS else []

    def doubt(self, task: Task) -> Doubt | None:
        """See `TaskMaker.doubt`."""
        database = task.details["database"]
        return doubt_of(
            task.secret["sql"],
            self._cells(task),
            lambda one, other: self.env.worker.compare(database, one, other).set_equal,
        )

    def _cells(self, task: Task) -> list[object]:
        rows = Facts(self.env.worker, task.details["database"]).rows(task.secret["sql"])
        return [cell for row in rows for cell in row]
