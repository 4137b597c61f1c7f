"""Split a conversation that is longer than the student's context into windows.

Each window begins with the conversation's prompt, continues with the last turn of the window
before, as context only, so that no turn is trained without what it answers, and ends at a turn.
Every turn is trained in one window, or is counted as lost where even its own observation and the
prompt leave no room.

Limit: in every window but the first, the student sees a shorter history than the agent had.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.templates.base import Message


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a conversation that fits.

    Attributes:
        messages: The prompt and some turns.
        context_turns: Number of its first turns that are context only.
    """

    messages: list[Message]
    context_turns: int


def windows(
    messages: Sequence[Message], fits: Callable[[list[Message]], bool]
) -> tuple[list[Window], int]:
    """Return the windows of a conversation, and the number of turns that are in none.

    Args:
        messages: The conversation.
        fits: Whether a conversation that ends with an assistant message is short enough.
    """
    prompt, turns = _prompt_and_turns(messages)
    found: list[Window] = []
    start = done = lost = 0
    while done < len(turns):
        end = done
        while end < len(turns) and fits(_joined(prompt, turns[start : end + 1])):
            end += 1
        if end > done:
            found.append(Window(_joined(prompt, turns[start:end]), done - start))
            done = end
        else:
            done, lost = done + 1, lost + 1
        start = done - 1
    return found, lost


def _prompt_and_turns(
    messages: Sequence[Message],
) -> tuple[list[Message], list[list[Message]]]:
    """Return what precedes the first assistant message; then each of these, with its answers."""
    prompt: list[Message] = []
    turns: list[list[Message]] = []
    for message in messages:
        if message["role"] == "assistant":
            turns.append([message])
        else:
            (turns[-1] if turns else prompt).append(message)
    return prompt, turns


def _joined(prompt: list[Message], turns: list[list[Message]]) -> list[Message]:
    """Return `turns` after `prompt`, up to the last assistant message."""
    before = [message for turn in turns[:-1] for message in turn]
    return [*prompt, *before, turns[-1][0]]
