"""Rows: which paths and pairs a tree gives, what they hold, and what stops an export."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from engine.errors import LeakError, UsageError
from engine.export.export import ExportSettings, export, export_rows
from engine.export.filters import Counts, Filters, passing_leaves
from engine.export.leak_check import check_row
from engine.export.pairs import find_pairs
from engine.policies.judge import SEARCH_TEXTS
from engine.runs.fingerprints import fingerprints
from environments import Action, Step, Task
from search import ROOT, Tree
from tests.support.viewed import GOLD, answer, look, run_of, searched
from trainer.data.mask import is_trained

TASK = Task("t1", "Who is over 30?", {"sql": GOLD}, group="people", split="train")


def grown(*branches: tuple[int, Step], task: Task = TASK) -> Tree:
    tree = Tree(task, "teacher-1", stopped="solved")
    for parent, step in branches:
        tree.add(parent, step)
    return tree


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    return lambda *trees, name="run": run_of(tmp_path / name, *trees)


def rows_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_sft_row_is_the_successful_path_without_its_last_observation(run, tmp_path):
    counts = export([run(searched())], tmp_path / "o.jsonl", ExportSettings("sft"))
    (row,) = rows_of(tmp_path / "o.jsonl")
    assert [m["role"] for m in row["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert json.loads(row["messages"][-1]["tool_calls"][0]["function"]["arguments"]) == {"at": GOLD}
    assert {k: row[k] for k in ("id", "env", "reward", "source", "split", "group")} == {
        "id": "run/t1/6",
        "env": "arms",
        "reward": 1.0,
        "source": "teacher-1",
        "split": "train",
        "group": "people",
    }
    assert [tool["function"]["name"] for tool in row["tools"]] == ["look", "answer"]
    assert (counts.rows, dict(counts.dropped)) == (1, {"reward": 3})


def test_step_pairs_hold_the_actions_where_success_and_failure_part(run, tmp_path):
    export([run(searched())], tmp_path / "o.jsonl", ExportSettings("dpo"))
    first, second = rows_of(tmp_path / "o.jsonl")
    assert [len(row["prompt"]) for row in (first, second)] == [2, 4]
    assert [row["depth"] for row in (first, second)] == [0, 1]
    assert first["chosen"][0]["content"] == "look at a" and len(first["chosen"]) == 1
    assert first["rejected"][0]["content"] == "look at b" and len(first["rejected"]) == 1
    assert "age > 20" in json.dumps(second["rejected"]) and GOLD in json.dumps(second["chosen"])
    assert (second["chosen_reward"], second["rejected_reward"]) == (1.0, 0.0)
    assert second["pair_kind"] == "step"


def test_trajectory_pairs_go_to_the_end_of_both_paths(run, tmp_path):
    export([run(searched())], tmp_path / "o.jsonl", ExportSettings("dpo", pairs="trajectory"))
    first, _ = rows_of(tmp_path / "o.jsonl")
    roles = ["assistant", "tool", "assistant"]
    assert [m["role"] for m in first["chosen"]] == roles
    assert [m["role"] for m in first["rejected"]] == roles
    assert "SELECT 2" in json.dumps(first["rejected"])  # the last failure below


def test_a_sibling_that_is_still_open_or_also_solved_makes_no_pair(run, tmp_path):
    still_open = grown((ROOT, look("b")), (1, look("c")), (ROOT, answer(GOLD, 1.0)))
    solved_too = grown((ROOT, answer(GOLD + " ", 1.0)), (ROOT, answer(GOLD, 1.0)))
    for number, tree in enumerate((still_open, solved_too)):
        counts = export([run(tree, name=f"r{number}")], tmp_path / "o.jsonl", ExportSettings("dpo"))
        assert counts.rows == 0


@pytest.mark.parametrize(
    ("leaf", "wanted", "reason"),
    [
        (answer("x", 0.5), Filters(), "reward"),
        (answer("x", 0.5), Filters(min_reward=0.5), ""),
        (answer("x", 0.0, gave_up=True), Filters(min_reward=0), "gave_up"),
        (answer("x", 0.0, gave_up=True), Filters(min_reward=0, give_ups=True), ""),
        (Step(Action("look", {}), "o", 1.0, truncated=True), Filters(), "truncated"),
    ],
)
def test_filters(leaf, wanted, reason):
    counts = Counts()
    passed = list(passing_leaves(grown((ROOT, leaf)), wanted, counts))
    assert (bool(passed), list(counts.dropped)) == (not reason, [reason] if reason else [])


def test_a_path_with_a_loop_is_left_out():
    tree = grown((ROOT, look("a")), (1, look("a")), (2, answer("x", 1.0)))
    assert not list(passing_leaves(tree, Filters(), Counts()))
    assert list(passing_leaves(tree, Filters(loops=True), Counts()))
    changed = grown((ROOT, look("a")), (1, look("a", "other rows")), (2, answer("x", 1.0)))
    assert list(passing_leaves(changed, Filters(), Counts()))


def test_actions_that_failed_can_have_no_weight(run, tmp_path):
    failed = replace(look("a", "error: no such table"), info={"error": "sql_error"})
    tree = grown((ROOT, failed), (1, look("b")), (2, answer("x", 1.0)))
    file = tmp_path / "o.jsonl"
    export([run(tree)], file, ExportSettings("sft", mask_errors=True))
    [row] = map(json.loads, file.read_text("utf-8").splitlines())
    said = [message for message in row["messages"] if message["role"] == "assistant"]
    assert [message.get("weight") for message in said] == [0, None, None]
    from datasets import load_dataset  # not above: every worker of pytest collects this file

    [loaded] = load_dataset("json", data_files=str(file), cache_dir=str(tmp_path))["train"]
    loaded = [message for message in loaded["messages"] if message["role"] == "assistant"]
    assert list(map(is_trained, loaded)) == list(map(is_trained, said)) == [False, True, True]
    export([tmp_path / "run"], file, ExportSettings("sft"))
    [row] = map(json.loads, file.read_text("utf-8").splitlines())
    assert not any("weight" in message for message in row["messages"])


@pytest.mark.parametrize("other", [{"kind": "dpo"}, {"format": "sharegpt"}])
def test_rows_without_weights_refuse_to_mask_errors(other):
    with pytest.raises(UsageError, match="--mask-errors is for"):
        ExportSettings(**other, mask_errors=True)


def test_near_duplicates_and_per_task():
    tree = grown(
        (ROOT, answer("select  NAME from t", 1.0)),
        (ROOT, answer("SELECT name FROM t", 1.0)),
        (ROOT, answer("SELECT name FROM t WHERE 1 < 2", 1.0)),
        (ROOT, answer("SELECT name FROM t WHERE 1 > 2", 1.0)),
    )
    counts = Counts()
    assert [leaf.id for leaf in passing_leaves(tree, Filters(), counts)] == [1, 3, 4]
    assert counts.dropped == {"duplicate": 1}
    assert len(list(passing_leaves(tree, Filters(near_duplicates=True), Counts()))) == 4
    assert [leaf.id for leaf in passing_leaves(tree, Filters(per_task=2), Counts())] == [1, 3]


def test_equal_rows_of_two_runs_are_one(run, tmp_path):
    runs = [run(searched(), name="a"), run(searched(), name="b")]
    counts = export(runs, tmp_path / "o.jsonl", ExportSettings("sft"))
    assert counts.rows == 1 and counts.dropped["duplicate"] == 1
    assert repr(counts) == (
        "Counts(rows=1, dropped=Counter({'reward': 6, 'duplicate': 1}), stale_annotations=0)"
    )


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_rows_in_memory_are_those_of_the_file(run, tmp_path, kind):
    runs, counts = [run(searched(), name="a"), run(searched(), name="b")], Counts()
    written = export(runs, tmp_path / "o.jsonl", ExportSettings(kind))
    assert list(export_rows(runs, ExportSettings(kind), counts)) == rows_of(tmp_path / "o.jsonl")
    assert counts == written and counts.rows > 0
    with pytest.raises(UsageError, match="no run in"):
        export_rows([tmp_path / "nope"], ExportSettings(kind))


def test_a_pair_names_both_siblings_and_the_ends_of_their_paths():
    for kind in ("step", "trajectory"):
        first, second = find_pairs(searched(), Filters(), Counts(), kind)
        for pair, ids in ((first, (4, 1, 6, 3)), (second, (6, 5, 6, 5))):
            nodes = (pair.chosen, pair.rejected, pair.chosen_leaf, pair.rejected_leaf)
            assert tuple(node.id for node in nodes) == ids


def test_siblings_on_several_paths_make_one_step_pair_and_a_trajectory_pair_each():
    tree = searched()
    tree.add(4, answer("SELECT name", 1.0))
    parted = [
        [(pair.chosen.id, pair.rejected.id) for pair in find_pairs(tree, Filters(), Counts(), kind)]
        for kind in ("step", "trajectory")
    ]
    assert parted == [[(4, 1), (6, 5), (7, 5)], [(4, 1), (6, 5), (4, 1), (7, 5)]]


def test_a_failed_sibling_may_have_a_path_deeper_than_the_stack():
    tree, at = grown((ROOT, answer(GOLD, 1.0)), (ROOT, look("0"))), 2
    for number in range(1, 3000):
        at = tree.add(at, look(str(number))).id
    tree.add(at, answer("x"))
    [pair] = find_pairs(tree, Filters(), Counts())
    assert (pair.rejected.id, pair.rejected_leaf.id) == (2, 3002)


@pytest.mark.parametrize(
    "tree",
    [
        grown((ROOT, answer(GOLD, 1.0)), task=Task("t1", f"Q? {GOLD}", {"sql": GOLD})),
        grown((ROOT, look("a", f"hint: {GOLD.lower()}")), (1, answer("x", 1.0))),
        *(grown((ROOT, look("a", f"x {text}")), (1, answer("x", 1.0))) for text in SEARCH_TEXTS),
    ],
)
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_leak_stops_the_export_and_nothing_is_written(run, tmp_path, tree, kind):
    tree.add(tree.nodes[-1].parent, answer("other"))
    with pytest.raises(LeakError, match="run/t1"):
        export([run(tree)], tmp_path / "o.jsonl", ExportSettings(kind))
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_a_secret_that_the_agent_found_is_not_a_leak(run, tmp_path):
    tree = grown((ROOT, look(GOLD, f"near: {GOLD}")), (1, answer(GOLD, 1.0)))
    assert export([run(tree)], tmp_path / "o.jsonl", ExportSettings("sft")).rows == 1


def test_the_leak_check_covers_nested_values():
    row = {"id": "x", "messages": [{"role": "user", "content": "", "extra": [{"a": GOLD}]}]}
    with pytest.raises(LeakError):
        check_row(row, fingerprints(TASK.secret))


def test_rows_come_back_from_datasets_as_they_were_written(run, tmp_path):
    from datasets import load_dataset

    for kind in ("sft", "dpo"):
        file = tmp_path / f"{kind}.jsonl"
        export([run(searched())], file, ExportSettings(kind))
        loaded = load_dataset("json", data_files=str(file), cache_dir=str(tmp_path / "c"))
        assert list(loaded["train"]) == rows_of(file)


def test_parquet_holds_nested_columns_as_json(run, tmp_path):
    export([run(searched())], tmp_path / "o.jsonl", ExportSettings("sft"))
    export([run(searched())], tmp_path / "o.parquet", ExportSettings("sft"))
    (row,) = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    assert json.loads(row["messages"]) == rows_of(tmp_path / "o.jsonl")[0]["messages"]


def test_sharegpt_writes_its_dataset_info(run, tmp_path):
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "m.json"}}')
    for kind in ("sft", "dpo"):
        export(
            [run(searched())], tmp_path / f"{kind}.json", ExportSettings(kind, format="sharegpt")
        )
    (row,) = json.loads((tmp_path / "sft.json").read_text())
    assert [turn["from"] for turn in row["conversations"]] == [
        "human",
        "function_call",
        "observation",
        "function_call",
    ]
    pairs = json.loads((tmp_path / "dpo.json").read_text())
    assert pairs[0]["chosen"]["from"] == "function_call"
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(info) == {"mine", "sft", "dpo"} and info["dpo"]["ranking"] is True


def test_toolbench_rows_are_text(run, tmp_path):
    export([run(searched())], tmp_path / "o.json", ExportSettings("sft", format="toolbench"))
    (row,) = json.loads((tmp_path / "o.json").read_text())
    assert [turn["from"] for turn in row["conversations"]] == [
        "system",
        "user",
        "assistant",
        "function",
        "assistant",
    ]
    assert row["conversations"][2]["value"].startswith("Thought: look at a\nAction: look")


def test_each_row_takes_one_of_several_templates_and_dialects(run, tmp_path):
    trees = [
        grown(
            (ROOT, look(f"{number}")), (1, answer(GOLD, 1.0)), task=replace(TASK, id=f"t{number}")
        )
        for number in range(40)
    ]
    folder = run(*trees)
    how = ExportSettings(
        "sft", templates=("native", "react", "hermes"), dialects=("lines", "typescript")
    )
    assert export([folder], tmp_path / "o.jsonl", how).rows == 40
    rows = rows_of(tmp_path / "o.jsonl")
    systems = Counter(
        ("native" if row["tools"] else "")
        + ("react " if "Action Input" in row["messages"][0]["content"] else "")
        + ("typed" if "namespace functions" in row["messages"][0]["content"] else "")
        for row in rows
    )
    assert set(systems) == {"native", "react ", "react typed", "", "typed"}
    export([folder], tmp_path / "again.jsonl", how)
    assert rows_of(tmp_path / "again.jsonl") == rows


def test_both_halves_of_a_pair_are_in_one_template(run, tmp_path):
    how = ExportSettings("dpo", templates=("react", "hermes"))
    assert export([run(searched())], tmp_path / "o.jsonl", how).rows > 1
    for row in rows_of(tmp_path / "o.jsonl"):
        hermes = "<tool_call>" in row["prompt"][0]["content"]
        for half in ("chosen", "rejected"):
            assert row[half][0]["content"].count("<tool_call>") == hermes


def test_formats_that_cannot_hold_pairs_say_so():
    with pytest.raises(UsageError, match="no pairs"):
        ExportSettings("dpo", format="toolbench")
    with pytest.raises(UsageError, match="--pairs step"):
        ExportSettings("dpo", pairs="trajectory", format="sharegpt")


def test_a_missing_run_is_an_error_before_anything_is_written(run, tmp_path):
    with pytest.raises(UsageError, match="no run in"):
        export([run(searched()), tmp_path / "nope"], tmp_path / "o.jsonl", ExportSettings("sft"))
    assert not (tmp_path / "o.jsonl").exists()
