"""Kinds of tool noise, as text: `rename,shuffle,reword,distract:3,drop,observe,seed:1`."""

from dataclasses import dataclass, replace
from typing import Any

from engine.templates.base import TemplateError

NONE, ALL = "none", "all"

DISTRACTORS = 3
"""How many tools of other worlds `distract` adds, unless it says."""

_SWITCHES = ("rename", "shuffle", "reword", "drop", "observe")


@dataclass(frozen=True, slots=True)
class ToolNoise:
    """What is changed in the tools that an agent sees. Trees always keep the true calls.

    The changes of a task depend on the seed, the task's id and its tools only, so that exploring,
    exporting and evaluating show the same.

    Attributes:
        rename: other names for tools and arguments.
        shuffle: another order of the tools, and of each tool's arguments.
        reword: other words in the descriptions.
        drop: without some of the optional arguments.
        observe: observations in another format.
        distract: number of tools that belong to other worlds.
        seed: of all choices.
    """

    rename: bool = False
    shuffle: bool = False
    reword: bool = False
    drop: bool = False
    observe: bool = False
    distract: int = 0
    seed: int = 0

    def __bool__(self) -> bool:
        """Return whether anything is changed."""
        return self != ToolNoise(seed=self.seed)

    @classmethod
    def parse(cls, text: str) -> "ToolNoise":
        """Return the noise that a text names; "" and "none" name none.

        Raises:
            TemplateError: A word is unknown, or a number is none.
        """
        found = cls()
        for word in filter(None, (part.strip() for part in text.split(","))):
            kind, colon, number = word.partition(":")
            if kind == "seed" and colon:
                found = replace(found, seed=_number(word, number))
            elif kind == "distract":
                found = replace(found, distract=_number(word, number) if colon else DISTRACTORS)
            elif word == ALL:
                found = replace(_switched(found, *_SWITCHES), distract=DISTRACTORS)
            elif word in _SWITCHES:
                found = _switched(found, word)
            elif word != NONE:
                known = ", ".join([*_SWITCHES, "distract:N", "seed:N", ALL, NONE])
                raise TemplateError(f"unknown tool noise {word!r}; use {known}")
        return found


def _switched(noise: ToolNoise, *kinds: str) -> ToolNoise:
    values: dict[str, Any] = dict.fromkeys(kinds, True)
    return replace(noise, **values)


def _number(word: str, digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise TemplateError(f"tool noise: {word!r} needs a whole number behind the colon")
    return int(digits)
