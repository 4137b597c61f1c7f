"""A value model that is the teacher's own model.

It does the language model value function of LATS (Zhou et al. 2023, arXiv:2310.04406), ToolBench's
pairwise ranking, and self-reflection.

A question is the teacher's conversation so far with one more request at its end, so prefix caches
hit. Questions and answers stand in requests and in the journal only, never in a tree or a row; but
a tree keeps what a reflection says, and a row shows it where `--reflections-in-rows` wants it.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from engine.chat.base import Chat, ChatRequest
from engine.chat.incomplete import asked_again, incomplete, may_differ
from engine.policies.answer_only import ANSWER_NOW
from engine.policies.teacher import DIVERSITY, LESSONS, Teacher, describe_step, with_note
from engine.templates.context import Context
from engine.templates.tool_noise import seen_step
from environments.types import Step, Task
from search.policy import Judgement

T = TypeVar("T")

VALUE = "Stop here and judge this attempt; make no call."
COMPARE = "Stop here and compare two next calls; make no call."
REFLECT = "This attempt has ended and did not solve the task; make no call."

SEARCH_TEXTS = (DIVERSITY, LESSONS, ANSWER_NOW, VALUE, COMPARE, REFLECT)
"""First line of each text that a search adds to requests. None of them may be in a row."""

_VALUE = f"""{VALUE}
How likely is it that the task is solved by going on from here? Think briefly, then end with one
line, "Score: N", where N is a whole number from 0 (hopeless) to 10 (certain)."""

_COMPARE = f"""{COMPARE}
A: {{one}}
B: {{other}}
Which of the two brings the task closer to its solution? Think briefly, then end with one line,
"Better: A" or "Better: B"."""

_REFLECT = f"""{REFLECT}
Say in at most three sentences what went wrong, and what to do differently from the start."""

_SCORE = re.compile(r"score\W*(\d+(?:\.\d+)?)", re.IGNORECASE)
_BETTER = re.compile(r"better\W*\b([ab])\b", re.IGNORECASE)
_MAX_REFLECTION = 1000  # characters of a reflection that later requests hold


class ModelJudge:
    """Judges by asking the teacher's model, over the same journal and budget.

    An unreadable reply counts as value 0, as no preference, or as an empty reflection. So does one
    that is not complete, after it was asked for again.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        # The template's stop strings are for calls.
        self.sampling = {k: v for k, v in teacher.sampling.items() if k != "stop"}

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """See `search.Judge`."""
        return await self._ask(task, path, _VALUE, _score)

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """See `search.Judge`."""
        template = self.teacher.template_for(task)
        steps = (describe_step(seen_step(template, step)) for step in (one, other))
        question = _COMPARE.format(one=next(steps), other=next(steps))
        return await self._ask(task, path, question, _preference)

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """See `search.Judge`."""
        return await self._ask(task, path, _REFLECT, lambda text: text.strip()[:_MAX_REFLECTION])

    async def _ask(
        self, task: Task, path: Sequence[Step], question: str, parse: Callable[[str], T]
    ) -> Judgement[T]:
        teacher = self.teacher
        world, template = teacher.world.of(task), teacher.template_for(task)
        shown = template.render(world, task, path, Context(teacher.examples(task)))
        messages = with_note(shown, question)
        tools = template.tools(world)
        sampling = self.sampling | ({"tool_choice": "none"} if tools else {})
        request = ChatRequest(teacher.name, messages, tools, sampling)
        return await judgement(teacher.chat, request, parse)


async def judgement(
    chat: Chat, request: ChatRequest, parse: Callable[[str], T], number: int = 0
) -> Judgement[T]:
    """Ask `chat` for the time of this number, from 0, and return what `parse` reads in the reply.

    Of a reply that is not complete, it is what `parse` reads in an empty one.
    """
    reply = await chat.complete(asked_again(request, number) if number else request)
    reason = incomplete(reply)[0]
    if not reason:
        text = str(reply.messages[0].get("content") or "")
        return Judgement(parse(text), reply.usage, reply.key)
    again = partial(judgement, chat, request, parse, number + 1)
    repeated = again if may_differ(chat, request) else None
    return Judgement(parse(""), reply.usage, reply.key, reason, repeated)


def score_in(text: str) -> float | None:
    """Return the last score in `text`, 0 to 10, as a fraction; None if there is none."""
    scores = _SCORE.findall(text)
    return min(float(scores[-1]) / 10, 1.0) if scores else None


def _score(text: str) -> float:
    """Return the last score in `text` as a fraction, 0 if there is none."""
    return score_in(text) or 0.0


def _preference(text: str) -> float:
    """Return 1 if the last verdict in `text` is A, 0 if B, 0.5 if there is none."""
    verdicts = _BETTER.findall(text)
    return float(verdicts[-1].lower() == "a") if verdicts else 0.5
