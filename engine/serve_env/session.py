"""A session of one client: an OpenEnv environment that plays the tasks of a world of ours.

Needs `openenv`. OpenEnv's server makes one for each session, and calls it in a thread of its own.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
)
from openenv.core.env_server.types import Action as OpenEnvAction
from openenv.core.env_server.types import EnvironmentMetadata, Observation, State
from pydantic import Field

from engine.errors import UsageError
from engine.executors.base import close_env
from engine.runs.failure import without_secret
from engine.serve_env.offer import Offer, described
from environments import Action, Task, ToolEnv
from search.faults import blamed
from treegraft.errors import TreegraftError

T = TypeVar("T")


class TaskObservation(Observation):  # type: ignore[misc]  # it has no types
    """What a reset shows."""

    task: str = Field(description="The task's id.")
    split: str = Field(default="", description="The split that the task is of.")
    prompt: str = Field(description="What is to be done.")
    instructions: str = Field(default="", description="The rules of this world.")
    available_tools: list[dict[str, Any]] = Field(
        default_factory=list, description="The tools of this task, as MCP describes them."
    )


class TaskState(State):  # type: ignore[misc]  # it has no types
    """How far an episode is."""

    task: str = Field(default="", description="The task's id.")
    split: str = Field(default="", description="The split that the task is of.")
    done: bool = Field(default=False, description="Whether the task is over.")
    reward: float = Field(default=0.0, description="The reward of the last step.")


class ServedSession(Environment):  # type: ignore[misc]  # it has no types
    """Plays the tasks of `offer`. The world is made by the first reset, and closed with this."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self._offer = offer
        self._world: ToolEnv | None = None
        self._task: Task | None = None
        self._state = TaskState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task: str | None = None,
        index: int | None = None,
        split: str | None = None,
        **others: Any,
    ) -> TaskObservation:
        """Start the task with this id, or at this index (of the split, if given), or any by chance.

        Other arguments are not for us: trainers pass on what else their rows hold.

        Raises:
            UsageError: There is no such task.
        """
        wanted = self._offer.find(task, index, split)
        self._task, self._state = None, TaskState()
        if self._world is None:
            self._world = blamed(self._offer.make)
            self._offer.live.add(self._world)
        options = {"task": wanted} if wanted else None
        self._play(lambda world: world.reset(seed=seed, options=options))
        started = self._task = self._world.task
        assert started is not None
        self._state = TaskState(
            episode_id=episode_id or str(uuid4()), task=started.id, split=started.split
        )
        return TaskObservation(
            task=started.id,
            split=started.split,
            prompt=started.prompt,
            instructions=self._world.instructions,
            available_tools=described(self._world.tools_of(started)),
        )

    def step(
        self, action: OpenEnvAction, timeout_s: float | None = None, **others: Any
    ) -> Observation:
        """Call a tool, or list the tools: of the task, or of the world before a reset.

        Raises:
            UsageError: No task is under way.
        """
        if isinstance(action, ListToolsAction):
            return self._tools()
        assert isinstance(action, CallToolAction)
        if self._task is None or self._state.done:
            raise UsageError("no task is under way: send a reset first")
        call = Action(action.tool_name, action.arguments)
        text, reward, terminated, truncated, info = self._play(lambda world: world.step(call))
        self._state.step_count += 1
        self._state.done, self._state.reward = terminated or truncated, reward
        told: dict[str, Any] = {key: info[key] for key in ("error", "gave_up") if key in info}
        if truncated:
            told["truncated"] = True
        return CallToolObservation(
            tool_name=action.tool_name,
            result=text,
            reward=reward,
            done=self._state.done,
            metadata=told,
        )

    @property
    def state(self) -> TaskState:
        """How far the episode is."""
        return self._state

    def list_splits(self) -> list[str]:
        """Return the names of the splits."""
        return list(self._offer.by_split)

    def num_tasks(self, split: str) -> int:
        """Return the number of tasks of a split."""
        return len(self._offer.by_split.get(split, ()))

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """Return what anyone may know of the tasks of a split."""
        tasks = self._offer.by_split.get(split, ())
        return [self._offer.spec(task, index) for index, task in enumerate(tasks)]

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Return what anyone may know of a task."""
        return self.list_tasks(split)[index]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Return what anyone may know of some tasks."""
        return self.list_tasks(split)[start:stop]

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the world."""
        return EnvironmentMetadata(
            name=self._offer.name, description=self._offer.guide.instructions, version="1"
        )

    def close(self) -> None:
        """Free the world and its sandbox."""
        world, self._world, self._task = self._world, None, None
        if world is not None:
            close_env(world)
            self._offer.live.discard(world)

    def _tools(self) -> Observation:
        guide, task = self._offer.guide, self._task
        tools = described(guide.tools_of(task) if task else guide.tools)
        return ListToolsObservation(tools=tools, done=self._state.done)

    def _play(self, call: Callable[[ToolEnv], T]) -> T:
        """Call the world. If it fails, it is freed, and the client learns why, but no secret."""
        assert self._world is not None
        task = self._task
        try:
            return blamed(call, self._world)
        except TreegraftError as error:
            self.close()
            raise UsageError(without_secret(str(error), task) if task else str(error)) from None
