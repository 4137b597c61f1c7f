"""Held-out tasks in training rows, found by what the rows say.

A row holds a held-out task if one of its messages asks the same: the same words, whatever the
letter case, whitespace and punctuation; alone, in lines of their own, or, if they are 13 or more,
anywhere in the text. Or if both share 13 words in a row, as in GPT-3's check (Brown et al. 2020,
arXiv:2005.14165, appendix C). As there, words that more than 10 prompts of the training data share
do not count: they are a template's. Nor do words that two tasks of one source share, or that tasks
to train on hold, too: they do not tell one task from another.

Compared are the messages of system and user. What the agent wrote and what tools returned is no
sign. Chinese and Japanese are compared character by character.

Time is linear in the rows: 13 equal words hold 4 equal words at one of every 10 places, so only
these are looked up at first.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from engine.runs.store import FILE, Store
from engine.templates import get
from engine.templates.base import Message
from trainer.data.bundled_splits import HeldOutTask, Source, bundled, tasks_of
from trainer.data.prompts import read_prompts
from trainer.errors import TrainerError
from treegraft.errors import TreegraftError

SIZE = 13
"""Words in a row that two texts share by copying, hardly by chance."""
COMMON = 10
"""In more prompts than this, words in a row are those of a template."""
LISTED = 20
"""Rows that an error message lists."""

_KEPT = 10_000  # texts whose result is remembered
_PROBE = 4
_EVERY = SIZE - _PROBE + 1
_FEWEST = 4
"""Words of the shortest prompt that is looked for in single lines of a text."""
_CHARACTERS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_CHARACTERS}]|[^\W{_CHARACTERS}]+")
_ASCII = re.compile(r"[a-z0-9_]+")
_LABEL = re.compile(r"\A\W*(?:\d+[.)]\s|\w+(?:\W\w+){0,2}\s*[:\uff1a])")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A row to look at.

    Attributes:
        line: Its number.
        id: Its id, "" if it has none.
        messages: All that it shows.
    """

    line: int
    id: str
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Match:
    """A held-out task in a row.

    Attributes:
        task: Id of the task, with the name of its source.
        how: How it was found.
    """

    task: str
    how: str


@dataclass(slots=True)
class _Hits:
    """What a row shares with held-out tasks: one that it asks, or words by their task."""

    prompt: Words
    asked: int | None = None
    shared: dict[Words, int] = field(default_factory=dict)


class HeldOut:
    """Held-out tasks, indexed by their words."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._names: list[str] = []
        self._asked: list[Words] = []
        self._whole: dict[Words, int] = {}
        self._grams: dict[Words, int] = {}
        self._anchors: dict[Words, list[tuple[int, int]]] = {}
        self._seen: dict[str, _Hits] = {}
        self._trained = {
            gram for one in sources for text in one.trained for gram in _grams(words_of(text))
        }
        for source in sources:
            self._add(source)
        self._longest = max(map(len, self._asked), default=0)
        self._probes = {
            gram[at : at + _PROBE]
            for gram in (*self._grams, *self._anchors)
            for at in range(_EVERY)
        }

    def __len__(self) -> int:
        return len(self._names)

    def find(self, rows: Iterable[TrainingRow]) -> dict[int, Match]:
        """Return the held-out task that a row holds, by the row's place in `rows`."""
        if not self._names:
            return {}
        hits = {place: found for place, row in enumerate(rows) if (found := self._row(row))}
        # The same words in many different prompts are a template's, not a task's.
        prompts = {(gram, found.prompt) for found in hits.values() for gram in found.shared}
        often = Counter(gram for gram, _ in prompts)
        matches = {}
        for place, found in hits.items():
            rare = ((g, task) for g, task in found.shared.items() if often[g] <= COMMON)
            gram, task = next(rare, ((), None))
            if found.asked is not None:
                matches[place] = Match(self._names[found.asked], "the same prompt")
            elif task is not None:
                words = " ".join(gram)
                matches[place] = Match(self._names[task], f'{SIZE} words in a row: "{words}"')
        return matches

    def _add(self, source: Source) -> None:
        owner: dict[Words, int | None] = {}
        first: dict[str, int] = {}
        new: list[int] = []
        for task in source.tasks:
            asked = words_of(_unwrapped(task.prompt))
            if not asked:
                continue
            number = len(self._names)
            self._names.append(f"{task.id} of {source.name}")
            self._asked.append(asked)
            # Equal prompts, and one task in several templates, are one task.
            same = self._whole.setdefault(asked, number)
            new += [number] if same == number else []
            same = first.setdefault(_task_of(task.id), same)
            for gram in _grams(asked):
                owner[gram] = same if owner.get(gram, same) == same else None
        for gram, one in owner.items():
            if one is not None and gram not in self._trained:
                self._grams.setdefault(gram, one)
        for number in new:
            self._anchor(number, owner)

    def _anchor(self, number: int, owner: Mapping[Words, int | None]) -> None:
        """Note by which words to look for the whole of a long prompt: those of no other, if any."""
        grams = list(_grams(self._asked[number]))
        if grams:
            at = next((n for n, gram in enumerate(grams) if owner[gram] is not None), 0)
            self._anchors.setdefault(grams[at], []).append((number, at))

    def _row(self, row: TrainingRow) -> _Hits | None:
        opening = True
        asked: list[str] = []
        found = _Hits(())
        for message in row.messages:
            if message["role"] not in ("user", "system", "developer"):
                opening = opening and message["role"] != "assistant"
                continue
            text = str(message.get("content") or "")
            if opening and message["role"] == "user":
                asked.append(text)
            here = self._text(text, opening=opening, keep=message["role"] != "user")
            found.asked = here.asked if found.asked is None else found.asked
            found.shared |= here.shared
        if found.asked is None and not found.shared:
            return None
        found.prompt = words_of("\n".join(asked))
        return found

    def _text(self, text: str, *, opening: bool, keep: bool) -> _Hits:
        if text in self._seen:  # most rows have the same system message
            return self._seen[text]
        words = words_of(text)
        found = _Hits(())
        if len(words) <= self._longest:
            found.asked = self._whole.get(words)
        for at in range(0, len(words) - _PROBE + 1, _EVERY):
            if words[at : at + _PROBE] in self._probes:
                self._look(words, at, found)
        if opening and found.asked is None:
            found.asked = next(self._in_lines(text), None)
        if keep and len(self._seen) < _KEPT:
            self._seen[text] = found
        return found

    def _look(self, words: Words, at: int, found: _Hits) -> None:
        """Look at everything of 13 words that holds the 4 words at `at`."""
        for start in range(max(0, at - _EVERY + 1), min(at, len(words) - SIZE) + 1):
            gram = words[start : start + SIZE]
            if gram in self._grams:
                found.shared[gram] = self._grams[gram]
            for number, offset in self._anchors.get(gram, ()):
                asked, begin = self._asked[number], start - offset
                if begin >= 0 and words[begin : begin + len(asked)] == asked:
                    found.asked = number

    def _in_lines(self, text: str) -> Iterator[int]:
        """Yield the short prompts that lines of `text` ask, with or without a label before them."""
        lines = [line for line in text.splitlines() if line.strip()]
        for start, line in enumerate(lines):
            label = _LABEL.match(line)
            for begin in {line, line[label.end() :] if label else line}:
                block: Words = ()
                for part in (begin, *lines[start + 1 :]):
                    block += words_of(part)
                    if len(block) >= SIZE:
                        break
                    if len(block) >= _FEWEST and block in self._whole:
                        yield self._whole[block]


