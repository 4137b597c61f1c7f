"""Calls as a JSON object between delimiters, after the thought: Hermes, ModelScope.

A thought that contains the delimiter would be read as a call, so it is written inside the object.
Text after the first call is dropped: one call at a time.
"""

import json
from dataclasses import dataclass

from engine.templates.openai_format import action_from_call, first_json
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

    def write(self, action: Action) -> str:
        """Return a call as the assistant's message."""
        call = {self.tool: action.tool, self.arguments: dict(action.arguments)}
        before = f"{action.thought}\n" if action.thought else ""
        if self.delimiter in action.thought:
            before, call[_THOUGHT] = "", action.thought
        return f"{before}{self.opening}{json.dumps(call, ensure_ascii=False)}{self.closing}"

    def read(self, reply: str) -> Action:
        """Return the action in a reply, or a malformed action."""
        before, delimiter, after = reply.partition(self.delimiter)
        if not delimiter:
            return Action.malformed(reply, f"no call was found; write it after {self.delimiter}")
        value, error = first_json(after[max(0, after.find("{")) :])
        if error:
            return Action.malformed(reply, error)
        return action_from_call(
            reply, value, (self.tool, self.arguments, _THOUGHT), before.removesuffix("\n")
        )
