"""Which parts of an assistant's message are thought, and not its call or its answer.

A row does not name its template, so the message itself has to say it. In this order: the mark that
`engine export` leaves for templates of a user's own (`thought_span`); reasoning blocks
(`<think>...</think>` and the like); the text beside native tool calls; the values of a JSON reply
that are called thoughts; what one of the project's templates reads as the thought of a call; a
line that begins with "Thought:". Reasoning that has a field of its own is thought, too.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.templates import NAMES, get
from engine.templates.base import Message

FIELDS = ("reasoning_content", "reasoning", "thinking", "thought")
"""Fields of a message that hold reasoning, as servers and data sets call them."""

_NAMES = r"(?:thoughts?|think(?:ing)?|reasoning|rationale|reflection|\u601d\u8003|\u60f3\u6cd5)"
_TAG = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?)"
_OPEN = re.compile(
    rf"<{_TAG}>|\[THINK\]|\u25c1think\u25b7|<\|channel\|>analysis<\|message\|>", re.IGNORECASE
)
_CLOSE = re.compile(rf"</{_TAG}>|\[/THINK\]|\u25c1/think\u25b7|<\|end\|>", re.IGNORECASE)
_LABEL = r"^[ \t>*_#]*{}[ \t]*\d*[ \t*_]*[:\uff1a][*_]*"
_THOUGHT = re.compile(_LABEL.format(_NAMES), re.IGNORECASE | re.MULTILINE)
_CALLED = (
    r"(?:act(?:ion|ions)?(?: input)?|(?:final )?answer|observation|finish|tool|function|command"
    r"|operation|response|result|output|code|query|sql|input|arg(?:ument)?s|parameters"
    r"|\u884c\u52a8|\u52a8\u4f5c|\u6700\u7ec8\u7b54\u6848|\u56de\u7b54)"
)
_OTHER = re.compile(
    rf"{_LABEL.format(_CALLED)}|^[ \t]*(?:```|{{|<[a-z]+[_=|>]|<\||\[TOOL_CALLS\])",
    re.IGNORECASE | re.MULTILINE,
)
_ACTION = re.compile(_LABEL.format(r"(?:act(?:ion)?|\u884c\u52a8)"), re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(rf"\A{_NAMES}\Z", re.IGNORECASE)
_CALL_KEYS = {"args", "arguments", "parameters", "input", "action_input"}


@dataclass(frozen=True, slots=True)
class Thought:
    """A part of a message that is thought.

    Attributes:
        text: The text, without blanks around it.
        start: Its place in the message's content; -1 if it is in a field of its own, or if the
            content does not hold it as it is (JSON escapes).
    """

    text: str
    start: int = -1


def thoughts(message: Message) -> list[Thought]:
    """Return the thoughts of an assistant message, in the order in which they are written."""
    fields = [message.get(name) for name in FIELDS]
    texts = dict.fromkeys(text.strip() for text in fields if isinstance(text, str))
    found = [Thought(text) for text in texts] + list(_of_content(message))
    return [thought for thought in found if thought.text]


def escapes(text: str) -> tuple[str, ...]:
    """Return `text` and how it looks inside JSON."""
    return text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]


def _of_content(message: Message) -> Iterator[Thought]:
    content = str(message.get("content") or "")
    marked = message.get("thought_span")
    if isinstance(marked, list | tuple) and [type(each) for each in marked] == [int, int]:
        yield _part(content, marked[0], marked[1])
        return
    for start, end, reasoning in _blocks(content):
        if reasoning or message.get("tool_calls"):
            yield _part(content, start, end)
        else:
            yield from _before_call(content, start, end)


def _blocks(content: str) -> Iterator[tuple[int, int, bool]]:
    """Yield start and end of each part of `content`, and whether it is a reasoning block.

    The mark that opens a block may be missing (a chat template wrote it before the reply), and so
    may the one that closes a block which begins the reply.
    """
    done = 0
    first = _CLOSE.search(content)
    if first and not _OPEN.search(content, 0, first.start()):
        yield 0, first.start(), True
        done = first.end()
    while opening := _OPEN.search(content, done):
        closing = _CLOSE.search(content, opening.end())
        if closing is None and content[: opening.start()].strip():
            break
        yield done, opening.start(), False
        yield opening.end(), closing.start() if closing else len(content), True
        done = closing.end() if closing else len(content)
    yield done, len(content), False


def _before_call(content: str, start: int, end: int) -> Iterator[Thought]:
    text = content[start:end]
    found = list(_of_json(text) or _read_by_template(text) or _labelled(text))
    for one in found:
        yield Thought(one.text, one.start + start if one.start >= 0 else -1)


def _of_json(text: str) -> list[Thought]:
    """Return the thoughts in a reply that is a JSON object, with or without a fence around it."""
    place = text.find("{")
    if place < 0 or _OTHER.search(text[:place].replace("```", "")):
        return []
    try:
        value, _ = json.JSONDecoder().raw_decode(text, place)
    except (ValueError, RecursionError):
        return []
    found = []
    for thought in _thoughtful(value):
        written = (json.dumps(thought, ensure_ascii=ascii) for ascii in (False, True))
        form = next((one for one in written if one in text[place:]), None)
        if form is not None:
            place = text.index(form, place) + len(form)
            found.append(_part(text, place - len(form) + 1, place - 1))
    return found


def _thoughtful(value: Any, thought: bool = False) -> Iterator[str]:
    """Yield the texts in a JSON value whose key, or a key above it, names a thought."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.casefold() not in _CALL_KEYS:
                yield from _thoughtful(inner, thought or bool(_KEY.match(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _thoughtful(inner, thought)
    elif thought and isinstance(value, str):
        yield value


def _read_by_template(text: str) -> list[Thought]:
    label = _THOUGHT.match(text.lstrip())
    after = label.end() + len(text) - len(text.lstrip()) if label else 0
    for name in NAMES:
        action = get(name).parse({"role": "assistant", "content": text})
        thought = action.thought.strip()
        if action.tool and thought:
            place = text.find(thought, after)
            if place >= 0 or any(form in text for form in escapes(thought)):
                return [Thought(thought, place)]
    return []


def _labelled(text: str) -> list[Thought]:
    """Return what follows each "Thought:" up to the next label, fence or call.

    Without such a label, it is what comes before "Action:".
    """
    found = []
    action = _ACTION.search(text)
    if action and not _THOUGHT.search(text):
        return [_part(text, 0, action.start())]
    for label in _THOUGHT.finditer(text):
        ends = (pattern.search(text, label.end()) for pattern in (_OTHER, _THOUGHT))
        end = min((one.start() for one in ends if one), default=len(text))
        found.append(_part(text, label.end(), end))
    return found


def _part(content: str, start: int, end: int) -> Thought:
    text = content[start:end]
    return Thought(text.strip(), start + len(text) - len(text.lstrip()))
