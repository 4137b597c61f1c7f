"""Any environment of OpenEnv as a world; see docs/worlds/openenv.md.

OpenEnv saves no states. A state is the path to it: the actions since the reset, with what each
showed. To return to one, the episode is started again and its path is played again; if anything
shows something else, the state is lost, and the task fails. So the law holds for every environment
that is not refused.

Rewards of OpenEnv have any range and come at any step. Here a task earns one, at its end: the last
that the environment gave, or the sum of all, mapped from `least`..`most` to 0..1 and cut there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from environments.base import Outcome
from environments.errors import DataError, UnknownEnvironment
from environments.load_class import load_class
from environments.openenv.connection import (
    LIST_TOOLS,
    ActionRefused,
    Connection,
    ConnectionLost,
    Reply,
)
from environments.openenv.package import load
from environments.openenv.rewards import RewardOptions, number
from environments.openenv.tasks import file_tasks, own_tasks
from environments.openenv.texts import (
    FINISH,
    act_tool,
    mcp_tools,
    mistake_in,
    observation_text,
    tools_from,
)
from environments.tools import Tool
from environments.types import Action, Task
from environments.written_calls import actions_of
from sandbox.errors import StateLost


@dataclass(frozen=True, slots=True)
class Played:
    """A step of the current path: what was sent, and what it showed.

    Attributes:
        reward: the environment's own; None if it gave none.
    """

    action: Mapping[str, Any]
    text: str
    mistake: str = ""
    reward: Any = None
    done: bool = False


Saved = tuple[str, tuple[Played, ...]]
"""The text of the reset's observation, and the path since."""


