"""Write one thought, by a model or by the world's rule, and check it before it becomes data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.chat.base import EndpointUnusable
from engine.make.asker import RULES, Answer, Asker
from engine.make.thoughts.questions import (
    LONGEST,
    ask_for_thought,
    ask_what_follows,
    call_in,
    call_text,
    same_call,
    thought_in,
)
from engine.make.thoughts.shown import Shown, shown_texts, unseen
from engine.runs.fingerprints import Fingerprint, contains_secret
from engine.templates.base import World
from environments import Demonstrable
from environments.types import Action, Step, Task
from search.policy import BudgetSpent, PolicyError

ATTEMPTS = 2
"""How often a thought is asked for."""
_ANOTHER = "another call follows from it than the one that was made"


@dataclass(frozen=True, slots=True)
class Moment:
    """A call that needs a thought, and all that was there before it.

    Attributes:
        marks: fingerprints of the task's secret.
    """

    world: World
    task: Task
    path: Sequence[Step]
    action: Action
    marks: Sequence[Fingerprint] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A thought, or why there is none.

    Attributes:
        text: the thought; "" if there is none.
        made: how it was made, for `Step.info`: "by", and the "replies" that it was read from.
        why: why there is none: "incomplete", "empty", "too long", "not shown", "leaks",
            "another call", "refused" or "budget"; "" if there is one.
    """

    text: str
    made: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


class Writer(Protocol):
    """Writes thoughts."""

    name: str

    async def write(self, moment: Moment) -> Written:
        """Return the thought before a call."""


class RuleWriter:
    """Takes the thoughts that a world makes by rule; see `Demonstrable.thought`."""

    name = RULES

    def __init__(self, world: Demonstrable) -> None:
        self._world = world

    async def write(self, moment: Moment) -> Written:
        """See `Writer`."""
        bare = Action(moment.action.tool, moment.action.arguments)
        text = self._world.thought(moment.task, moment.path, bare)
        why = fault(text, moment)[0]
        return Written("" if why else text, {"by": RULES}, why)


class ModelWriter:
    """Asks a model for the thought, then whether the call follows from it; twice at most."""

    def __init__(self, asker: Asker) -> None:
        self._asker, self.name = asker, asker.name

    async def write(self, moment: Moment) -> Written:
        """See `Writer`.

        Raises:
            EndpointUnusable: the model can answer no request.
        """
        why, words = "", ""
        for attempt in range(ATTEMPTS):
            try:
                text, answers, why, words = await self._once(moment, words, attempt)
            except BudgetSpent:
                return Written("", why="budget")
            except EndpointUnusable:
                raise
            except PolicyError:
                return Written("", why="refused")
            if not why:
                keys = [answer.key for answer in answers]
                return Written(text, {"by": self.name, "replies": keys})
        return Written("", why=why)

    async def _once(
        self, moment: Moment, words: str, attempt: int
    ) -> tuple[str, list[Answer], str, str]:
        """Return a thought, the replies, and what is wrong with it: in short, and in words."""
        here = (moment.world, moment.task, moment.path)
        question = ask_for_thought(*here, moment.action, words)
        answer = await self._asker.ask(question, attempt=attempt)
        text = thought_in(answer.text)
        if answer.incomplete:
            return "", [answer], "incomplete", "it was not complete"
        why, words = fault(text, moment)
        if why:
            return "", [answer], why, words
        # Without sampling: another answer to the same question would tell nothing.
        follows = await self._asker.ask(ask_what_follows(*here, text), temperature=0.0)
        if not same_call(moment.action, call_in(follows.text)):
            return "", [answer], "another call", f"{_ANOTHER}, {call_text(moment.action)}"
        return text, [answer, follows], "", ""


def fault(thought: str, moment: Moment) -> tuple[str, str]:
    """Return what is wrong with a thought, in short and in words; two empty texts if it is good."""
    if not thought:
        return "empty", "it was empty"
    if len(thought) > LONGEST:
        return "too long", f"it had more than {LONGEST} characters"
    texts = shown_texts(moment.world, moment.task, moment.path, moment.action)
    if contains_secret(thought, moment.marks) and not contains_secret(
        "\n".join(texts), moment.marks
    ):
        return "leaks", "it told what nobody can know yet"
    if found := unseen(thought, Shown.of(texts)):
        return "not shown", f"nothing above shows {', '.join(map(repr, found[:5]))}"
    return "", ""
