"""Values of states, by hand; and continuations, from a small world whose values are known."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from environments import Step, Task
from search import ROOT, Continuations, Dfsdt, Proposal, Request, TaskBudget, Tree
from search.tree import SPLICED
from search.values import Value, Values
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.searching import play
from treegraft.errors import TreegraftError


def step(arm: int, reward: float | None = None) -> Step:
    ended = reward is not None
    return Step(go(arm), f"saw {arm}", reward or 0.0, terminated=ended)


def grown(searched: int, *nodes: tuple[int, Step]) -> Tree:
    tree = Tree(Task("t", "Go."))
    for parent, each in nodes:
        tree.add(parent, each)
    tree.searched = searched
    return tree


def test_values_are_means_of_continuations_and_count_where_they_pass() -> None:
    tree = grown(
        3,
        (ROOT, step(0)),  # 1
        (1, step(1, 1.0)),  # 2: ended, so its value is known
        (1, step(0)),  # 3
        (ROOT, step(0)),  # 4, the state of 1
        (4, step(0)),  # 5, the state of 3
        (5, step(9, 1.0)),  # 6: a continuation of ROOT that passes through 1 and 3
        (3, step(8, 0.5)),  # 7: of 3
        (1, step(7, 0.0)),  # 8: of 1
        (3, step(2)),  # 9: of 3, cut off before its end, so it counts nowhere
    )
    values = Values(tree)
    assert [values.of(node) for node in (ROOT, 1, 2, 3)] == [
        Value((1.0,)),
        Value((1.0, 0.0)),
        Value((1.0,), ended=True),
        Value((1.0, 0.5)),
    ]
    third, first = values.of(3), values.of(1)
    assert third and (third.mean, third.variance, third.pass_rate) == (0.75, 0.0625, 0.5)
    assert first and first.pivot == 0.25
    # 3 is worth 0.75, and the policy gets 0.5 on average in 1.
    assert values.advantage(tree.node(3)) == 0.25
    assert values.drawn[values.states.of[1]] == Counter({go(0).key: 1, go(7).key: 1})
    assert values.of(2) and values.of(2).interval() == (1.0, 1.0)  # type: ignore[union-attr]


def test_what_no_policy_drew_is_no_evidence() -> None:
    tree = grown(1, (ROOT, step(0)), (1, step(1, 1.0)), (1, step(2, 0.0)))
    tree.nodes[1] = replace(tree.nodes[1], why=SPLICED)
    assert Values(tree).of(1) == Value((0.0,))
    tree.nodes[2] = replace(tree.nodes[2], step=step(2, float("nan")))
    assert Values(tree).of(1) is None


class Cycle:
    """Takes arm 0, 1, 0, 1, ... in each state, request by request, whatever was tried there."""

    name = "cycle"

    async def propose(self, request: Request) -> Proposal:
        return Proposal((go(request.attempt % 2),))


@pytest.fixture
def searched() -> Iterator[tuple[ArmsEnv, Task, Tree]]:
    import asyncio

    env = ArmsEnv()
    (task,) = env.tasks
    tree = asyncio.run(play(Dfsdt, env, task, Arms(), depth=3, width=2))
    yield env, task, tree
    env.close()


async def test_states_are_valued_from_live_branches(
    searched: tuple[ArmsEnv, Task, Tree],
) -> None:
    env, task, tree = searched
    rule = Continuations(depth=3, least=4, most=8, trees=lambda _: tree)
    found = await rule.search(env, task, Cycle())
    assert found.searched == len(tree.nodes) and found.stopped == "exhausted"
    assert [n.step for n in found.nodes[: found.searched]] == [n.step for n in tree.nodes]
    assert not found.replayed  # every state was saved while it was needed
    values = Values(found)
    for node in tree.nodes:
        value = values.of(node.id)
        assert value is not None
        if node.step.ended:
            continue
        low, high = value.interval(rule.confidence)
        assert len(value.rewards) >= 8 or not low <= 0.5 <= high
        won = node.step.observation == "at (1, 1)"  # from there, every second continuation wins
        assert value.mean == pytest.approx(0.5 if won else value.mean)
        if node.step.observation.startswith("at (0"):
            assert value.mean == 0 and len(value.rewards) == 4  # decided after four failures


async def test_a_budget_stops_it_and_keeps_what_is_known(
    searched: tuple[ArmsEnv, Task, Tree],
) -> None:
    env, task, tree = searched
    policy = Arms()
    rule = Continuations(depth=3, trees=lambda _: tree)
    found = await rule.search(env, task, policy, TaskBudget(calls=5))
    assert found.stopped == "calls" and found.usage.calls == 5
    assert len(found.nodes) - found.searched == 5


def test_numbers_of_continuations_are_at_least_one() -> None:
    with pytest.raises(TreegraftError, match="--least 0"):
        Continuations(least=0)
    with pytest.raises(TreegraftError, match="--most 0"):
        Continuations(most=0)
