"""What is wrong with LATS' own code (andyz245/LanguageAgentTreeSearch), and is not here.

Actions cut at the first colon: `tests/engine/policies/test_judge.py`, over the wire.
"""

import asyncio
from typing import Any

import pytest

from environments import Action, Outcome
from search import Mcts
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.judges import ArmJudge, Told
from tests.support.searching import play

TASK = ArmsEnv().tasks[0]
VALUES: list[dict[str, Any]] = [
    {"siblings": "sample", "judge": ArmJudge()},
    {"value": "reward"},
]


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
    tree = await play(Mcts, Ledger(), TASK, Arms(), **how)
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

    search = play(Mcts, Hopeless(), TASK, Arms(script=script), calls=None, **how)
    tree = await asyncio.wait_for(search, 20)
    assert tree.stopped == "exhausted" and not tree.solved


async def test_what_a_simulation_visits_is_part_of_the_tree():
    """There: its states are dropped, and paid for again."""
    tree = await play(Mcts, ArmsEnv(), TASK, Arms(), calls=6, siblings="diverse", value="reward")
    assert len(tree.nodes) == 6 == tree.usage.calls


async def test_reflections_are_told_to_all_that_follows_and_are_bounded():
    policy = Told()
    options = {"siblings": "sample", "value": "reward", "reflections": 1}
    tree = await play(Mcts, ArmsEnv(), TASK, policy, judge=ArmJudge(), **options)
    lesson = ("[0, 0, 0] is wrong",)
    assert policy.lessons == [(), (), ()] + [lesson] * (len(policy.requests) - 3)
    assert len(policy.requests) > 3
    assert [call.kind for call in tree.calls].count("reflect") == 1


@pytest.mark.parametrize("how", [{"value": "judge"}, {"value": "reward", "reflections": 1}])
async def test_what_needs_a_judge_says_so(how):
    with pytest.raises(ValueError, match="needs a judge"):
        await play(Mcts, ArmsEnv(), TASK, Arms(), **how)
