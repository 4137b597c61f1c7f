"""What is wrong with LATS' own code (andyz245/LanguageAgentTreeSearch), and is not here.

Actions cut at the first colon: `tests/engine/policies/test_judge.py`, over the wire.
"""

import asyncio

import pytest

from environments import Action, Outcome
from search import Limits, Mcts, mcts
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.judges import ArmJudge, Told

TASK = ArmsEnv().tasks[0]
VALUES = [Mcts("sample", judge=ArmJudge()), Mcts("diverse", "reward")]


class Ledger(ArmsEnv):
    """Keeps one list, changes it in place, and shows it: a branch that shares it sees the others'
    entries."""

    def begin(self, task):
        self.entries: list[int] = []

    def act(self, action: Action) -> Outcome:
        self.entries.append(action.arguments["arm"])
        return Outcome(f"{self.entries}", terminated=len(self.entries) == self.depth)

    def save(self):
        return [*self.entries]

    def load(self, state):
        self.entries = [*state]


@pytest.mark.parametrize("how", VALUES)
async def test_branches_share_no_environment(how):
    """There: one global environment, stepped for every branch in turn."""
    tree = await mcts(Ledger(), TASK, Arms(), Limits(), how)
    assert len(tree.nodes) == 14
    for node in tree.nodes:
        arms = [step.action.arguments["arm"] for step in tree.path(node.id)]
        assert node.step.observation == f"{arms}"


@pytest.mark.parametrize("how", VALUES)
@pytest.mark.parametrize("script", [[], [[Action("give_up", {})] * 2] * 9, [[go(0)]] * 99])
async def test_an_exhausted_tree_ends_the_search(how, script):
    """There: `while node is None: node = select_node(root)`, for ever."""

    class Hopeless(ArmsEnv):
        def act(self, action: Action) -> Outcome:
            outcome = super().act(action)
            return Outcome(outcome.observation, 0.0, outcome.terminated)

    search = mcts(Hopeless(), TASK, Arms(script=script), Limits(calls=None), how)
    tree = await asyncio.wait_for(search, 20)
    assert tree.stopped == "exhausted" and not tree.solved


async def test_what_a_simulation_visits_is_part_of_the_tree():
    """There: its states are dropped, and paid for again."""
    tree = await mcts(ArmsEnv(), TASK, Arms(), Limits(calls=6), Mcts("diverse", "reward"))
    assert len(tree.nodes) == 6 == tree.usage.calls


async def test_reflections_are_told_to_all_that_follows_and_are_bounded():
    policy = Told()
    how = Mcts("sample", "reward", reflections=1, judge=ArmJudge())
    tree = await mcts(ArmsEnv(), TASK, policy, Limits(), how)
    lesson = ("[0, 0, 0] is wrong",)
    assert policy.lessons == [(), (), ()] + [lesson] * (len(policy.requests) - 3)
    assert len(policy.requests) > 3
    assert [call.kind for call in tree.calls].count("reflect") == 1


@pytest.mark.parametrize("how", [{"value": "judge"}, {"value": "reward", "reflections": 1}])
def test_what_needs_a_judge_says_so(how):
    with pytest.raises(ValueError, match="need a judge"):
        Mcts(**how)
