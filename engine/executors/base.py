"""What a run needs of an executor, and the task runner that all executors share."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import environments
from engine.chat.base import EndpointUnusable
from engine.config import Config
from engine.executors.build_policy import judge_of
from environments import Task, ToolEnv
from sandbox import SandboxError
from search import Policy, PolicyError, Tree
from search.episode import in_thread
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


class TaskRunner:
    """Searches tasks one after another, in one environment that it keeps between them."""

    def __init__(self, config: Config, policy: Policy) -> None:
        self._config, self._policy = config, policy
        self._judge = judge_of(policy) if config.search.needs_judge else None
        self._env: ToolEnv | None = None

    async def search(self, task: Task) -> Tree | TreegraftError:
        """Return the tree of `task`, or the failure of the sandbox or the policy.

        Raises:
            EndpointUnusable: the policy cannot be asked at all, which no task is to blame for.
        """
        try:
            if self._env is None:
                self._env = await in_thread(partial(make_env, self._config))
            return await self._config.search.search(
                self._env, task, self._policy, self._config.budget, self._judge
            )
        except EndpointUnusable:
            raise
        except (SandboxError, PolicyError) as error:
            if isinstance(error, SandboxError):
                await self.close()
            return error

    async def close(self) -> None:
        """Close the environment and its sandbox."""
        env, self._env = self._env, None
        if env is not None:
            await in_thread(env.close)


def make_env(config: Config) -> ToolEnv:
    """Return a new environment as `config` describes it."""
    return environments.make(config.env, **config.env_options)
