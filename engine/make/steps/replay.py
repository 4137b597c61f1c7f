"""Which steps a successful path does not need: it is played again without them.

A path without a step is right only if everything after it shows the same: else the thoughts and
calls that follow would speak of something that the student never saw.
"""

from collections.abc import Iterable, Sequence

from environments.base import ToolEnv
from environments.plays import first_difference, play
from environments.types import Task
from search.tree import Node


def not_needed(
    env: ToolEnv, task: Task, path: Sequence[Node], doubtful: Iterable[int]
) -> tuple[int, ...]:
    """Return those of the `doubtful` nodes of a path without which it succeeds all the same.

    They are left out one after another, the first one first. Nothing is left out of a path that
    does not play as it did.

    Args:
        env: The world.
        task: The whole task, with its secret.
        path: The nodes of a successful path.
        doubtful: Nodes that may not be needed; the last of a path always is.
    """
    kept = list(path)
    if not _plays_alike(env, task, kept):
        return ()
    without = []
    for node in doubtful:
        left = [one for one in kept if one.id != node]
        if len(left) < len(kept) and node != path[-1].id and _plays_alike(env, task, left):
            kept = left
            without.append(node)
    return tuple(without)


def _plays_alike(env: ToolEnv, task: Task, path: Sequence[Node]) -> bool:
    wanted = [node.step for node in path]
    found = play(env, task, [step.action for step in wanted])
    return first_difference(wanted, found) is None
