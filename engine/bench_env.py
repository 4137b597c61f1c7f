"""Time an environment's operations, as a search uses them.

At every state of each task's solution it times a snapshot and the step; then a branch, which is a
restore and the same step (some environments do the work of a restore in the step after it); and,
for comparison, a replay, which is a reset and all steps, as after a lost snapshot.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from environments import Action, Task, ToolEnv
from environments.demonstrable import gold_actions
from environments.plays import play
from sandbox.errors import StateLost

OPERATIONS = ("reset", "step", "snapshot", "branch", "replay", "release")


@dataclass(slots=True)
class Costs:
    """The times measured.

    Attributes:
        lost: number of snapshots that could not be restored.
        seconds: seconds of every call, by operation.
    """

    tasks: int = 0
    lost: int = 0
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in OPERATIONS}
    )

    def timed(self, operation: str, call: Callable[[], Any]) -> Any:
        """Call `call`, record its seconds under `operation`, and return its result."""
        began = perf_counter()
        result = call()
        self.seconds[operation].append(perf_counter() - began)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the median and the slowest of each operation in milliseconds, and their number."""
        return {
            "tasks": self.tasks,
            "lost": self.lost,
            **{
                name: {
                    "calls": len(found),
                    "median_ms": round(1000 * median(found), 4),
                    "slowest_ms": round(1000 * max(found), 4),
                }
                for name, found in self.seconds.items()
                if found
            },
        }


def measure(env: ToolEnv, tasks: Sequence[Task]) -> Costs:
    """Play the solution of each of `tasks`.

    Raises:
        NoSolution: the environment has no solution for a task.
        sandbox.SandboxError: the sandbox failed.
    """
    costs = Costs()
    for task in tasks:
        path = gold_actions(env, task)
        costs.timed("reset", partial(env.reset, options={"task": task}))
        for at in range(len(path)):
            _around(env, task, path[: at + 1], costs)
        costs.tasks += 1
    return costs


def _around(env: ToolEnv, task: Task, path: Sequence[Action], costs: Costs) -> None:
    """Time the last step of `path` after the others: taken, branched to, and replayed."""

    def branch() -> None:
        env.restore(snapshot)
        env.step(path[-1])

    snapshot = costs.timed("snapshot", env.snapshot)
    costs.timed("step", partial(env.step, path[-1]))
    try:
        costs.timed("branch", branch)
    except StateLost:
        costs.lost += 1
    costs.timed("replay", partial(play, env, task, path))
    costs.timed("release", partial(env.release, snapshot))
