"""A judge that asks the teacher's own chat: what LATS calls the language model's value function
(Zhou et al. 2023, arXiv:2310.04406), ToolBench's pairwise ranking, and self-reflection.

A question is the conversation so far, as the teacher is shown it, and one more request; so prefix
caches hit. The questions and the answers are in requests and in the journal only: no tree and no
row holds them.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.chat.base import ChatRequest
from engine.policies.teacher import DIVERSITY, LESSONS, Teacher, brief, with_note
from environments.types import Step, Task
from search.policy import Judgement

T = TypeVar("T")

VALUE = "Stop here and judge this attempt; make no call."
COMPARE = "Stop here and compare two next calls; make no call."
REFLECT = "This attempt has ended and did not solve the task; make no call."

SEARCH_TEXTS = (DIVERSITY, LESSONS, VALUE, COMPARE, REFLECT)
"""What opens each text that a search adds to requests; none of them may stand in a row."""

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
_LONGEST = 1000  # characters of a reflection that later requests are told


class ModelJudge:
    """Judges by asking the model that `teacher` asks, over the same journal and budget.

    A reply that cannot be read counts as a value of 0, as no preference, as nothing to say.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        # A stop string of the template's is for calls.
        self.sampling = {k: v for k, v in teacher.sampling.items() if k != "stop"}
        if teacher.template.tools(teacher.world):
            self.sampling["tool_choice"] = "none"

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """See `search.Judge`."""
        return await self._ask(task, path, _VALUE, _score)

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """See `search.Judge`."""
        question = _COMPARE.format(one=brief(one), other=brief(other))
        return await self._ask(task, path, question, _share)

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """See `search.Judge`."""
        return await self._ask(task, path, _REFLECT, lambda text: text.strip()[:_LONGEST])

    async def _ask(
        self, task: Task, path: Sequence[Step], question: str, read: Callable[[str], T]
    ) -> Judgement[T]:
        teacher = self.teacher
        messages = with_note(teacher.template.render(teacher.world, task, path), question)
        tools = teacher.template.tools(teacher.world)
        request = ChatRequest(teacher.name, messages, tools, self.sampling)
        reply = await teacher.chat.complete(request)
        text = str(reply.messages[0].get("content") or "")
        return Judgement(read(text), reply.usage, reply.key)


def _score(text: str) -> float:
    """The last score in `text`, 0 to 10, as a share."""
    found = _SCORE.findall(text)
    return min(float(found[-1]) / 10, 1.0) if found else 0.0


def _share(text: str) -> float:
    found = _BETTER.findall(text)
    return float(found[-1].lower() == "a") if found else 0.5
