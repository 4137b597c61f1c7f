"""Calls as a JSON object between delimiters, after the thought: Hermes, ModelScope.

A thought that would be misread (it holds the delimiter, or marks of reasoning) is written inside
the object. Text after the first call is dropped: one call at a time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from engine.templates.reading.json_calls import Call
from engine.templates.reading.json_text import whole_json
from engine.templates.reading.model_forms import find_marked
from engine.templates.reading.reader import ANYWHERE, Reader, is_plain
from environments.tools import Tool
from environments.types import Action

_THOUGHT = "thought"


@dataclass(frozen=True, slots=True)
class DelimitedJson:
    """A format of calls.

    Attributes:
        delimiter: the start of `opening` that tells a call from a thought.
        opening: text before the object.
        closing: text after the object.
        tool: the object's key for the tool's name.
        arguments: the object's key for the arguments.
    """

    delimiter: str
    opening: str
    closing: str
    tool: str
    arguments: str

    def write(self, action: Action, tools: Sequence[Tool] = ()) -> str:
        """Return a call as the assistant's message."""
        call = {self.tool: action.tool, self.arguments: dict(action.arguments)}
        before = f"{action.thought}\n" if action.thought else ""
        if self.delimiter in action.thought or not is_plain(action.thought):
            before, call[_THOUGHT] = "", action.thought
        return f"{before}{self.opening}{json.dumps(call, ensure_ascii=False)}{self.closing}"

    def read(self, reply: str, tools: Sequence[Tool]) -> Action:
        """Return the action in a reply, or a malformed action."""
        lost = f"no call was found; write it after {self.delimiter}"
        return Reader(self._exact, ANYWHERE, find_marked, lambda _: lost)(reply, tools)

    def _exact(self, reply: str) -> Call | None:
        """Return the call in a reply as `write` writes it."""
        before, _, _ = reply.partition(self.delimiter)
        start, end = len(before) + len(self.opening), len(reply) - len(self.closing)
        if not (reply.startswith(self.opening, len(before)) and reply.endswith(self.closing)):
            return None
        value = whole_json(reply[start:end])
        if not isinstance(value, dict):
            return None
        if value.keys() - {_THOUGHT} != {self.tool, self.arguments} or not is_plain(before):
            return None
        if not isinstance(value[self.tool], str) or not isinstance(value[self.arguments], dict):
            return None
        thought = value.get(_THOUGHT, before.removesuffix("\n"))
        return Call(value[self.tool], value[self.arguments], str(thought))
