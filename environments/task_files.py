"""Task files: whole tasks as JSON lines, to be played in place of those of a world's data.

A line holds everything that a `Task` does, gold answer included, and the name of its world. So the
file stays on your machine, like the data of a world. A path in `details` that leads into the
package or into the folder of `--data` is written relative to it, as {"package path": "..."} or
{"data path": "..."}, and leads there again wherever the file is read.
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import jsonschema

from environments.errors import DataError
from environments.tools import Tool
from environments.types import Task
from treegraft.text_files import read_lines
from treegraft.write_files import atomic_write

PACKAGE = Path(__file__).resolve().parent
IN_PACKAGE, IN_DATA = "package path", "data path"

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECT = {"type": "object"}
_TOOL = {
    "type": "array",
    "prefixItems": [{"type": "string"}, {"type": "string"}, _OBJECT],
    "minItems": 3,
    "maxItems": 3,
}
_LINE = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "properties": {
            "world": {"type": "string", "minLength": 1},
            "id": {"type": "string", "minLength": 1},
            "prompt": {"type": "string", "minLength": 1},
            "secret": _OBJECT,
            "details": _OBJECT,
            "tags": _TEXTS,
            "group": {"type": "string"},
            "split": {"type": "string"},
            "tools": {"type": "array", "items": _TOOL},
            "made": _OBJECT,
            "findable": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["world", "id", "prompt", "secret"],
        "additionalProperties": False,
    }
)


class OutsideData(ValueError):
    """A path in a task file leads out of the package or the data folder."""


def write_tasks(
    path: Path, tasks: Iterable[Task], *, world: str, data: str | Path | None = None
) -> None:
    """Write a task file; it appears, or replaces the old one, when it is whole.

    Args:
        path: The file; "-" for standard output.
        tasks: In their order.
        world: The name of their world, as `environments.make` takes it.
        data: The folder or file of their data; None for the bundled ones.

    Raises:
        DataError: A task holds what is not JSON.
        FileError: The file cannot be written.
    """
    lines = [json.dumps(task_line(task, world, data), ensure_ascii=False) for task in tasks]
    with atomic_write(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines), "utf-8", errors="replace")


def task_line(task: Task, world: str, data: str | Path | None = None) -> dict[str, Any]:
    """Return what `write_tasks` writes of a task, as JSON values.

    Raises:
        DataError: The task holds what is not JSON.
    """
    places = [(IN_PACKAGE, PACKAGE), *([(IN_DATA, _folder(data))] if data else [])]
    line = {
        "world": _known_as(world),
        "id": task.id,
        "prompt": task.prompt,
        "secret": dict(task.secret),
        "details": _with_relative_paths(dict(task.details), places),
        "tags": dict(task.tags),
        "group": task.group,
        "split": task.split,
        **({} if task.tools is None else {"tools": _tool_lists(task.tools)}),
        **({"made": dict(task.made)} if task.made else {}),
        **({"findable": list(task.findable)} if task.findable else {}),
    }
    try:
        found: dict[str, Any] = json.loads(json.dumps(line, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"task {task.id!r} cannot be written: {error}") from error
    return found


def read_tasks(
    path: Path, *, worlds: Collection[str] = (), data: str | Path | None = None
) -> list[Task]:
    """Return the tasks of a task file, in its order.

    Args:
        path: The file.
        worlds: The names of the world that is to play them; none takes those of any world.
        data: The folder or file of the world's data, to which paths in it are relative.

    Raises:
        DataError: A line is no task, one of another world, or has the id of one before; or there
            is no task. The message names the file and the line.
        FileError: The file cannot be read.
    """
    places = {IN_PACKAGE: PACKAGE, **({IN_DATA: _folder(data)} if data else {})}
    known = set(map(_known_as, worlds))
    found: dict[str, Task] = {}
    for place, line in _lines(path):
        if known and _known_as(line["world"]) not in known:
            mine = min(worlds, key=len)
            raise DataError(f"{place}: a task of the world {line['world']!r}, not of {mine!r}")
        if line["id"] in found:
            raise DataError(f"{place}: a second task has the id {line['id']!r}")
        try:
            found[line["id"]] = _task(line, places)
        except OutsideData as error:
            raise DataError(f"{place}: the path {error} leads out of the task's data") from None
        except LookupError:
            raise DataError(
                f"{place}: its task is of data that are not bundled: name them with --data"
            ) from None
    if not found:
        raise DataError(f"{path}: holds no task")
    return list(found.values())


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the checked content of each line that is not empty."""
    for number, text in enumerate(read_lines(path), 1):
        place = f"{path}: line {number}"
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: not JSON: {error}") from error
        if not _LINE.is_valid(line):
            wrong = jsonschema.exceptions.best_match(_LINE.iter_errors(line))
            assert wrong is not None
            where = f"field {wrong.json_path[2:]!r}: " if wrong.path else ""
            raise DataError(f"{place}: no task: {where}{wrong.message:.200}")
        yield place, line


def _task(line: Mapping[str, Any], places: Mapping[str, Path]) -> Task:
    tools = line.get("tools")
    return Task(
        line["id"],
        line["prompt"],
        line["secret"],
        _with_paths(line.get("details", {}), places),
        line.get("tags", {}),
        line.get("group", ""),
        line.get("split", ""),
        None if tools is None else tuple(Tool(*tool) for tool in tools),
        line.get("made", {}),
        tuple(line.get("findable", ())),
    )


def _tool_lists(tools: Iterable[Tool]) -> list[list[Any]]:
    return [[tool.name, tool.description, dict(tool.parameters)] for tool in tools]


def _folder(data: str | Path) -> Path:
    path = Path(data).resolve()
    return path.parent if path.is_file() else path


def _known_as(world: str) -> str:
    """Return a world's name without the folder of a file of the user's."""
    return PurePath(world).name if ".py:" in world else world


def _with_relative_paths(value: Any, places: list[tuple[str, Path]]) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_relative_paths(each, places) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_relative_paths(each, places) for each in value]
    if isinstance(value, str):
        for mark, folder in places:
            if value.startswith(f"{folder}/"):
                return {mark: value.removeprefix(f"{folder}/")}
    return value


def _with_paths(value: Any, places: Mapping[str, Path]) -> Any:
    """Return a value with its paths absolute; raise `LookupError` if one's folder is not given."""
    if isinstance(value, list):
        return [_with_paths(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    for mark in (IN_PACKAGE, IN_DATA):
        if value.keys() == {mark} and isinstance(value[mark], str):
            path = Path(os.path.normpath(places[mark] / value[mark]))
            if not path.is_relative_to(places[mark]):
                raise OutsideData(value[mark])
            return str(path)
    return {name: _with_paths(each, places) for name, each in value.items()}
