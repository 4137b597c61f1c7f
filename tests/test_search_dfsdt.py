"""DFSDT's semantics, on trees small enough to be written down."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.encoding import tree_to_dict
from environments import Action, Outcome
from sandbox.errors import StateLost
from search import ROOT, BudgetSpent, Limits, Tree, dfsdt, react
from tests.fakes import Arms, ArmsEnv, go

GOLDEN = Path(__file__).parent / "golden"
TASK = ArmsEnv().tasks[0]


async def search(policy: Arms, limits: Limits, **how) -> Tree:
    return await dfsdt(ArmsEnv(), TASK, policy, limits, **how)


def outline(tree: Tree) -> list[tuple[int, int, str]]:
    """(parent, arm or -1, status) of each node."""
    graph = tree.to_networkx()
    return [
        (n.parent, n.step.action.arguments.get("arm", -1), graph.nodes[n.id]["status"])
        for n in tree.nodes
    ]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("dfsdt_diverse", {}),
        ("dfsdt_sample", {"siblings": "sample"}),
        ("dfsdt_backtrack_2", {"backtrack": 2}),
    ],
)
async def test_golden_trees(name, how):
    tree = await search(Arms(), Limits(depth=5), **how)
    found = json.loads(json.dumps(tree_to_dict(tree)))
    assert found == json.loads((GOLDEN / f"{name}.json").read_text())


async def test_a_complete_tree_costs_one_request_a_child_or_one_a_state():
    """Depth 4, width 2, last leaf wins: the reference spends 30 requests."""

    class Deep(ArmsEnv):
        depth = 4

    task = Deep().tasks[0]
    diverse, sample = Arms(), Arms()
    tree = await dfsdt(Deep(), task, diverse, Limits(depth=4))
    assert tree.solved and len(tree.nodes) == 30 and len(diverse.requests) == 30
    tree = await dfsdt(Deep(), task, sample, Limits(depth=4), siblings="sample")
    assert tree.solved and len(tree.nodes) == 30 and len(sample.requests) == 15


async def test_the_deepest_open_state_is_expanded_first():
    tree = await search(Arms(), Limits(depth=3, solved=99))
    assert [node.parent for node in tree.nodes] == [0, 1, 2, 2, 1, 5, 5, 0, 8, 9, 9, 8, 12, 12]
    assert tree.stopped == "exhausted" and len(tree.winners()) == 1


async def test_siblings_are_told_what_was_tried_and_samples_are_not():
    diverse, sample = Arms(), Arms()
    await search(diverse, Limits())
    await search(sample, Limits(), siblings="sample")
    assert [tried for _, tried, _, _ in diverse.requests if tried]
    assert not [tried for _, tried, _, _ in sample.requests if tried]
    assert {count for _, _, count, _ in sample.requests} == {2}


async def test_backtracking_by_two_leaves_the_parent_for_good():
    tree = await search(Arms(), Limits(), backtrack=2)
    assert outline(tree)[:5] == [
        (0, 0, "open"),
        (1, 0, "open"),
        (2, 0, "failed"),
        (1, 1, "open"),
        (4, 0, "failed"),
    ]
    assert tree.closed[2] == "pruned"


async def test_a_repeat_is_asked_for_again_and_then_the_state_closes():
    same = [[go(0)], [go(0)], [go(0)], [go(0)], [go(0)], [go(0)], [go(0)]]
    policy = Arms(script=same)
    tree = await search(policy, Limits(depth=1, repeats=2))
    # The first brings a child, the next three only repeats: 1 request and 2 more chances.
    assert outline(tree) == [(0, 0, "cut")]
    assert tree.repeats == 3 and tree.closed == {ROOT: "repeats"} and len(policy.requests) == 4
    assert [attempt for *_, attempt in policy.requests] == [0, 1, 2, 3]


async def test_a_repeat_among_samples_is_one_child():
    policy = Arms(script=[[go(1), go(1)], [go(1)], [go(0)]])
    tree = await search(policy, Limits(depth=1), siblings="sample")
    assert outline(tree) == [(0, 1, "cut"), (0, 0, "cut")] and tree.repeats == 2


async def test_the_last_paid_reply_counts():
    """Three requests are needed; three are allowed; the third brings the answer."""
    policy = Arms(script=[[go(1)], [go(1)], [go(1)]])
    tree = await search(policy, Limits(calls=3))
    assert tree.solved and tree.usage.calls == 3


async def test_samples_that_were_paid_for_are_played_after_the_last_call():
    policy = Arms(script=[[go(0), go(1)], [go(0), go(1)], [go(0), go(1)], [go(0), go(1)]])
    tree = await search(policy, Limits(calls=3), siblings="sample")
    # Root, then its first child, then that one's first child; every draw of theirs is played.
    assert len(tree.nodes) == 6 and tree.stopped == "calls"


@pytest.mark.parametrize(("bound", "word"), [({"calls": 2}, "calls"), ({"tokens": 20}, "tokens")])
async def test_limits_stop_the_search(bound, word):
    tree = await search(Arms(), Limits(**bound))
    assert tree.usage.calls == 2 and tree.stopped == word and len(tree.nodes) == 2


async def test_the_runs_budget_keeps_the_tree():
    class Poor(Arms):
        async def propose(self, *args, **kwargs):
            if len(self.requests) == 2:
                raise BudgetSpent
            return await super().propose(*args, **kwargs)

    tree = await search(Poor(), Limits())
    assert tree.stopped == "budget" and len(tree.nodes) == 2


async def test_the_depth_limit_cuts_a_path():
    tree = await search(Arms(), Limits(depth=2))
    cut = [node for node in tree.nodes if node.step.truncated]
    assert len(cut) == 4 and cut[0].step.info["cut"] == "depth" and not tree.solved


async def test_a_malformed_reply_is_a_node_like_any_other():
    bad = Action.malformed("dunno", "no call")
    tree = await search(Arms(script=[[bad], [go(1)], [go(1)], [go(1)]]), Limits(depth=5))
    assert tree.nodes[0].step.info["error"] == "malformed" and tree.solved


@given(
    width=st.integers(1, 3),
    depth=st.integers(1, 4),
    backtrack=st.integers(1, 3),
    calls=st.integers(0, 20),
    siblings=st.sampled_from(["diverse", "sample"]),
    draws=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=60, max_size=60),
)
async def test_properties(width, depth, backtrack, calls, siblings, draws):
    """Budget kept, no sibling twice, every node reachable, width and depth kept, deterministic."""
    limits = Limits(width=width, depth=depth, calls=calls, repeats=1)
    trees = []
    for _ in range(2):
        policy = Arms(script=[[go(arm) for arm in draw] for draw in draws])
        trees.append(await search(policy, limits, siblings=siblings, backtrack=backtrack))
    tree = trees[0]
    assert tree_to_dict(tree) == tree_to_dict(trees[1])
    assert tree.usage.calls <= calls
    for state in [ROOT, *(node.id for node in tree.nodes)]:
        keys = [child.step.action.key for child in tree.children(state)]
        assert len(set(keys)) == len(keys) <= width
    assert all(len(tree.lineage(node.id)) <= depth for node in tree.nodes)
    assert all(node.parent < node.id for node in tree.nodes)


async def test_react_plays_independent_chains():
    policy = Arms()
    tree = await react(ArmsEnv(), TASK, policy, Limits(width=3))
    found = json.loads(json.dumps(tree_to_dict(tree)))
    assert found == json.loads((GOLDEN / "react.json").read_text())
    assert [node.parent for node in tree.nodes] == [0, 1, 2, 0, 4, 5, 0, 7, 8]
    assert {attempt for *_, attempt in policy.requests} == {0, 1, 2}
    assert not [tried for _, tried, _, _ in policy.requests if tried]


async def test_react_stops_at_the_first_success_unless_told_otherwise():
    win = [[go(1)]] * 3
    once = await react(ArmsEnv(), TASK, Arms(script=win * 2), Limits(width=2))
    twice = await react(ArmsEnv(), TASK, Arms(script=win * 2), Limits(width=2, solved=2))
    assert (len(once.winners()), len(twice.winners())) == (1, 2)


class Forgetful(ArmsEnv):
    """Loses every snapshot but the start state's, or that one too; `drifts`: replays differ."""

    loses_start = drifts = False
    steps = 0

    def act(self, action: Action) -> Outcome:
        self.steps += 1
        outcome = super().act(action)
        return replace(outcome, observation=f"{self.steps}") if self.drifts else outcome

    def load(self, state: tuple[int, ...]) -> None:
        if state or self.loses_start:
            raise StateLost("evicted")
        super().load(state)


@pytest.mark.parametrize("loses_start", [False, True])
async def test_a_lost_snapshot_is_replayed_and_the_tree_says_so(loses_start):
    env = Forgetful()
    env.loses_start = loses_start
    tree, whole = await dfsdt(env, TASK, Arms(), Limits()), await search(Arms(), Limits())
    assert [node.step for node in tree.nodes] == [node.step for node in whole.nodes]
    assert tree.replayed == [2, 1, 5, 9, 8, 12] and whole.replayed == []


async def test_a_state_that_cannot_be_replayed_is_an_error():
    env = Forgetful()
    env.drifts = True
    with pytest.raises(StateLost, match="cannot be rebuilt"):
        await dfsdt(env, TASK, Arms(), Limits())


async def test_snapshots_are_released():
    class Counting(ArmsEnv):
        held = 0

        def save(self):
            self.held += 1
            return super().save()

        def free(self, state):
            self.held -= 1

    for search_ in (dfsdt, react):
        env = Counting()
        await search_(env, TASK, Arms(), Limits(calls=7))
        assert env.held == 0
