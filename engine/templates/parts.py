"""The six parts that every prompt is made of: KwaiAgents' (Pan et al. 2023, arXiv:2312.04889).

| part | what it says |
|---|---|
| profile | who the agent is |
| instruction | the rules of the world, and of the agent |
| tools | what can be called |
| goal | the task |
| memory | what has been done (`tasks`, `history`), what is known, and the current time |
| format | how a reply is written |

In a growing chat, the goal and the memory are the first user's message, and the other parts are the
system message. In one prompt per call, all six are one user's message.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template as Placeholders
from typing import Any, Literal

Values = Mapping[str, Any]
"""What a part may show; see `VALUES`."""

Part = Callable[[Values], str]

Memory = Literal["chat", "prompt"]
"""How a model remembers: in a growing chat, or in one prompt per call that holds all."""

MEMORIES: tuple[Memory, ...] = ("chat", "prompt")

NAMES = ("profile", "instruction", "tools", "goal", "memory", "format")
_OF_USER = frozenset({"goal", "memory"})

VALUES = {
    "instructions": "the world's instructions",
    "tools": "the described tools, in the dialect",
    "tool_names": "the names of the tools, with commas between them",
    "answer": "what the answer tool takes; empty if the world does not have exactly one",
    "prompt": "the task",
    "tasks": "the completed steps, each with task_id, thought, tool, arguments and result",
    "history": "the completed steps as they were written, with their observations",
    "knowledge": "what is known beside the task, if anything is",
    "now": "the current time, if the task says it (its tag `now`)",
}
"""The names of the values. `tasks` and `history` are empty in a growing chat, which shows them."""


def words(text: str) -> Part:
    """Return the part that `text` is, with values for `$name` or `${name}`."""
    return Placeholders(text).substitute


def nothing(values: Values) -> str:
    """Return no text."""
    return ""


def known(values: Values) -> str:
    """Return the lines about knowledge and time that there are."""
    lines = []
    if values["knowledge"]:
        lines.append(f"Knowledge info: {values['knowledge']}")
    if values["now"]:
        lines.append(f"Current time: {values['now']}")
    return "\n".join(lines)


def remembered(values: Values) -> str:
    """Return what is known, then the history."""
    return _joined([known(values), str(values["history"])])


def tasks_as_json(values: Values) -> str:
    """Return what is known, then the completed tasks as KwaiAgents writes them."""
    done = [
        {
            "task_name": task["thought"],
            "command": {"name": task["tool"], "args": task["arguments"]},
            "task_id": task["task_id"],
            "result": task["result"],
        }
        for task in values["tasks"]
    ]
    listed = f"* Complete tasks: {json.dumps(done, ensure_ascii=False, indent=4)}" if done else ""
    return _joined([known(values), listed])


@dataclass(frozen=True, slots=True)
class Parts:
    """The six parts of a template, and their order.

    Attributes:
        order: all six names.
        between: what stands between two parts.
    """

    profile: Part = nothing
    instruction: Part = field(default=words("$instructions"))
    tools: Part = field(default=words("$tools"))
    goal: Part = field(default=words("$prompt"))
    memory: Part = field(default=remembered)
    format: Part = nothing
    order: Sequence[str] = NAMES
    between: str = "\n\n"

    def system(self, values: Values) -> str:
        """Return the system message of a growing chat."""
        return self._texts(values, [name for name in self.order if name not in _OF_USER]).strip()

    def user(self, values: Values) -> str:
        """Return the first user's message of a growing chat."""
        return self._texts(values, [name for name in self.order if name in _OF_USER])

    def prompt(self, values: Values) -> str:
        """Return all parts as one message."""
        return self._texts(values, self.order)

    def _texts(self, values: Values, names: Sequence[str]) -> str:
        return _joined([getattr(self, name)(values) for name in names], self.between)


def _joined(texts: Sequence[str], between: str = "\n\n") -> str:
    """Return the texts that are not blank, in a row."""
    return between.join(text for text in texts if text.strip())
