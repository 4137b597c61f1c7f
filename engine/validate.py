"""Check tasks: play the gold solution and a no-op of each.

A task that its own solution does not solve, or that doing nothing solves, teaches and measures
nonsense; 372 of BIRD's 9,428 training queries fail their own evaluation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from engine.runs.failure import without_secret
from environments import Action, Step, Task, ToolEnv
from environments.demonstrable import gold_actions
from sandbox import SandboxError
from search.faults import TaskFault, blamed


@dataclass(frozen=True, slots=True)
class Unsound:
    """A task to leave out.

    Attributes:
        kind: "fails" (the solution earns less than 1.0), "errors" (it ends in an error), "suspect"
            (the environment doubts it, as with an empty gold answer), "noop" (doing nothing earns
            1.0), "raises" (the environment's code raises an exception), or "sandbox" (the sandbox
            failed).
    """

    task: str
    group: str
    kind: str
    reason: str


def validate(env: ToolEnv, tasks: Sequence[Task]) -> Iterator[tuple[Task, Unsound | None]]:
    """Yield each task, with what is wrong with it or None.

    Raises:
        NoSolution: the environment has no solution for a task.
    """
    for task in tasks:
        try:
            found = blamed(partial(_examine, env, task))
        except SandboxError as error:
            found = ("sandbox", str(error))
        except TaskFault as fault:
            found = ("raises", without_secret(str(fault), task))
        yield task, Unsound(task.id, task.group, *found) if found else None


def _examine(env: ToolEnv, task: Task) -> tuple[str, str] | None:
    last = play(env, task, gold_actions(env, task))
    if last.info.get("suspect"):
        return "suspect", str(last.info["suspect"])
    if last.info.get("error"):
        return "errors", last.observation
    if not last.solved:
        return "fails", f"the solution earns {last.reward:g}"
    if play(env, task, env.noop(task)).solved:
        return "noop", "doing nothing earns 1.0"
    return None


def play(env: ToolEnv, task: Task, actions: Sequence[Action]) -> Step:
    """Play `actions` on `task`, and return the last step."""
    env.reset(options={"task": task})
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        step = Step(action, observation, reward, terminated, truncated, info)
        if step.ended:
            break
    return step
