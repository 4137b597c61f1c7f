"""Check tasks: play each solution, play it again with branches, and do nothing.

A task that its own solution does not solve, or that doing nothing solves, teaches and measures
nonsense; 372 of BIRD's 9,428 training queries fail their own evaluation. And a world that forgets
its state, or is not the same twice, makes trees whose steps never happened.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.executors.base import close_env
from engine.runs.check_world import TRIED, broken, check_told
from engine.runs.failure import without_secret
from engine.second_process import OpenEnv, Replay, SecondProcess
from environments import BadWorld, Step, Task, ToolEnv
from environments.demonstrable import gold_actions, wrong_versions
from environments.law import CHANGES, Interlude, content_of, interludes, lawless
from environments.nondeterminism import cause_of
from environments.plays import call_text, first_difference, play
from environments.testing import ContractBroken, check_played
from sandbox import SandboxError
from search.faults import TaskFault, blamed

MISTAKEN = 5
"""Tasks in whose branches a mistake is played; some worlds take long to find one."""
PAUSE = 1.1
"""Seconds between the plays of the first task: a clock that counts seconds goes on."""

TREES = 3
"""Random trees in which the law is tried, beside those that `validate` plays along solutions."""
OF_THE_WORLD = ("random", "unsaved", "changes", "raises")
"""Kinds of `Unsound` that are no task's own, where no task is sound."""

Verdict = tuple[str, str]
"""Kind and reason of an `Unsound`."""


@dataclass(frozen=True, slots=True)
class Unsound:
    """A task to leave out.

    Attributes:
        kind: "fails" (the solution earns less than 1.0), "errors" (it ends in an error), "suspect"
            (the environment doubts it, as with an empty gold answer), "noop" (doing nothing earns
            1.0), "random" (the same actions return something else another time, or in another
            process), "unsaved" (they do after a restore), "changes" (playing changes the task
            itself), "raises" (the environment's code raises an exception, or returns what the
            contract does not allow), or "sandbox" (the sandbox failed).
    """

    task: str
    group: str
    kind: str
    reason: str


def validate(
    env: ToolEnv, tasks: Sequence[Task], open_again: OpenEnv | None = None
) -> Iterator[tuple[Task, Unsound | None]]:
    """Yield each task, with what is wrong with it or None.

    Args:
        env: The environment.
        tasks: Those to play.
        open_again: Makes the environment in a second process, where solutions are played, too;
            None for none.

    Raises:
        NoSolution: the environment has no solution for a task.
    """
    second = SecondProcess(open_again, env.call_seconds) if open_again else None
    examiner = _Examiner(env, second)
    try:
        for task in tasks:
            try:
                found = blamed(partial(examiner.examine, task))
            except SandboxError as error:
                found = "sandbox", str(error)
            except (TaskFault, BadWorld) as fault:
                found = "raises", fault.line
            wrong = found and Unsound(task.id, task.group, found[0], without_secret(found[1], task))
            yield task, wrong or None
    finally:
        if second is not None:
            second.close()


def examine_world(
    env: ToolEnv, tasks: Sequence[Task], open_again: OpenEnv, *, second: bool = True
) -> list[Unsound]:
    """Hold a world to the whole contract; return the tasks to leave out.

    Where none of the first tasks is sound, because of what the world does, its other tasks are not
    played.

    Args:
        env: The environment.
        tasks: Those to play.
        open_again: Makes the environment once more.
        second: Whether to play solutions in a second process, too.

    Raises:
        BadWorld: The world breaks the contract, and not on single tasks only; says what to do.
        NoSolution: The environment has no solution for a task.
    """
    check_told(env)
    found: list[Unsound] = []
    sound: list[str] = []
    for task, wrong in validate(env, tasks, open_again if second else None):
        if wrong is None:
            sound.append(task.id)
            continue
        found.append(wrong)
        if len(found) == min(TRIED, len(tasks)) and not sound and found[0].kind in OF_THE_WORLD:
            first = found[0]
            raise broken(env, next(each for each in tasks if each.id == first.task), first.reason)
    if sound:
        blamed(partial(_keep_the_contract, open_again, sound[:TRIED]))
    return found


def _keep_the_contract(open_env: OpenEnv, ids: Sequence[str]) -> None:
    """Check the rest of the contract on some sound tasks, in a new environment."""
    env = open_env()
    try:
        tried, trees = (TRIED, TREES) if env.instant else (1, 0)  # others may take seconds a step
        tasks = [task for task in env.tasks if task.id in ids][:tried]
        check_played(env, tasks, trees=trees)
    except ContractBroken as error:
        raise BadWorld(str(error)) from error
    finally:
        close_env(env)


@dataclass
class _Examiner:
    """Examines one task after another.

    Attributes:
        other: The beginning of the task before.
        examined: How many tasks were sound so far.
    """

    env: ToolEnv
    second: SecondProcess | None
    other: Interlude | None = None
    examined: int = 0
    began: float = field(default_factory=time.monotonic)

    def examine(self, task: Task) -> Verdict | None:
        actions = gold_actions(self.env, task)
        if self.second is not None:
            self.second.ask(task)
        content = content_of(task)
        steps = play(self.env, task, actions)
        found = self._unsolved(task, steps)
        if not found and content_of(task) != content:
            found = CHANGES
        found = found or self._branched(task, steps)
        replay = self.second.answer(task) if self.second is not None and not found else None
        found = found or (_elsewhere(task, steps, replay) if replay else None)
        self.other = Interlude(actions[:1], task)
        self.examined += 1
        return found

    def _unsolved(self, task: Task, steps: Sequence[Step]) -> Verdict | None:
        if not steps:
            return "fails", "the solution has no action"
        last = steps[-1]
        if last.info.get("suspect"):
            return "suspect", str(last.info["suspect"])
        if last.info.get("error"):
            return "errors", last.observation
        if not last.solved:
            return "fails", f"the solution earns {last.reward:g}"
        if play(self.env, task, self.env.noop(task))[-1].solved:
            return "noop", "doing nothing earns 1.0"
        return None

    def _branched(self, task: Task, steps: Sequence[Step]) -> Verdict | None:
        """Play the solution again with branches; a restore is told from another play."""
        early = self.examined < MISTAKEN
        wrong = wrong_versions(self.env, task, steps[-1].action) if early else []
        between = interludes(self.env, steps, self.other, wrong)
        if self.second is not None and not self.examined:
            time.sleep(max(0.0, PAUSE - (time.monotonic() - self.began)))
        return lawless(self.env, task, steps, between)


def _elsewhere(task: Task, steps: Sequence[Step], replay: Replay) -> Verdict | None:
    """Compare with the second process."""
    where = "differs between two processes:"
    if replay.trouble:
        return "random", f"{where} the second says: {replay.trouble}"
    if replay.prompt is None:
        return "random", f"{where} the second has no such task; {cause_of('', '')}"
    if replay.prompt != task.prompt:
        return "random", f"{where} the prompt; {cause_of(task.prompt, replay.prompt)}"
    for at, (here, there) in enumerate(zip(steps, replay.steps, strict=False)):
        mine, other = call_text(here.action), call_text(there.action)
        if here.action.key != there.action.key:
            words = f"step {at + 1} of the solution is {other} instead of {mine}"
            return "random", f"{where} {words}; {cause_of(mine, other)}"
    if found := first_difference(steps, replay.steps):
        at, words = found
        cause = cause_of(steps[at].observation, replay.steps[at].observation)
        return "random", f"{where} step {at + 1} returned {words}; {cause}"
    return None
