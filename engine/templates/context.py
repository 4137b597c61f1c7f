"""What a prompt shows before a task's own path: examples, and earlier attempts at the task.

A template renders a context as turns of its own form, between the system message and the path, by
one call of `opening`. None of it is the path: in rows it has weight 0, so a student reads it and is
not trained on it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from environments.types import Step, Task, Trajectory

AGAIN = (
    "That attempt did not solve the task. What it did is undone: start again from the beginning."
)
"""What follows a failed attempt, as the user's message."""

REFLECTIONS = "Reflections on earlier attempts at this task, which failed:"
"""First line of the text with reflections, at the end of the user's last message before a path."""

ATTEMPT_CHARS = 4000
"""Characters of a failed attempt that a prompt holds: its last steps, and its last one always."""
OBSERVATION_CHARS = 500
"""Characters of each of its observations."""

Messages = list[dict[str, Any]]
Turn = Callable[[Step, str], Messages]
"""From a step, and an id that no other step of the conversation has, to its messages."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a prompt shows before a path.

    Attributes:
        examples: solved trajectories of other tasks.
        attempts: failed paths of this task that ended before this one began, in their order.
        reflections: what went wrong on failed paths of this task, in words.
        note: what else is said of the path, as the last line before it.
    """

    examples: tuple[Trajectory, ...] = ()
    attempts: tuple[tuple[Step, ...], ...] = ()
    reflections: tuple[str, ...] = ()
    note: str = ""


NOTHING = Context()


def opening(context: Context, task: Task, asked: Callable[[str], str], turn: Turn) -> Messages:
    """Return the messages between the system message and a path; the last is the user's.

    Without a context it is the task's own message. A template that keeps its memory in one prompt
    makes one text of them with `as_text`.

    Args:
        context: what is shown.
        task: the task that is asked.
        asked: the template's text of a task's prompt.
        turn: the template's messages of a step.
    """
    messages: Messages = []
    numbers = count(1)

    def play(steps: Sequence[Step]) -> None:
        for step in steps:
            messages.extend(turn(step, f"shown_{next(numbers)}"))

    for example in context.examples:
        _say(messages, asked(example.task.prompt))
        play(example.steps)
        # What follows an answer is no part of it; a call of OpenAI's needs a result, though.
        while messages[-1]["role"] == "user":
            messages.pop()
    _say(messages, asked(task.prompt))
    for attempt in context.attempts:
        play(shortened(attempt))
        _say(messages, AGAIN)
    if context.reflections:
        lines = (f"- {text}" for text in context.reflections)
        _say(messages, "\n".join([REFLECTIONS, *lines]))
    if context.note:
        _say(messages, context.note)
    return messages


def as_text(messages: Messages) -> str:
    """Return the contents of `messages` as one text, for templates whose memory is one prompt."""
    return "\n\n".join(str(message["content"]).strip() for message in messages)


def shortened(attempt: Sequence[Step]) -> tuple[Step, ...]:
    """Return the last steps of a failed attempt, with short observations."""
    steps = [replace(step, observation=_cut(step.observation)) for step in attempt]
    kept = list(_within(reversed(steps)))
    return tuple(reversed(kept))


def _within(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the first of `steps`, and the others as long as they fit."""
    size = 0
    for number, step in enumerate(steps):
        size += len(step.action.key) + len(step.action.thought) + len(step.observation)
        if number and size > ATTEMPT_CHARS:
            return
        yield step


def _cut(text: str) -> str:
    left_out = len(text) - OBSERVATION_CHARS
    return (
        f"{text[:OBSERVATION_CHARS]} ... ({left_out} characters left out)" if left_out > 0 else text
    )


def _say(messages: Messages, text: str) -> None:
    """Append a user's text. Many chat templates reject two user messages in a row."""
    if messages and messages[-1]["role"] == "user":
        messages[-1] = {**messages[-1], "content": f"{messages[-1]['content']}\n\n{text}"}
    else:
        messages.append({"role": "user", "content": text})
