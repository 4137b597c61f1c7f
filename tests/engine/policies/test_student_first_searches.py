"""A student that acts first, in every search: what holds of the trees."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policies.student_first import StudentFirst
from engine.runs.codec import tree_to_dict
from environments import Step, Task
from search import (
    Beam,
    BestFirst,
    Dfsdt,
    Limits,
    Mcts,
    Policy,
    Proposal,
    Tree,
    Usage,
    beam,
    best_first,
    dfsdt,
    mcts,
    react,
)
from search.tree import STUDENT
from tests.search.test_properties import RandomMind, RandomWorld
from tests.support.fakes import ArmsEnv, go
from tests.support.swift_pairs import acted


@dataclass
class Sure:
    """`policy`, with a log-probability for each action."""

    policy: Any
    logprob: float | None = -0.1

    @property
    def name(self) -> str:
        return "sure"

    async def propose(self, task: Task, path: Sequence[Step], **how: Any) -> Proposal:
        assert how["count"] == 1, "all children would be the student's"
        found = await self.policy.propose(task, path, **how)
        logprobs = (self.logprob,) * len(found.actions)
        return Proposal(found.actions, found.usage, "by the student", logprobs)


SEARCHES = st.sampled_from(["dfsdt", "rank", "react", "beam", "best_first", "mcts", "lats"])
LIMITS = st.builds(
    Limits,
    width=st.integers(1, 3),
    depth=st.integers(1, 4),
    solved=st.integers(1, 3),
    repeats=st.integers(0, 2),
    calls=st.none(),
)
TOOLS = ("go", "give_up")


async def play(
    policy: Policy, name: str, seed: int, limits: Limits, siblings: Any, world: Any = None
) -> Tree:
    world, mind = world or RandomWorld(seed), RandomMind(seed)
    search, how = {
        "dfsdt": (dfsdt, [Dfsdt(siblings, backtrack=1 + seed % 3)]),
        "rank": (dfsdt, [Dfsdt(siblings, rank=True, judge=mind)]),
        "react": (react, []),
        "beam": (beam, [Beam(mind, 1 + seed % 2, siblings)]),
        "best_first": (best_first, [BestFirst(mind, siblings)]),
        "mcts": (mcts, [Mcts(siblings, judge=mind)]),
        "lats": (mcts, [Mcts(siblings, "reward", 0.5, 2, mind)]),
    }[name]
    return await search(world, world.tasks[0], policy, limits, *how)  # type: ignore[operator]


def steps(tree: Tree) -> list[tuple[int, Step]]:
    return [(node.parent, node.step) for node in tree.nodes]


@settings(deadline=None, max_examples=60)
@given(
    name=SEARCHES,
    seed=st.integers(0, 10**6),
    siblings=st.sampled_from(["diverse", "sample"]),
    limits=LIMITS,
)
async def test_with_no_trust_the_tree_is_the_teachers(name, seed, siblings, limits):
    mind = RandomMind(seed)
    alone = await play(mind, name, seed, limits, siblings)
    student = Sure(RandomMind(seed + 1))
    tree = await play(StudentFirst(student, mind, TOOLS, inf), name, seed, limits, siblings)
    assert steps(tree) == steps(alone)
    assert (tree.closed, tree.repeats, tree.stopped) == (alone.closed, alone.repeats, alone.stopped)
    assert [c for c in tree.calls if c.kind != "student"] == alone.calls
    assert all(node.why and not node.actor for node in tree.nodes)


@settings(deadline=None, max_examples=60)
@given(name=SEARCHES, siblings=st.sampled_from(["diverse", "sample"]), seed=st.integers(0, 99))
async def test_with_full_trust_a_student_that_wins_is_not_corrected(name, siblings, seed):
    class Never:
        name = "never"

        async def propose(self, *_: object, **__: object) -> Proposal:
            raise AssertionError("the teacher was asked")

    world = ArmsEnv()
    right = Sure(_Right(), logprob=None)
    tree = await play(
        StudentFirst(right, Never(), TOOLS, -inf), name, seed, Limits(width=1), siblings, world
    )
    assert tree.solved and acted(tree) == ["student"] * 3


class _Right:
    async def propose(self, *_: object, **__: object) -> Proposal:
        return Proposal((go(1),), Usage(1, 8, 2))


@settings(deadline=None, max_examples=60)
@given(
    name=SEARCHES,
    seed=st.integers(0, 10**6),
    limits=st.builds(Limits, depth=st.integers(1, 4), calls=st.integers(0, 12)),
)
async def test_limits_bound_the_calls_of_both(name, seed, limits):
    swift = StudentFirst(Sure(RandomMind(seed + 1)), RandomMind(seed), TOOLS, -0.5)
    tree = await play(swift, name, seed, limits, "diverse")
    assert tree.usage.calls <= limits.calls
    again = await play(swift, name, seed, limits, "diverse")
    assert tree_to_dict(again) == tree_to_dict(tree)
    for node in tree.nodes:
        kind = tree.calls[node.call].kind
        assert kind == ("student" if node.actor == STUDENT else "propose")
        if node.why == "failed":
            assert any(s.actor == STUDENT for s in tree.children(node.parent) if s.id < node.id)
