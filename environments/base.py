"""The environment contract: Gymnasium's, plus tools, snapshots and, optionally, solutions.

**The law** that every environment keeps: after `restore(s)`, the same actions return the same
observations and rewards as after the `snapshot()` that returned `s`; and nothing done in between
changes a snapshot. `environments.testing.check_env` tests it, for worlds of your own, too.

A subclass defines `tools` (or `tools_of`, if tasks differ in their tools), `instructions`,
`load_tasks` and `act`. If acting changes something, it also defines `begin`, `save`, `load` and,
where a saved state holds resources, `free`. If it knows how its tasks are solved, it defines
`solution` (see `Demonstrable`). It does not limit depth, calls or seconds: limits belong to the
search (a `TimeLimit` wrapper would break `restore`).

These methods may be coroutine functions (`async def act`). A search awaits them on its event loop,
without threads; the methods of Gymnasium, such as `step`, then use an event loop of their own.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import isawaitable, iscoroutinefunction
from typing import Any, TypeVar

import gymnasium

from environments.bounds import OBSERVATION_CHARS, cut
from environments.contract import as_number, held
from environments.demonstrable import Demonstrable
from environments.errors import BadOutcome
from environments.spaces import AnyText, ToolCall
from environments.tools import GIVE_UP, Tool, violation
from environments.types import Action, Task
from environments.types import Outcome as Outcome  # worlds import it from here, too

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A saved state. Opaque: only the environment that made it may read `state`."""

    task: Task
    over: bool
    state: Any


