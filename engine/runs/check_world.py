"""A short look at a world before its tasks are explored: a mistake of its author is one line.

What its methods return is held to the table in `environments.contract`; of a world of the user's
own, a few tasks are played, too, with branches (`environments.law`). It asks no model and takes a
fraction of a second: `engine validate` looks at all tasks, and longer.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from engine.config import Config
from engine.executors.base import close_env, make_env
from engine.runs.failure import without_secret
from environments import BadWorld, NoSolution, Step, Task, ToolEnv
from environments.contract import held
from environments.demonstrable import gold_actions, wrong_versions
from environments.law import CHANGES, Interlude, content_of, interludes, lawless
from environments.plays import play, take
from environments.tools import GIVE_UP
from search.env_calls import in_time
from search.faults import CallHangs, TaskFault, blamed
from treegraft.errors import TreegraftError

TRIED, STEPS = 3, 8
"""Tasks that are played, and steps of each at most."""
COMPUTED, SECONDS = 0.3, 2.0
"""Seconds, of this thread's computing and in all, after which no further play begins."""
PATIENCE = 10.0
"""Seconds after which the look is given up; the run itself waits `call_seconds` for each call."""


def check_told(env: ToolEnv) -> None:
    """Check what a world tells every policy.

    Raises:
        BadWorld: It breaks the contract; the message says what to do.
    """
    world = type(env)
    if (world.save is ToolEnv.save) != (world.load is ToolEnv.load):
        has, lacks = ("load", "save") if world.save is ToolEnv.save else ("save", "load")
        raise BadWorld(f"{world.__name__} defines {has}, and no {lacks}: define both, or neither")
    held(env, "tools", env.tools)
    held(env, "instructions", env.instructions)


def is_own(env: ToolEnv) -> bool:
    """Return whether the class of a world is of the user's, not one of ours."""
    return not type(env).__module__.startswith("environments.")


def check_plays(config: Config, tasks: Sequence[Task], *, solved: bool) -> None:
    """Play the first of `tasks` in a new environment.

    Args:
        config: Describes the environment.
        tasks: Those of the run.
        solved: Whether the run needs solutions.

    Raises:
        BadWorld: The world breaks the contract, and not on a single task only.
        NoSolution: No task that was tried has a solution.
    """
    try:
        in_time(partial(_check_plays, config, tasks, solved), PATIENCE)
    except CallHangs:
        return  # the run tells which task hangs


def _check_plays(config: Config, tasks: Sequence[Task], solved: bool) -> None:
    env = make_env(config)
    try:
        _play_some(env, tasks, solved)
    finally:
        close_env(env)


def _play_some(env: ToolEnv, tasks: Sequence[Task], solved: bool) -> None:
    faults, over = list[TreegraftError](), _deadline()
    for task in tasks[:TRIED]:
        try:
            found = blamed(partial(_look, env, task, solved, over))
        except (TaskFault, BadWorld, NoSolution) as fault:
            faults.append(fault)
        except TreegraftError:
            return  # the infrastructure: the run tells
        else:
            if found is None:
                return
            if found:
                raise broken(env, task, found)
    if same_fault(faults, len(tasks)):
        if isinstance(faults[0], NoSolution):
            raise faults[0]
        raise broken(env, tasks[0], faults[0].line) from faults[0]


def _deadline() -> Callable[[], bool]:
    """Return what says whether the time is up; a busy machine alone does not use it up."""
    computed, ended = time.thread_time() + COMPUTED, time.monotonic() + SECONDS
    return lambda: time.thread_time() > computed or time.monotonic() > ended


def _look(env: ToolEnv, task: Task, solved: bool, over: Callable[[], bool]) -> str | None:
    """Return what is wrong on one task; "" if nothing is, None if the time is up."""
    held(env, "tools_of", env.tools_of(task))
    content = content_of(task)
    steps = _some_steps(env, task, solved)
    if content_of(task) != content:
        return CHANGES[1]
    if over():
        return None
    wrong = []
    if solved:
        held(env, "thought", env.thought(task, (), steps[0].action))
        wrong = wrong_versions(env, task, steps[-1].action)
    between = interludes(env, steps, Interlude([steps[0].action], task), wrong)
    _, words = lawless(env, task, steps, between) or ("", "")
    return words


def _some_steps(env: ToolEnv, task: Task, solved: bool) -> Sequence[Step]:
    """Play the solution, or calls that are drawn where there is none."""
    try:
        return play(env, task, gold_actions(env, task)[:STEPS])
    except NoSolution:
        if solved:
            raise
    env.reset(options={"task": task})
    env.action_space.seed(0)
    steps: list[Step] = []
    for _ in range(STEPS):
        action = env.action_space.sample()
        if action.tool == GIVE_UP.name and len(steps) < STEPS - 1:
            continue
        steps.append(take(env, action))
        if steps[-1].ended:
            break
    return steps


def same_fault(faults: Sequence[TreegraftError], tasks: int) -> bool:
    """Return whether the first tasks went wrong in one way: it is the world's, and no task's."""
    causes = {each.cause if isinstance(each, TaskFault) else type(each) for each in faults}
    return len(causes) == 1 and len(faults) == min(TRIED, tasks)


def broken(env: ToolEnv, task: Task, words: str) -> BadWorld:
    """Return the error of a world that goes wrong on each task as on `task`."""
    words = without_secret(words, task)
    return BadWorld(f"{type(env).__name__} breaks the contract on task {task.id!r}: {words}")
