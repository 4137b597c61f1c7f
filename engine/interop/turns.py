"""From a conversation to its opening and its steps.

A step is one reply and what answers it. A reply with one call is that call; with several, one
action of the tool `parallel` (`calls_of` returns the calls); without a call it is a `say`. Its
thought is the reasoning, and the text beside a call. The observation is the text of all messages up
to the next reply.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import Conversation, Record
from engine.templates.base import Message
from engine.templates.recorded import FACTS, with_messages
from environments.tools import SAY
from environments.types import Action, Step, text_of

PARALLEL = "parallel"
"""The tool of an action that is several calls in one reply."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class Turn:
    """A step of a conversation, and the place of its reply among the messages."""

    step: Step
    place: int


def calls_of(action: Action) -> list[Action]:
    """Return the calls that an action is: itself, or those of a reply with several."""
    if action.tool != PARALLEL:
        return [action]
    calls = [Action(call["tool"], call["arguments"]) for call in action.arguments["calls"]]
    first = Action(calls[0].tool, calls[0].arguments, action.thought)
    return [first, *calls[1:]]


def read_turns(conversation: Conversation) -> tuple[tuple[Message, ...], list[Turn]]:
    """Return the messages before the first reply, and the turns; no step has ended.

    Raises:
        UsageError: the messages are not OpenAI's, or none is the assistant's.
    """
    messages = list(_checked(conversation))
    replies = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    if not replies:
        raise UsageError(f"{conversation.place}: no message of the assistant")
    turns = [
        _turn(conversation, messages[begin:end], begin)
        for begin, end in zip(replies, [*replies[1:], len(messages)], strict=True)
    ]
    return tuple(messages[: replies[0]]), turns


def _checked(conversation: Conversation) -> Iterator[Message]:
    if not isinstance(conversation.messages, Sequence) or isinstance(conversation.messages, str):
        raise UsageError(f"{conversation.place}: its messages are not a list")
    for number, message in enumerate(conversation.messages):
        where = f"{conversation.place}: messages[{number}]"
        if not isinstance(message, Mapping):
            raise UsageError(f"{where} is not an object with a role and a content")
        if message.get("role") not in ROLES:
            raise UsageError(
                f"{where} has the role {message.get('role')!r}; OpenAI's are {', '.join(ROLES)}"
            )
        yield dict(message)


def _turn(conversation: Conversation, messages: Sequence[Message], place: int) -> Turn:
    where = f"{conversation.place}: messages[{place}]"
    answers = [text for message in messages[1:] if (text := text_of(message))]
    step = Step(_action(messages[0], where), "\n\n".join(answers))
    if not step.action.tool:
        step = Step(step.action, step.observation, info={"error": "malformed"})
    step = with_messages(step, [dict(message) for message in messages])
    facts = conversation.facts.get(place)
    info = {**step.info, **({FACTS: dict(facts)} if facts else {})}
    return Turn(Step(step.action, step.observation, info=info), place)


def _action(message: Message, where: str) -> Action:
    reasoning = next((str(message[name]) for name in _REASONING if message.get(name)), "")
    text, calls = text_of(message), list(_calls(message, where))
    if not calls:
        return Action(SAY.name, {"text": text}, reasoning)
    thought = "\n".join(filter(None, (reasoning, text)))
    unread = next((call for call in calls if call[1] is None), None)
    if unread:
        name, _, raw = unread
        return Action.malformed(f"{thought}\n{name}({raw})".strip(), "the arguments are not JSON")
    if len(calls) == 1:
        return Action(calls[0][0], calls[0][1] or {}, thought)
    several = [{"tool": name, "arguments": arguments} for name, arguments, _ in calls]
    return Action(PARALLEL, {"calls": several}, thought)


def _calls(message: Message, where: str) -> Iterator[tuple[str, dict[str, Any] | None, Any]]:
    """Yield the name, the arguments (None if they are no object) and the raw ones of each call."""
    found: Any = message.get("tool_calls") or []
    if legacy := message.get("function_call"):
        found = [{"function": legacy}]
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise UsageError(f"{where}: its tool_calls are not a list")
    for number, call in enumerate(found):
        function: Record | None = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise UsageError(f"{where}: tool_calls[{number}] names no function")
        raw = function.get("arguments")
        yield function["name"], _arguments(raw), raw


def _arguments(raw: Any) -> dict[str, Any] | None:
    if isinstance(raw, str):
        try:
            raw = loads(raw or "{}")
        except (ValueError, RecursionError):
            return None
    raw = {} if raw is None else raw
    return dict(raw) if isinstance(raw, Mapping) else None
