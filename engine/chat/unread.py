"""What a server's answer holds beside what a `ChatReply` has a place for.

`engine proxy` keeps it, for its clients: log-probabilities, annotations, details of the usage.
"""

from collections.abc import Mapping
from typing import Any

READ = ("content", "refusal", "reasoning", "reasoning_content")
"""Texts of a message that are read."""
_ANSWER = {"id", "object", "created", "model", "choices"}
_CHOICE = {"index", "message", "finish_reason"}
_MESSAGE = {"role", "tool_calls", *READ}


def unread(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other fields of an answer: its own, and those of its choices and messages.

    Args:
        answer: Of the chat API, with choices that have messages.
    """
    own = _without(answer, _ANSWER)
    choices = [
        {**_without(one, _CHOICE), "message": _without(one["message"], _MESSAGE)}
        for one in answer["choices"]
    ]
    return {**own, "choices": choices}


def _without(given: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}
