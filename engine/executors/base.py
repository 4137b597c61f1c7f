"""What a run needs of an executor, and the task runner that all executors share."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Protocol

import environments
from engine.chat.base import EndpointUnusable
from engine.chat.limiter import Throttle
from engine.config import Config
from engine.executors.build_policy import judge_of
from engine.telemetry.tracing import ACTIVE
from engine.terminal import say
from environments import BadWorld, Task, ToolEnv
from sandbox import SandboxError
from search import Policy, PolicyError, Tree
from search.env_calls import CLOSE_SECONDS, in_thread, in_time, on_loop
from search.faults import CallHangs, TaskFault, blamed
from search.policy import Grader
from treegraft.errors import TreegraftError

OnResult = Callable[[Task, Tree | TreegraftError], None]
"""Called once per task, with its tree or with the reason it has none."""


class Executor(Protocol):
    """Searches the tasks of a run."""

    async def run(self, config: Config, tasks: Iterator[Task], on_result: OnResult) -> None:
        """Search every task, and pass each result to `on_result`.

        Errors that are not the result of one task (a defect, or trouble with every task) are
        raised.
        """

    def throttle(self) -> Throttle:
        """Return how many requests may run at once now."""


class TaskRunner:
    """Searches tasks one after another, in one environment that it keeps between them."""

    def __init__(self, config: Config, policy: Policy, grader: Grader | None = None) -> None:
        self._config, self._policy, self._grader = config, policy, grader
        self._judge = judge_of(policy) if config.search.needs_judge else None
        self._env: ToolEnv | None = None
        self._tracing = ACTIVE.get()

    async def search(self, task: Task) -> Tree | TreegraftError:
        """Return the tree of `task`, or what went wrong: the sandbox, the policy, or their code.

        Raises:
            EndpointUnusable: the policy cannot be asked at all, which no task is to blame for.
        """
        try:
            if self._env is None:
                self._env = self._tracing.env(
                    await in_thread(partial(make_env, self._config), seconds=ToolEnv.call_seconds)
                )
            config, policy = self._config, self._policy
            with self._tracing.task(task, policy.name):
                return await config.search.search(
                    self._env, task, policy, config.budget, self._judge, self._grader
                )
        except EndpointUnusable:
            raise
        except (PolicyError, BadWorld) as error:
            return error
        except CallHangs as error:
            self._env = None  # a thread is still in it
            return error
        except (SandboxError, TaskFault) as error:  # nobody knows what state it is in
            await self.close()
            return error

    async def close(self) -> None:
        """Close the environment and its sandbox; say so where that fails."""
        env, self._env = self._env, None
        if env is not None:
            await close_on_loop(env)


async def close_on_loop(env: ToolEnv) -> None:
    """Close an environment and its sandbox, from the event loop; say so where that fails."""
    try:
        if env.asynchronous:
            await on_loop(env.close_async(), CLOSE_SECONDS)
        else:
            await in_thread(env.close, seconds=CLOSE_SECONDS)
    except TreegraftError as error:
        _say_unclosed(str(error))


def tasks_of(env: ToolEnv) -> Sequence[Task]:
    """Return the tasks of `env`.

    Raises:
        TaskFault: Its own code raised something else than a `TreegraftError`.
    """
    return blamed(lambda: env.tasks)


def make_env(config: Config) -> ToolEnv:
    """Return a new environment as `config` describes it.

    Raises:
        TaskFault: Its own code raised something else than a `TreegraftError`.
    """
    return blamed(partial(environments.make, config.env, **config.env_options))


def close_env(env: ToolEnv) -> None:
    """Close an environment in which no task is under way; say so where that fails."""
    try:
        in_time(env.close, CLOSE_SECONDS)
    except TreegraftError as error:
        _say_unclosed(str(error))


@cache  # once, however many environments there are
def _say_unclosed(why: str) -> None:
    say(f"an environment could not be closed: {why}")
