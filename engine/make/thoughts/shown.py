"""What a thought mentions, and whether the agent has seen it: names, numbers, quotations.

Words that begin a sentence are not taken for names, unless another capital word follows. Common
words of programming (SQL, JSON, ...) may always be used.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.templates.base import World
from environments.types import Action, Step, Task

_ALWAYS = frozenset(("i", "sql", "json", "html", "api", "url", "csv", "id", "ok", "python"))
_QUOTED = re.compile(r"(?<!\w)(?:'([^'\n]+)'|\"([^\"\n]+)\"|`([^`\n]+)`|“([^”\n]+)”)(?!\w)")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"#?\w+(?:[.\-/:@]\w+)*")
_STARTS = re.compile(r"(?:^|[.!?:;\n(\[|]|\.\.\.)[\s\"'“`*-]*$")


@dataclass(frozen=True)
class Shown:
    """The words and numbers that an agent has seen, in lower case."""

    text: str
    words: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Shown":
        """Collect what `texts` show."""
        text = " ".join("\n".join(texts).casefold().split())
        words = frozenset(_WORD.findall(text))
        return cls(text, words, frozenset(map(_plain, _NUMBER.findall(text))))

    def holds(self, mention: str) -> bool:
        """Return whether all of a mention was shown."""
        text = " ".join(mention.casefold().split()).removesuffix("...").strip()
        if text in self.text:
            return True
        parts = _WORD.findall(text)
        return bool(parts) and all(map(self._holds_word, parts))

    def holds_number(self, number: str) -> bool:
        """Return whether a number was shown, be it with other separators."""
        return _plain(number) in self.numbers

    def _holds_word(self, word: str) -> bool:
        return (
            word in self.words or word.removesuffix("s") in self.words or f"{word}s" in self.words
        )


def shown_texts(world: World, task: Task, path: Sequence[Step], action: Action) -> list[str]:
    """Return all texts that the agent has seen before `action`, and the action itself."""
    told = world.of(task)
    tools = [
        f"{tool.name} {tool.description} {json.dumps(tool.parameters, ensure_ascii=False)}"
        for tool in told.tools
    ]
    steps = [part for step in path for part in (*_texts(step.action), step.observation)]
    return [told.instructions, *tools, task.prompt, *steps, *_texts(action)]


def unseen(thought: str, shown: Shown) -> list[str]:
    """Return what a thought mentions that was not shown, each once."""
    numbers = (number for number in _NUMBER.findall(thought) if not shown.holds_number(number))
    others = (text for text in _mentions(thought) if not shown.holds(text))
    return list(dict.fromkeys((*numbers, *others)))


def _texts(action: Action) -> list[str]:
    values = json.dumps(dict(action.arguments), ensure_ascii=False)
    return [action.tool, values, *map(str, action.arguments.values())]


def _mentions(thought: str) -> Iterator[str]:
    """Yield quotations, identifiers and names."""
    thought = re.sub(r"''|\"\"", " ", thought)  # empty texts in code quote nothing
    for found in _QUOTED.finditer(thought):
        yield next(filter(None, found.groups()))
    tokens = list(_TOKEN.finditer(thought))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        word = token[0]
        if word.casefold() in _ALWAYS or _WORD.fullmatch(word) and word[0].isdigit():
            continue
        starts = _STARTS.search(thought[: token.start()]) is not None
        paired = (
            following is not None
            and _is_name(following[0])
            and not thought[token.end() : following.start()].strip()
        )
        if _is_identifier(word) or (_is_name(word) and (not starts or paired)):
            yield word


def _is_identifier(word: str) -> bool:
    return bool(re.search(r"[_#@/]|\d[^\W\d]|[^\W\d]\d|[a-z][A-Z]|\w\.\w", word))


def _is_name(word: str) -> bool:
    return word[0].isupper() and word.casefold() not in _ALWAYS


def _plain(number: str) -> str:
    """Return a number without separators of thousands, and without zeros at its end."""
    text = re.sub(r",(?=\d{3}\b)", "", number)
    return re.sub(r"(\.\d*?)0+$", r"\1", text).removesuffix(".") if "." in text else text
