"""The world that a run was explored in, opened again to play its tasks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import close_env, make_env, tasks_of
from environments import Task, ToolEnv

IMPORTED = "imported"
"""The world of the runs that `engine import` writes, which nobody can play."""
_PLAYED = ("env", "data", "split", "env_args", "sandbox")


@dataclass(frozen=True, slots=True)
class WorldOfRun:
    """An open world.

    Attributes:
        tasks: its tasks by id, with their secrets.
    """

    env: ToolEnv
    tasks: Mapping[str, Task]

    def task(self, id: str) -> Task:
        """Return the whole task that a tree of the run was made for.

        Raises:
            UsageError: the world has none of this id any more.
        """
        if id not in self.tasks:
            raise UsageError(f"the world has no task {id!r} any more: its data changed")
        return self.tasks[id]


@contextmanager
def open_world(config: Mapping[str, Any], task_file: Path | None) -> Iterator[WorldOfRun]:
    """Open the world of the run whose stored config is `config`, and close it.

    Args:
        config: `Store.meta()["config"]`.
        task_file: the file of the run's tasks, if it played those of a file.

    Raises:
        UsageError: the run played the tasks of a file, and none is given; or it was imported.
    """
    if config.get("env") == IMPORTED:
        raise UsageError(
            "the run was imported, so its world is not here: `engine branch RUN --env WORLD` plays "
            "its paths again in one"
        )
    if (named := config.get("task_file")) and task_file is None:
        raise UsageError(f"the run played the tasks of a file ({named}): name it with --task-file")
    given = {name: config[name] for name in _PLAYED if name in config}
    env = make_env(Config(**given, task_file=task_file))
    try:
        yield WorldOfRun(env, {task.id: task for task in tasks_of(env)})
    finally:
        close_env(env)
