"""Traces of verifiers become trees. The golden file was written by the real package."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.interop.import_run import import_run
from engine.interop.settings import ImportSettings
from engine.runs.stats import stats
from engine.runs.store import Store

GOLDEN = Path(__file__).parents[2] / "golden" / "verifiers"


def test_every_leaf_is_a_path_of_its_task(tmp_path: Path) -> None:
    check(GOLDEN, tmp_path / "run")


def check(traces: Path, run: Path) -> None:
    """Import two episodes of one task, the first with two leaves."""
    found = import_run("verifiers", [traces], run, ImportSettings())
    assert (found.conversations, found.trees, found.nodes, found.merged) == (3, 1, 4, 2)
    with Store.open(run) as opened:
        tree = opened.tree("files-0")
        assert stats(opened).usage.usd == pytest.approx(0.001)
    first = tree.node(1)
    assert (first.step.action.tool, first.step.action.thought) == ("run", "I list them.")
    assert first.step.info["recorded"]["metrics"] == {
        "completion_token_ids": [101, 102],
        "logprobs": [-0.1, -0.2],
    }
    assert [leaf.step.reward for leaf in tree.leaves()] == [1.0, 1.0, 0.0]
    rows = list(export_rows([run], ExportSettings()))
    assert [row["messages"][-1]["content"] for row in rows] == ["There is a.txt.", "I cannot say."]
    assert rows[0]["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"command":"ls"}'
    pairs = list(export_rows([run], ExportSettings("dpo")))
    assert {pair["rejected"][0]["content"] for pair in pairs} == {"There is b.txt."}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": None}, "line 2, trace 0: it has no nodes"),
        ({"nodes": [{"parent": 3}]}, "node 0 has no parent before it"),
        ({"nodes": [{"message": None}]}, "node 0: it has no message"),
        ({"calls": 3}, "line 2, trace 0: its calls are not a list"),
        ({"rewards": {"a": {"score": "x"}}}, "a reward has no score"),
        (None, "line 2: neither an episode with traces nor a trace with nodes"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, Any] | None, words: str) -> None:
    first, second = map(json.loads, (GOLDEN / "traces.jsonl").read_text().splitlines())
    second = {"traces": [second["traces"][0] | change]} if change else {"rows": 1}
    file = tmp_path / "traces.jsonl"
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(UsageError) as error:
        import_run("verifiers", [file], tmp_path / "run", ImportSettings())
    assert words in str(error.value)
