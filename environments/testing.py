"""The contract of `environments.base` as a test, for worlds of your own, too.

from environments.testing import check_env

def test_it_keeps_the_contract():
    check_env(MyEnv())
"""

import logging
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NoReturn

import gymnasium
import jsonschema
from gymnasium.utils.env_checker import check_env as gymnasium_check

from environments.base import Snapshot, ToolEnv
from environments.errors import NoSolution
from environments.law import Interlude, advice, broken_law, content_of, interludes
from environments.plays import call_text, difference, first_difference, play, play_on, take
from environments.tools import GIVE_UP, violation
from environments.types import Action, Step, Task
from sandbox.errors import StateLost

TASKS = 20
"""Tasks that are drawn where none are named."""
CLOSELY = 10
"""Tasks of those that are played twice, with mistakes, and with branches."""
TREES, EDGES = 12, 12
"""Random trees that are grown by default, and the steps of each at most."""
SHORTEST_SECRET = 3
"""Characters of the shortest text that must not be in a prompt."""
COMMON = ("yes", "true", "false", "none")
"""Answers that a prompt may name."""

_log = logging.getLogger("treegraft.testing")


class ContractBroken(AssertionError):
    """A world breaks the contract; the message names the world, the part and the task."""


def check_env(
    env: ToolEnv, tasks: Sequence[Task] | int = TASKS, *, seed: int = 0, trees: int = TREES
) -> list[str]:
    """Check that `env` keeps the contract, and close it.

    Ids, groups and secrets of all its tasks are checked. Some tasks are played: solutions, nothing,
    mistakes, slips, and random trees with snapshots, whose branches are played again.

    Args:
        env: A new environment.
        tasks: The tasks to play, or how many to draw of all.
        seed: Of everything that is drawn.
        trees: How many random trees to grow; fewer where a step takes long.

    Returns:
        What was not checked, and why: a world need not have solutions. It is logged, too.

    Raises:
        ContractBroken: The contract is broken.
    """
    _Checked(env, random.Random(seed)).tasks_are_told()
    return check_played(env, tasks, seed=seed, trees=trees)


def check_played(
    env: ToolEnv, tasks: Sequence[Task] | int = TASKS, *, seed: int = 0, trees: int = TREES
) -> list[str]:
    """Check what of the contract shows on some tasks, and close `env`; see `check_env`."""
    checked = _Checked(env, random.Random(seed))
    checked.choose(tasks)
    for task in checked.tasks:
        checked.tools_are_told(task)
        checked.solution_solves(task)
    for task in checked.closely:
        checked.mistakes_are_wrong(task)
        checked.branches_keep_the_law(task)
    checked.slips_are_observations()
    checked.an_end_is_an_end()
    for _ in range(trees):
        checked.trees_keep_the_law()
    checked.releasing_leaves_others()
    checked.gymnasium_accepts_it()
    checked.closes_twice()
    return checked.told()


