"""Read the pool that examples are drawn from: a run, or a file of trajectories.

A file holds JSON lines: `prompt`, and `steps` with `tool`, `arguments`, `thought` and
`observation` each; `id`, `group` and `split` are optional. Rows that `engine export` wrote with
`--template native` are read, too.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.errors import UsageError
from engine.policies.shots import Shots
from engine.runs.store import Store
from engine.templates.native import Native
from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, read_records
from environments.types import Action, Step, Task, Trajectory
from search.tree import Tree


def read_shots(number: int, place: str, seed: int) -> Shots:
    """Return `number` shots from the run or file `place`; none if `number` is 0.

    Raises:
        UsageError: There is no such run or file, or it holds no example, or one of a test split.
    """
    if not number:
        return Shots(seed=seed)
    path = Path(place)
    from_run = path.is_dir() or path.suffix == ".db"
    found = sorted(_of_run(path) if from_run else _of_file(path), key=lambda one: one.task.id)
    if not found:
        raise UsageError(f"--shots-from {place}: holds no solved path")
    for one in found:
        if one.task.split == "test" or one.task.split.endswith("-test"):
            raise UsageError(
                f"--shots-from {place}: task {one.task.id!r} is of the test split; "
                "explore another split for examples"
            )
    return Shots(number, tuple(found), seed)


def _of_run(path: Path) -> Iterator[Trajectory]:
    with Store.open(path) as store:
        for tree in store.trees():
            if (best := _best(tree)) is not None:
                yield best


def _best(tree: Tree) -> Trajectory | None:
    """Return the shortest successful path of a tree whose replies are all calls, or None."""
    paths = (tree.path(leaf.id) for leaf in tree.winners())
    good = [path for path in paths if all(step.action.tool for step in path)]
    return Trajectory(tree.task, min(good, key=len)) if good else None


def _of_file(path: Path) -> list[Trajectory]:
    found: dict[str, Trajectory] = {}
    faults = Faults()
    try:
        records = read_records(path, faults)
        if why := faults.first():
            raise DataError(why)
        for record in records:
            row = record.fields
            one = _of_row(record) if "messages" in row else _of_steps(record)
            if row.get("form", "zero") in ("", "zero"):  # rows may hold examples themselves
                best = found.setdefault(one.task.id, one)
                found[one.task.id] = min(best, one, key=lambda each: len(each.steps))
    except DataError as error:
        raise UsageError(f"--shots-from {error}") from error
    return list(found.values())


def _of_steps(record: Record) -> Trajectory:
    steps = record.fields.get("steps")
    if not isinstance(steps, list) or not steps:
        raise BadRecord(record.place, "field 'steps' must be a list of steps")
    made = []
    for step in steps:
        if not isinstance(step, dict) or not isinstance(step.get("tool"), str) or not step["tool"]:
            raise BadRecord(record.place, "a step needs a 'tool', its name")
        arguments = step.get("arguments") or {}
        if not isinstance(arguments, dict):
            raise BadRecord(record.place, "the 'arguments' of a step must be an object")
        thought, seen = (str(step.get(name) or "") for name in ("thought", "observation"))
        made.append(Step(Action(step["tool"], arguments, thought), seen))
    return Trajectory(_task(record, record.text("prompt")), tuple(made))


def _of_row(record: Record) -> Trajectory:
    """Return the trajectory of a row that was written in the template `native`."""
    messages = record.fields["messages"]
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise BadRecord(record.place, "field 'messages' must be a list of messages")
    asked = [each for each in messages if each.get("role") == "user"]
    if not asked or not any(each.get("tool_calls") for each in messages):
        raise BadRecord(
            record.place,
            "only rows of the template native can be read; name the run, or a file of steps",
        )
    start = messages.index(asked[0]) + 1
    steps: list[Step] = []
    for message in messages[start:]:
        if message.get("role") == "assistant":
            steps.append(Step(Native().parse(message), ""))
        elif steps:
            steps[-1] = replace(steps[-1], observation=str(message.get("content") or ""))
    if not all(step.action.tool for step in steps):
        raise BadRecord(record.place, "holds a reply that is no call")
    return Trajectory(_task(record, str(asked[0].get("content") or "")), tuple(steps))


def _task(record: Record, prompt: str) -> Task:
    id = record.id("id", Faults())
    if "messages" in record.fields and id.count("/") >= 2:  # RUN/TASK/LEAF
        id = id.partition("/")[2].rpartition("/")[0]
    return Task(id, prompt, group=record.maybe("group"), split=record.maybe("split"))
