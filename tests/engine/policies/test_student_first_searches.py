"""A student that acts first, in every search: what holds of the trees."""

from dataclasses import dataclass, replace
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policies.student_first import StudentFirst
from engine.runs.codec import tree_to_dict
from environments import Step
from search import ROOT, Call, Policy, Proposal, Request, Tree, Usage
from search.tree import STUDENT
from tests.search.test_properties import Bounds, RandomMind
from tests.search.test_properties import play as play_search
from tests.support.fakes import ArmsEnv, go
from tests.support.student_first import acted


@dataclass
class Sure:
    """`policy`, with a log-probability for each action."""

    policy: Any
    logprob: float | None = -0.1

    @property
    def name(self) -> str:
        return "sure"

    async def propose(self, request: Request) -> Proposal:
        assert request.count == 1, "all children would be the student's"
        found = await self.policy.propose(request)
        calls = tuple(replace(call, request="by the student") for call in found.calls)
        return Proposal(found.actions, calls, (self.logprob,) * len(found.actions))


SEARCHES = st.sampled_from(["dfsdt", "rank", "react", "beam", "best_first", "mcts", "lats"])
LIMITS = st.builds(
    Bounds,
    width=st.integers(1, 3),
    depth=st.integers(1, 4),
    max_solutions=st.integers(1, 3),
    retries=st.integers(0, 2),
    calls=st.none(),
    tokens=st.none(),
)
TOOLS = ("go", "give_up")


async def play(
    policy: Policy, name: str, seed: int, bounds: Bounds, siblings: str, world: Any = None
) -> Tree:
    return (await play_search(name, seed, bounds, siblings, policy, world))[0]


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
    assert (tree.closed, tree.duplicates, tree.stopped) == (
        alone.closed,
        alone.duplicates,
        alone.stopped,
    )
    assert [c for c in tree.calls if c.kind != "student"] == alone.calls
    assert all(node.why and not node.actor for node in tree.nodes)


@settings(deadline=None, max_examples=60)
@given(name=SEARCHES, siblings=st.sampled_from(["diverse", "sample"]), seed=st.integers(0, 99))
async def test_with_full_trust_a_student_that_wins_is_not_corrected(name, siblings, seed):
    class Never:
        name = "never"

        async def propose(self, request: Request) -> Proposal:
            raise AssertionError("the teacher was asked")

    world, bounds = ArmsEnv(), Bounds(1, 12, 1, 4, 60, None)
    right = Sure(_Right(), logprob=None)
    tree = await play(
        StudentFirst(right, Never(), TOOLS, -inf), name, seed, bounds, siblings, world
    )
    assert tree.solved and acted(tree) == ["student"] * 3


class _Right:
    async def propose(self, request: Request) -> Proposal:
        return Proposal((go(1),), (Call(ROOT, "", Usage(1, 8, 2)),))


@settings(deadline=None, max_examples=60)
@given(
    name=SEARCHES,
    seed=st.integers(0, 10**6),
    limits=st.builds(
        Bounds,
        width=st.just(2),
        depth=st.integers(1, 4),
        max_solutions=st.just(1),
        retries=st.just(4),
        calls=st.integers(0, 12),
        tokens=st.none(),
    ),
)
async def test_limits_bound_the_calls_of_both(name, seed, limits):
    policy = StudentFirst(Sure(RandomMind(seed + 1)), RandomMind(seed), TOOLS, -0.5)
    tree = await play(policy, name, seed, limits, "diverse")
    assert tree.usage.calls <= limits.calls
    again = await play(policy, name, seed, limits, "diverse")
    assert tree_to_dict(again) == tree_to_dict(tree)
    for node in tree.nodes:
        kind = tree.calls[node.call].kind
        assert kind == ("student" if node.actor == STUDENT else "propose")
        if node.why == "failed":
            assert any(s.actor == STUDENT for s in tree.children(node.parent) if s.id < node.id)
