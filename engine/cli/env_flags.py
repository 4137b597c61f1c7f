"""Flags that name an environment and set its own options: `--env-arg key=value`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.panels import SANDBOX, TASKS

if TYPE_CHECKING:
    from environments import Task, ToolEnv

_OLD = {"old": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFlags:
    """An environment's own options.

    Attributes:
        env_arg: An option of the environment, as key=value; repeat it for more. The options are
            flags, too (`--env mcp --server X`), but for those whose name another flag has.
            `engine envs NAME` lists them.
        observation_chars: Characters of an observation at most; what is longer is cut, and says
            how much was left out.
        db: Now --env-arg db=...
        format: Now --env-arg format=...
        partial: Now --env-arg partial=true.
        goals: Now --env-arg goals=...
        observation: Now --env-arg observation=...
        schema: Now --env-arg schema=...
    """

    env_arg: tuple[str, ...] = field(
        default=(), metadata={"panel": TASKS, "default": "the environment's defaults"}
    )
    observation_chars: int | None = field(
        default=None, metadata={"panel": TASKS, "min": 100, "default": "8000"}
    )
    # Version 0.1 had a flag for each option of the bundled environments.
    db: str | None = field(default=None, metadata=_OLD)
    format: str | None = field(default=None, metadata=_OLD)
    partial: bool = field(default=False, metadata=_OLD)
    goals: str | None = field(default=None, metadata=_OLD)
    observation: str | None = field(default=None, metadata=_OLD)
    schema: str | None = field(default=None, metadata=_OLD)

    def options(self, env: str, earlier: Sequence[str] = ()) -> dict[str, Any]:
        """Return the options for `environments.make`; they override the `earlier` ones.

        Raises:
            UnknownEnvironment: The environment does not exist or does not take an option.
        """
        from environments.registry import parse_options

        old = [
            f"{f.name}={value}"
            for f in fields(self)
            if f.metadata.get("old") and (value := getattr(self, f.name))
        ]
        given = parse_options(env, [*earlier, *old, *self.env_arg])
        if self.observation_chars is not None:
            given["observation_chars"] = self.observation_chars
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChoice(EnvFlags):
    """The task data of an environment, and what its tasks are played with.

    Attributes:
        data: Folder or file of the task data.
        split: Which split: train, dev, test.
        sandbox: What confines the agent: auto, docker, bubblewrap, landlock, process.
        strict: Refuse data that holds a bad record; else it is told and left out.
        task_file: A file of tasks to play in place of the data's, as `engine make tasks` writes it.
    """

    data: str | None = field(
        default=None, metadata={"panel": TASKS, "default": "the bundled tasks"}
    )
    split: str | None = field(default=None, metadata={"panel": TASKS, "default": "all"})
    sandbox: str = field(default="auto", metadata={"panel": SANDBOX})
    strict: bool = field(default=False, metadata={"panel": TASKS})
    task_file: Path | None = field(default=None, metadata={"panel": TASKS})

    def make(self, env: str) -> "ToolEnv":
        """Make the environment `env` with these flags."""
        from functools import partial

        import environments
        from search.faults import blamed

        options: dict[str, Any] = {"data": self.data, "split": self.split, "sandbox": self.sandbox}
        options["task_file"] = self.task_file
        options |= self.options(env)
        world = blamed(partial(environments.make, env, **options))
        world.strict = self.strict
        return world

    @contextmanager
    def opened(self, env: str, limit: int | None) -> "Iterator[tuple[ToolEnv, list[Task]]]":
        """Make the environment `env`, give it with at most `limit` of its tasks, and close it."""
        from engine.executors.base import close_env, tasks_of
        from engine.runs.tasks import select
        from engine.terminal import sandbox_line, say

        world = self.make(env)
        try:
            if unused := sandbox_line(self.sandbox, env, world.sandboxed):
                say(unused)
            yield world, select(tasks_of(world), limit=limit)
        finally:
            close_env(world)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvChoice(TaskChoice):
    """An environment and its task data, for commands that play its solutions.

    Attributes:
        env: A registered environment (`engine envs` lists them), `module:Class` or
            `FILE.py:Class`.
    """

    env: str = field(metadata={"panel": TASKS})

    def open(self, limit: int | None) -> "AbstractContextManager[tuple[ToolEnv, list[Task]]]":
        """Make the environment, give it with at most `limit` of its tasks, and close it."""
        return self.opened(self.env, limit)
