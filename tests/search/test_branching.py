"""Branching of failed paths, in worlds whose right steps are known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from environments import Action, Step, Task
from search import ROOT, Branching, Proposal, Request, TaskBudget, Tree
from search.branching import DIFFERS
from search.failed_paths import failed_paths, steps_before_fall
from search.states import States
from search.tree import SPLICED
from search.values import Values
from tests.support.counter_world import CounterEnv
from tests.support.fakes import Arms, ArmsEnv, go


class DeepArms(ArmsEnv):
    """Six steps; only the last arm is right, and no mistake can be made good."""

    depth = 6


class Right(Arms):
    """Takes the right arm."""

    async def propose(self, request: Request) -> Proposal:
        return replace(await super().propose(request), actions=(go(1),))


class Stubborn:
    """Serves as the solution does; after a wrong word to the user it gives up."""

    name = "stubborn"

    def __init__(self, env: CounterEnv) -> None:
        self.env = env

    async def propose(self, request: Request) -> Proposal:
        script = self.env.solution(request.task)
        if any(step.observation == "Pardon?" for step in request.path):
            return Proposal((Action("give_up", {}),))
        return Proposal((script[len(request.path)],))


async def recorded(env: ArmsEnv | CounterEnv, task: Task, *paths: Sequence[Action]) -> Tree:
    """A tree of paths as they were played."""
    tree = Tree(task)
    for path in paths:
        env.reset(options={"task": task})
        at = ROOT
        for action in path:
            observation, reward, terminated, truncated, info = env.step(action)
            step = Step(action, observation, reward, terminated, truncated, dict(info))
            at = tree.add(at, step).id
    return tree


@pytest.mark.parametrize("wrong", range(1, 7))
async def test_bisecting_finds_the_wrong_step(wrong: int) -> None:
    env = DeepArms()
    (task,) = env.tasks
    tree = await recorded(env, task, [go(1)] * (wrong - 1) + [go(0)] * (7 - wrong))
    found = await Branching(trees=lambda _: [tree]).search(env, task, Right())
    assert found.searched == 6 and found.path(6) == tree.path(6)
    leaf = max(found.winners(), key=lambda leaf: _shared(found, leaf.id))
    assert _shared(found, leaf.id) == wrong - 1
    begun = {node.parent for node in found.nodes[6:] if node.parent <= 6}
    assert len(begun) <= 3  # half of the states are left out at a time


def _shared(tree: Tree, leaf: int) -> int:
    """With how many steps of the failed path, whose nodes come first, the path to `leaf` begins."""
    states, path = States(tree).of, tree.lineage(leaf)
    return sum(states[node.id] == states[at] for at, node in enumerate(path, 1))


def test_values_say_where_a_path_falls() -> None:
    tree = Tree(Task("t", "Go."))
    at = ROOT
    for arm, end in ((1, False), (0, False), (0, True)):
        at = tree.add(at, Step(go(arm), f"saw {arm}", terminated=end)).id
    tree.searched = 3
    for parent, reward in ((ROOT, 1.0), (1, 1.0), (1, 0.0), (2, 0.0), (2, 1.0), (2, 0.0)):
        tree.add(parent, Step(go(7 + parent), str(len(tree.nodes)), reward, terminated=True))
    (path,) = failed_paths(tree)  # continuations are none
    values = Values(tree)
    assert [steps_before_fall(values, path, below) for below in (0.5, 0.3, 0.9)] == [1, 2, 0]
    tree.nodes[3:] = []
    assert steps_before_fall(Values(tree), path, 0.5) == 0  # only the end is known


async def test_what_the_world_answers_otherwise_is_refused_and_the_rest_goes_on() -> None:
    env = ArmsEnv()
    (task,) = env.tasks
    tree = await recorded(env, task, [go(1), go(0), go(0)], [go(1), go(0), go(1)], [go(0)] * 3)
    changed = tree.nodes[1].step  # the second step of the first path
    tree.nodes[1] = replace(tree.nodes[1], step=replace(changed, observation="at (1, 9)"))
    tree.nodes[7] = replace(tree.nodes[7], step=Step(go(9), "at"))  # of the third path
    tree.add(4, Step(go(1), "", terminated=True))  # recorded without an observation
    tree.add(6, Step(go(1), "more", terminated=True))  # the world ends one step earlier
    rule = Branching(paths=9, trees=lambda _: [tree])
    found = await rule.search(env, task, Right())
    refused = {n.id: n.step.info[DIFFERS] for n in found.nodes if DIFFERS in n.step.info}
    assert [each["step"] for each in refused.values()] == [2, 2, 3]
    first, _, over = refused.values()
    assert first["how"] == "observation 'at (1, 0)' instead of 'at (1, 9)'"
    assert over["how"] == "the task is over, and the path goes on"
    _, other, end = refused  # the second path, which is branched, goes through the first
    assert not found.children(other) and not found.children(end)
    assert found.solved  # beside the second path


async def test_the_rest_of_the_success_is_played_after_the_wrong_step() -> None:
    env = CounterEnv()
    task = next(each for each in env.tasks if each.id == "hours")
    look, right, bye = env.solution(task)
    wrong = Action("say", {"text": "At nine."})
    tree = await recorded(env, task, [look, wrong, Action("give_up", {})])
    rule = Branching(trees=lambda _: [tree])
    found = await rule.search(env, task, Stubborn(env))
    spliced = next(leaf for leaf in found.winners() if leaf.why == SPLICED)
    assert [step.action for step in found.path(spliced.id)] == [look, wrong, right, bye]
    plain = await Branching(splice=False, trees=lambda _: [tree]).search(env, task, Stubborn(env))
    assert plain.solved and not any(node.why == SPLICED for node in plain.nodes)


async def test_a_budget_stops_it_and_an_unsolvable_task_ends_it() -> None:
    env = DeepArms()
    (task,) = env.tasks
    tree = await recorded(env, task, [go(0)] * 6)
    rule = Branching(depth=6, tries=2, width=3, trees=lambda _: [tree])
    cut = await rule.search(env, task, Right(), TaskBudget(calls=2))
    assert cut.stopped == "calls" and cut.usage.calls == 2
    none = await rule.search(env, task, Arms(width=1))
    assert none.stopped == "exhausted" and not none.solved
    begun = [node for node in none.nodes[6:] if node.parent == ROOT]
    assert len(begun) == 3  # as many as the width, where no state is good
