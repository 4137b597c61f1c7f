"""What the demonstration teacher does: read the facts' pages, and answer; and its mistakes."""

import re
from collections.abc import Iterator

from environments.search_qa.corpus import Corpus, Page
from environments.search_qa.data_files import answer_of, supports_of
from environments.search_qa.grading import exact_match
from environments.types import Action, Task

SHOWN = 3
"""Sentences of a page that a search shows; the others have to be looked up."""
MOST_MISTAKES = 4
SHORTEST_WORD = 4
"""Letters of a word to look up."""

_ASKING = {"what", "when", "where", "which", "with", "whose", "does", "have", "that", "many"}
"""Words of questions that no teacher would look up."""
_WORD = re.compile(r"[\w'-]+")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_NAME = re.compile(r"(?:[A-Z][\w'-]+ )*[A-Z][\w'-]+")


def solution(task: Task, corpus: Corpus) -> list[Action]:
    """Return actions that earn 1.0."""
    steps: list[Action] = []
    facts = [(title, number) for title, number in supports_of(task) if title in corpus]
    for title in dict.fromkeys(title for title, _ in facts):
        steps.append(_search(title))
        page = corpus[title]
        below = sorted({number for name, number in facts if name == title and number >= SHOWN})
        words = (_telling_word(task, page, number) for number in below)
        steps += [_lookup(word) for word in dict.fromkeys(words) if word]
    return [*steps, Action("finish", {"answer": answer_of(task)})]


def mistakes(task: Task, corpus: Corpus, action: Action) -> list[Action]:
    """Return wrong versions of a step: another page, another word, another answer."""
    given = next(iter(action.arguments.values()))
    if action.tool == "search":
        others = [task.prompt, *corpus.search(given, 5), *corpus.search(task.prompt, 5)]
        made = [_search(query) for query in others]
    elif action.tool == "lookup":
        words = [word for word in _WORD.findall(task.prompt) if word.lower() not in _ASKING]
        made = [_lookup(word) for word in words if len(word) >= SHORTEST_WORD]
    else:
        wrong = (each for each in _answers(task, corpus) if not exact_match(each, given))
        made = [Action("finish", {"answer": answer}) for answer in wrong]
    different = {each.key: each for each in made if each.key != action.key}
    return list(different.values())[:MOST_MISTAKES]


def _answers(task: Task, corpus: Corpus) -> Iterator[str]:
    """Yield answers that are like the right one, and may be it."""
    gold = answer_of(task)
    if gold in ("yes", "no"):
        yield "no" if gold == "yes" else "yes"
        return
    if gold.isdigit() and len(gold) < 4:
        yield from (str(int(gold) + 1), str(int(gold) - 1))
    titles = list(dict.fromkeys(title for title, _ in supports_of(task) if title in corpus))
    like = _NUMBER if _NUMBER.fullmatch(gold) else _NAME
    texts = [" ".join(corpus[title].sentences) for title in reversed(titles)]
    if like is _NAME:
        yield from reversed(titles)
    for text in texts:
        yield from like.findall(text)


def _telling_word(task: Task, page: Page, number: int) -> str:
    """Return a word to look up a sentence by; "" if there is none.

    It stands in no sentence before, and is no name: that may be what is looked for. One of the
    question is best.
    """
    if number >= len(page.sentences):
        return ""
    before = " ".join(page.sentences[:number]).casefold()
    words = [word for word in _WORD.findall(page.sentences[number]) if len(word) >= SHORTEST_WORD]
    fresh = [word for word in words if word.islower() and word not in before]
    return max(fresh, key=lambda word: (word in task.prompt, len(word)), default="")


def _search(query: str) -> Action:
    return Action("search", {"query": query})


def _lookup(text: str) -> Action:
    return Action("lookup", {"text": text})
