"""ToolBench's own functions and requests, with recorded answers.

The folder is laid out as ToolBench's `data`, or as StableToolBench's repository:

- `toolenv/tools/CATEGORY/TOOL.json` or `tools/...`: a tool with its `api_list`;
- `instruction/*.json` or `solvable_queries/test_instruction/*.json`: lists of requests, each with
  `query`, `query_id` and the `api_list` that it may use. The file's name is the split;
- `tool_response_cache/CATEGORY/TOOL_for_CATEGORY/API.json`: what the function answered, by its
  arguments, written as Python writes a dict.

A call that was not recorded gets an observation that says so; nothing is invented, and
nothing is asked over the network.
"""

import ast
import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from environments.api.toolbench import (
    LONGEST_NAME,
    folder_name,
    function_name,
    parameters,
    standard,
    tool_of,
)
from environments.base import Outcome
from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, read_list
from environments.tools import Tool
from environments.types import Action, Task
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

TOOLS = ("toolenv/tools", "tools", "server/tools")
REQUESTS = ("instruction", "solvable_queries/test_instruction", "test_instruction")
ANSWERS = ("tool_response_cache", "server/tool_response_cache")

_log = logging.getLogger("treegraft.data")


class Recorded:
    """Requests of a folder. Nobody knows the right answer; calls change nothing."""

    def __init__(self, folder: str, split: str | None) -> None:
        self._folder, self._split = Path(folder), split

    def tasks(self, strict: bool) -> Sequence[Task]:
        """Return the requests of the split, by default of all files.

        strict: whether a bad one is refused; else it is told and left out.

        Raises:
            DataError: there are none, or the folder has another layout.
        """
        if not self._folder.is_dir():
            raise DataError(f"{self._folder}: no such folder of ToolBench's data")
        files = sorted(path for name in REQUESTS for path in (self._folder / name).glob("*.json"))
        chosen = [path for path in files if self._split in (None, path.stem)]
        if not chosen:
            there = ", ".join(path.stem for path in files) or "none"
            wanted = f"no split {self._split!r}" if files else f"no {REQUESTS[0]}/*.json"
            raise DataError(f"{self._folder}: {wanted}; the splits there: {there}")
        faults, made = Faults(strict), []
        for path in chosen:
            make = partial(self._task, split=path.stem, faults=faults)
            made += make_tasks(read_list(path, faults), make, faults)
        faults.report()
        return made

    def _task(self, record: Record, split: str, faults: Faults) -> Task:
        query, number = record.text("query"), record.id("query_id", faults)
        functions: dict[str, dict[str, Any]] = {}
        for given in self._apis(record):
            function = self._function(record, given)
            functions.setdefault(function["name"], function)
        of = sorted({f"{each['category']}/{each['tool']}" for each in functions.values()})
        return Task(
            id=f"{split}-{number}",
            prompt=query.strip(),
            details={"functions": functions},
            tags={"kind": split.partition("_")[0]},
            group="+".join(of),
            split=split,
        )

    def _apis(self, record: Record) -> list[Any]:
        given = record.fields.get("api_list")
        if not isinstance(given, list) or not given:
            raise BadRecord(record.place, "field 'api_list' must be a list of functions")
        return given

    def _function(self, record: Record, given: Any) -> dict[str, Any]:
        """Return what is kept of a function: its name, its parts, and the tool's description."""
        try:
            category, tool = folder_name(given["category_name"]), standard(given["tool_name"])
            api = function_name(given["api_name"])
        except (KeyError, TypeError, AttributeError) as error:
            why = "a function needs category_name, tool_name and api_name, each a text"
            raise BadRecord(record.place, why) from error
        found = self._described(given["category_name"], category, tool, api) or given
        return {
            "name": f"{api}_for_{tool}"[-LONGEST_NAME:],
            "category": category,
            "tool": tool,
            "api": api,
            "description": str(found.get("description") or found.get("api_description") or ""),
            "parameters": parameters(found),
        }

    def _described(
        self, original: str, category: str, tool: str, api: str
    ) -> Mapping[str, Any] | None:
        """Return a function as its tool's file has it; None if there is no such file."""
        for name in TOOLS:
            for folder in dict.fromkeys((original, category)):
                found = _json(self._folder / name / folder / f"{tool}.json")
                for each in found.get("api_list") or ():
                    if isinstance(each, dict) and function_name(str(each.get("name"))) == api:
                        return each
        return None

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """Return the functions of a task."""
        return tuple(tool_of(each) for each in task.details["functions"].values())

    def start(self) -> None:
        """Return the state before any call: there is only this one."""

    def call(self, state: None, task: Task, action: Action) -> tuple[Outcome, None]:
        """Return the recorded reply to a call."""
        function = task.details["functions"][action.tool]
        reply = self._answers(function["category"], function["tool"], function["api"]).get(
            arguments_key(action.arguments)
        )
        info: dict[str, Any] = {}
        if reply is None:
            why = f"no answer is recorded for {action.tool} with these arguments"
            reply, info = {"error": why, "response": ""}, {"error": "not_recorded"}
        elif reply.get("error"):
            info = {"error": "api_error"}
        return Outcome(json.dumps(reply, ensure_ascii=False), info=info), None

    def _answers(self, category: str, tool: str, api: str) -> Mapping[str, dict[str, Any]]:
        for name in ANSWERS:
            for folder in (f"{tool}_for_{category}", tool):
                path = self._folder / name / category / folder / f"{api}.json"
                if path.is_file():
                    return _recorded(path)
        return {}

    def graded(self, state: None, task: Task, answer: str) -> Outcome:
        """Return the end of a task, which is not graded."""
        return Outcome("answer submitted", terminated=True, info={"ungraded": True})

    def solution(self, task: Task) -> list[Action] | None:
        """Return None: nobody knows it."""
        return None

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """Return nothing: without a solution there are no mistakes."""
        return []


def arguments_key(given: Mapping[str, Any]) -> str:
    """Return a text that arguments share if they differ in order or in the type of a value only.

    Models write 5 or "5"; the answer is the same.
    """
    return json.dumps({str(key): str(value) for key, value in given.items()}, sort_keys=True)


@lru_cache(maxsize=512)
def _recorded(path: Path) -> Mapping[str, dict[str, Any]]:
    """Return the answers of a file by `arguments_key`."""
    found: dict[str, dict[str, Any]] = {}
    for written, reply in _json(path).items():
        try:
            given = ast.literal_eval(written)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(given, dict) and isinstance(reply, dict):
            found.setdefault(arguments_key(given), reply)
    return found


@lru_cache(maxsize=512)
def _json(path: Path) -> Mapping[str, Any]:
    """Return the object in a file; {} if there is none, which is told."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(read_text(path))
    except (FileError, ValueError) as error:
        _log.warning("%s: not JSON (%s); left out", path, error)
        return {}
    return found if isinstance(found, dict) else {}
