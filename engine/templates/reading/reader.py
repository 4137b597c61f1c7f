"""Read a reply: the call in it, or what is wrong with it. All templates read with this.

The order: the template's own form to the letter; then, outside the model's reasoning, the forms
that the template and models of other families use (`Finder`s, in the template's order). The first
call counts. What was mended is named in `Action.reply["repaired"]`, in the words of `WORDS`; the
action is the same as if the reply had been in the template's own form.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.templates.reading import arguments, names, reasoning
from engine.templates.reading.arguments import Unreadable
from engine.templates.reading.json_calls import Call, find_object
from engine.templates.reading.json_text import replace_surrogates
from engine.templates.reading.labels import final_answer, find_labelled, said
from engine.templates.reading.model_forms import find_fenced, find_marked, find_python
from environments.tools import GIVE_UP, SAY, Tool, is_say
from environments.types import Action

Finder = Callable[[str, Sequence[Tool]], Call | None]
"""Finds the first call in a text; raises `Unreadable` if what is meant as one is none."""

WORDS = {
    "reasoning": "a block of reasoning was taken as thought",
    "preamble": "text before the thought was dropped",
    "blanks": "blanks, line ends or the order of keys differed",
    "label": "labels were bold, headings, numbered or missing",
    "form": "the call was in another format than the template's",
    "fence": "a code fence was removed",
    "json": "JSON was not valid as it was written",
    "double-encoded": "the arguments were a string of JSON",
    "empty": "missing, blank or null arguments became {}",
    "text": "a plain text became the tool's only argument",
    "keywords": "k=v, k=v became arguments",
    "call-syntax": "name(...) became a call",
    "name": "the tool's name was mended",
    "final-answer": "an answer without a call became a call of the answer tool",
    "trailing": "text behind the call was dropped",
    "calls": "further calls were dropped",
    "crlf": "line ends were CR LF",
    "say": "a reply without a call was taken as said to the user",
    "nearest": "no tool has this name; the nearest one was taken (--repair nearest)",
}
"""What the words in "repaired" mean."""

RESTART = "give_up_and_restart"
"""What ToolBench's `Finish` returns where no answer was found."""

EMPTY = "(empty reply)"
"""Stands for an empty reply where an assistant's message is needed: servers refuse empty ones."""

ANYWHERE: tuple[Finder, ...] = (find_marked, find_fenced, find_object, find_labelled, find_python)
LABELS_FIRST: tuple[Finder, ...] = (
    find_labelled,
    find_marked,
    find_fenced,
    find_object,
    find_python,
)
OBJECT_FIRST: tuple[Finder, ...] = (
    find_object,
    find_marked,
    find_fenced,
    find_labelled,
    find_python,
)


_HEADER = re.compile(
    r"\s*(?:<s>|(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>)\s*(?:assistant|model)"
    r"(?:<\|end_header_id\|>)?|assistant[ \t]*:?\n)\s*"
)
"""The head of an assistant's turn, which some servers leave in the reply."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How a template's replies are read.

    Attributes:
        exact: returns the call in a reply that is in the template's own form to the letter, and
            None for any other.
        finders: ways to find a call in other replies, in order.
        own: the finder of the template's own form; a call that it finds is not in a foreign form.
        lost: says what is wrong with a reply in which nothing was found.
        plain: whether the template writes `say` as a reply without a call.
    """

    exact: Callable[[str], Call | None]
    finders: Sequence[Finder]
    own: Finder | None
    lost: Callable[[str], str]
    plain: bool = False

    def __call__(self, reply: str, tools: Sequence[Tool] = ()) -> Action:
        """Return the action in a reply, or a malformed action. Never raises."""
        reply = replace_surrogates(reply)
        try:
            call = self.exact(reply)
            if call is not None:
                return action_of(call, tools)
            action = action_of(self._found(reply, tools), tools)
            exact = action.reply or (self.plain and action.tool == SAY.name)
            return action if exact else replace(action, reply={"repaired": ["blanks"]})
        except Unreadable as error:
            return malformed(reply, str(error))

    def _found(self, reply: str, tools: Sequence[Tool]) -> Call:
        text = reply.replace("\r\n", "\n")
        words = ["crlf"] if text != reply else []
        if header := _HEADER.match(text):
            text = text[header.end() :]
            words.append("preamble")
        parted = reasoning.part(text)
        words += ["reasoning"] if parted.marked else []
        if parted.call is not None:
            name, given = parted.call
            return Call(name, given, parted.reasoning, (*words, "form"))
        for finder in self.finders:
            if call := finder(parted.rest, tools):
                thought = "\n".join(filter(None, (parted.reasoning, call.thought.strip())))
                if finder is not self.own:
                    words.append("form")
                words += call.repaired
                return Call(call.name, call.given, thought, tuple(words), call.quoted)
        if any(map(is_say, tools)) and (found := said(parted.rest)):
            thought = "\n".join(filter(None, (parted.reasoning, found[0])))
            words += [] if self.plain else ["say"]
            return Call(SAY.name, {"text": found[1]}, thought, tuple(words))
        raise Unreadable(self.lost(parted.rest))


def action_of(call: Call, tools: Sequence[Tool], facts: Sequence[str] = ()) -> Action:
    """Return the action that a call is.

    Raises:
        Unreadable: its arguments cannot be read, or it names no tool.
    """
    name = replace_surrogates(call.name)
    mended = name if call.quoted else names.mend(name, tools)
    if not mended:
        raise Unreadable("the call names no tool")
    tool = next((tool for tool in tools if tool.name == mended), None)
    if tool is None and not call.quoted and (answer := _finish(call, tools)):
        return action_of(answer, tools, facts)
    given, words = arguments.read(call.given, tool)
    found = [*facts, *call.repaired, *(["name"] if mended != name else []), *words]
    repaired: dict[str, Any] = {"repaired": list(dict.fromkeys(found))} if found else {}
    return Action(mended, given, replace_surrogates(call.thought), reply=repaired)


def _finish(call: Call, tools: Sequence[Tool]) -> Call | None:
    """Return the call of the answer tool that `Finish` means, as ToolBench and ReAct call it."""
    given = call.given
    if isinstance(given, str) and given.lstrip().startswith("{"):
        given = arguments.read(given, None)[0]
    if isinstance(given, Mapping):
        if given.get("return_type") == RESTART and names.is_answer(call.name):
            return _given_up(call, tools)
        texts = [value for key, value in given.items() if key in ("final_answer", "answer")]
        given = texts[0] if texts else None
    if not (isinstance(given, str) and names.is_answer(call.name)):
        return None
    answer = final_answer(given, tools)
    if answer is None:
        return None
    words = (*call.repaired, *answer.repaired)
    return replace(answer, thought=call.thought, repaired=words)


def _given_up(call: Call, tools: Sequence[Tool]) -> Call | None:
    known = any(tool.name == GIVE_UP.name for tool in tools)
    words = (*call.repaired, "final-answer")
    return Call(GIVE_UP.name, {}, call.thought, words) if known else None


def malformed(reply: str, error: str) -> Action:
    """Return the action of a reply that is no call."""
    reply = replace_surrogates(reply)
    return Action.malformed("" if reply == EMPTY else reply, error)


def spoken(action: Action) -> str:
    """Return a malformed reply as an assistant's message, which is never blank."""
    return action.thought if action.thought.strip() else EMPTY


def is_plain(thought: str) -> bool:
    """Return whether a thought holds no mark of reasoning and no CR, so it is read as it is."""
    return "\r" not in thought and not reasoning.has_marks(thought) and not thought.startswith('"')
