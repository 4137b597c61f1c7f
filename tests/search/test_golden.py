"""Every search on one small tree, node by node: see tests/golden/."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.runs.codec import tree_to_dict
from search import Beam, BestFirst, Cot, Dfsdt, Mcts, React, Search, Tree
from tests.support.fakes import ArmsEnv
from tests.support.judges import ArmJudge, Told
from tests.support.searching import play

GOLDEN = Path(__file__).parents[1] / "golden"
SAMPLE = {"siblings": "sample"}
SEARCHES: dict[str, tuple[type[Search], dict[str, Any]]] = {
    "dfsdt_diverse": (Dfsdt, {"depth": 5}),
    "dfsdt_sample": (Dfsdt, {"depth": 5, **SAMPLE}),
    "dfsdt_backtrack_2": (Dfsdt, {"depth": 5, "backtrack": 2}),
    "dfsdt_rank": (Dfsdt, {"depth": 5, "rank": True}),
    "react": (React, {"width": 3}),
    "cot": (Cot, {"width": 3}),
    "beam": (Beam, {"max_solutions": 9}),
    "beam_of_1": (Beam, {"depth": 5, "beam_size": 1, **SAMPLE}),
    "best_first": (BestFirst, {"max_solutions": 9, **SAMPLE}),
    "mcts_judge": (Mcts, {"max_solutions": 9, **SAMPLE}),
    "mcts_reward": (Mcts, {"value": "reward", **SAMPLE}),
    "mcts_reflections": (Mcts, {"value": "reward", "reflections": 2, **SAMPLE}),
}


def written(tree: Tree) -> dict[str, Any]:
    """As JSON; calls with their kind, on which nothing else depends."""
    calls = [[call.state, call.kind, call.request, call.usage.tokens] for call in tree.calls]
    return json.loads(json.dumps(tree_to_dict(tree) | {"calls": calls}))


@pytest.mark.parametrize("name", SEARCHES)
async def test_golden_trees(name):
    search, options = SEARCHES[name]
    tree = await play(search, ArmsEnv(), ArmsEnv().tasks[0], Told(), judge=ArmJudge(), **options)
    assert written(tree) == json.loads((GOLDEN / f"{name}.json").read_text())
