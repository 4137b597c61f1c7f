"""Thoughts about databases, made by rule: what a query reads, joins, keeps, groups and counts."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from sqlglot import exp

from environments.sql.gold import parse
from environments.thoughts import (
    after_error,
    argument,
    goal_of,
    listed,
    plain_thought,
    shared_words,
    shortened,
)
from environments.types import Action, Step, Task

_LONGEST_CONDITION = 120
_FUNCTION = re.compile(r"\b[A-Za-z_]+(?=\()")
_AGGREGATES: dict[type[exp.Expression], str] = {
    exp.Count: "count",
    exp.Sum: "add up",
    exp.Avg: "average",
    exp.Max: "take the largest",
    exp.Min: "take the smallest",
}


def thought(task: Task, path: Sequence[Step], action: Action, dialect: str = "sqlite") -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    sql = argument(action, "sql")
    match action.tool:
        case "list_tables":
            return f"I am asked: {question(task)} I first need to know which tables there are."
        case "describe_table":
            return after_error(path) + _about_table(task, path, argument(action, "table"))
        case "run_sql":
            return after_error(path) + _known(path, sql, dialect) + plan(sql, dialect)
        case "answer":
            return after_error(path) + _about_answer(task, path, sql, dialect)
        case "submit":
            return _about_changes(task, path)
    return plain_thought(task, path, action)


def question(task: Task) -> str:
    """Return the question of a task, which may follow a schema."""
    return goal_of(task.prompt.rpartition("\n\n")[2].rpartition("\nDatabase:")[0] or task.prompt)


def plan(sql: str, dialect: str = "sqlite") -> str:
    """Return in words what a statement does; "" if sqlglot cannot read it."""
    tree = parse(sql, dialect)
    return _as_written(_in_words(tree, sql), sql) if tree is not None else "I try a statement."


def _in_words(tree: exp.Expression, sql: str) -> str:
    if isinstance(tree, exp.SetOperation):
        kind, first = tree.key.upper(), tree.this
        return f"Two queries are needed, whose rows are combined by {kind}: {_of_query(first)}."
    if isinstance(tree, exp.Select):
        return f"The plan: {_of_query(tree)}."
    return f"{_of_change(tree, sql)}."


def _as_written(text: str, sql: str) -> str:
    """Return a plan with the names of functions as the statement has them: sqlglot has its own."""
    own = _FUNCTION.findall(sql)

    def named(found: re.Match[str]) -> str:
        if not own or found[0].casefold() in sql.casefold():
            return found[0]
        return str(get_close_matches(found[0].casefold(), own, 1, 0.0)[0])

    return _FUNCTION.sub(named, text)


def _of_query(tree: exp.Expression) -> str:
    parts = list(_parts(tree))
    inner = [each for each in tree.find_all(exp.Select) if each is not tree]
    if inner:
        tables = listed(dict.fromkeys(table.name for each in inner for table in _tables(each)))
        parts.append(f"with a query inside that reads {tables}" if tables else "")
    return ", ".join(filter(None, parts))


def _parts(tree: exp.Expression) -> Iterator[str]:
    """Yield what a SELECT does, in the order of thought: tables, rows, groups, values, order."""
    named = _own_tables(tree)
    yield f"read {listed(named)}" if named else ""
    on = [each.args["on"] for each in tree.args.get("joins") or () if each.args.get("on")]
    yield f"joined on {listed(map(_condition, on))}" if on else ""
    if where := tree.args.get("where"):
        yield f"keep the rows where {_condition(where.this)}"
    if group := tree.args.get("group"):
        yield f"group them by {listed(map(_condition, group.expressions))}"
    if having := tree.args.get("having"):
        yield f"keep the groups where {_condition(having.this)}"
    yield _values(tree)
    if order := tree.args.get("order"):
        down = any(each.args.get("desc") for each in order.expressions)
        by = listed(_condition(each.this) for each in order.expressions)
        yield f"order by {by}, the {'largest' if down else 'smallest'} first"
    if limit := tree.args.get("limit"):
        yield f"and take the first {_condition(limit.expression)}"


def _values(tree: exp.Expression) -> str:
    """Return what is shown of the rows."""
    shown = []
    for each in tree.expressions:
        found = next(iter(each.find_all(*_AGGREGATES)), None)
        if found is None:
            shown.append(f"show {_condition(each.unalias())}")
            continue
        of = found.this
        what = "the rows" if of is None or isinstance(of, exp.Star) else _condition(of)
        shown.append(f"{_AGGREGATES[type(found)]} {what}")
    distinct = " without repeats" if tree.args.get("distinct") else ""
    return f"{listed(shown)}{distinct}"


def _of_change(tree: exp.Expression, sql: str) -> str:
    """Return what a statement changes."""
    table = next(iter(tree.find_all(exp.Table)), None)
    name = table.name if table is not None else "the database"
    where = tree.args.get("where")
    rows = f" in the rows where {_condition(where.this)}" if where else ""
    match tree:
        case exp.Update():
            return f"In {name} I set {listed(map(_condition, tree.expressions))}{rows}"
        case exp.Delete():
            return f"I delete from {name}{rows.replace(' in the', ' the')}"
        case exp.Insert():
            return f"I add to {name}: {_condition(tree.expression)}"
    words = sql.split()
    return f"I use {words[0].upper()} on {name}" if words else "I try a statement"


def _condition(node: exp.Expression) -> str:
    """Return a part of a statement as SQL."""
    text = node.sql(dialect="sqlite", normalize_functions=False)
    return shortened(text, _LONGEST_CONDITION)


def _tables(tree: exp.Expression) -> list[exp.Table]:
    return list(tree.find_all(exp.Table))


def _own_tables(tree: exp.Expression) -> list[str]:
    """Return the tables that a SELECT reads itself, without those of queries inside it."""
    sources = [tree.args.get("from") or tree.args.get("from_"), *(tree.args.get("joins") or ())]
    return [each.this.name for each in sources if each and isinstance(each.this, exp.Table)]


def _about_table(task: Task, path: Sequence[Step], table: str) -> str:
    if words := shared_words(question(task), table):
        return f"The question speaks of {listed(words)}; I look at the columns of {table}."
    pointing = [
        argument(step.action, "table")
        for step in path
        if step.action.tool == "describe_table" and f"-> {table}." in step.observation
    ]
    if pointing:
        return f"{listed(pointing)} points to {table}; I look at its columns."
    return f"No word of the question names {table}; its columns tell whether I need it."


def _known(path: Sequence[Step], sql: str, dialect: str) -> str:
    """Return what the descriptions have shown of the columns that a statement names."""
    tree = parse(sql, dialect)
    if tree is None:
        return ""
    wanted = dict.fromkeys(each.name for each in tree.find_all(exp.Column))
    told = []
    for step in path:
        if step.action.tool == "describe_table" and not step.info.get("error"):
            lines = step.observation.splitlines()
            shown = [name for name in wanted if any(_names(line, name) for line in lines)]
            if shown:
                told.append(f"{argument(step.action, 'table')} has {listed(shown)}")
    return f"I have seen that {listed(told)}. " if told else ""


def _names(line: str, column: str) -> bool:
    """Return whether a line of a table's description is that of `column`."""
    return re.match(rf'  "?{re.escape(column)}"? ', line, re.IGNORECASE) is not None


def _about_answer(task: Task, path: Sequence[Step], sql: str, dialect: str) -> str:
    seen = [s for s in path if s.action.tool == "run_sql" and argument(s.action, "sql") == sql]
    if not seen:
        return f"I answer with a query. {plan(sql, dialect)}"
    lines = seen[-1].observation.splitlines()
    if seen[-1].info.get("error") or len(lines) < 2:
        return f"I answer the question with this query: {question(task)}"
    if lines[-1] == "(no rows)":
        return f"My query found no rows. I take that as the answer to: {question(task)}"
    first = shortened(" ".join(lines[1].split()), 80)
    size = lines[-1].strip("()").partition(",")[0]
    begin = "that is" if size == "1 row" else "the first is"
    return f"My query found {size}; {begin} {first}. The question was: {question(task)}"


def _about_changes(task: Task, path: Sequence[Step]) -> str:
    changed = [
        step.observation.splitlines()[-1]
        for step in path
        if step.action.tool == "run_sql" and step.observation.endswith("changed")
    ]
    if not changed:
        return f"I submit the database as it is. I was asked: {question(task)}"
    return f"My statements left {listed(changed)}. I was asked: {question(task)}"