class ToolEnv(Demonstrable, gymnasium.Env[str, Action], ABC):
    """A task world driven by tool calls.

    The agent's mistakes (an unknown tool, arguments that break the schema, an error in its own
    code) are observations, with the kind in `info["error"]`. Trouble with the infrastructure
    raises `sandbox.SandboxError`. Any other exception is a defect of the environment: it fails the
    task that was under way.

    Args:
        data: the file or folder of the tasks; None for the bundled ones.
        split: the part of the data to use ("train", "test", ...); None for the default.
        sandbox: what confines the agent's code and queries ("auto", "docker", "process", ...).

    Attributes:
        tools: what every policy may call; see `tools_of` for tasks that differ.
        instructions: the rules of this world, shown to every policy before any task.
        sandboxed: whether the agent's code or queries run in the sandbox.
        instant: whether `step`, `snapshot`, `restore` and `release` take a few milliseconds at
            most and never block. The search then calls them on its event loop, not in a thread.
        call_seconds: how long one call of a method may take while tasks are explored. A call that
            takes longer hangs: its task fails, and the others go on in a new environment.
        observation_chars: characters of an observation at most; what is longer is cut, and says
            how much was left out.
        strict: whether a bad record of the data is refused; else it is told and left out.
        graded: whether it grades answers itself. Where nobody knows the answer, the step that
            ends a task has reward 0 and `info["ungraded"]`, and a model may grade it.
        branching: how a state is saved and restored, in a few words, for `engine envs`.
        extra: the optional dependencies that this environment needs, as in
            `pip install 'treegraft[EXTRA]'`; "" if it needs none.
        maker: what makes tasks of this world: the name of a `task_making.TaskMaker`, as
            `module:Class`, or the class; "" if nothing does.
        task_source: reads tasks that are played in place of the data's (`task_files`); None for
            the data's own.
        task: the current task; None before the first `reset`.
    """

    metadata: dict[str, Any] = {"render_modes": []}
    tools: tuple[Tool, ...] = (GIVE_UP,)
    instructions: str = ""
    sandboxed: bool = False
    instant: bool = False
    call_seconds: float = 900.0  # more than the wait for a sandbox's memory
    observation_chars: int = OBSERVATION_CHARS
    strict: bool = False
    graded: bool = True
    branching: str = "a value"
    extra: str = ""
    maker: str | type = ""
    task_source: Callable[[], Sequence[Task]] | None = None

    def __init__(
        self, *, data: str | None = None, split: str | None = None, sandbox: str = "auto"
    ) -> None:
        self.data, self.split, self.sandbox = data, split, sandbox
        self.observation_space = AnyText()
        self.action_space = _calls(self, "tools", self.tools)
        self.task: Task | None = None
        self._over = False

    @cached_property
    def tasks(self) -> Sequence[Task]:
        """All tasks of the data and split, in the data's order; read on first use.

        Or those of `task_source`.
        """
        if self.task_source:
            return self.prepared(self.task_source())
        return held(self, "load_tasks", self.load_tasks())

    @cached_property
    def asynchronous(self) -> bool:
        """Whether a method that a subclass defines is a coroutine function."""
        hooks = (self.begin, self.act, self.save, self.load, self.free, self.end)
        return any(map(iscoroutinefunction, hooks))

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """Return the tools of `task`; the result depends on `task` only.

        By default they are those that the task brings along, else `tools`.
        """
        return self.tools if task.tools is None else task.tools

    def with_tools(self, task: Task) -> Task:
        """Return `task` with its own tools, if it has any, for policies and trees to show.

        A world that defines `tools_of` may change `tools` while it reads its tasks, so trees of its
        tasks always keep theirs.
        """
        if type(self).tools_of is ToolEnv.tools_of:
            return task
        return replace(task, tools=self.tools_of(task))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start `options["task"]`, or a random task; the observation is the task's prompt."""
        return self._now(self.reset_async(seed=seed, options=options))

    async def reset_async(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """See `reset`; for the event loop on which the coroutines of an asynchronous world run."""
        super().reset(seed=seed)
        task = (options or {}).get("task")
        task = task or self.tasks[int(self.np_random.integers(len(self.tasks)))]
        self._over = False
        await self._start(task)
        return task.prompt, {}

    def step(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play `action`.

        Raises:
            RuntimeError: no task was started, or it is over: a defect of the caller.
            sandbox.SandboxError: the sandbox failed, not the agent.
            BadOutcome: `act` returned what the contract does not allow; see `contract`.
        """
        return self._now(self.step_async(action))

    async def step_async(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """See `step` and `reset_async`."""
        if self.task is None or self._over:
            raise RuntimeError("step() needs a task that is not over: call reset() or restore()")
        outcome = await self._dispatch(action, self.task)
        held(self, "act", outcome, BadOutcome)
        self._over = bool(outcome.terminated or outcome.truncated)
        observation = cut(outcome.observation, self.observation_chars)
        reward = min(max(as_number(outcome.reward), 0.0), 1.0)
        # What a world changes later, and what JSON cannot tell apart, is as a tree will hold it.
        info = json.loads(json.dumps(dict(outcome.info))) if outcome.info else {}
        return observation, reward, bool(outcome.terminated), bool(outcome.truncated), info

    async def _dispatch(self, action: Action, task: Task) -> Outcome:
        wrong = violation(action, self.tools_of(task))
        if wrong is not None:
            return Outcome.slip(wrong.kind, wrong.message)
        if action.tool == GIVE_UP.name:
            return Outcome("gave up", terminated=True, info={"gave_up": True})
        # A world may keep what it is given, and change it: a tree needs it as it was.
        own = replace(action, arguments=deepcopy(dict(action.arguments)))
        outcome: Outcome = await _awaited(self.act(own))
        return outcome

    async def _start(self, task: Task) -> None:
        self.task = task
        self.action_space = _calls(self, "tools_of", self.tools_of(task))
        await _awaited(self.begin(task))

    def snapshot(self) -> Snapshot:
        """Save this state; `restore` can return to it any number of times."""
        return self._now(self.snapshot_async())

    async def snapshot_async(self) -> Snapshot:
        """See `snapshot` and `reset_async`."""
        if self.task is None:
            raise RuntimeError("snapshot() needs a task: call reset()")
        return Snapshot(self.task, self._over, await _awaited(self.save()))

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a saved state of any task; on `StateLost` the search replays the path."""
        self._now(self.restore_async(snapshot))

    async def restore_async(self, snapshot: Snapshot) -> None:
        """See `restore` and `reset_async`."""
        if self.task is not snapshot.task:
            await self._start(snapshot.task)
        self._over = snapshot.over
        await _awaited(self.load(snapshot.state))

    def release(self, snapshot: Snapshot) -> None:
        """Free the resources of a snapshot, which must not be restored afterwards."""
        self._now(self.release_async(snapshot))

    async def release_async(self, snapshot: Snapshot) -> None:
        """See `release` and `reset_async`."""
        await _awaited(self.free(snapshot.state))

    def close(self) -> None:
        """Free what this environment holds, any number of times."""
        self._now(self.close_async())
        if "_loop" in self.__dict__:
            self.__dict__.pop("_loop").close()

    async def close_async(self) -> None:
        """See `close` and `reset_async`."""
        await _awaited(self.end())

    @cached_property
    def _loop(self) -> asyncio.Runner:
        """The event loop of an asynchronous world that is not on that of a search."""
        return asyncio.Runner()

    def _now(self, call: Coroutine[Any, Any, T]) -> T:
        """Run `call` to its end. That of a world without coroutines never waits."""
        return self._loop.run(call) if self.asynchronous else at_once(call)

    def data_state(self) -> Mapping[str, str]:
        """Return a text for each file that tasks are played on, equal while the file is the same.

        A run notes it, and tells when a file has changed. By default nothing is followed.
        """
        return {}

    @abstractmethod
    def load_tasks(self) -> Sequence[Task]:
        """Read the tasks of `self.data` and `self.split`; see `strict` for bad records.

        Raises:
            environments.DataError: the message names the file and the record.
        """

    @abstractmethod
    def act(self, action: Action) -> Outcome | Awaitable[Outcome]:
        """Play a call that is valid for its tool's schema. The base class handles `give_up`.

        The arguments are a copy of the agent's: they may be kept and changed.
        """

    def prepared(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return `tasks`, which a task file holds, ready to be played with this world's options."""
        return tasks

    def begin(self, task: Task) -> None | Awaitable[None]:
        """Set up the start state of `task`, which `self.task` holds already."""
        return None

    def save(self) -> Any:
        """Return this state, for `load`; None if acting changes nothing."""
        return None

    def load(self, state: Any) -> None | Awaitable[None]:
        """Make a saved state the current one."""
        return None

    def free(self, state: Any) -> None | Awaitable[None]:
        """Free the resources of a saved state."""
        return None

    def end(self) -> None | Awaitable[None]:
        """Free what this environment holds; called by `close`, more than once."""
        return None


def _calls(world: ToolEnv, method: str, tools: Sequence[Tool]) -> ToolCall:
    """Return the calls to `tools`. Their schemas are checked before tasks are played only."""
    if not isinstance(tools, tuple | list) or not all(isinstance(each, Tool) for each in tools):
        held(world, method, tools)
    return ToolCall(tools)


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, without an event loop."""
    try:
        call.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    except RuntimeError as error:
        if isinstance(error.__cause__, StopIteration):  # the world raised it
            raise error.__cause__ from None
        raise
    call.close()
    raise RuntimeError("an environment waits in a method that is not a coroutine function")


async def _awaited(found: Any) -> Any:
    return await found if isawaitable(found) else found
