"""DFSDT's semantics, on trees small enough to be written down."""

import pytest

from environments import Action
from search import ROOT, BudgetSpent, Dfsdt, Tree
from search.graph import tree_text
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.judges import ArmJudge
from tests.support.searching import play
from treegraft.errors import UsageError

TASK = ArmsEnv().tasks[0]


async def search(policy: Arms, **options) -> Tree:
    return await play(Dfsdt, ArmsEnv(), TASK, policy, **options)


def outline(tree: Tree) -> list[tuple[int, int, str]]:
    """(parent, arm or -1, status) of each node."""
    return [(n.parent, n.step.action.arguments.get("arm", -1), n.status) for n in tree.nodes]


async def test_a_complete_tree_costs_one_request_a_child_or_one_a_state():
    """Depth 4, width 2, last leaf wins: the reference spends 30 requests."""

    class Deep(ArmsEnv):
        depth = 4

    task = Deep().tasks[0]
    diverse, sample = Arms(), Arms()
    tree = await play(Dfsdt, Deep(), task, diverse, depth=4)
    assert tree.solved and len(tree.nodes) == 30 and len(diverse.requests) == 30
    tree = await play(Dfsdt, Deep(), task, sample, depth=4, siblings="sample")
    assert tree.solved and len(tree.nodes) == 30 and len(sample.requests) == 15


async def test_the_deepest_open_state_is_expanded_first():
    tree = await search(Arms(), depth=3, max_solutions=99)
    assert [node.parent for node in tree.nodes] == [0, 1, 2, 2, 1, 5, 5, 0, 8, 9, 9, 8, 12, 12]
    assert tree.stopped == "exhausted" and len(tree.winners()) == 1


async def test_siblings_are_told_what_was_tried_and_samples_are_not():
    diverse, sample = Arms(), Arms()
    await search(diverse)
    await search(sample, siblings="sample")
    assert [tried for _, tried, _, _ in diverse.requests if tried]
    assert not [tried for _, tried, _, _ in sample.requests if tried]
    assert {count for _, _, count, _ in sample.requests} == {2}


async def test_backtracking_by_two_leaves_the_parent_for_good():
    tree = await search(Arms(), backtrack=2)
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
    tree = await search(policy, depth=1, retries=2)
    # The first brings a child, the next three only repeats: one for the second child, and two
    # more.
    assert outline(tree) == [(0, 0, "cut")]
    assert tree.duplicates == 3 and tree.closed == {ROOT: "repeats"} and len(policy.requests) == 4
    assert [attempt for *_, attempt in policy.requests] == [0, 1, 2, 3]


async def test_a_repeat_among_samples_is_one_child():
    policy = Arms(script=[[go(1), go(1)], [go(1)], [go(0)]])
    tree = await search(policy, depth=1, siblings="sample")
    assert outline(tree) == [(0, 1, "cut"), (0, 0, "cut")] and tree.duplicates == 2


async def test_the_last_paid_reply_counts():
    """Three requests are needed; three are allowed; the third brings the answer."""
    policy = Arms(script=[[go(1)], [go(1)], [go(1)]])
    tree = await search(policy, calls=3)
    assert tree.solved and tree.usage.calls == 3


async def test_samples_that_were_paid_for_are_played_after_the_last_call():
    policy = Arms(script=[[go(0), go(1)], [go(0), go(1)], [go(0), go(1)], [go(0), go(1)]])
    tree = await search(policy, calls=3, siblings="sample")
    # Root, then its first child, then that one's first child; every draw of theirs is played.
    assert len(tree.nodes) == 6 and tree.stopped == "calls"


@pytest.mark.parametrize(("bound", "word"), [({"calls": 2}, "calls"), ({"tokens": 20}, "tokens")])
async def test_limits_stop_the_search(bound, word):
    tree = await search(Arms(), **bound)
    assert tree.usage.calls == 2 and tree.stopped == word and len(tree.nodes) == 2


