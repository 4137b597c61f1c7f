"""Whether a made template brings better replies than a benchmark template (KwaiAgents).

The same query is asked with both templates, and a judge scores both replies. A query counts for the
template if its reply scores higher by more than `epsilon`; the template is kept if the mean gain is
at least `threshold` (Pan et al. 2023, arXiv:2312.04889, section 3.2).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from engine.make.asker import Answer, Asker
from engine.make.templates.candidate import Candidate, Decision
from engine.policies.judge import score_in
from engine.templates.base import World
from engine.templates.text import Text
from environments.types import Task

_JUDGE = """\
An agent was given a task and tools. Score its first reply.

Task: {task}
Rules: {rules}
Tools: {tools}

Reply:
{reply}

Does the reply think about the task, make one fitting call with right arguments, and follow the
rules? Think briefly, then end with one line, "Score: N", where N is a whole number from 0 to 10."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores templates of one world.

    Attributes:
        asker: asks the agent's model.
        judge: asks the judge's model.
        epsilon: how much higher a candidate's score must be for a query to count, 0 to 1.
        threshold: the least mean gain of a template that is kept.
    """

    asker: Asker
    judge: Asker
    world: World
    benchmark: Text
    epsilon: float
    threshold: float

    async def decide(self, candidate: Candidate, tasks: Sequence[Task]) -> Decision:
        """Score `candidate` on `tasks`; see `Asker.ask` for what is raised."""
        scores = await asyncio.gather(*(self._compared(candidate.template, t) for t in tasks))
        mean = fmean(score["candidate"] - score["benchmark"] for score in scores)
        low = f"low score: the mean gain is {mean:.2f}, and --threshold is {self.threshold:g}"
        return Decision(candidate, low if mean < self.threshold else "", mean, tuple(scores))

    async def _compared(self, template: Text, task: Task) -> Mapping[str, Any]:
        (before, one), (after, other) = await asyncio.gather(
            self._scored(self.benchmark, task), self._scored(template, task)
        )
        return {
            "query": task.prompt,
            "benchmark": before,
            "candidate": after,
            "kept": after - before > self.epsilon,
            "replies": [one.key, other.key],
        }

    async def _scored(self, template: Text, task: Task) -> tuple[float, Answer]:
        """Return the judge's score of the first reply, 0 to 1, and the reply.

        A reply that is not complete, or no call, scores 0: nobody need be asked.
        """
        messages = template.request(self.world, task, ())
        answer = await self.asker.ask(messages, stop=list(template.stop))
        tools = self.world.of(task).tools
        action = template.parse({"role": "assistant", "content": answer.text}, tools)
        if answer.incomplete or not action.tool:
            return 0.0, answer
        described = "; ".join(f"{tool.name}: {tool.description}" for tool in tools)
        question = _JUDGE.format(
            task=task.prompt, rules=self.world.instructions, tools=described, reply=answer.text
        )
        said = await self.judge.ask([{"role": "user", "content": question}], temperature=0)
        score = None if said.incomplete else score_in(said.text)
        return score or 0.0, answer
