"""Calls as a JSON object after a mark, with the thought before it: Hermes, ModelScope.

A thought that holds the mark itself would be read as a call: it is written inside the object.
What a model writes after the first call is dropped: one call at a time.
"""

import json
from dataclasses import dataclass

from engine.templates.openai_format import called, first_object
from environments.types import Action

_THOUGHT = "thought"


@dataclass(frozen=True, slots=True)
class Marked:
    """mark: opens a call, and stands in it whole.   opening, closing: around the object.
    tool, arguments: the object's keys."""

    mark: str
    opening: str
    closing: str
    tool: str
    arguments: str

    def write(self, action: Action) -> str:
        call = {self.tool: action.tool, self.arguments: dict(action.arguments)}
        before = f"{action.thought}\n" if action.thought else ""
        if self.mark in action.thought:
            before, call[_THOUGHT] = "", action.thought
        return f"{before}{self.opening}{json.dumps(call, ensure_ascii=False)}{self.closing}"

    def read(self, reply: str) -> Action:
        before, mark, after = reply.partition(self.mark)
        if not mark:
            return Action.malformed(reply, f"no call was found; write it after {self.mark}")
        value, error = first_object(after[max(0, after.find("{")) :])
        if error:
            return Action.malformed(reply, error)
        return called(
            reply, value, (self.tool, self.arguments, _THOUGHT), before.removesuffix("\n")
        )
