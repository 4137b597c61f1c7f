"""Self-Instruct (Wang et al. 2022, arXiv:2212.10560) in a world: a model writes tasks.

One call writes a task with its solution, about a scene of the world and after examples of the
world's own tasks. `engine.make.tasks.solver` then solves it without a hint: the world's grader says
whether both arrive at the same result.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from random import Random

from engine.chat.base import EndpointUnusable
from engine.make.asker import Answer, Asker
from engine.make.tasks.candidates import Candidate, finished
from engine.make.tasks.solver import EnvThread
from engine.templates.base import Message
from engine.templates.reading.json_text import NotJson, read_json
from environments.base import ToolEnv
from environments.task_making import Doubt, NotATask, Scene, TaskMaker
from environments.types import Task
from search.policy import PolicyError

HOW = "self-instruct"

SYSTEM = """\
You write tasks for an agent that acts in a tool environment. The environment tells the agent:

{instructions}

Its tools:
{tools}

Write one new task and its solution as one JSON object and nothing else:
{form}

The task must be solvable with these tools alone, have exactly one right answer, and not tell that \
answer. Make it different from the examples in what it asks, not only in names."""


@dataclass(frozen=True)
class Writer:
    """Writes tasks with a model.

    Attributes:
        examples: How many of the world's own tasks a request shows.
        wanted: Says how many tasks are still wanted, so that not more are asked for at once.
    """

    asker: Asker
    world: EnvThread
    maker: TaskMaker
    seed: int
    examples: int
    wanted: Callable[[], int]

    async def candidates(self, most: int, at_once: int) -> AsyncIterator[Candidate]:
        """Yield at most `most` candidates, in the order in which they were asked for."""
        number = 0
        while number < most and self.wanted() > 0:
            end = min(number + min(at_once, self.wanted()), most)
            for found in await asyncio.gather(*map(self._candidate, range(number, end))):
                yield found
            number = end

    async def _candidate(self, number: int) -> Candidate:
        random = Random(f"{self.seed}|{HOW}|{number}")
        scene = await self.world.call(self.maker.scene, random)
        examples = await self.world.call(self._examples, random)
        messages = self._messages(scene, list(examples.values()))
        try:
            answer = await self.asker.ask(messages, attempt=number)
        except EndpointUnusable:
            raise
        except PolicyError as error:
            return Candidate(doubt=Doubt("unanswered", str(error)))
        if answer.incomplete:
            doubt = Doubt("unanswered", f"the reply is not complete ({answer.incomplete})")
            return Candidate(doubt=doubt, text=answer.text)
        return await self.world.call(self._read, scene, answer, list(examples))

    def _read(self, scene: Scene, answer: Answer, examples: list[str]) -> Candidate:
        try:
            task = self.maker.written(scene, _object(answer.text))
        except NotATask as bad:
            return Candidate(doubt=Doubt("malformed", str(bad)), text=answer.text)
        made = finished(task, HOW, self.asker.name, from_=examples, replies=[answer.key])
        return Candidate(made)

    def _examples(self, random: Random) -> dict[str, str]:
        """Return examples as JSON, by id; those of other scenes than the asked one, too."""
        tasks, found = self.maker.env.tasks, dict[str, str]()
        for index in random.sample(range(len(tasks)), min(4 * self.examples, len(tasks))):
            shown = self.maker.example(tasks[index])
            if shown is not None and len(found) < self.examples:
                found[tasks[index].id] = json.dumps(shown, ensure_ascii=False)
        return found

    def _messages(self, scene: Scene, examples: list[str]) -> list[Message]:
        env: ToolEnv = self.maker.env
        tools = "\n".join(f"- {tool.name}: {tool.description}" for tool in env.tools)
        system = SYSTEM.format(instructions=env.instructions, tools=tools, form=self.maker.form)
        shown = "\n".join(["Examples of tasks, each about its own part:", *examples])
        about = f"Your task is about this part of the environment:\n\n{scene.text}"
        text = "\n\n".join([*([shown] if examples else []), about, "The JSON object:"])
        return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def _object(text: str) -> dict[str, object]:
    """Return the JSON object in a reply; raise `NotATask` if there is none."""
    start = text.find("{")
    try:
        found = read_json(text[start:]) if start >= 0 else None
    except NotJson as error:
        raise NotATask(f"no JSON object: {error}") from error
    if found is None or found.missing or not isinstance(found.value, dict):
        raise NotATask("no whole JSON object in the reply")
    return found.value


def with_solver(task: Task, replies: tuple[str, ...]) -> Task:
    """Return a task whose provenance names the solver's replies, too."""
    return replace(task, made={**task.made, "replies": [*task.made["replies"], *replies]})