@dataclass
class _Checked:
    """The parts of the check.

    Attributes:
        tasks: Those to play.
        steps: How each is solved, by its id; empty where no solution is known.
    """

    env: ToolEnv
    rng: random.Random
    tasks: Sequence[Task] = ()
    steps: dict[str, list[Step]] = field(default_factory=dict)

    @property
    def closely(self) -> Sequence[Task]:
        return self.tasks[:CLOSELY]

    def choose(self, tasks: Sequence[Task] | int) -> None:
        if isinstance(tasks, int):
            tasks = self.rng.sample(list(self.env.tasks), min(tasks, len(self.env.tasks)))
        self.tasks = tasks

    def told(self) -> list[str]:
        unsolved = sum(not steps for steps in self.steps.values())
        found = []
        if unsolved:
            found.append(
                f"{unsolved} of {len(self.tasks)} tasks have no solution: neither solutions nor "
                "mistakes were checked on them, and their trees have calls at random only"
            )
        for line in found:
            _log.warning("%s: %s", type(self.env).__name__, line)
        return found

    def broken(self, part: str, words: str, task: Task | None = None) -> NoReturn:
        of = f"task {task.id!r}: " if task else ""
        raise ContractBroken(f"{type(self.env).__name__} breaks the contract, {part}: {of}{words}")

    def tasks_are_told(self) -> None:
        tasks, seen = list(self.env.tasks), set[str]()
        if not tasks:
            self.broken("tasks", "there is none")
        for task in tasks:
            if task.id in seen:
                self.broken("tasks", "a second task has this id", task)
            seen.add(task.id)
            if not task.group:
                self.broken("tasks", "group is empty: splits must not share a group", task)
            for name, value in task.secret.items():
                told = _telling(str(value)) and str(value) in task.prompt
                if told and name not in task.findable:
                    self.broken("tasks", f"the prompt holds the secret {name!r}", task)

    def tools_are_told(self, task: Task) -> None:
        tools = self.env.tools_of(task)
        names = [tool.name for tool in tools]
        if not self.env.instructions.strip():
            self.broken("instructions", "there are none")
        if len(set(names)) < len(names):
            self.broken("tools", f"two have one name: {', '.join(names)}", task)
        if GIVE_UP not in tools:
            self.broken("tools", "GIVE_UP is not among them", task)
        if tools != self.env.tools_of(task):
            self.broken("tools", "tools_of returns other tools the second time", task)
        for tool in tools:
            try:
                jsonschema.Draft202012Validator.check_schema(dict(tool.parameters))
            except jsonschema.SchemaError as error:
                self.broken("tools", f"{tool.name}: no JSON Schema: {error.message}", task)
            if tool.parameters.get("type") != "object":
                self.broken("tools", f'{tool.name}: its schema has no "type": "object"', task)

    def solution_solves(self, task: Task) -> None:
        """Play the solution, on some tasks twice, and then nothing."""
        try:
            actions = self.env.solution(task)
        except NoSolution:
            actions = None
        self.steps[task.id] = steps = []
        if actions is None:
            return
        if not actions:
            self.broken("solution", "it has no action", task)
        if not task.secret:
            self.broken("tasks", "secret is empty: nothing tells whether it is solved", task)
        given, content = deepcopy(actions), content_of(task)
        steps += play(self.env, task, actions)
        if actions != given:
            self.broken("arguments", "playing changed the arguments of the solution", task)
        if content_of(task) != content:
            self.broken("arguments", "playing changed the task: copy what you change", task)
        self._solved(task, actions, steps)
        if task in self.closely:
            if actions != self.env.solution(task):
                self.broken("solution", "it is another one the second time", task)
            if found := first_difference(steps, play(self.env, task, actions)):
                at, words = found
                words = f"differs between two plays: step {at + 1} returned {words}"
                self.broken("solution", words, task)
        self._nothing_solves_nothing(task)

    def _solved(self, task: Task, actions: Sequence[Action], steps: Sequence[Step]) -> None:
        *before, last = steps
        for at, step in enumerate(before):
            if step.reward:
                self.broken("solution", f"step {at + 1} earns {step.reward:g} before the end", task)
        if len(steps) < len(actions):
            self.broken("solution", f"the task is over after step {len(steps)} already", task)
        if not last.ended:
            self.broken("solution", "the task is not over after it", task)
        if not last.solved:
            self.broken("solution", f"it earns {last.reward:g}; {last.observation!r:.200}", task)

    def _nothing_solves_nothing(self, task: Task) -> None:
        last = play(self.env, task, self.env.noop(task))[-1]
        if not last.ended:
            self.broken("noop", "the task is not over after it", task)
        if last.solved:
            self.broken("noop", "doing nothing earns 1.0", task)

    def mistakes_are_wrong(self, task: Task) -> None:
        for step in self.steps[task.id]:
            wrong = self.env.mistakes(task, step.action)
            keys = [mistake.key for mistake in wrong]
            if step.action.key in keys:
                self.broken("mistakes", f"{call_text(step.action)} is its own mistake", task)
            if len(set(keys)) < len(keys):
                self.broken("mistakes", f"{call_text(step.action)} has one twice", task)
            if wrong != self.env.mistakes(task, step.action):
                why = f"{call_text(step.action)} has others the second time"
                self.broken("mistakes", why, task)
        if self.steps[task.id]:
            self._mistaken_ends_solve_nothing(task)

    def _mistaken_ends_solve_nothing(self, task: Task) -> None:
        *before, last = [step.action for step in self.steps[task.id]]
        for wrong in self.env.mistakes(task, last)[:3]:
            # One that ends nothing may be a detour, after which the last step is still right.
            if play(self.env, task, [*before, wrong])[-1].solved:
                words = f"{call_text(wrong)} in place of the last step solves it"
                self.broken("mistakes", words, task)

    def branches_keep_the_law(self, task: Task) -> None:
        wanted = self.steps[task.id]
        if not wanted:
            return
        other = self.rng.choice(self.tasks)
        ahead = [step.action for step in self.steps[other.id][:1]]
        self.env.reset(options={"task": task})
        wrong = self.env.mistakes(task, wanted[-1].action)
        between = interludes(self.env, wanted, Interlude(ahead, other), wrong)
        try:
            words = broken_law(self.env, task, wanted, between)
        except StateLost:
            return  # a search replays the path
        if words:
            self.broken("the law", f"{words}; {self._advice(task)}", task)

    def slips_are_observations(self) -> None:
        task = self.tasks[0]
        calls = [Action(t.name, {"no_such_argument": 1}) for t in self.env.tools_of(task)]
        slips = {
            "malformed": Action.malformed("hm", "no call found"),
            "unknown_tool": Action("no_such_tool", {}),
            "bad_arguments": next(c for c in calls if violation(c, self.env.tools_of(task))),
        }
        self.env.reset(options={"task": task})
        for kind, slip in slips.items():
            step = take(self.env, slip)
            if step.info.get("error") != kind or not step.observation.startswith("error: "):
                words = f"{kind}: the observation is {step.observation!r:.100}"
                self.broken("slips", f'{words}, not one that starts with "error: "', task)
            if step.ended or step.reward:
                self.broken("slips", f"{kind} ends the task, or earns something", task)

    def an_end_is_an_end(self) -> None:
        task, give_up = self.tasks[0], Action(GIVE_UP.name, {})
        self.env.reset(options={"task": task})
        start = self.env.snapshot()
        step = take(self.env, give_up)
        if not step.terminated or step.reward or step.info.get("gave_up") is not True:
            self.broken("the end", "give_up does not end the task with reward 0", task)
        try:
            self.env.step(give_up)
        except RuntimeError:
            pass
        else:
            self.broken("the end", "a task that is over takes another step", task)
        self.env.restore(start)
        take(self.env, Action("no_such_tool", {}))
        self.env.release(start)

    def trees_keep_the_law(self) -> None:
        """Grow a tree at random, over two tasks, keeping all; then walk every branch again."""
        env, rng = self.env, self.rng
        nodes: list[tuple[Task, Snapshot, Sequence[Action]]] = []  # and the way on from there
        edges: list[tuple[Task, Snapshot, Step]] = []
        for task in rng.sample(list(self.tasks), min(2, len(self.tasks))):
            env.reset(options={"task": task})
            ahead = [step.action for step in self.steps[task.id]]
            nodes.append((task, env.snapshot(), ahead))
        for _ in range(rng.randint(1, EDGES)):
            task, snapshot, way = rng.choice(nodes[-4:] if rng.random() < 0.5 else nodes)
            env.restore(snapshot)
            action, left = self._drawn(task, way)
            edges.append((task, snapshot, step := take(env, action)))
            if not step.ended:
                nodes.append((task, env.snapshot(), left))
        for task, snapshot, step in rng.sample(edges, len(edges)):
            env.restore(snapshot)
            if words := difference(step, take(env, step.action)):
                words = f"after restore, {call_text(step.action)} returned {words}"
                self.broken("the law", f"{words}; {self._advice(task)}", task)
        for _, snapshot, _ in nodes:
            env.release(snapshot)

    def _advice(self, task: Task) -> str:
        return advice(self.env, task, [step.action for step in self.steps[task.id]])

    def _drawn(self, task: Task, ahead: Sequence[Action]) -> tuple[Action, Sequence[Action]]:
        """Return an action, and what is then left of the way to the end."""
        chance = self.rng.random()
        if ahead and chance < 0.5:
            return ahead[0], ahead[1:]
        if chance < 0.7 and (steps := self.steps[task.id]):
            return self.rng.choice(steps).action, ()
        self.env.action_space.seed(self.rng.randrange(2**32))
        return self.env.action_space.sample(), ()

    def releasing_leaves_others(self) -> None:
        task = next((task for task in self.tasks if self.steps[task.id]), self.tasks[0])
        wanted = self.steps[task.id]
        self.env.reset(options={"task": task})
        first, second = self.env.snapshot(), self.env.snapshot()
        self.env.release(first)
        self.env.restore(second)
        found = play_on(self.env, [step.action for step in wanted])
        if differs := first_difference(wanted, found):
            at, words = differs
            words = f"after it, another snapshot's step {at + 1} returned {words}"
            self.broken("release", words, task)
        self.env.release(second)

    def gymnasium_accepts_it(self) -> None:
        try:
            gymnasium_check(self.env, skip_render_check=True)
        except (AssertionError, gymnasium.error.Error) as error:
            self.broken("Gymnasium's checker", " ".join(str(error).split()))

    def closes_twice(self) -> None:
        self.env.reset(options={"task": self.tasks[0]})
        self.env.close()
        self.env.close()


def _telling(text: str) -> bool:
    return len(text) >= SHORTEST_SECRET and text.lower() not in COMMON
