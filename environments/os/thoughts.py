"""Thoughts about commands, made by rule: what each program is for, and what was printed."""

import re
from collections.abc import Sequence

from environments.thoughts import (
    after_error,
    argument,
    first_line,
    goal_of,
    plain_thought,
    shortened,
    told_by,
)
from environments.types import Action, Step, Task

_PURPOSES = {
    "awk": "work on columns",
    "cat": "read what files hold",
    "chmod": "change permissions",
    "cp": "copy",
    "cut": "keep a column",
    "date": "see the time",
    "diff": "compare",
    "du": "see sizes",
    "echo": "write text",
    "find": "look for files in all folders",
    "grep": "find lines",
    "head": "keep the first lines",
    "ln": "make a link",
    "ls": "see what is here",
    "mkdir": "make a folder",
    "mv": "move or rename",
    "printf": "write text",
    "rm": "remove",
    "sed": "edit lines",
    "sort": "put lines in order",
    "stat": "see facts about files",
    "tail": "keep the last lines",
    "tar": "pack or unpack",
    "touch": "make files or set their times",
    "tr": "replace characters",
    "uniq": "join equal lines",
    "wc": "count",
    "xargs": "run a program on each",
}
_PROGRAM = re.compile(r"(?:^|[|;&(\n]|\bdo\b|\bthen\b|\bxargs\b|-exec)\s*([a-z]+)\b")


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    match action.tool:
        case "bash":
            start = _last(path) or f"The task: {goal_of(task.prompt)} "
            return start + _uses(argument(action, "command"))
        case "answer":
            return after_error(path) + told_by(goal_of(task.prompt), path, argument(action, "text"))
        case "finish":
            return f"{_last(path)}I was asked: {goal_of(task.prompt)} I say that it is done."
    return plain_thought(task, path, action)


def _uses(command: str) -> str:
    """Return what the programs of a command are for, in their order."""
    programs = [name for name in _PROGRAM.findall(command) if name in _PURPOSES]
    parts = [f"{name} to {_PURPOSES[name]}" for name in dict.fromkeys(programs)]
    if not parts:
        return f"I run: {shortened(first_line(command), 80)}"
    return f"I use {', then '.join(parts)}."


def _last(path: Sequence[Step]) -> str:
    """Return what the last command printed, and whether it failed."""
    if not path:
        return ""
    if path[-1].info.get("error"):
        return after_error(path)
    text = shortened(first_line(path[-1].observation), 80)
    if status := path[-1].info.get("status"):
        return f"That ended with exit status {status}: {text}. "
    return f"It printed {text}. " if text and text != "(no output)" else "That printed nothing. "
