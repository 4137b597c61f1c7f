"""Starting anew after the agent gave up: a new child of the start state that saw the failures."""

import json

import pytest

from engine.runs.codec import node_from_dict, node_to_dict, tree_to_dict
from environments import GIVE_UP, Action
from search import ROOT, Beam, BestFirst, Dfsdt, Mcts, React
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.judges import ArmJudge
from tests.support.searching import play

LEAVE = Action(GIVE_UP.name, {})


class Quitter(Arms):
    """Goes wrong once and gives up; after `enough` failed attempts it goes the right way."""

    def __init__(self, enough: int = 1) -> None:
        super().__init__()
        self.enough = enough
        self.seen: list[list[list[str]]] = []

    async def propose(self, request):
        self.seen.append([[step.action.tool for step in one] for one in request.attempts])
        ready = len(request.attempts) >= self.enough
        right = go(1) if ready else LEAVE if request.path else go(0)
        self.script = [[right]]
        return await super().propose(request)


SEARCHES = {
    "dfsdt": (Dfsdt, {}),
    "rank": (Dfsdt, {"rank": True}),
    "backtrack": (Dfsdt, {"backtrack": 2}),
    "react": (React, {}),
    "beam": (Beam, {}),
    "best_first": (BestFirst, {}),
    "mcts": (Mcts, {"value": "reward"}),
    "judged": (Mcts, {}),
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_every_search_starts_anew_and_solves_the_task(name):
    search, options = SEARCHES[name]
    env, options = ArmsEnv(), {"width": 1, "retries": 0, **options}
    lost = await play(search, env, env.tasks[0], Quitter(), judge=ArmJudge(), **options)
    assert not lost.solved and not any(node.attempts for node in lost.nodes)

    mind = Quitter(2)
    tree = await play(search, env, env.tasks[0], mind, judge=ArmJudge(), restarts=2, **options)
    assert tree.solved and tree.stopped == "solved"
    assert [n.attempts for n in tree.children(ROOT)] == [(), (2,), (2, 4)]
    assert [node.status for node in tree.leaves()] == ["gave_up", "gave_up", "solved"]
    failed = ["go", GIVE_UP.name]
    assert mind.seen[-1] == [failed, failed]  # also below the start state
    [winner] = tree.winners()
    assert tree.attempts(winner.id) == (2, 4) and tree.attempts(2) == tree.attempts(ROOT) == ()

    kept = [node_from_dict(json.loads(json.dumps(node_to_dict(node)))) for node in tree.nodes]
    assert kept == tree.nodes


async def test_a_restart_that_cannot_be_paid_is_none():
    env, most = ArmsEnv(), {"width": 1, "restarts": 9}
    whole = await play(React, env, env.tasks[0], Quitter(99), **most)
    assert whole.usage.calls == 20 and len(whole.children(ROOT)) == 10
    assert whole.children(ROOT)[-1].attempts == (14, 16, 18)  # the latest
    for calls in (2, 3):
        cut = await play(React, env, env.tasks[0], Quitter(99), calls=calls, **most)
        assert cut.usage.calls == calls and cut.stopped == "calls"
        assert tree_to_dict(cut)["nodes"] == tree_to_dict(whole)["nodes"][:calls]


async def test_chains_do_not_see_each_others_attempts():
    env = ArmsEnv()
    tree = await play(React, env, env.tasks[0], Quitter(9), width=2, restarts=1)
    assert [node.attempts for node in tree.children(ROOT)] == [(), (2,), (), (6,)]
