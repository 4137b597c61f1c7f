"""What becomes of a conversation that is longer than the student's context.

`drop` leaves it out. `split` makes windows of it: each begins with the conversation's prompt, goes
on with the last turn of the window before, as context only, so that no turn is trained without
what it answers, and ends at a turn. Every turn is trained in one window, or is counted as lost
where even its own observation and the prompt leave no room.

Limit: in every window but the first, the student meets a shorter history than the agent had.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.templates.base import Message

Overlong = Literal["drop", "split"]


@dataclass(frozen=True, slots=True)
class Window:
    """messages: a conversation that fits.   seen: its first assistant messages, context only."""

    messages: list[Message]
    seen: int


def windows(
    messages: Sequence[Message], fits: Callable[[list[Message]], bool]
) -> tuple[list[Window], int]:
    """The windows of a conversation, and how many of its turns are in none.

    fits: whether a conversation that ends with an assistant message is short enough.
    """
    prompt, turns = _parts(messages)
    made: list[Window] = []
    start = done = lost = 0
    while done < len(turns):
        end = _end(prompt, turns, (start, done), fits)
        if end > done:
            made.append(Window(_joined(prompt, turns[start:end]), done - start))
            done = end
        else:
            done, lost = done + 1, lost + 1
        start = done - 1
    return made, lost


def _end(
    prompt: list[Message],
    turns: list[list[Message]],
    at: tuple[int, int],
    fits: Callable[[list[Message]], bool],
) -> int:
    """The end of the longest window that begins at turn `at[0]`, after turn `at[1]`."""
    start, end = at
    while end < len(turns) and fits(_joined(prompt, turns[start : end + 1])):
        end += 1
    return end


def _parts(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """What stands before the first assistant message; then each of these, with its answers."""
    prompt: list[Message] = []
    turns: list[list[Message]] = []
    for message in messages:
        if message["role"] == "assistant":
            turns.append([message])
        else:
            (turns[-1] if turns else prompt).append(message)
    return prompt, turns


def _joined(prompt: list[Message], turns: list[list[Message]]) -> list[Message]:
    """`turns` after `prompt`, up to the last assistant message."""
    before = [message for turn in turns[:-1] for message in turn]
    return [*prompt, *before, turns[-1][0]]
