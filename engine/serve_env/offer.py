"""What a server offers: the tasks of a world, and new worlds to play them in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.errors import UsageError
from environments import Task, Tool, ToolEnv


@dataclass(frozen=True)
class Offer:
    """A world for clients.

    Attributes:
        name: what clients call it.
        guide: an instance that is asked for tools and instructions only; it plays nothing.
        make: returns a new instance, for a session.
        tasks: the tasks that are served.
        live: the instances of the sessions under way.
    """

    name: str
    guide: ToolEnv
    make: Callable[[], ToolEnv]
    tasks: Sequence[Task]
    live: set[ToolEnv] = field(default_factory=set)

    @cached_property
    def by_split(self) -> dict[str, list[Task]]:
        """The tasks of each split, in the order of the data; "all" where a task has no split."""
        found: dict[str, list[Task]] = {}
        for task in self.tasks:
            found.setdefault(task.split or "all", []).append(task)
        return found

    @cached_property
    def _by_id(self) -> dict[str, Task]:
        return {task.id: task for task in self.tasks}

    def tasks_of(self, split: str) -> list[Task]:
        """Return the tasks of a split.

        Raises:
            UsageError: There is no such split.
        """
        if split not in self.by_split:
            raise UsageError(f"no split {split!r}; the splits: {', '.join(self.by_split)}")
        return self.by_split[split]

    def find(self, id: str | None, index: int | None, split: str | None) -> Task | None:
        """Return the task that a client names by its id, or by its place; None if it names none.

        Raises:
            UsageError: There is no such task.
        """
        if id is not None:
            if id not in self._by_id:
                raise UsageError(f"no task {id!r}")
            return self._by_id[id]
        if index is None:
            return None
        among = self.tasks if split is None else self.tasks_of(split)
        if type(index) is not int or not 0 <= index < len(among):
            raise UsageError(f"no task {index!r}; the tasks are 0 to {len(among) - 1}")
        return among[index]

    def spec(self, task: Task, index: int) -> dict[str, Any]:
        """Return what anyone may know of a task: nothing of its secret, details or group."""
        tools = self.guide.tools_of(task)
        own = {} if tools == self.guide.tools else {"available_tools": described(tools)}
        return {
            "id": task.id,
            "index": index,
            "split": task.split or "all",
            "prompt": task.prompt,
            "tags": dict(task.tags),
            **own,
        }


def described(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return tools as MCP describes them."""
    return [
        {"name": each.name, "description": each.description, "input_schema": dict(each.parameters)}
        for each in tools
    ]
