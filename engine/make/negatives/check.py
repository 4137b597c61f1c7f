"""Check a negative by playing it: its reply is right, and everything else is not."""

from collections.abc import Sequence

from environments import ToolEnv
from environments.negatives import holds, kind_of
from environments.plays import play
from environments.tools import SAY, violation
from environments.types import Action, Step, Task

_WRONG = {
    "given": "I do not know.",
    "talk": " ",
    "missing": "It is done, and the answer is 42.",
}
"""What earns nothing in a negative of each kind."""


def fault(world: ToolEnv, task: Task, steps: Sequence[Step]) -> str:
    """Return why a negative is unsound, in a few words; "" if it is sound.

    Args:
        world: The world with negatives.
        task: The negative.
        steps: The played solution of the task that it was made from.
    """
    if not (steps and steps[-1].solved):
        return "unsolved"
    kind = kind_of(task)
    if kind == "given" and not holds(task.prompt, "".join(task.secret["answer"])):
        return "no answer in it"
    calls = [step.action for step in steps]
    if kind == "missing" and not all(violation(each, world.tools_of(task)) for each in calls):
        return "not refused"
    if not _solves(world, task, world.solution(task) or []):
        return "reply not right"
    wrong = Action(SAY.name, {"text": _WRONG[kind]})
    others = [[call] for call in (wrong, *calls[:1], *world.mistakes(task, calls[0]))]
    if any(_solves(world, task, each) for each in (world.noop(task), *others)):
        return "wrong is right"
    return ""


def _solves(world: ToolEnv, task: Task, actions: Sequence[Action]) -> bool:
    return bool(actions) and play(world, task, actions)[-1].solved
