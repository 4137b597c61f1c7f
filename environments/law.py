"""The restore law on one path: branch off, play something else, come back, and go on.

What is played between a snapshot and its restore is an interlude. A world that does not save its
state, or shares it with the snapshot, returns something else afterwards.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from copy import Error as CopyError
from copy import deepcopy
from dataclasses import dataclass

from environments.base import Snapshot, ToolEnv
from environments.nondeterminism import cause_between
from environments.plays import difference, first_difference, play, play_on, take
from environments.types import Action, Step, Task
from sandbox.errors import StateLost

PLACES = 4
"""States of a path before which an interlude is played."""

REPLAYS = 5
"""Plays after which a world is taken to be the same each time."""

CHANGES = "changes", "playing changes the task's own details: copy them in begin"
"""What is wrong where `content_of` a task is another after it was played."""

_PLAIN = (str, int, float, bool, bytes, frozenset, type(None))
"""Types of values that cannot change."""


@dataclass(frozen=True, slots=True)
class Interlude:
    """What is played between a snapshot and its restore, until a task is over.

    Attributes:
        task: Started first; None to act in the state of the snapshot.
    """

    actions: Sequence[Action]
    task: Task | None = None


def content_of(task: Task) -> str:
    """Return as one text what playing must not change of a task."""
    return json.dumps([dict(task.secret), dict(task.details)], default=repr)


def lawless(
    env: ToolEnv, task: Task, wanted: Sequence[Step], interludes: Mapping[int, Interlude]
) -> tuple[str, str] | None:
    """Return how a world breaks the law, and what to do; None if it keeps it.

    What a restore brings is told from what another play brings: "unsaved" is a state that is not
    saved, "random" what differs between two plays. The arguments are those of `broken_law`.
    """
    words = ""
    with suppress(StateLost):  # a search replays the path
        words = broken_law(env, task, wanted, interludes)
    if not words:
        return None
    actions = [step.action for step in wanted]
    for _ in range(REPLAYS):
        if found := first_difference(wanted, again := play(env, task, actions)):
            at, words = found
            words = f"act differs between two plays: step {at + 1} returned {words}"
            return "random", f"{words}; {cause_between(env, task, wanted, again)}"
    return "unsaved", f"state is not saved: {words}; {advice(env, task, actions)}"


def interludes(
    env: ToolEnv, wanted: Sequence[Step], other: Interlude | None, mistakes: Sequence[Action] = ()
) -> dict[int, Interlude]:
    """Return interludes for `broken_law`, before up to four steps of `wanted`.

    Played are: the next step itself, as it changes the state for sure; another task, if `other` is
    given; and before the last step a mistake, or any call of the task that `env` is at.
    """
    last = len(wanted) - 1
    places = sorted({last * part // (PLACES - 1) for part in range(PLACES)})
    found = {at: Interlude([wanted[at].action]) for at in places}
    if other is not None and last > 1:
        found[places[1]] = other
    env.action_space.seed(last)
    found[last] = Interlude(mistakes[:1] or [env.action_space.sample()])
    return found


def broken_law(
    env: ToolEnv, task: Task, wanted: Sequence[Step], interludes: Mapping[int, Interlude]
) -> str:
    """Play the actions of `wanted` again, with interludes before some; return what then differs.

    Afterwards, one of the states is restored once more and left by the same actions: what was done
    after the first restore must not have changed its snapshot.

    Args:
        env: Its law is tried.
        task: Started first.
        wanted: The steps of a play of `task` without interludes.
        interludes: By the index of the step that they come before.

    Returns:
        A line that names the step; "" if all is as it was.

    Raises:
        sandbox.errors.StateLost: The environment cannot return to a state.
    """
    env.reset(options={"task": task})
    with ExitStack() as held:
        snapshots: list[tuple[int, Snapshot]] = []
        for at, step in enumerate(wanted):
            if at in interludes:
                snapshots.append((at, snapshot := env.snapshot()))
                held.callback(env.release, snapshot)
                _play(env, interludes[at])
                env.restore(snapshot)
            if words := difference(step, take(env, step.action)):
                return _told(at, words, restored=bool(snapshots))
        if snapshots:
            first, snapshot = snapshots[len(snapshots) // 2]
            env.restore(snapshot)
            for at in range(first, len(wanted)):
                if words := difference(wanted[at], take(env, wanted[at].action)):
                    return _told(at, words, restored=True)
    return ""


def advice(env: ToolEnv, task: Task, actions: Sequence[Action]) -> str:
    """Return what to do about a broken law, in a few words; `actions` can be played on `task`."""
    if type(env).save is ToolEnv.save or type(env).load is ToolEnv.load:
        return "define save and load"
    env.reset(options={"task": task})
    with ExitStack() as held:

        def saved() -> Snapshot:
            snapshot = env.snapshot()
            held.callback(env.release, snapshot)
            return snapshot

        first = saved()
        if not _can_change(first.state):
            return "save must return all that acting changes"
        if saved().state is first.state:
            return "save returns the state itself, and must return a copy"
        env.restore(first)
        if _changed_by(first.state, lambda: play_on(env, actions)):
            return "load keeps the saved state itself, and must copy it"
    return "save must hold a copy of all that acting changes, and load must copy it again"


def _changed_by(state: object, play: Callable[[], object]) -> bool:
    """Return whether `play` changes a state; False where its kind does not let us see it."""
    try:
        before = deepcopy(state)
    except (TypeError, CopyError):
        return False
    comparable = before == state
    play()
    return bool(comparable and before != state)


def _play(env: ToolEnv, interlude: Interlude) -> None:
    if interlude.task is not None:
        env.reset(options={"task": interlude.task})
    play_on(env, interlude.actions)


def _told(at: int, words: str, *, restored: bool) -> str:
    return f"{'after restore, ' if restored else ''}step {at + 1} returned {words}"


def _can_change(state: object) -> bool:
    if isinstance(state, tuple):
        return any(map(_can_change, state))
    frozen = getattr(type(state), "__dataclass_params__", None)
    return not (isinstance(state, _PLAIN) or (frozen is not None and frozen.frozen))
