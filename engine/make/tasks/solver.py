"""A model plays a task step by step, without a hint, and a world grades it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from engine.make.asker import Asker
from engine.templates import get
from engine.templates.base import world_of
from environments.base import ToolEnv
from environments.plays import take
from environments.types import Action, Step, Task

P = ParamSpec("P")
T = TypeVar("T")

SLIPS = ("malformed", "unknown_tool", "bad_arguments")
"""Errors of calls that were never made."""


class EnvThread:
    """The one thread in which a world's methods are called, beside the event loop."""

    def __init__(self, env: ToolEnv) -> None:
        self.env = env
        self._thread = ThreadPoolExecutor(1)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `function` does, there."""
        return await asyncio.wrap_future(self._thread.submit(function, *args, **kwargs))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


@dataclass(frozen=True, slots=True)
class Played:
    """What a model did.

    Attributes:
        replies: Keys of its replies in the journal.
        why: Why it did not solve the task; "" if it did.
    """

    steps: tuple[Step, ...]
    replies: tuple[str, ...]
    why: str

    @property
    def actions(self) -> list[Action]:
        """The calls that were made."""
        return [step.action for step in self.steps if step.info.get("error") not in SLIPS]


@dataclass(frozen=True, slots=True)
class Solver:
    """Plays tasks with a model.

    Attributes:
        depth: Most steps of a task.
        template: How messages are written.
    """

    asker: Asker
    world: EnvThread
    depth: int
    template: str = "react"

    async def play(self, task: Task) -> Played:
        """Play `task` from its start; see `Asker.ask` for what is raised."""
        template, env = get(self.template), self.world.env
        seen, tools = env.with_tools(task), env.tools_of(task)
        await self.world.call(env.reset, options={"task": task})
        steps: list[Step] = []
        replies: list[str] = []
        for _ in range(self.depth):
            messages = template.render(world_of(env).of(seen), seen, steps)
            answer = await self.asker.ask(messages, stop=list(template.stop))
            replies.append(answer.key)
            if answer.incomplete:
                return _played(steps, replies, f"a reply is not complete ({answer.incomplete})")
            action = template.parse({"role": "assistant", "content": answer.text}, tools)
            steps.append(await self.world.call(take, env, action))
            if steps[-1].ended:
                last = steps[-1]
                why = "" if last.solved else f"its answer earns {last.reward:g}"
                return _played(steps, replies, why)
        return _played(steps, replies, f"it gave no answer in {self.depth} steps")


def _played(steps: list[Step], replies: list[str], why: str) -> Played:
    return Played(tuple(steps), tuple(replies), why)