async def test_the_runs_budget_keeps_the_tree():
    class Poor(Arms):
        async def propose(self, request):
            if len(self.requests) == 2:
                raise BudgetSpent
            return await super().propose(request)

    tree = await search(Poor())
    assert tree.stopped == "budget" and len(tree.nodes) == 2


async def test_the_depth_limit_cuts_a_path():
    tree = await search(Arms(), depth=2)
    cut = [node for node in tree.nodes if node.step.truncated]
    assert len(cut) == 4 and cut[0].step.info["cut"] == "depth" and not tree.solved


async def test_a_malformed_reply_is_a_node_like_any_other():
    bad = Action.malformed("dunno", "no call")
    tree = await search(Arms(script=[[bad], [go(1)], [go(1)], [go(1)]]), depth=5)
    assert tree.nodes[0].step.info["error"] == "malformed" and tree.solved


async def test_a_state_that_repeats_itself_waits_until_nothing_else_is_open():
    """States 1 and ROOT repeat themselves; 1 is asked again, once ROOT was asked too."""
    draws = [[go(0)], [go(0)], [go(0)], [go(1)], [go(0)], [go(0)], [go(1)], [go(0)], [go(1)]]
    policy = Arms(script=draws)
    tree = await search(policy, depth=3, retries=1, max_solutions=9, calls=9)
    asked = [len(path) for path, *_ in policy.requests]
    assert asked == [0, 1, 2, 2, 1, 0, 1, 2, 2]
    assert outline(tree)[4:] == [(1, 1, "open"), (5, 0, "failed"), (5, 1, "failed")]


async def test_repeats_bound_what_the_whole_tree_asks_again():
    """A policy with one idea only costs each state its own child, and `repeats` + 1 requests."""
    policy = Arms(script=[[go(0)]] * 99)
    tree = await search(policy, depth=3, retries=2)
    assert len(policy.requests) == 3 * (1 + 1 + 2) and tree.stopped == "exhausted"
    assert tree.closed == dict.fromkeys([ROOT, 1, 2], "repeats")


async def test_ranked_siblings_are_all_played_and_the_better_is_expanded_first():
    judge = ArmJudge()
    tree = await search(Arms(), rank=True, judge=judge)
    assert outline(tree) == [
        (0, 0, "open"),
        (0, 1, "open"),
        (2, 0, "open"),
        (2, 1, "open"),
        (4, 0, "failed"),
        (4, 1, "solved"),
    ]
    assert [call.kind for call in tree.calls].count("compare") == 4
    # Both ways round; leaves are not compared, since nothing comes after them.
    assert judge.compared == [("go 0", "go 1"), ("go 1", "go 0")] * 2


async def test_a_judge_who_favours_a_place_leaves_the_order_as_it_was():
    tree = await search(Arms(), depth=2, rank=True, judge=ArmJudge(biased=True))
    assert [node.parent for node in tree.nodes] == [0, 0, 1, 1, 2, 2]


async def test_what_the_budget_leaves_unranked_keeps_its_order():
    tree = await search(Arms(), calls=3, rank=True, judge=ArmJudge())
    assert tree.usage.calls == 3 and tree.stopped == "calls"
    assert [node.parent for node in tree.nodes] == [0, 0]


async def test_rank_needs_a_judge_and_single_steps_back():
    with pytest.raises(ValueError, match="needs a judge"):
        await search(Arms(), rank=True)
    with pytest.raises(UsageError, match="--backtrack 1"):
        Dfsdt(rank=True, backtrack=2)


@pytest.mark.parametrize("bad", [{"width": 0}, {"retries": -1}, {"siblings": "twins"}])
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(UsageError, match=f"--{next(iter(bad))}"):
        Dfsdt(**bad)


async def test_a_tree_prints_as_text():
    tree = await search(Arms(), depth=2)
    lines = tree_text(tree).splitlines()
    assert len(lines) == 7 and "go" in lines[1] and lines[-1].endswith("[cut]")
