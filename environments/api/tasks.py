"""The bundled tasks, and what is played on them right and wrong.

A right call may show an argument of a later one: the answer, where the agent is to find it.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from environments.api.finish import FINISH, finish
from environments.api.services import BUNDLED, Endpoint, Services, State, changed_tables
from environments.records import Faults, Record, bundled_split, make_tasks, read_records
from environments.types import Action, Task

MOST_VALUES = 2
"""Wrong values that are tried for an argument."""


def bundled_tasks(split: str | None) -> list[Task]:
    """Return the tasks of a split, by default "train"; raise `DataError` if there is none."""
    path = bundled_split(BUNDLED, split)
    faults = Faults(strict=True)
    return make_tasks(read_records(path, faults), lambda each: _task(each, path.stem), faults)


def _task(record: Record, split: str) -> Task:
    fields = record.fields
    return Task(
        id=record.text("id"),
        prompt=record.text("prompt"),
        secret={"calls": fields["calls"], "wrong": fields["wrong"]},
        findable=("calls.arguments", "wrong"),
        details={"tools": fields["tools"], "quotas": fields["quotas"]},
        tags=fields["tags"],
        group=record.text("group"),
        split=split,
    )


def solution(task: Task) -> list[Action]:
    """Return the calls of the solution."""
    return [Action(call["tool"], call["arguments"]) for call in task.secret["calls"]]


def answer(task: Task) -> str:
    """Return the right final answer."""
    return str(solution(task)[-1].arguments["final_answer"])


def changes(services: Services, task: Task) -> dict[str, list[str]]:
    """Return the tables as the solution changes them."""
    state = services.start
    for call in solution(task)[:-1]:
        _, state = services.call(state, call.tool, call.arguments, task.details["quotas"])
    return changed_tables(state, services.start)


def mistakes(services: Services, task: Task, action: Action) -> list[Action]:
    """Return wrong versions of a call, likeliest first.

    A final answer is that of a wrong way, such as of the first page only. Another call has a
    value that another row has in that place, lacks an argument, or is of another function.
    """
    wrong = task.secret["wrong"]
    if action.tool == FINISH.name:
        return [finish(each, action.thought) for each in wrong]
    given = action.arguments
    if "page" in given:
        found = [finish(wrong[0]), _with(action, page=99)]
    else:
        found = [
            _with(action, **{key: value})
            for key, own in given.items()
            for value in islice(_others(services, action.tool, key, own), MOST_VALUES)
        ]
    if given and "page" not in given:
        less = dict(given)
        less.popitem()
        found.append(Action(action.tool, less))
    found += [Action(name, given) for name in task.details["tools"][:2]]
    distinct = {each.key: each for each in found if each.key != action.key}
    return list(distinct.values())


def _with(action: Action, **changed: Any) -> Action:
    return Action(action.tool, {**action.arguments, **changed})


def _others(services: Services, tool: str, key: str, own: Any) -> Sequence[Any]:
    """Return other values of an argument: of its schema's, or of the table's column."""
    endpoint = services.endpoints[tool]
    schema = endpoint.line["parameters"]["properties"][key]
    if key == "token":
        return ["t-000000"]
    if "enum" in schema:
        return [value for value in schema["enum"] if value != own]
    if schema["type"] in ("integer", "number"):
        return [own + 1, own * 2]
    return [value for value in _column(services.start, endpoint, key) if value != own]


def _column(state: State, endpoint: Endpoint, key: str) -> list[Any]:
    key = key.removesuffix("_contains")
    rows = state.tables[endpoint.table]
    return list(dict.fromkeys(row[key] for row in rows if key in row))
