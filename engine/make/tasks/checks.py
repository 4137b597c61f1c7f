"""The checks that every made task must pass; each rejection has one of `candidates.REASONS`."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.make.rouge import likeness, words
from engine.runs.failure import without_secret
from engine.runs.fingerprints import contains_secret, fingerprints
from engine.validate import validate
from environments.base import ToolEnv
from environments.demonstrable import gold_actions
from environments.errors import NoSolution
from environments.plays import call_text, play
from environments.task_making import Doubt, TaskMaker
from environments.testing import COMMON, SHORTEST_SECRET
from environments.types import Task

RIVALS = 3
"""Other last actions that are tried."""

_KINDS = {
    "fails": "unsolvable",
    "errors": "unsolvable",
    "suspect": "unsolvable",
    "noop": "trivial",
}
"""Reasons by the kinds of `engine.validate`; others are "unsound"."""


@dataclass
class Checks:
    """Checks tasks of one world against each other.

    Attributes:
        most_alike: ROUGE-L with an earlier question from which on a task is left out; None for no
            such check: questions of one rule are alike.
    """

    env: ToolEnv
    maker: TaskMaker
    most_alike: float | None = None
    _prompts: set[str] = field(default_factory=set)
    _questions: list[list[str]] = field(default_factory=list)

    def know(self, tasks: Iterable[Task]) -> None:
        """Take up tasks that later ones must differ from."""
        for task in tasks:
            self._prompts.add(_content(task))
            if self.most_alike is not None:
                self._questions.append(self._words(task))

    def doubt(self, task: Task) -> Doubt | None:
        """Return why a task is left out; None if it is good."""
        return self._known(task) or self._leaked(task) or self._played(task)

    def _known(self, task: Task) -> Doubt | None:
        if _content(task) in self._prompts:
            return Doubt("duplicate", "another task has this prompt, of the same files")
        if self.most_alike is None:
            return None
        own = self._words(task)
        most = max((likeness(other, own) for other in self._questions), default=0.0)
        if most < self.most_alike:
            return None
        return Doubt("similar", f"ROUGE-L {most:.2f} with another question")

    def _words(self, task: Task) -> list[str]:
        return words(self.maker.question(task).casefold())

    def _leaked(self, task: Task) -> Doubt | None:
        if contains_secret(task.prompt, fingerprints(task.secret, task.findable)):
            return Doubt("leaked", "the prompt holds a text of the secret")
        answers, question = self.maker.answers(task), self.maker.question(task)
        if answers and all(_holds(question, answer) for answer in answers):
            return Doubt("leaked", "the prompt holds the answer")
        return None

    def _played(self, task: Task) -> Doubt | None:
        try:
            ((_, unsound),) = validate(self.env, [task])
        except NoSolution:
            return Doubt("unsolvable", "no solution is known")
        if unsound is not None:
            return Doubt(_KINDS.get(unsound.kind, "unsound"), unsound.reason)
        found = self.maker.doubt(task)
        if found is not None:
            return Doubt(found.reason, without_secret(found.why, task))
        return self._another_wins(task)

    def _another_wins(self, task: Task) -> Doubt | None:
        *before, last = gold_actions(self.env, task)
        for wrong in self.env.mistakes(task, last)[:RIVALS]:
            if play(self.env, task, [*before, wrong])[-1].solved:
                why = f"another answer solves it as well: {call_text(wrong)}"
                return Doubt("ambiguous", without_secret(why, task))
        return None


def _content(task: Task) -> str:
    """Return what makes a task another one: its words, and what it is about."""
    return json.dumps([task.prompt.casefold().split(), dict(task.details)], default=repr)


def _holds(question: str, answer: str) -> bool:
    """Return whether a question names an answer that is long enough to tell something."""
    text = answer.strip().casefold()
    if len(text) < SHORTEST_SECRET or text in COMMON:
        return False
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", question.casefold()) is not None
