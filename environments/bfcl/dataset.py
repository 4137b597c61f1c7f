"""The tasks of BFCL's multi-turn files, their groups, and the splits.

A folder has `BFCL_v4_multi_turn_CATEGORY.json`, `possible_answer/` with files of the same names,
and `multi_turn_func_doc/` (if it is missing, that of the installed package is used).

Tasks are of one group if they have the same number (the four categories vary the same 200
conversations) or the same initial configuration of a class, so that no start state is in both
splits. The groups come from all categories of the folder, so a task's split does not depend on
which of them are played.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import networkx

from environments.bfcl.calls import parse_turns
from environments.bfcl.package import MODULES, STATELESS, data_folder
from environments.bfcl.tools import class_tools, definitions
from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, read_records
from environments.types import Task

CATEGORIES = ("base", "miss_func", "miss_param", "long_context")
SPLITS = ("train", "test", "all")

FILE = "BFCL_v4_multi_turn_{}.json"
MORE_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"
"""The original's message for a turn in which functions are added."""


def definitions_folder(data: str | None) -> Path:
    """Return the folder of the functions' definitions."""
    own = Path(data or data_folder()) / "multi_turn_func_doc"
    return own if own.is_dir() else data_folder() / "multi_turn_func_doc"


def bfcl_tasks(
    data: str | None, split: str | None, categories: Sequence[str], *, strict: bool = False
) -> list[Task]:
    """Return the tasks of `categories` in `split`, by default "train".

    Raises:
        DataError: the data is missing or malformed, or a name is unknown.
    """
    split = split or "train"
    if split not in SPLITS:
        raise DataError(f"bfcl: no split {split!r}; use one of {', '.join(SPLITS)}")
    folder, faults = Path(data or data_folder()), Faults(strict)
    for category in categories:
        if not (folder / FILE.format(category)).is_file():
            raise DataError(f"{folder / FILE.format(category)}: there is no such file")
    entries = {
        category: read_records(file, faults)
        for category in CATEGORIES
        if (file := folder / FILE.format(category)).is_file()
    }
    groups = _groups([record for records in entries.values() for record in records])
    found: list[Task] = []
    for category in categories:
        reader = _Reader(folder, definitions_folder(data), category, groups, faults)
        found += make_tasks(entries[category], reader.task, faults)
    faults.report()
    return [task for task in found if split in (task.split, "all")]


def split_of(group: str) -> str:
    """Return the split of a group: one in five, by a hash of its name, is held out."""
    return "train" if int(sha256(group.encode()).hexdigest(), 16) % 5 else "test"


class _Reader:
    """Makes the tasks of one category."""

    def __init__(
        self,
        folder: Path,
        definitions: Path,
        category: str,
        groups: Mapping[str, str],
        faults: Faults,
    ) -> None:
        self.category, self.groups, self.definitions = category, groups, definitions
        answers = read_records(folder / "possible_answer" / FILE.format(category), faults)
        self.gold = {answer.id("id", faults): answer for answer in answers}

    def task(self, record: Record) -> Task:
        """Return the task of `record`; raise `BadRecord` if it makes none."""
        id = record.text("id")
        classes = record.texts("involved_classes", needed=True)
        if unknown := [name for name in classes if name not in MODULES]:
            raise BadRecord(record.place, f"unknown class {unknown[0]!r}")
        functions = {
            tool.name: tool for name in classes for tool in class_tools(self.definitions, name)
        }
        messages = _list(record, "question")
        added = _added(record, len(messages), set(functions))
        asked = []
        for said, names in zip(messages, added, strict=True):
            texts = [_content(record, message) for message in said]
            if names:
                texts = [definitions([functions[name] for name in names]), MORE_FUNCTIONS, *texts]
            asked.append("\n\n".join(texts))
        gold = self._gold(record, id, len(asked), set(functions))
        return Task(
            id=id,
            prompt=asked[0],
            secret={"gold": gold},
            details={
                "classes": classes,
                "config": _dict(record, "initial_config"),
                "asked": asked,
                "added": added,
                "long": self.category == "long_context",
            },
            tags={"category": self.category, "classes": "+".join(sorted(classes))},
            group=self.groups[record.place],
            split=split_of(self.groups[record.place]),
        )

    def _gold(self, record: Record, id: str, turns: int, known: set[str]) -> list[list[str]]:
        if id not in self.gold:
            raise BadRecord(record.place, f"no possible answer for {id!r}")
        answer = self.gold[id]
        gold: list[list[str]] = _list(answer, "ground_truth")
        if len(gold) != turns:
            raise BadRecord(answer.place, f"{len(gold)} turns of calls for {turns} of the user")
        try:
            calls = parse_turns(gold)
        except (ValueError, TypeError, AttributeError) as error:
            raise BadRecord(answer.place, str(error)) from error
        unknown = [call.name for turn in calls for call in turn if call.name not in known]
        if unknown:
            raise BadRecord(answer.place, f"unknown function {unknown[0]!r}")
        return gold


def _groups(records: Sequence[Record]) -> dict[str, str]:
    """Return the group of each record by its place: the least number of a task in it."""
    graph: networkx.Graph[Any] = networkx.Graph()
    for record in records:
        graph.add_node(record.place)
        graph.add_edges_from((record.place, shared) for shared in _shared(record))
    places = {record.place: _number(record) for record in records}
    found = {}
    for component in networkx.connected_components(graph):
        members = [place for place in component if place in places]
        name = min((places[place] for place in members), key=lambda n: (len(n), n))
        found.update(dict.fromkeys(members, f"scenario-{name}"))
    return found


def _shared(record: Record) -> Iterator[tuple[str, str]]:
    """Yield what tasks of one group have in common."""
    yield "number", _number(record)
    config = record.fields.get("initial_config")
    classes = record.fields.get("involved_classes")
    if isinstance(config, dict) and isinstance(classes, list):
        for name in classes:
            if name not in STATELESS and config.get(name):
                yield str(name), json.dumps(config[name], sort_keys=True)


def _number(record: Record) -> str:
    return str(record.fields.get("id")).rpartition("_")[2]


def _added(record: Record, turns: int, known: set[str]) -> list[list[str]]:
    """Return the names of the functions that the user adds in each turn."""
    found: list[list[str]] = [[] for _ in range(turns)]
    for turn, names in _dict(record, "missed_function").items():
        fits = turn.isdecimal() and int(turn) < turns and isinstance(names, list)
        if not (fits and all(isinstance(name, str) and name in known for name in names)):
            raise BadRecord(record.place, f"field 'missed_function' is malformed: {names!r:.80}")
        found[int(turn)] = names
    return found


def _content(record: Record, message: Any) -> str:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise BadRecord(record.place, "a message of 'question' has no text 'content'")
    content: str = message["content"]
    return content


def _list(record: Record, name: str) -> list[list[Any]]:
    value = record.fields.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(it, list) for it in value):
        raise BadRecord(record.place, f"field {name!r} must be a list of lists")
    return value


def _dict(record: Record, name: str) -> dict[str, Any]:
    value = record.fields.get(name) or {}
    if not isinstance(value, dict):
        raise BadRecord(record.place, f"field {name!r} must be an object")
    return value
