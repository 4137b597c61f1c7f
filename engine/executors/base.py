"""What a run asks of an executor, and what one process of it does."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import environments
from engine.chat.base import Chat
from engine.config import Config
from engine.errors import UsageError
from engine.executors.search_task import search
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.student_endpoint import extra
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from engine.templates import get as get_template
from engine.templates.base import World
from environments import Task, ToolEnv
from sandbox import SandboxError
from search import Policy, PolicyError, Tree
from search.episode import in_thread
from treegraft.errors import TreegraftError

Keep = Callable[[Task, Tree | TreegraftError], None]
"""Is told once of each task: its tree, or why it has none."""


class Executor(Protocol):
    async def run(self, config: Config, tasks: Iterator[Task], keep: Keep) -> None:
        """Search every task, and `keep` what came of it.

        Raises what is no outcome of a task: a defect, or trouble that concerns every task.
        """


class TaskRunner:
    """Searches tasks one after another, in one environment as long as it lives."""

    def __init__(self, config: Config, policy: Policy) -> None:
        self._config, self._policy = config, policy
        self._env: ToolEnv | None = None

    async def search(self, task: Task) -> Tree | TreegraftError:
        """The tree of `task`, or why it has none: the sandbox or the policy failed."""
        try:
            if self._env is None:
                self._env = await in_thread(partial(make_env, self._config))
            return await search(self._config, self._env, task, self._policy)
        except (SandboxError, PolicyError) as error:
            if isinstance(error, SandboxError):
                await self.close()
            return error

    async def close(self) -> None:
        env, self._env = self._env, None
        if env is not None:
            await in_thread(env.close)


def make_env(config: Config) -> ToolEnv:
    """A new environment, as the config says."""
    return environments.make(config.env, **config.env_options)


def policy(
    config: Config, env: ToolEnv, chat: Chat | None, student_chat: Chat | None = None
) -> Policy:
    """The policy that `config` names, for the world of `env`.

    chat: what the teacher asks.   student_chat: what the student asks that acts first.
    """
    teacher = _teacher(config, env, chat)
    if config.student_endpoint is None:
        return teacher
    if student_chat is None:
        raise UsageError(f"--student {config.student_endpoint.public} needs an endpoint")
    template = get_template(config.student_template)
    sampling = {**config.student_parameters, **extra(config.student_threshold)}
    student = Teacher(student_chat, template, world(env), config.student_endpoint.model, sampling)
    return StudentFirst(
        student, teacher, [tool.name for tool in env.tools], config.student_threshold
    )


def _teacher(config: Config, env: ToolEnv, chat: Chat | None) -> Policy:
    if config.teacher == DEMONSTRATION:
        return DemonstrationPolicy(env, mistake_rate=config.mistake_rate, seed=config.seed)
    if chat is None:
        raise UsageError(f"--teacher {config.teacher} needs an endpoint")
    template = get_template(config.template)
    return Teacher(chat, template, world(env), config.teacher, config.parameters)


def world(env: ToolEnv) -> World:
    return World(env.instructions, env.tools)
