"""Part a reply into the model's reasoning and the rest. Only the rest is searched for calls.

Reasoning stands between marks (`<think>...</think>`, `[THINK]...`), or in the analysis channel of
OpenAI's harmony format. An opening mark that begins a line and is never closed takes all the rest.
A closing mark without an opening one ends reasoning that the prompt has opened. A mark within
quotes is text: it is if the line has an odd number of `"` before it, or a quote just before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_XML = (
    "think|thinking|thought|thoughts|reasoning|seed:think|scratchpad|reflection|inner_monologue"
    "|analysis"
)
_MARK = re.compile(
    rf"(?P<open><(?:{_XML})>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>)"
    rf"|(?P<close></(?:{_XML})>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>)",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"[\s*_#>]*(?:(?:Thought|Assistant)\s*:)?[\s*_]*", re.IGNORECASE)
_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
_HEADER = re.compile(
    r"(?:<\|start\|>)?(?:assistant)?(?P<role>\s*to=[^\s<]+)?\s*<\|channel\|>\s*(?P<channel>\w+)"
    r"(?P<to>[^<]*)(?:<\|constrain\|>[^<]*)?<\|message\|>"
)
_HEADER_PART = re.compile(r"<\|(?:start|channel|end|constrain)\|>(?:assistant|\w*)")
_HARMONY_END = re.compile(r"<\|(?:end|call|return|start)\|>")
_SPOKEN = re.compile(
    r"\Aanalysis(?P<analysis>.*?)assistant(?:commentary\s+to=(?P<name>[\w.:-]+)\s*(?:json|code)?\s*"
    r"(?P<body>\{.*)|final(?P<final>.*))\Z",
    re.DOTALL,
)
"""Harmony as servers show it that drop its control tokens."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A reply in parts.

    Attributes:
        reasoning: the model's reasoning; "" if none.
        rest: the reply without it.
        call: the name and the arguments' text of a call in a harmony message; None if none.
        marked: whether there were marks of reasoning, or harmony messages.
    """

    reasoning: str
    rest: str
    call: tuple[str, str] | None = None
    marked: bool = False


def part(reply: str) -> Parted:
    """Return the reasoning and the rest of `reply`."""
    if _HEADER.search(reply):
        return _of_harmony(reply)
    if spoken := _SPOKEN.match(reply):
        call = (spoken["name"], spoken["body"]) if spoken["name"] else None
        return Parted(spoken["analysis"].strip(), spoken["final"] or "", call, True)
    return _of_marks(reply)


def has_marks(text: str) -> bool:
    """Return whether `part` could take `text` apart."""
    return bool(_MARK.search(text) or "<|channel|>" in text or text.startswith("analysis"))


def in_quotes(text: str, place: int) -> bool:
    """Return whether what stands at `place` is within quotes."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    odd = '"' in line and len(_QUOTE.findall(line)) % 2 == 1
    return odd or line[-1:] in ("'", '"', "`")


def _of_marks(reply: str) -> Parted:
    marks = [found for found in _MARK.finditer(reply) if not in_quotes(reply, found.start())]
    last_close = max((mark.start() for mark in marks if mark["close"]), default=-1)
    outside: list[str] = []
    reasoning: list[str] = []
    place, inside = 0, False
    for mark in marks:
        text = reply[place : mark.start()]
        if mark["close"]:
            # Without an opening mark before it, all that stands before it is reasoning.
            reasoning += [text] if inside else [*outside, text]
            outside = outside if inside else []
            inside = False
        elif inside or not (mark.start() < last_close or _begins_line(reply, mark.start())):
            continue
        else:
            outside.append(text)
            inside = True
        place = mark.end()
    (reasoning if inside else outside).append(reply[place:])
    kept = "\n".join(filter(None, (text.strip() for text in reasoning)))
    return Parted(kept, "".join(outside), None, place > 0)


def _begins_line(reply: str, place: int) -> bool:
    line = reply[reply.rfind("\n", 0, place) + 1 : place]
    return _LINE_START.fullmatch(line) is not None


def _of_harmony(reply: str) -> Parted:
    reasoning: list[str] = []
    rest: list[str] = []
    for name, channel, body in _messages(reply):
        if name:
            kept = "\n".join(filter(None, (text.strip() for text in [*reasoning, *rest])))
            return Parted(kept, "", (name, body), True)
        (reasoning if channel == "analysis" else rest).append(body)
    kept = "\n".join(filter(None, (text.strip() for text in reasoning)))
    return Parted(kept, "\n".join(rest), None, True)


def _messages(reply: str) -> Iterator[tuple[str, str, str]]:
    """Yield recipient, channel and body of each message; text before the first is one, too."""
    headers = list(_HEADER.finditer(reply))
    yield "", "analysis", _HEADER_PART.sub("", reply[: headers[0].start()])
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        body = reply[header.end() : following.start() if following else len(reply)]
        if end := _HARMONY_END.search(body):
            body = body[: end.start()]
        to = re.search(r"to=([^\s<]+)", f"{header['role'] or ''} {header['to']}")
        yield to[1] if to else "", header["channel"], body
