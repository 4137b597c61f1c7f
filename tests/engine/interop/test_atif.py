"""ATIF both ways: runs as trajectories, and trajectories as runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from engine.errors import LeakError, UsageError
from engine.export.export import ExportSettings, export_rows
from engine.interop.atif_write import export_atif
from engine.interop.import_run import import_run
from engine.interop.settings import ImportSettings
from engine.runs.codec import tree_to_dict
from engine.runs.stats import stats
from engine.runs.store import Store
from environments.types import Task
from search.tree import Tree
from tests.engine.interop.test_chat import BAD, GOOD, OTHER_THOUGHT, PARALLEL, imported, record
from tests.support.stored import answer, chain, look, store, valued
from treegraft.commands import engine_app

GOLDEN = Path(__file__).parents[2] / "golden"
HARBOR = GOLDEN / "atif_harbor.json"
SCHEMA = json.loads((GOLDEN / "atif_schema.json").read_text())
"""Of Harbor's published models; docs/interop.md has the command that writes it."""

Json = dict[str, Any]


def check(folder: Path) -> list[Json]:
    """Check every file against the schema, and what the models check beside it."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    found = [json.loads(file.read_text()) for file in sorted(folder.iterdir())]
    for trajectory in found:
        validator.validate(trajectory)
        steps = trajectory["steps"]
        assert [step["step_id"] for step in steps] == list(range(1, len(steps) + 1))
        for step in steps:
            calls = {call["tool_call_id"] for call in step.get("tool_calls", ())}
            results = step.get("observation", {"results": []})["results"]
            assert {each["source_call_id"] for each in results if "source_call_id" in each} <= calls
            agents_own = {"model_name", "reasoning_content", "tool_calls", "metrics"}
            assert step["source"] == "agent" or not agents_own & set(step)
    return found


def trees(run: Path) -> list[Json]:
    """The trees of a run, without what says where the records were read."""
    with Store.open(run) as opened:
        found = [tree_to_dict(tree) for tree in opened.trees()]
    for tree in found:
        for node in tree["nodes"]:
            for name in ("records", "recorded"):
                node["info"].pop(name, None)
        tree["nodes"] = [{**node, "call": -1} for node in tree["nodes"]]
    return found


def test_a_run_of_chats_goes_out_and_comes_back(tmp_path: Path) -> None:
    sent = [record(GOOD, task_id="clock"), record(BAD, 0, task_id="clock")]
    sent += [record(OTHER_THOUGHT, 0.5, task_id="clock"), record(PARALLEL, None, task_id="both")]
    run, _ = imported(tmp_path, *sent)
    assert export_atif([run], tmp_path / "atif") == 4
    found = check(tmp_path / "atif")
    again = tmp_path / "again"
    import_run("atif", [tmp_path / "atif"], again, ImportSettings())
    assert [{**tree, "source": ""} for tree in trees(again)] == [
        {**tree, "source": ""} for tree in trees(run)
    ]
    rows = [
        [(row["messages"], row["tools"]) for row in export_rows([each], ExportSettings())]
        for each in (run, again)
    ]
    assert rows[0] == rows[1] != []
    copied = [[bool(step.get("is_copied_context")) for step in each["steps"]] for each in found]
    assert [sum(each) for each in copied if any(each)] == [3, 2]


def test_a_run_of_ours_tells_nodes_values_and_visits(tmp_path: Path) -> None:
    tree = Tree(Task("t1", "How many?"), "hand")
    a = chain(tree, look("a", "Perhaps a."))
    chain(tree, answer("x", 0.0), at=a)
    chain(tree, answer("right", 1.0), at=a)
    run = store(tmp_path / "run", [tree])
    export_atif([run], tmp_path / "atif")
    lost, won = check(tmp_path / "atif")
    first = lost["steps"][2]
    assert first["extra"]["treegraft"] == {"node": 1, "parent": 0, "visits": 2, "value": 0.5}
    assert first["message"] == "Perhaps a."
    assert (lost["extra"]["reward"], won["extra"]["reward"]) == (0.0, 1.0)
    assert won["extra"]["treegraft"]["status"] == "solved"
    assert [step.get("is_copied_context") for step in won["steps"]] == [True, True, True, None]
    again = tmp_path / "again"
    import_run("atif", [tmp_path / "atif"], again, ImportSettings())
    with Store.open(again) as opened:
        read = opened.tree("t1")
    assert [node.step.action for node in read.nodes] == [node.step.action for node in tree.nodes]
    assert [node.parent for node in read.nodes] == [node.parent for node in tree.nodes]
    (pair,) = export_rows([again], ExportSettings("dpo"))
    assert pair["chosen"][0]["tool_calls"][0]["function"]["name"] == "answer"


def test_values_are_those_of_credit(tmp_path: Path) -> None:
    run = store(tmp_path / "run", [valued()], search="continuations")
    export_atif([run], tmp_path / "atif")
    seen = {
        step["extra"]["treegraft"]["node"]: step["extra"]["treegraft"].get("value")
        for each in check(tmp_path / "atif")
        for step in each["steps"]
        if step["source"] == "agent"
    }
    assert seen[1] == 0.25


def test_harbors_own_file_keeps_tokens_and_costs(tmp_path: Path) -> None:
    trial = tmp_path / "trial" / "agent"
    trial.mkdir(parents=True)
    shutil.copy(HARBOR, trial / "trajectory.json")
    result = {"task_name": "hello", "verifier_result": {"rewards": {"reward": 1.0}}}
    (tmp_path / "trial" / "result.json").write_text(json.dumps(result))
    run = tmp_path / "run"
    found = import_run("atif", [tmp_path / "trial"], run, ImportSettings())
    assert (found.conversations, found.successes) == (1, 1)
    with Store.open(run) as opened:
        assert stats(opened).usage.usd == pytest.approx(0.003)
        tree = opened.tree("hello")
    metrics = tree.node(1).step.info["recorded"]["metrics"]
    assert metrics["completion_token_ids"] == [101, 102, 103]
    export_atif([run], tmp_path / "atif")
    (again,) = check(tmp_path / "atif")
    theirs = json.loads(HARBOR.read_text())
    for mine, step in zip(again["steps"], theirs["steps"], strict=True):
        extra = mine.pop("extra", {})
        assert {k: v for k, v in extra.items() if k != "treegraft"} == step.pop("extra", {})
        assert mine == step
    assert again["agent"] == theirs["agent"]


@pytest.mark.parametrize("spelling", ["cost_usd", "cost"])
def test_both_spellings_of_cost_are_read(tmp_path: Path, spelling: str) -> None:
    trajectory = json.loads(HARBOR.read_text())
    for step in trajectory["steps"]:
        step.pop("metrics", None)
    total = {"total_prompt_tokens": 7, "total_completion_tokens": 3}
    trajectory["final_metrics"] = {**total, f"total_{spelling}": 0.5}
    (tmp_path / "one.json").write_text(json.dumps(trajectory))
    import_run("atif", [tmp_path / "one.json"], tmp_path / "run", ImportSettings())
    with Store.open(tmp_path / "run") as opened:
        assert stats(opened).usage.usd == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": "ATIF-v9"}, "its schema_version is 'ATIF-v9', not ATIF-v1.x"),
        ({"steps": []}, "it has no steps"),
        ({"agent": None}, "it names no agent"),
        ({"agent": {"tool_definitions": 3}}, "its tool_definitions are not a list"),
        ({"steps": [{"source": "agent", "message": "", "extra": 3}]}, "step 1: its extra"),
        ({"steps": [{"step_id": 1, "source": "robot", "message": ""}]}, "step 1: a step needs"),
        (
            {"steps": [{"source": "agent", "message": "", "tool_calls": [{}]}]},
            "step 1: a call names no function",
        ),
        ({"extra": {"reward": "high"}}, "its reward is 'high'"),
        ({"final_metrics": {"total_cost_usd": "much"}}, "its metrics are not numbers"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, change: Json, words: str) -> None:
    file = tmp_path / "one.json"
    trajectory = {**json.loads(HARBOR.read_text()), **change}
    if "final_metrics" in change:
        trajectory["steps"] = [
            {k: v for k, v in s.items() if k != "metrics"} for s in trajectory["steps"]
        ]
    file.write_text(json.dumps(trajectory))
    with pytest.raises(UsageError) as error:
        import_run("atif", [file], tmp_path / "run", ImportSettings())
    assert str(error.value).startswith(str(file)) and words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_command_writes_all_or_nothing(tmp_path: Path) -> None:
    tree = Tree(Task("t1", "How many?", secret={"gold": "rows of a or b"}), "hand")
    chain(tree, look("a or b"), answer("x", 0.0))
    run, output = store(tmp_path / "run", [tree]), tmp_path / "atif"
    with pytest.raises(LeakError):
        export_atif([run], output)
    assert not output.exists()
    arguments = ["export", str(run), "--format", "atif", "--output", str(output)]
    refused = CliRunner().invoke(engine_app(), [*arguments, "--to", "dpo"])
    assert "leave out what makes rows" in str(refused.exception)
    good = store(tmp_path / "good", [Tree(Task("t/1", "?"), "hand")])
    with Store.create(good) as opened:
        chain(whole := Tree(Task("t/1", "?"), "hand"), answer("x", 0.0))
        opened.add_tree(whole)
    result = CliRunner().invoke(engine_app(), ["export", str(good), *arguments[2:], "--json"])
    assert result.exit_code == 0, result.output
    assert [file.name for file in output.iterdir()] == ["good-t%2F1-00001.json"]
