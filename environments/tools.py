"""Tools: JSON-Schema functions, and the check of calls to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema

from environments.types import Action, is_finite

NO_ARGUMENTS: Mapping[str, Any] = {
    "type": "object",
    "properties": {},
    "additionalProperties": False,
}
"""The schema of a tool without arguments."""


def arguments(optional: Sequence[str] = (), /, **properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool from those of its arguments; all are required but `optional`."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def text_arguments(**described: str) -> dict[str, Any]:
    """Return the schema of a tool that takes texts; `described` has their descriptions."""
    return arguments(
        **{name: {"type": "string", "description": text} for name, text in described.items()}
    )


@dataclass(frozen=True)
class Tool:
    """A function that the policy may call.

    Attributes:
        parameters: a JSON Schema (draft 2020-12) of type "object", as in OpenAI's `tools`; by
            default the tool takes no arguments.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: NO_ARGUMENTS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Tool, (self.name, self.description, self.parameters)

    @cached_property
    def validator(self) -> jsonschema.Draft202012Validator:
        """The validator of `parameters`; made once."""
        return jsonschema.Draft202012Validator(self.parameters)


GIVE_UP = Tool("give_up", "End the task without an answer.", NO_ARGUMENTS)

SAY = Tool("say", "Say something to the user.", text_arguments(text="What you say."))
"""Speaks to the user, where a world allows it: what a reply without a call is read as.

The world decides what follows. Its observation is the user's answer, or the task is over.
"""


def is_say(tool: Tool) -> bool:
    """Return whether `tool` is `SAY`, be it with another description."""
    return tool.name == SAY.name and tool.parameters == SAY.parameters


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a call is refused.

    Attributes:
        kind: "malformed", "unknown_tool" or "bad_arguments".
        message: what is wrong, in words that let the policy correct the call.
    """

    kind: str
    message: str


def violation(action: Action, tools: Sequence[Tool]) -> Violation | None:
    """Return why `action` is not a valid call to one of `tools`; None if it is."""
    if not action.tool:
        return Violation("malformed", action.error)
    tool = next((tool for tool in tools if tool.name == action.tool), None)
    if tool is None:
        names = ", ".join(tool.name for tool in tools)
        return Violation("unknown_tool", f"no tool named {action.tool!r}; the tools are: {names}")
    if not is_finite(action.arguments):
        message = f"bad arguments for {tool.name}: NaN and infinite numbers are not JSON"
        return Violation("bad_arguments", message)
    validator, given = tool.validator, dict(action.arguments)
    if validator.is_valid(given):
        return None
    error = jsonschema.exceptions.best_match(validator.iter_errors(given))
    assert error is not None
    where = f" in {error.json_path[2:]!r}" if error.path else ""
    return Violation("bad_arguments", f"bad arguments for {tool.name}{where}: {error.message}")