def words_of(text: str) -> Words:
    """Return the words of `text`, in lower case."""
    if text.isascii():  # faster
        return tuple(_ASCII.findall(text.lower()))
    return tuple(_WORD.findall(normalize("NFKC", text).casefold()))


def read_held_out(places: Sequence[Path], *, test_splits: bool) -> HeldOut:
    """Return the held-out tasks of runs and files, ready to be looked for.

    Args:
        places: Folders of runs; files of prompts, tasks or rows.
        test_splits: Whether the bundled test splits of all environments are held out, too.

    Raises:
        TreegraftError: One cannot be read, or holds none.
    """
    ours = [one if test_splits else replace(one, tasks=()) for one in bundled()]
    return HeldOut([*ours, *map(_source, places)])


def _source(place: Path) -> Source:
    if place.is_dir() or place.name == FILE:
        with Store.open(place) as store:
            tasks = [HeldOutTask(one.id, one.prompt) for one in store.tasks()]
            config = store.meta().get("config", {})
        return Source(str(place), tasks, _trained_beside(config))
    if not place.exists():
        raise TrainerError(f"--held-out {place}: no such file or run")
    return Source(str(place), [HeldOutTask(one.id, one.asked) for one in read_prompts(place)])


def _trained_beside(config: Mapping[str, Any]) -> list[str]:
    """Return the prompts of the training split of a run's data, if it is still there."""
    options = {"data": config.get("data"), **(config.get("env_args") or {})}
    try:
        return [task.prompt for task in tasks_of(config.get("env", ""), "train", **options)]
    except TreegraftError:
        return []


def to_leave_out(known: HeldOut, rows: Sequence[TrainingRow], name: str, *, drop: bool) -> set[int]:
    """Return the places of the rows that hold a held-out task, if they may be left out.

    Args:
        known: The held-out tasks.
        rows: The rows to train on.
        name: What they are called in a message.
        drop: Leave them out, instead of refusing them all.

    Raises:
        TrainerError: Some hold one, and `drop` is false; lists them.
    """
    found = known.find(rows)
    if found and not drop:
        listed = [
            f"  line {rows[place].line}{f' ({rows[place].id})' * bool(rows[place].id)}: "
            f"{match.task}: {match.how}"
            for place, match in list(found.items())[:LISTED]
        ]
        more = f"\n  and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise TrainerError(
            f"{name}: {len(found)} of {len(rows)} rows hold held-out tasks, which would make every "
            "later measurement on these worthless; leave them out with --drop-held-out:\n"
            + "\n".join(listed)
            + more
        )
    return set(found)


def _grams(words: Words) -> Iterator[Words]:
    return (words[at : at + SIZE] for at in range(len(words) - SIZE + 1))


def _task_of(id: str) -> str:
    """Return the task in a row's id, RUN/TASK/LEAF; else `id`."""
    parts = id.split("/")
    return "/".join(parts[1:-1]) if len(parts) > 2 else id


@cache
def _wrapping() -> tuple[str, str]:
    """Return what ToolLLaMA's prompt has around a task: held-out rows may be written so."""
    asked = getattr(get("toolllama"), "asked", str)("\0")
    before, _, after = asked.partition("\0")
    return before, after


def _unwrapped(text: str) -> str:
    before, after = _wrapping()
    if text.startswith(before) and text.endswith(after):
        return text[len(before) : len(text) - len(after)]
    return text
