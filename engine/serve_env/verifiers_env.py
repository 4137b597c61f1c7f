"""The tasks of a world of ours as an environment of `verifiers`, which must be installed.

verifiers owns the loop: it asks the model, and passes each reply on. A rollout plays in a world of
its own, which is freed at the rollout's end. See docs/worlds/verifiers.md.
"""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import verifiers as vf
from datasets import Dataset

import environments
from engine.executors.base import close_env, close_on_loop, tasks_of
from engine.runs.failure import Failure
from engine.runs.tasks import select
from engine.serve_env.offer import Offer
from engine.templates.base import world_of
from engine.templates.native import Native
from environments import Task, ToolEnv
from environments.base import at_once
from sandbox import SandboxError
from search.env_calls import in_thread, on_loop
from search.faults import CallHangs, blamed
from treegraft.errors import TreegraftError

NATIVE = Native()
OVER = "error: the task is over"
"""The answer to a call that comes after the one that ended the task."""


async def reward(state: dict[str, Any]) -> float:
    """Return the world's own reward; 0 for a rollout that did not end its task."""
    return float(state["earned"])


class WorldEnv(vf.MultiTurnEnv):  # type: ignore[misc]  # it has no types
    """Plays the tasks of the first of `offers`; a model is evaluated on those of the last.

    Args:
        max_turns: replies of the model at most, per task; -1 for any number.
    """

    def __init__(self, offers: Sequence[Offer], max_turns: int) -> None:
        self._offers = offers
        self._rollouts: dict[str, Rollout] = {}
        datasets = [partial(rows, offer) for offer in offers]
        super().__init__(
            dataset=datasets[0],
            eval_dataset=datasets[-1],
            rubric=vf.Rubric(funcs=[reward]),
            tool_defs=[each["function"] for each in NATIVE.tools(world_of(offers[0].guide))],
            max_turns=max_turns,
        )

    async def setup_state(self, state: Any) -> Any:
        """Start the task in a new world."""
        state["earned"] = 0.0
        rollout = self._rollout(state["info"]["id"])
        self._rollouts[state["trajectory_id"]] = rollout
        await rollout.start()
        return state

    async def env_response(self, messages: Any, state: Any, **_: Any) -> Any:
        """Play the calls of a reply in their order. A reply without a call is a mistake, or said.

        Every call is answered, so that the messages stay valid; those after the end by `OVER`.
        """
        rollout, reply = self._rollouts[state["trajectory_id"]], messages[-1]
        answers: list[dict[str, Any]] = []
        content = reply.content if isinstance(reply.content, str) else ""
        for call in reply.tool_calls or [None]:
            text = OVER if rollout.over else await rollout.play(content, call)
            to = {"role": "tool", "tool_call_id": call.id} if call else {"role": "user"}
            answers.append({**to, "content": text})
            content = ""
        state["earned"] = rollout.earned
        if rollout.over:
            state["final_env_response"] = answers
        return answers

    @vf.cleanup  # type: ignore[untyped-decorator]
    async def close_world(self, state: Any) -> None:
        """Free the world of a rollout."""
        rollout = self._rollouts.pop(state["trajectory_id"], None)
        if rollout is not None:
            await rollout.close()

    @vf.teardown  # type: ignore[untyped-decorator]
    async def close_worlds(self) -> None:
        """Free what is left, at the end of the process."""
        for offer in self._offers:
            for world in (offer.guide, *offer.live):
                close_env(world)
            offer.live.clear()

    def _rollout(self, id: str) -> "Rollout":
        known = ((task, offer) for offer in self._offers for task in offer.tasks)
        return next(Rollout(task, offer) for task, offer in known if task.id == id)


@dataclass(slots=True)
class Rollout:
    """A task under way in a world of its own.

    Attributes:
        earned: its reward so far.
        over: whether the task has ended.
    """

    task: Task
    offer: Offer
    world: ToolEnv | None = None
    earned: float = 0.0
    over: bool = False

    async def start(self) -> None:
        """Make the world, and start the task.

        Raises:
            vf.Error: That failed.
        """
        with self._faults_told():
            self.world = await in_thread(self.offer.make, seconds=ToolEnv.call_seconds)
            self.offer.live.add(self.world)
            await self._move(self.world.reset_async, options={"task": self.task})

    async def play(self, content: str, call: Any) -> str:
        """Play a call, or a reply without one; return the observation.

        Raises:
            vf.Error: The world failed.
        """
        assert self.world is not None
        function = {"name": call.name, "arguments": call.arguments} if call else {}
        message = {"content": content, "tool_calls": [{"function": function}] if call else []}
        action = NATIVE.parse(message, self.world.tools_of(self.task))
        with self._faults_told():
            text, self.earned, ended, cut, _ = await self._move(self.world.step_async, action)
        self.over = ended or cut
        return str(text)

    async def close(self) -> None:
        """Free the world; calling it twice is fine."""
        world, self.world = self.world, None
        if world is not None:
            self.offer.live.discard(world)
            await close_on_loop(world)

    async def _move(
        self, move: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **named: Any
    ) -> Any:
        assert self.world is not None
        if self.world.asynchronous:
            return await on_loop(move(*args, **named), self.world.call_seconds)
        seconds = self.world.call_seconds
        return await in_thread(lambda: at_once(move(*args, **named)), seconds=seconds)

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        """Turn what a world raises into verifiers' errors, which end the rollout."""
        try:
            yield
        except TreegraftError as error:
            if isinstance(error, CallHangs) and self.world is not None:
                self.offer.live.discard(self.world)  # a thread is still in it
                self.world = None
            kind = vf.SandboxError if isinstance(error, SandboxError) else vf.ToolError
            raise kind(str(Failure.of(self.task, error))) from None


def world_env(
    name: str,
    splits: Sequence[str | None],
    options: Mapping[str, Any],
    *,
    limit: int | None,
    max_turns: int,
) -> WorldEnv:
    """Return the world `name` for verifiers; see `engine.api.load_environment`.

    Args:
        splits: the split to train on, and the one to evaluate on, if that is another.
        options: as `environments.make` takes them, without the split.

    Raises:
        TreegraftError: the world cannot be made, or has no such tasks.
    """
    offers = []
    for split in splits:
        make = partial(blamed, partial(environments.make, name, **options, split=split))
        guide = make()
        try:
            offers.append(Offer(name, guide, make, select(tasks_of(guide), limit=limit)))
        except BaseException:
            close_env(guide)
            raise
    return WorldEnv(offers, max_turns)


def rows(offer: Offer) -> Dataset:
    """Return the tasks for verifiers: what anyone may know of them, as `Offer.spec` tells it."""
    world = world_of(offer.guide)
    made = []
    for index, task in enumerate(offer.tasks):
        spec = offer.spec(task, index)
        info = {"id": task.id, "split": spec["split"], "tags": spec["tags"]}
        shown = offer.guide.with_tools(task)
        if shown.tools is not None:
            own = NATIVE.tools(world.of(shown))
            info["tool_defs"] = [each["function"] for each in own]
        messages = NATIVE.render(world, shown, ())
        made.append({"prompt": messages, "answer": "", "info": json.dumps(info)})
    return Dataset.from_list(made)
