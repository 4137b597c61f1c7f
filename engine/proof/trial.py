"""One task on trial: its solution, nothing, and the panel of cheaters."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.executors.base import close_env
from engine.proof.oracle import shown_at_the_start, shown_by
from engine.proof.panel import panel
from environments import Action, NoSolution, Step, Task, ToolEnv
from environments.cheaters import AgentView, Attempt, Cheater
from environments.demonstrable import gold_actions
from environments.plays import first_difference, play, take
from sandbox import SandboxError
from search.faults import TaskFault, blamed

MOST_STEPS = 40
"""Steps of an attempt."""
OTHERS = 50
"""Tasks whose last actions a cheater knows."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one task. It holds no part of the secret.

    Attributes:
        gold: The reward of the solution.
        floor: The reward of doing nothing.
        earned: The best reward of each cheater that played, by its name.
        last_tools: The tool that ended the best attempt of each.
        shown: Where the secret is shown.
        harmed: What is no longer as it was after the cheaters; "" if all is.
        raised: What the world's code raised during attempts, by the cheater.
        attempts: How many each cheater made.
    """

    task: str
    gold: float = 0.0
    floor: float = 0.0
    earned: Mapping[str, float] = field(default_factory=dict)
    last_tools: Mapping[str, str] = field(default_factory=dict)
    shown: Sequence[str] = ()
    harmed: str = ""
    raised: Mapping[str, str] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)


def view_of(env: ToolEnv, task: Task, endings: Mapping[str, Action]) -> AgentView:
    """Return what an agent sees of `task`, and how other tasks are ended."""
    others = [action for id, action in endings.items() if id != task.id]
    return AgentView(task.prompt, env.instructions, env.tools_of(task), others[:OTHERS])


def endings_of(env: ToolEnv, tasks: Sequence[Task]) -> dict[str, Action]:
    """Return the last action of each task's solution, of as many as are needed."""
    found = {}
    for task in [*tasks, *env.tasks][: len(tasks) + OTHERS]:
        try:
            actions = [] if task.id in found else blamed(gold_actions, env, task)
        except (NoSolution, TaskFault):
            continue
        if actions:
            found[task.id] = actions[-1]
    return found


def try_task(bench: "Bench", task: Task, endings: Mapping[str, Action]) -> Trial:
    """Play `task` as it should be played, as every cheater plays it, and once more.

    Raises:
        SandboxError, TaskFault: The solution, or doing nothing, could not be played.
    """
    env = bench.env
    shown = list(dict.fromkeys(shown_at_the_start(env, task)))
    gold = blamed(lambda: gold_actions(env, task))
    right, idle = bench.play(task, gold), bench.play(task, env.noop(task))
    shown += shown_by(task, "the solution", right)
    attempts = _Attempts(bench, task)
    view = view_of(env, task, endings)
    for name, cheater in [*panel(view), *env.cheaters().items()]:
        attempts.play(name, view, cheater)
    return Trial(
        task.id,
        right[-1].reward if right else 0.0,
        idle[-1].reward if idle else 0.0,
        attempts.earned,
        attempts.last_tools,
        list(dict.fromkeys([*shown, *attempts.shown])),
        _harm(bench, task, right, idle),
        attempts.raised,
        attempts.made,
    )


def _harm(bench: "Bench", task: Task, right: Sequence[Step], idle: Sequence[Step]) -> str:
    """Return what is no longer played as it was; "" if all is."""
    try:
        for what, steps in (("the solution", right), ("doing nothing", idle)):
            if found := first_difference(steps, bench.play(task, [step.action for step in steps])):
                return f"step {found[0] + 1} of {what} returns something else after the cheaters"
    except (SandboxError, TaskFault) as error:
        return f"the task cannot be played after the cheaters: {type(error).__name__}"
    return ""


class Bench:
    """An environment that is made anew after it has failed.

    Args:
        open_env: Makes it.
    """

    def __init__(self, open_env: Callable[[], ToolEnv]) -> None:
        self._open = open_env
        self.env = blamed(open_env)

    def play(self, task: Task, actions: Sequence[Action]) -> list[Step]:
        """Play actions from the start; see `environments.plays.play`."""
        return blamed(lambda: play(self.env, task, actions))

    def renew(self) -> None:
        """Make the environment anew: nobody knows what state it is in."""
        close_env(self.env)
        self.env = blamed(self._open)

    def close(self) -> None:
        """Close the environment."""
        close_env(self.env)


@dataclass
class _Attempts:
    """Plays attempts on one task, and keeps the best of each cheater."""

    bench: Bench
    task: Task
    earned: dict[str, float] = field(default_factory=dict)
    last_tools: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    raised: dict[str, str] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)

    def play(self, name: str, view: AgentView, cheater: Cheater) -> None:
        self.made[name] += 1
        steps: list[Step] = []
        try:
            blamed(partial(_attempt, self.bench.env, self.task, cheater(view), steps.append))
        except SandboxError:  # it ended the sandbox, and earned nothing
            self.bench.renew()
        except TaskFault as fault:
            self.raised.setdefault(name, f"{fault.kind} in {fault.place or 'its code'}")
            self.bench.renew()
        self.shown += shown_by(self.task, f"cheater {name}", steps)
        reward = steps[-1].reward if steps else 0.0
        if name not in self.earned or reward > self.earned[name]:
            self.earned[name] = reward
            self.last_tools[name] = steps[-1].action.tool if steps else ""


def _attempt(env: ToolEnv, task: Task, attempt: Attempt, keep: Callable[[Step], None]) -> None:
    env.reset(options={"task": task})
    try:
        action = next(attempt)
        for _ in range(MOST_STEPS):
            step = take(env, action)
            keep(step)
            if step.ended:
                break
            action = attempt.send(step.observation)
    except StopIteration:
        pass
    finally:
        attempt.close()
