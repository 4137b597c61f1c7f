"""Every search on one small tree, node by node: see tests/golden/."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.runs.codec import tree_to_dict
from search import (
    Beam,
    BestFirst,
    Dfsdt,
    Limits,
    Mcts,
    Tree,
    beam,
    best_first,
    dfsdt,
    mcts,
    react,
)
from tests.support.fakes import ArmsEnv
from tests.support.judges import ArmJudge, Told

GOLDEN = Path(__file__).parents[1] / "golden"
SEARCHES = {
    "dfsdt_diverse": (dfsdt, Limits(depth=5), Dfsdt()),
    "dfsdt_sample": (dfsdt, Limits(depth=5), Dfsdt("sample")),
    "dfsdt_backtrack_2": (dfsdt, Limits(depth=5), Dfsdt(backtrack=2)),
    "dfsdt_rank": (dfsdt, Limits(depth=5), Dfsdt(rank=True, judge=ArmJudge())),
    "react": (react, Limits(width=3), None),
    "beam": (beam, Limits(solved=9), Beam(ArmJudge(), beam_size=2)),
    "beam_of_1": (beam, Limits(depth=5), Beam(ArmJudge(), beam_size=1, siblings="sample")),
    "best_first": (best_first, Limits(solved=9), BestFirst(ArmJudge(), "sample")),
    "mcts_judge": (mcts, Limits(solved=9), Mcts("sample", judge=ArmJudge())),
    "mcts_reward": (mcts, Limits(), Mcts("sample", "reward")),
    "mcts_reflections": (mcts, Limits(), Mcts("sample", "reward", 1.0, 2, ArmJudge())),
}


def written(tree: Tree) -> dict[str, Any]:
    """As JSON; calls with their kind, on which nothing else depends."""
    calls = [[call.state, call.kind, call.request, call.usage.tokens] for call in tree.calls]
    return json.loads(json.dumps(tree_to_dict(tree) | {"calls": calls}))


@pytest.mark.parametrize("name", SEARCHES)
async def test_golden_trees(name):
    search, limits, how = SEARCHES[name]
    given = [] if how is None else [how]
    tree = await search(ArmsEnv(), ArmsEnv().tasks[0], Told(), limits, *given)
    assert written(tree) == json.loads((GOLDEN / f"{name}.json").read_text())