class OpenEnvWorld(RewardOptions):
    """An environment of OpenEnv, in this process or behind a server's address.

    Its tasks are those of `data`, or the environment's own. Nothing here runs in the sandbox.

    Args:
        url: the address of a server, such as http://127.0.0.1:8000.
        environment: a class of OpenEnv's, module:Class or FILE.py:Class, to run in this process.
        action: the class of its actions, if the types of its step do not name it.
        hide: fields of observations that are not shown, a,b,c, such as an id that always differs.
        seconds: how long the environment may take to answer.
    """

    branching = "replay"
    extra = "openenv"
    instructions = (
        "You act in an environment by calling its tools; each call shows what follows. Do what the "
        "task asks. The environment decides when the task is over, and what you have earned. "
        "Call give_up only if there is no way."
    )

    def __init__(
        self,
        *,
        url: str | None = None,
        environment: str | None = None,
        action: str | None = None,
        hide: str = "",
        seconds: float = 60.0,
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)
        if (url is None) == (environment is None):
            raise UnknownEnvironment(
                "openenv needs one of --env-arg url=http://... and --env-arg "
                "environment=module:Class"
            )
        if not seconds > 0:  # NaN fails too
            raise UnknownEnvironment(f"seconds={seconds:g} must be above 0")
        self._url, self._environment, self._action = url, environment, action
        self._hidden = frozenset(filter(None, map(str.strip, hide.split(","))))
        self._seconds = seconds
        self._connection: Connection | None = None
        self._first, self._path = "", list[Played]()
        self._tools: dict[str, tuple[Tool, ...]] = {}

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`. A session of its own tells prompts and tools."""
        with ThreadPoolExecutor(1) as thread:  # an event loop may be running in this one
            tasks = thread.submit(asyncio.run, self._read_tasks()).result()
        self.tools = self.tools_of(tasks[0])
        return tasks

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`."""
        if task.id not in self._tools:
            self._tools[task.id] = tools_from(task.details["tools"], finish=self._finish)
        return self._tools[task.id]

    async def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._first, self._path = await self._reset(task), []

    async def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if self._finish and action.tool == FINISH.name:
            return Outcome("finished", self._earned(), terminated=True)
        payload: Mapping[str, Any] = action.arguments
        if self.task.details["mcp"]:
            payload = {"type": "call_tool", "tool_name": action.tool, "arguments": payload}
        try:
            step = await self._step(payload)
        except ConnectionLost:
            await self._go_to(self._first, tuple(self._path), fresh=True)
            step = await self._step(payload)
        self._path.append(step)
        info: dict[str, Any] = {"error": step.mistake} if step.mistake else {}
        if step.reward is not None:
            info["openenv_reward"] = number(step.reward)
        earned = self._earned() if step.done else 0.0
        return Outcome(step.text, earned, terminated=step.done, info=info)

    def save(self) -> Saved:
        """See `ToolEnv.save`."""
        return self._first, tuple(self._path)

    async def load(self, state: Saved) -> None:
        """See `ToolEnv.load`.

        Raises:
            StateLost: The path to the state shows something else than before.
        """
        await self._go_to(*state)

    async def end(self) -> None:
        """See `ToolEnv.end`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def solution(self, task: Task) -> list[Action] | None:
        """Return what the task's record gives as its solution."""
        return actions_of(task.secret["solution"]) if "solution" in task.secret else None

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """Return what the task's record gives as mistakes in the place of `action`."""
        calls = task.secret.get("solution", ())
        wrong = [
            call.get("mistakes", [])
            for call, right in zip(calls, actions_of(calls), strict=True)
            if right.key == action.key
        ]
        return actions_of(wrong[0]) if wrong else []

    def _connect(self) -> Connection:
        """Return a session that is not open yet.

        Raises:
            UnknownEnvironment: `openenv`, or the class, cannot be loaded.
        """
        made: Connection
        if self._url is not None:
            remote = load("environments.openenv.remote")
            made = remote.RemoteConnection(self._url, self._seconds)
            return made
        local = load("environments.openenv.local")
        assert self._environment is not None
        named = [name and _class(name) for name in (self._environment, self._action)]
        made = local.LocalConnection(*named, self._seconds)
        return made

    async def _read_tasks(self) -> list[Task]:
        connection = self._connect()
        try:
            if self.data is not None:
                tasks = file_tasks(self.data, self.split, strict=self.strict)
            else:
                tasks = await self._own_tasks(connection)
            first = await connection.reset(tasks[0].details["reset"])
            tools, mcp = await _tools(connection)
            made = []
            for number, task in enumerate(tasks):
                prompt = task.prompt
                if not prompt:
                    start = first if not number else await connection.reset(task.details["reset"])
                    prompt = observation_text(start.observation, self._hidden)
                own = mcp_tools(task.details["tools"])
                details = {**task.details, "tools": own or tools, "mcp": mcp or bool(own)}
                made.append(replace(task, prompt=prompt, details=details))
        finally:
            await connection.close()
        return made

    async def _own_tasks(self, connection: Connection) -> list[Task]:
        splits = await connection.splits()
        if not splits:
            raise DataError(
                "the environment names no tasks of its own: give --data FILE, one JSON object a "
                'line, such as {"reset": {"seed": 1}}'
            )
        split = self.split or splits[0]
        if split not in splits:
            raise DataError(f"the environment has no split {split!r}; it has {', '.join(splits)}")
        return own_tasks(await connection.tasks(split), split, strict=self.strict)

    async def _reset(self, task: Task) -> str:
        if self._connection is None:
            self._connection = self._connect()
        reply = await self._connection.reset(task.details["reset"])
        return observation_text(reply.observation, self._hidden)

    async def _step(self, action: Mapping[str, Any]) -> Played:
        assert self._connection is not None
        try:
            reply = await self._connection.step(action)
        except ActionRefused as error:
            return Played(action, f"error: {error}", "refused")
        shown, mistake = reply.observation, mistake_in(reply.observation)
        text = observation_text(shown, self._hidden)
        return Played(action, text, mistake, reply.reward, reply.done)

    async def _go_to(self, first: str, path: tuple[Played, ...], *, fresh: bool = False) -> None:
        """Bring the environment into the state after `path`; play only what is missing."""
        assert self.task is not None
        done = len(self._path)
        if fresh or first != self._first or path[:done] != tuple(self._path):
            if await self._reset(self.task) != first:
                raise StateLost(f"{self.task.id}: its start shows something else than before")
            self._first, self._path, done = first, [], 0
        for place, step in enumerate(path[done:], done + 1):
            again = await self._step(step.action)
            self._path.append(again)
            if again != step:
                raise StateLost(
                    f"{self.task.id}: step {place} shows something else when it is played again; "
                    "an environment must depend on its reset and its actions only"
                )

    def _earned(self) -> float:
        """Return the reward of the current path."""
        return self.earned([step.reward for step in self._path if step.reward is not None])


async def _tools(connection: Connection) -> tuple[list[dict[str, Any]], bool]:
    """Return the environment's tools as JSON, and whether they are called by MCP's action."""
    try:
        reply: Reply | None = await connection.step(LIST_TOOLS)
    except ActionRefused:
        reply = None
    listed = mcp_tools(reply.observation.get("tools")) if reply else []
    if listed:
        return listed, True
    return [act_tool(await connection.action_schema())], False


def _class(name: str) -> Any:
    module, colon, attribute = name.rpartition(":")
    if not colon:
        raise UnknownEnvironment(f"{name!r}: write it as module:Class or FILE.py:Class")
    return load_class(name, module, attribute)
