"""What a world knows about solving its own tasks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from environments.cheaters import Cheater
from environments.contract import held
from environments.errors import NoSolution
from environments.thoughts import plain_thought
from environments.tools import GIVE_UP, Tool
from environments.types import Action, Step, Task

_ANSWERS = ("answer", "text", "value", "final_answer")
"""Arguments with which worlds take an answer."""
LONGEST_ANSWER = 80
"""Characters of an answer that can be told in a sentence."""

TRAJECTORY = "trajectory"
"""The field of a secret that holds how a task was solved, as one text: see `with_trajectory`."""


class Demonstrable:
    """The part of `ToolEnv` that plays tasks right and wrong; all of it is optional.

    The demonstration teacher, `engine validate` and `engine bench-env` need `solution`. A world
    that is graded by a judge or a person leaves it out, and is explored with a model.
    """

    def solution(self, task: Task) -> list[Action] | None:
        """Return actions that earn reward 1.0: proof that the task and its grader work.

        The result depends on `task` only, so any instance can be asked at any time. None: no
        solution is known. That is the default for a task without a trajectory of its own.
        """
        return trajectory_of(task)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """Return plausible wrong versions of `action`, a step of `solution(task)`, likeliest first.

        The result depends on the arguments only. By default there are none.
        """
        return []

    def recover(self, task: Task, path: Sequence[Step]) -> Action | None:
        """Return the right action after `path`, on which mistakes left `solution(task)`.

        None, the default: the next step of the solution is still right.
        """
        return None

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """Return what the agent may think before `action`, which it takes after `path`.

        The result depends on the arguments only, and on the public part of `task` only: a thought
        names what the prompt, the observations so far and the action show, and nothing else. By
        default it is the action's own thought, else a sentence about the tool and its arguments.
        """
        return action.thought or plain_thought(task, path, action)

    def told(self, path: Sequence[Step]) -> str:
        """Return in words what a path that solved its task has found out; "" if nothing.

        A user who knows it needs no call: see `environments.negatives`. By default it is the
        answer that the last action gives, if that is short.
        """
        return told_by_last(path)

    def possible_in_words(self, task: Task) -> bool:
        """Return whether `task` can be solved in words alone, without any tool."""
        return False

    def left_without(self, task: Task) -> tuple[Tool, ...]:
        """Return tools of `task` with which nobody can solve it: others than those it needs.

        By default there are none.
        """
        return ()

    def may_be_detour(self, task: Task, path: Sequence[Step], place: int) -> bool:
        """Return whether the step at `place` of a successful path may not be needed.

        For `engine judge`, which plays the path without it to be sure. By default a step may be a
        detour if its observation has no word that was not seen before; a world knows more.
        """
        seen = " ".join([task.prompt, *(step.observation for step in path[:place])])
        return set(path[place].observation.split()) <= set(seen.split())

    def noop(self, task: Task) -> list[Action]:
        """Return actions that end `task` unsolved; a sound grader gives them less than 1.0."""
        return [Action(GIVE_UP.name, {})]

    def cheaters(self) -> Mapping[str, Cheater]:
        """Return ways to cheat in this world, by name; none should earn more than `noop`.

        `engine validate --proof` plays them beside its own panel. By default there are none.
        """
        return {}


def told_by_last(path: Sequence[Step]) -> str:
    """Return the answer that the last action of a path gives, if it is one short line."""
    given = path[-1].action.arguments if path else {}
    found = (given[name] for name in _ANSWERS if isinstance(given.get(name), str | int | float))
    text = str(next(found, "")).strip()
    return text if len(text) <= LONGEST_ANSWER and "\n" not in text else ""


def gold_actions(world: Demonstrable, task: Task) -> list[Action]:
    """Return the trajectory that `task` brings along, else `world.solution(task)`.

    Raises:
        NoSolution: There is neither.
        BadWorld: `solution` returned something else than actions.
    """
    actions = trajectory_of(task) or held(world, "solution", world.solution(task))
    if actions is None:
        name = type(world).__name__
        raise NoSolution(
            f"{name} has no solution for task {task.id!r}: define {name}.solution(task), or "
            "explore with a model as teacher"
        )
    return actions


def wrong_versions(world: Demonstrable, task: Task, action: Action) -> list[Action]:
    """Return `world.mistakes(task, action)`.

    Raises:
        BadWorld: They are something else than actions.
    """
    return held(world, "mistakes", world.mistakes(task, action))


def with_trajectory(task: Task, actions: Sequence[Action]) -> Task:
    """Return `task` with actions that solve it, kept in its secret.

    They are one text of JSON: the leak check of an export would take the words of a right call,
    which an observation may repeat, for a leak.
    """
    steps = [[action.tool, dict(action.arguments), action.thought] for action in actions]
    return replace(task, secret={**task.secret, TRAJECTORY: json.dumps(steps)})


def trajectory_of(task: Task) -> list[Action] | None:
    """Return the actions that `with_trajectory` kept; None if there are none."""
    if TRAJECTORY not in task.secret:
        return None
    return [Action(*step) for step in json.loads(task.secret[TRAJECTORY])]
